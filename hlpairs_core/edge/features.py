"""What of a candidate may tell a relation from luck, made comparable between pairs."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray

__all__ = ["FORMS", "NEEDED", "forms_of", "noise_bps", "terms_of", "tightness"]

# From a spread e^0.9 = 2.5 times calmer than its legs to one 3.5 times calmer: from coins of one sector to one trend.
_LOOSE, _TIGHT = 0.9, 1.25
_LEAST_P = 1e-3

_COMMON = ("all", "funding")
_TEST = ("tight_evidence", "tight_slowness", "tight_drift")
FORMS: dict[str, tuple[str, ...]] = {
    "nothing arrives": (),
    "one share for all": _COMMON,
    "tight pairs": (*_COMMON, "tight"),
    "tight pairs by p": (*_COMMON, "tight", "tight_evidence"),
    "tight pairs by record": (*_COMMON, "tight", "tight_record"),
    "tight pairs by p and record": (*_COMMON, "tight", "tight_evidence", "tight_record"),
    "tight pairs by p, speed, stability and record": (*_COMMON, "tight", *_TEST, "tight_record"),
    "tight pairs by all": (
        *_COMMON,
        "tight",
        *_TEST,
        "tight_record",
        "tight_z",
        "tight_age",
        "tight_crossings",
    ),
    "all pairs by all": (
        *_COMMON,
        "tight",
        *_TEST,
        "tight_record",
        "evidence",
        "slowness",
        "drift",
        "record",
        "z",
        "market_lean",
    ),
    "funding arrives": ("funding",),
    "funding arrives, as in its last week": ("funding", "funding_week"),
}
"""Sets of terms by name; `forms_of` says which are tried of a kind of pair."""

# Spot against perp has no test and no reversion to expect: its income is funding.
_NOTHING = "nothing arrives"
_CARRY = (_NOTHING, "funding arrives", "funding arrives, as in its last week")

NEEDED = (
    "kind",
    "signal_time",
    "y",
    "x",
    "zscore",
    "spread_vol_bps",
    "expected_gross_bps",
    "expected_fee_bps",
    "expected_slippage_bps",
    "expected_funding_bps",
)
"""Columns without which nothing is expected."""


def forms_of(kind: str) -> dict[str, tuple[str, ...]]:
    """Return the sets of terms that are tried of a kind of pair, the simplest first."""
    if kind == "spot_perp":
        return {name: FORMS[name] for name in _CARRY}
    return {name: terms for name, terms in FORMS.items() if name == _NOTHING or name not in _CARRY}


def terms_of(rows: pd.DataFrame, names: tuple[str, ...]) -> FloatArray:
    r"""Return what the expected income is a sum of (bps); shape (n, len(names)), NaN where an input is unknown.

    ``funding`` is the raw expectation of the funding, ``funding_week`` how much more it is if it goes on as in the last
    week. Each other term is the raw expectation of the gross times

    * ``all``: 1
    * ``tight``: 0 where the legs are less than 2.5 times as volatile as the spread, 1 from 3.5 times on
    * ``evidence``: -log10 of p less 2, within -1 and 1
    * ``slowness``: log of the half-life over 10 hours
    * ``drift``: size of the change of beta within the window over 5 standard errors, less 1, at most 2
    * ``z``: \|z\| less 2.5; ``age``: log of 1 + bars of the signal's age, over 3; ``crossings``: over 30, less 1
    * ``record``: of the pair's own earlier trades (`with_record`): 0 up to a share of 0.15, 1 from 0.6 on
    * ``market_lean``: size of the pair's own slope on the market

    or, with ``tight_`` before the name, times ``tight`` and this.
    """
    gross, parts = _column(rows, "expected_gross_bps"), {}
    for name in names:
        parts[name] = _FUNDING[name](rows) if name in _FUNDING else gross * _factor(rows, name)
    return np.stack(list(parts.values()), axis=1) if parts else np.empty((len(rows), 0))


def noise_bps(rows: pd.DataFrame, horizon_hours: float) -> FloatArray:
    """Return what a trade would bring more or less by chance (bps of gross notional).

    What the spread would move by in the horizon if nothing pulled it; ``hold_noise_bps`` of candidates that have it,
    since a basis goes nowhere and funding differs from its mean for days.
    """
    moves = _column(rows, "spread_vol_bps")
    noise = np.where(moves > 0, moves, np.nan) * np.sqrt(horizon_hours)
    if "hold_noise_bps" not in rows:
        return np.asarray(noise)
    own = _column(rows, "hold_noise_bps")
    return np.asarray(np.where(own > 0, own, noise))


def _factor(rows: pd.DataFrame, name: str) -> FloatArray:
    if name.startswith("tight_"):
        return tightness(rows) * _MADE[name.removeprefix("tight_")](rows)
    return _MADE[name](rows)


def _column(rows: pd.DataFrame, name: str) -> FloatArray:
    return np.asarray(rows[name], dtype=np.float64)


def _funding_week(rows: pd.DataFrame) -> FloatArray:
    if "funding_week_bps" not in rows:
        return np.full(len(rows), np.nan)
    return _column(rows, "funding_week_bps") - _column(rows, "expected_funding_bps")


_FUNDING: dict[str, Callable[[pd.DataFrame], FloatArray]] = {
    "funding": lambda rows: _column(rows, "expected_funding_bps"),
    "funding_week": _funding_week,
}


def _weights(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    beta = _column(rows, "beta")
    weight_y = 1.0 / (1.0 + np.abs(beta))
    return weight_y, np.sign(beta) * (1.0 - weight_y)


def tightness(rows: pd.DataFrame) -> FloatArray:
    """Return 0 where the legs are less than 2.5 times as volatile as the spread, 1 from 3.5 times on."""
    weight_y, weight_x = _weights(rows)
    legs = np.hypot(weight_y * _column(rows, "vol_y_bps"), weight_x * _column(rows, "vol_x_bps"))
    spread = _column(rows, "spread_vol_bps")
    calm = np.log(legs / np.where(spread > 0, spread, np.nan))
    return np.asarray(np.clip((calm - _LOOSE) / (_TIGHT - _LOOSE), 0.0, 1.0))


def _market_lean(rows: pd.DataFrame) -> FloatArray:
    weight_y, weight_x = _weights(rows)
    return np.abs(weight_y * _column(rows, "market_beta_y") - weight_x * _column(rows, "market_beta_x"))


_MADE: dict[str, Callable[[pd.DataFrame], FloatArray]] = {
    "all": lambda rows: np.ones(len(rows)),
    "tight": tightness,
    "evidence": lambda rows: np.minimum(-np.log10(np.maximum(_column(rows, "p_value"), _LEAST_P)), 3.0) - 2.0,
    "slowness": lambda rows: np.log(_column(rows, "half_life_hours") / 10.0),
    "drift": lambda rows: np.minimum(np.abs(_column(rows, "beta_drift")) / 5.0, 3.0) - 1.0,
    "z": lambda rows: np.abs(_column(rows, "zscore")) - 2.5,
    "age": lambda rows: np.log1p(_column(rows, "signal_age_bars")) / 3.0,
    "crossings": lambda rows: _column(rows, "crossings") / 30.0 - 1.0,
    "record": lambda rows: np.clip((_column(rows, "record_share") - 0.15) / 0.45, 0.0, 1.0),
    "market_lean": _market_lean,
}
