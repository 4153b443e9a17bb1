"""The candidates of a closed bar as rows: all that is known of them when a trade would be decided on."""

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray, StrArray
from hlpairs_core.market import Panel
from hlpairs_core.screening.features import FEATURES, describe_candidates
from hlpairs_core.screening.pairs import PairTests
from hlpairs_core.screening.priced import CoinFacts, Columns
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["SIGNALS", "SIGNAL_TIME", "no_signals", "signal_columns", "signal_frame"]

_TESTED = ("alpha", "beta", "sigma", "p_value", "q_value", "t_stat", "half_life_hours", "r_squared", "correlation")
_EXPECTED = {
    "gross_bps": "expected_gross_bps",
    "fee_bps": "expected_fee_bps",
    "slippage_bps": "expected_slippage_bps",
    "funding_bps": "expected_funding_bps",
    "net_edge_bps": "expected_net_bps",
    "hold_hours": "expected_hold_hours",
}
SIGNALS = (
    "kind", "signal_time", "y", "x", "side_y", "side_x", *_TESTED, "zscore", *FEATURES, *_EXPECTED.values(),
    "capacity_usd", "qualifies", "is_top",
)  # fmt: skip
"""Columns of a candidate that are known at its signal bar: see `WalkForward.rows`, which adds outcomes."""

SIGNAL_TIME = pd.DatetimeTZDtype("ms", "UTC")
_KINDS, _SIDES = ("perp_perp", "spot_perp"), ("long", "short")
_WHOLE = dict.fromkeys(("y", "x"), np.int64)
_TRUE_OR_FALSE = dict.fromkeys(("short_y", "short_x", "qualifies", "is_top"), np.bool_)
_NUMBERS = (*_TESTED, "zscore", *FEATURES, *_EXPECTED.values(), "capacity_usd")


def signal_columns(
    known: Panel,
    tests: PairTests,
    priced: Columns,
    facts: CoinFacts,
    qualifies: BoolArray,
    settings: ScreenSettings,
) -> Columns:
    """Return candidates as columns; ``y, x`` are positions in `known`, sides are ``short_y, short_x``.

    Parameters
    ----------
    known : Panel
        Eligible coins up to the signal bar, which is its last row.
    tests, priced : PairTests, Columns
        The candidates, and what `price_pairs` says of them.
    facts : CoinFacts
        Of the coins.
    qualifies : ndarray of bool
        Which of them qualify by the rule that is not calibrated.
    settings : ScreenSettings
        ``window`` and ``z_in``.
    """
    names = np.array(known.coins)
    return {
        "y": tests.y,
        "x": tests.x,
        "short_y": priced["side_y"] == "short",
        "short_x": priced["side_x"] == "short",
        **{name: getattr(tests, name) for name in _TESTED},
        "zscore": priced["zscore"],
        **describe_candidates(known, tests, priced["zscore"], facts, settings),
        **{ours: priced[theirs] for theirs, ours in _EXPECTED.items()},
        "capacity_usd": priced["capacity_usd"],
        "qualifies": qualifies,
        "is_top": _is_top(qualifies, priced["net_edge_bps"], names[tests.y], names[tests.x]),
    }


def _is_top(qualifies: BoolArray, net: FloatArray, y: StrArray, x: StrArray) -> BoolArray:
    """Mark the qualifying pair with the largest net edge; ties go by name, as in the screen's ranking."""
    top = np.zeros(len(net), dtype=bool)
    rows = np.flatnonzero(qualifies)
    if len(rows):
        top[rows[np.lexsort((x[rows], y[rows], -net[rows]))[0]]] = True
    return top


def no_signals() -> Columns:
    """Return the columns of no candidate."""
    names = ("y", "x", "short_y", "short_x", *_NUMBERS, "qualifies", "is_top")
    return {name: np.empty(0, dtype=(_WHOLE | _TRUE_OR_FALSE).get(name, np.float64)) for name in names}


def signal_frame(columns: Columns, times: pd.DatetimeIndex, coins: tuple[str, ...]) -> pd.DataFrame:
    """Return candidates as a table (`SIGNALS`); names and words are categories, because there are few of them."""

    def words(codes: "IntArray | BoolArray", known: tuple[str, ...]) -> pd.Categorical:
        return pd.Categorical.from_codes(codes.astype(np.int64), categories=list(known))

    names = {
        "kind": words(np.zeros(len(times), dtype=np.int64), _KINDS),
        "signal_time": times,
        "y": words(columns["y"], coins),
        "x": words(columns["x"], coins),
        "side_y": words(columns["short_y"], _SIDES),
        "side_x": words(columns["short_x"], _SIDES),
    }
    numbers = {name: columns[name].astype(np.float64) for name in _NUMBERS}
    return pd.DataFrame(names | numbers | {name: columns[name] for name in ("qualifies", "is_top")})[list(SIGNALS)]
