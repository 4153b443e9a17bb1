"""Which hourly funding rate is expected of each coin."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.costs import CostModel
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.funding import HOUR_MS
from hlpairs_core.market.panel import Panel
from hlpairs_core.market.state import MarketState
from hlpairs_core.screening.liquidity import bars_per_day

__all__ = ["FundingRates", "expected_rates", "stamps_in_bars"]


@dataclass(frozen=True, eq=False)
class FundingRates:
    """Funding rates of coins.

    Attributes
    ----------
    rate : ndarray, shape (n_coins,)
        Fraction per hour; NaN where it is unknown and nothing is assumed.
    assumed : ndarray of bool, shape (n_coins,)
        Where the rate is the cost model's assumption.
    source : {"market", "panel"}
        Where the other rates come from.
    """

    rate: FloatArray
    assumed: BoolArray
    source: str


def expected_rates(panel: Panel, costs: CostModel, market: MarketState | None = None) -> FundingRates:
    """Return the funding rate expected of each coin of a panel.

    With a market: its running estimate for the current hour. Without: the mean of the rates stamped in the
    panel's last 24 hours, those known of them, since a single hour's rate is noisier than what follows it. An
    unknown rate is NaN, or the cost model's ``assumed_funding_per_hour``.
    """
    if market is None:
        rate = _mean_of_last_day(panel)
    else:
        rate = market.contexts["funding_rate"].reindex(list(panel.coins)).to_numpy(dtype=np.float64)
    assumed = ~np.isfinite(rate)
    if costs.assumed_funding_per_hour is None:
        return FundingRates(np.where(assumed, np.nan, rate), np.zeros_like(assumed), _source(market))
    return FundingRates(np.where(assumed, costs.assumed_funding_per_hour, rate), assumed, _source(market))


def stamps_in_bars(time: pd.DatetimeIndex, interval: str) -> FloatArray:
    """Return how many full hours h each bar holds, ``time <= h < time + interval``; shape (n_bars,)."""
    opens = time.as_unit("ms").asi8
    ends = opens + int(interval_duration(interval).total_seconds() * 1000)
    first, after = -(-opens // HOUR_MS), -(-ends // HOUR_MS)
    return np.asarray(after - first, dtype=np.float64)


def _mean_of_last_day(panel: Panel) -> FloatArray:
    rows = min(panel.n_bars, max(1, int(np.ceil(bars_per_day(panel.interval)))))
    paid = panel.funding[panel.n_bars - rows :]
    due = stamps_in_bars(panel.time[panel.n_bars - rows :], panel.interval)[:, None]
    known = np.sum(np.where(np.isfinite(paid), due, 0.0), axis=0)
    rate: FloatArray = np.nansum(paid, axis=0) / np.where(known > 0, known, np.nan)
    return rate


def _source(market: MarketState | None) -> str:
    return "panel" if market is None else "market"
