"""The carry screen of one closed bar after the other, and what came of its trades."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.backtest.walk_forward import WalkForward
from hlpairs_core.backtest.walk_outcomes import realise
from hlpairs_core.backtest.walk_screen import BARS
from hlpairs_core.backtest.walk_span import signal_bars
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.market.joined import join_spot
from hlpairs_core.market.spot_names import SpotMatch
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.carry import CARRY_FEATURES, carry_candidates, carry_signals
from hlpairs_core.screening.carry_gates import CarryAccount
from hlpairs_core.screening.screen import DEFAULT_COSTS, DEFAULT_SETTINGS
from hlpairs_core.screening.signals import SIGNALS

__all__ = ["walk_carry"]

_MORE = ("margin_usd", "capital_usd")


def walk_carry(
    perps: Panel,
    spots: Panel,
    matches: Sequence[SpotMatch],
    *,
    settings: ScreenSettings = DEFAULT_SETTINGS,
    costs: CostModel = DEFAULT_COSTS,
    account: CarryAccount = CarryAccount(),  # noqa: B008 (frozen)
    every: int = 1,
    horizon: float | None = None,
    start: Any = None,
    stop: Any = None,
) -> WalkForward:
    """Screen spot against perpetuals at every closed bar on what was known then, and trade every candidate.

    Parameters
    ----------
    perps, spots, matches, account
        As in `screen_carry`; perpetuals with funding.
    settings, costs : ScreenSettings, CostModel
        Of the screens and the trades.
    every, start, stop
        As in `walk_forward`: with the same panel of perpetuals the signal bars are the same.
    horizon : float, optional
        Hold (hours), in place of the settings'.

    Returns
    -------
    WalkForward
        Rows of kind "spot_perp": the columns of `walk_forward`, `CARRY_FEATURES`, ``margin_usd, capital_usd``. One row
        for each pair and bar at which its history can be relied on, the sides can be taken and some funding is
        expected to be received, whether that pays the costs or not. ``candidate_p, candidate_z`` are NaN.

    Raises
    ------
    InputError
        As `join_spot`; if intervals differ, or no signal bar lies between `start` and `stop`.

    Notes
    -----
    Both legs are filled at the open of the first bar after the signal in which both trade, a unit of one for a unit of
    the other, and again when the horizon is over: see `realise`. Gross is the change of the basis.
    """
    settings = settings if horizon is None else replace(settings, horizon_hours=horizon)
    if perps.interval != settings.interval:
        raise InputError(
            f"the panels have {perps.interval} bars and the settings say {settings.interval}: make them agree"
        )
    panel = join_spot(perps, spots, matches)
    bars = signal_bars(panel, settings, every, start, stop)
    found = [
        carry_candidates(panel.rows(0, bar + 1), matches, settings=settings, costs=costs, account=account)
        for bar in bars
    ]
    times = (panel.time[bars] + (panel.closed_at - panel.time[-1])).as_unit("ms")
    signals = [carry_signals(one) for one in found]
    rows = _rows(signals, panel.coins)
    outcomes = realise(rows, panel, settings=settings, costs=costs)
    return WalkForward(
        rows=pd.concat([rows, outcomes], axis=1),
        bars=_bars(found, signals, times, len(matches)),
        settings=settings,
        costs=costs,
        candidate_p=np.nan,
        candidate_z=np.nan,
        span=(times[0], times[-1]),
    )


def _rows(signals: list[pd.DataFrame], coins: tuple[str, ...]) -> pd.DataFrame:
    """Return the signals of all bars in order of time; names are categories, as in `walk_forward`."""
    rows = pd.concat(signals, ignore_index=True)
    rows = rows[[*SIGNALS, *CARRY_FEATURES, *_MORE]]
    return rows.assign(**{leg: pd.Categorical(rows[leg], categories=list(coins)) for leg in ("y", "x")})


def _bars(
    found: list[pd.DataFrame], signals: list[pd.DataFrame], times: pd.DatetimeIndex, n_matches: int
) -> pd.DataFrame:
    """Count what there was at each signal bar; nothing is tested, so that luck passes nothing."""
    sound = [one["gates_failed"].map(lambda failed: "history" not in failed) for one in found]
    return pd.DataFrame(
        {
            "signal_time": times,
            "n_coins": [one.loc[good.to_numpy(bool), "y"].nunique() for one, good in zip(found, sound, strict=True)],
            "n_pairs": n_matches,
            "n_tests": 0,
            "expected_by_luck": 0.0,
            "n_candidates": [len(one) for one in signals],
            "n_qualifying": [int(one["qualifies"].sum()) for one in found],
        }
    )[list(BARS)]
