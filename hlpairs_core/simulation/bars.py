from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray

__all__ = ["NEVER", "BarHistory", "FundingHistory", "PremiumHistory"]

NEVER = np.iinfo(np.int64).max

_DAY_MS = 86_400_000


@dataclass(frozen=True, eq=False)
class BarHistory:
    """What happened, bar by bar: the one source of every answer of a simulated market.

    Attributes
    ----------
    start_ms : int
        Open time of the first bar, milliseconds since the epoch; a multiple of `interval_ms`.
    interval_ms : int
        Length of a bar.
    open, high, low, close, volume : ndarray, shape (n_bars, n_coins)
        Prices in USD, volume in base units. NaN before a coin's first and after its last bar, nowhere else.
    """

    start_ms: int
    interval_ms: int
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    @property
    def n_bars(self) -> int:
        """Number of bars."""
        return len(self.close)

    @property
    def end_ms(self) -> int:
        """Close time of the last bar (the moment the next one would open)."""
        return self.start_ms + self.n_bars * self.interval_ms

    def index(self, time_ms: int) -> int:
        """Return the number of the bar that contains a time; it may lie outside the history."""
        return (time_ms - self.start_ms) // self.interval_ms

    @cached_property
    def first(self) -> IntArray:
        """Number of each coin's first bar, shape (n_coins,); `NEVER` without any."""
        known = np.isfinite(self.close)
        return np.where(known.any(axis=0), known.argmax(axis=0), NEVER)

    @cached_property
    def last(self) -> IntArray:
        """Number of each coin's last bar, shape (n_coins,); -1 without any."""
        known = np.isfinite(self.close)
        return np.where(known.any(axis=0), self.n_bars - 1 - known[::-1].argmax(axis=0), -1)

    @cached_property
    def listed(self) -> IntArray:
        """Number of each coin's first bar with volume, shape (n_coins,); `NEVER` without any.

        Bars before it were filled in by the exchange at listing: nobody could have seen or traded them.
        """
        traded = np.nan_to_num(self.volume) > 0
        return np.where(traded.any(axis=0), traded.argmax(axis=0), NEVER)

    @cached_property
    def day_before(self) -> FloatArray:
        """Notional (USD) of the 24 hours before each bar opened, shape (n_bars + 1, n_coins); 0 where unknown."""
        total = np.zeros((self.n_bars + 1, self.close.shape[1]))
        total[1:] = np.cumsum(np.nan_to_num(self.volume * self.close), axis=0)
        a_day = max(1, _DAY_MS // self.interval_ms)
        total[a_day:] -= total[:-a_day].copy()
        return np.maximum(total, 0.0)


@dataclass(frozen=True, eq=False)
class PremiumHistory:
    """Premia of perpetuals over their oracle prices (fractions), hour by hour; straight between the hours.

    Attributes
    ----------
    open : ndarray, shape (n_hours, n_coins)
        At each hour's beginning; NaN for coins without funding.
    mean : ndarray, shape (n_hours, n_coins)
        Average over each hour: what its funding is settled from.
    """

    open: FloatArray
    mean: FloatArray

    def now(self, hour: int, fraction: float) -> FloatArray:
        """Return the premia when a fraction of an hour has passed, shape (n_coins,)."""
        return np.asarray(self.open[hour] + 2 * (self.mean[hour] - self.open[hour]) * fraction)

    def average(self, hour: int, fraction: float) -> FloatArray:
        """Return the averages since an hour began when a fraction of it has passed, shape (n_coins,)."""
        return np.asarray(self.open[hour] + (self.mean[hour] - self.open[hour]) * fraction)


@dataclass(frozen=True, eq=False)
class FundingHistory:
    """Settled funding, hour by hour.

    Attributes
    ----------
    start_ms : int
        The first full hour, milliseconds since the epoch.
    rate : ndarray, shape (n_hours, n_coins)
        Fraction per hour; NaN where nothing was settled.
    time_ms : ndarray of int, shape (n_hours, n_coins)
        When it was settled: the hour and some milliseconds. Without meaning where `rate` is NaN.
    premium : PremiumHistory, optional
        The premia it was settled from, from the same hour on: its first hour is settled in the second row of
        `rate`. None where they are not known.
    """

    start_ms: int
    rate: FloatArray
    time_ms: IntArray
    premium: PremiumHistory | None = None

    def rows(self, coin: int, start_ms: int, end_ms: int) -> tuple[IntArray, FloatArray]:
        """Return times and rates of one coin with ``start_ms <= time <= end_ms``, ascending."""
        known = np.flatnonzero(np.isfinite(self.rate[:, coin]))
        times = self.time_ms[known, coin]
        inside = slice(np.searchsorted(times, start_ms), np.searchsorted(times, end_ms, side="right"))
        return times[inside], self.rate[known[inside], coin]

    def settled(self, time_ms: int, *, lookback_hours: int = 24) -> FloatArray:
        """Return each coin's last settled rate at a time, shape (n_coins,); NaN without a recent one."""
        stop = max(0, (time_ms - self.start_ms) // 3_600_000 + 1)
        window = slice(max(0, stop - lookback_hours), stop)
        due = np.isfinite(self.rate[window]) & (self.time_ms[window] <= time_ms)
        found: FloatArray = np.full(self.rate.shape[1], np.nan)
        for row, known in zip(self.rate[window], due, strict=True):
            found = np.where(known, row, found)
        return found
