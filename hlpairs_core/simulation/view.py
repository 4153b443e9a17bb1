from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.market import BarState, SimulatedMarket
from hlpairs_core.simulation.path import STEPS
from hlpairs_core.simulation.wire import on_lot, on_tick

__all__ = ["MarketView", "Quotes"]

_DAY_MS = 86_400_000
_BARS_UNTIL_DELISTED = 2


@dataclass(frozen=True, eq=False)
class Quotes:
    """Best prices of all coins, arrays of shape (n_coins,), USD; NaN for a coin without a book."""

    bid: FloatArray
    ask: FloatArray
    mid: FloatArray


@dataclass(frozen=True, eq=False)
class MarketView:
    """A market at one moment: everything here uses only what happened up to `time_ms`.

    Arrays have shape (n_coins,), in the order of the market's coins.

    Attributes
    ----------
    market : SimulatedMarket
        The market.
    time_ms : int
        The moment, milliseconds since the epoch.
    bars : BarHistory
        Its bars; later ones may be there and are not looked at.
    funding : FundingHistory
        Its settled funding, likewise.
    """

    market: SimulatedMarket
    time_ms: int
    bars: BarHistory
    funding: FundingHistory

    @classmethod
    def at(cls, market: SimulatedMarket, time_ms: int) -> "MarketView":
        """Look at a market at a given time."""
        bars, funding = market.history.upto(time_ms)
        return cls(market, time_ms, bars, funding)

    @cached_property
    def bar(self) -> int:
        """Number of the bar in progress; past the last one where the market has ended."""
        return min(self.bars.index(self.time_ms), self.bars.n_bars)

    @cached_property
    def state(self) -> BarState:
        """The bar in progress, walked."""
        return self.market.state(self.bars, self.bar)

    @cached_property
    def universe(self) -> IntArray:
        """Numbers of the coins listed by now, delisted ones included."""
        return np.flatnonzero(self.bars.listed <= self.bar)

    @cached_property
    def names(self) -> dict[str, int]:
        """Number of each coin listed by now."""
        return {self.market.coins[coin].name: int(coin) for coin in self.universe}

    @cached_property
    def delisted(self) -> BoolArray:
        """Whether a coin's data ended more than two bars ago."""
        closed = self.bars.start_ms + (self.bars.last + 1) * self.bars.interval_ms
        return np.asarray(self.time_ms - closed > _BARS_UNTIL_DELISTED * self.bars.interval_ms)

    @cached_property
    def step(self) -> int:
        """Number of the step of the bar in progress."""
        return min(self._progress[0], STEPS - 1)

    @cached_property
    def fair(self) -> FloatArray:
        """Price before rounding (USD): on the path, or the last close of a coin without a bar in progress."""
        step, fraction = self._progress
        start, end = self.state.prices[:, step], self.state.prices[:, step + 1]
        last = np.minimum(self.bars.last, self.bar)
        closes = self.bars.close[np.maximum(last, 0), np.arange(len(last))]
        return np.where(np.isfinite(start), start + (end - start) * fraction, closes)

    @cached_property
    def price(self) -> FloatArray:
        """Last traded price (USD), on the tick."""
        step, _ = self._progress
        corners = self.state.prices[:, step : step + 2]
        rounded = np.clip(on_tick(self.fair, self.market.size_decimals), corners.min(axis=1), corners.max(axis=1))
        return np.where(np.isfinite(rounded), rounded, self.fair)

    @cached_property
    def high(self) -> FloatArray:
        """Highest price of the bar in progress so far (USD)."""
        seen = self.state.prices[:, : self._progress[0] + 1].max(axis=1)
        return np.asarray(np.maximum(seen, self.price))

    @cached_property
    def low(self) -> FloatArray:
        """Lowest price of the bar in progress so far (USD)."""
        seen = self.state.prices[:, : self._progress[0] + 1].min(axis=1)
        return np.asarray(np.minimum(seen, self.price))

    @cached_property
    def traded(self) -> FloatArray:
        """Volume of the bar in progress so far (base units, whole lots)."""
        step, fraction = self._progress
        start, end = self.state.volumes[:, step], self.state.volumes[:, step + 1]
        return on_lot(start + (end - start) * fraction, self.market.size_decimals)

    @cached_property
    def quotes(self) -> Quotes:
        """Best bid, best ask and their mean."""
        decimals = self.market.size_decimals
        live = np.where(self.delisted, np.nan, self.fair)
        half = self.state.half_spread_bps / 1e4
        bid = np.maximum(on_tick(live * (1 - half), decimals, towards="down"), 10.0 ** (decimals - 6))
        ask = np.maximum(on_tick(live * (1 + half), decimals, towards="up"), bid + 10.0 ** (decimals - 6))
        return Quotes(bid=bid, ask=ask, mid=_clean((bid + ask) / 2))

    @cached_property
    def day_base(self) -> FloatArray:
        """Volume of the last 24 hours (base units)."""
        first, rest = self._day_window
        volume = np.nan_to_num(self.bars.volume[first : self.bar])
        old = volume[:1].sum(axis=0) * rest
        return on_lot(old + volume[1:].sum(axis=0) + np.nan_to_num(self.traded), self.market.size_decimals)

    @cached_property
    def day_notional(self) -> FloatArray:
        """Notional of the last 24 hours (USD)."""
        first, rest = self._day_window
        notional = np.nan_to_num(self.bars.volume[first : self.bar] * self.bars.close[first : self.bar])
        running = np.nan_to_num(self.traded * self.price)
        total: FloatArray = notional[:1].sum(axis=0) * rest + notional[1:].sum(axis=0) + running
        return np.round(total, 6)

    @cached_property
    def previous_day(self) -> FloatArray:
        """Price 24 hours ago (USD); the first known one of a younger coin."""
        then = MarketView(self.market, max(self.time_ms - _DAY_MS, self.bars.start_ms), self.bars, self.funding)
        first = np.minimum(self.bars.first, self.bars.n_bars - 1)
        oldest = self.bars.open[first, np.arange(len(first))]
        return np.where(self.bars.first <= then.bar, then.price, oldest)

    @cached_property
    def _progress(self) -> tuple[int, float]:
        """Step of the bar in progress and the fraction of it that has passed."""
        opened = self.bars.start_ms + self.bar * self.bars.interval_ms
        steps = (self.time_ms - opened) * STEPS / self.bars.interval_ms
        step = min(int(steps), STEPS - 1)
        return step, min(steps - step, 1.0)

    @cached_property
    def _day_window(self) -> tuple[int, float]:
        """Number of the bar that contains the time 24 hours ago, and the fraction of it since then."""
        then = max(self.time_ms - _DAY_MS, self.bars.start_ms)
        first = self.bars.index(then)
        passed = (then - self.bars.start_ms) % self.bars.interval_ms
        return first, 1.0 - passed / self.bars.interval_ms


def _clean(values: FloatArray) -> FloatArray:
    """Drop what binary arithmetic adds behind the tenth decimal."""
    return np.rint(values * 1e7) / 1e7
