"""Which funding is to be expected of a perpetual that is held for days."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.costs import CostModel, FundingForecast, funding_stamps
from hlpairs_core.market import Panel
from hlpairs_core.screening.liquidity import bars_per_day
from hlpairs_core.screening.rates import stamps_in_bars
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["WINDOW_HOURS", "CarryFunding", "expected_carry_funding"]

WINDOW_HOURS = 168
"""What carry looks back on: a week, whatever the settings' window."""

# Share of the hours that must be known.
_KNOWN_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class CarryFunding:
    """Funding of the perpetual of each match; arrays have shape (n_matches,), rates are fractions per hour.

    Attributes
    ----------
    rate : ndarray
        Expected mean of the stamps within the hold.
    week_rate : ndarray
        Mean of the last 168 stamps: what is paid if the next hours are like the last week.
    stamps : int
        How many stamps lie within the hold.
    mean_72h, sd_72h, sd_168h : ndarray
        Of the last stamps.
    assumed : ndarray of bool
        Where the rate is the cost model's assumption.
    """

    rate: FloatArray
    week_rate: FloatArray
    stamps: int
    mean_72h: FloatArray
    sd_72h: FloatArray
    sd_168h: FloatArray
    assumed: BoolArray


def expected_carry_funding(known: Panel, perp: IntArray, *, settings: ScreenSettings, costs: CostModel) -> CarryFunding:
    """Expect the funding of a hold from the stamps that are known at a panel's last bar.

    Half and half of `FundingForecast`, which fades to the interest, and of the mean of the last 168 stamps, which does
    not fade: over 48 to 336 hours their mean had a smaller squared error than either, and than the mean of the last
    day, on all recorded perpetuals before 2025-02-15.
    """
    entry = known.closed_at
    stamps = int(funding_stamps(entry, settings.horizon_hours))
    history = _hourly(known, perp)
    week = _mean(history, WINDOW_HOURS)
    # The newest stamp is that of the hour before an entry on the hour, whose own stamp is not received.
    ahead = int(entry == entry.floor("h"))
    forecast = FundingForecast().rates(history, max(stamps, 1) + ahead)[ahead:].mean(axis=0)
    rate = (forecast + week) / 2
    assumed = ~np.isfinite(rate) & (costs.assumed_funding_per_hour is not None)
    stand_in = np.nan if costs.assumed_funding_per_hour is None else costs.assumed_funding_per_hour
    return CarryFunding(
        rate=np.where(assumed, stand_in, rate),
        week_rate=np.where(assumed, stand_in, week),
        stamps=stamps,
        mean_72h=_mean(history, 72),
        sd_72h=_deviation(history, 72),
        sd_168h=_deviation(history, WINDOW_HOURS),
        assumed=assumed,
    )


def _hourly(known: Panel, coins: IntArray) -> FloatArray:
    """Return the last hours' rates, one row a stamp; within a bar of several stamps all are its mean."""
    rows = min(known.n_bars, round(WINDOW_HOURS * bars_per_day(known.interval) / 24) + 1)
    last = known.tail(rows)
    due = stamps_in_bars(last.time, last.interval).astype(np.int64)
    rates = last.funding[:, coins] / np.maximum(due, 1)[:, None]
    each = np.repeat(rates, due, axis=0)
    return each if len(each) else np.full((1, len(coins)), np.nan)


def _mean(history: FloatArray, hours: int) -> FloatArray:
    return _of_known(history[-hours:], hours, lambda known: float(known.mean()))


def _deviation(history: FloatArray, hours: int) -> FloatArray:
    return _of_known(history[-hours:], hours, lambda known: float(known.std(ddof=1)))


def _of_known(values: FloatArray, hours: int, statistic: Callable[[FloatArray], float]) -> FloatArray:
    """Return a statistic of each column; NaN where too few hours are known."""
    columns = [column[np.isfinite(column)] for column in values.T]
    enough = max(2, _KNOWN_SHARE * hours)
    return np.array([statistic(column) if len(column) >= enough else np.nan for column in columns])
