from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.coins import CoinKind
from hlpairs_core.simulation.market import BarState, SimulatedMarket
from hlpairs_core.simulation.prints import Prints
from hlpairs_core.simulation.quotes import Quotes, quotes_at
from hlpairs_core.simulation.shape import steps_of
from hlpairs_core.simulation.wire import on_lot

__all__ = ["MarketView", "Quotes"]

_DAY_MS = 86_400_000
_BARS_UNTIL_DELISTED = 2


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
        """The bar in progress, refined."""
        return self.market.state(self.bars, self.bar)

    @cached_property
    def universe(self) -> IntArray:
        """Numbers of the exchange's own perpetuals listed by now, delisted ones included."""
        return self.listed("perp")

    def listed(self, kind: CoinKind) -> IntArray:
        """Return the numbers of the coins of one kind that are listed by now, delisted ones included."""
        return np.flatnonzero((self.bars.listed <= self.bar) & (self.market.kinds == kind))

    @cached_property
    def names(self) -> dict[str, int]:
        """Number of each coin listed by now, of whatever kind."""
        listed = np.flatnonzero(self.bars.listed <= self.bar)
        return {self.market.coins[coin].name: int(coin) for coin in listed}

    @cached_property
    def delisted(self) -> BoolArray:
        """Whether a coin's data ended more than two bars ago."""
        closed = self.bars.start_ms + (self.bars.last + 1) * self.bars.interval_ms
        return np.asarray(self.time_ms - closed > _BARS_UNTIL_DELISTED * self.bars.interval_ms)

    @property
    def n_steps(self) -> int:
        """How many steps a bar is refined into."""
        return steps_of(self.bars.interval_ms)

    def step_number(self, time_ms: int) -> int:
        """Return the number of the step that contains a time, counted from the history's start."""
        return (time_ms - self.bars.start_ms) * self.n_steps // self.bars.interval_ms

    @cached_property
    def step(self) -> int:
        """Number of the step in progress in its bar."""
        return min(self.step_number(self.time_ms) - self.bar * self.n_steps, self.n_steps - 1)

    @cached_property
    def prints(self) -> Prints:
        """All trades of the step in progress, those still to come among them."""
        return self.market.prints(self.bars, self.bar, self.step)

    @cached_property
    def done(self) -> IntArray:
        """Where in `prints` each coin's trades up to now end."""
        return self.prints.until(self.time_ms)

    @cached_property
    def price(self) -> FloatArray:
        """Last traded price (USD)."""
        steps = self.state.steps
        before = np.where(steps.shape.lots > 0, steps.before[:, self.step], steps.close[:, self.step])
        latest = np.append(self.prints.price, np.nan)[self.done - 1]
        return np.where(self.done > self.prints.bounds[:-1], latest, before)

    @cached_property
    def traded(self) -> FloatArray:
        """Volume of the bar in progress so far (base units)."""
        steps, lots = self.state.steps, self.prints.lots_before
        total = steps.lots_before[:, self.step] + lots[self.done] - lots[self.prints.bounds[:-1]]
        return np.asarray(total / 10.0**self.market.size_decimals)

    @cached_property
    def quotes(self) -> Quotes:
        """Best bid, best ask and their mean."""
        quotes = quotes_at(self.state.steps, self.prints, self.step, self.time_ms, self.market.price_decimals)
        return Quotes(*(np.where(self.delisted, np.nan, side) for side in (quotes.bid, quotes.ask, quotes.mid)))

    @cached_property
    def day_base(self) -> FloatArray:
        """Volume of the last 24 hours (base units): of the trades after this moment yesterday."""
        whole = np.nan_to_num(self.bars.volume[self._yesterday.bar : self.bar]).sum(axis=0)
        return on_lot(whole + self.traded - self._yesterday.traded, self.market.size_decimals)

    @cached_property
    def day_notional(self) -> FloatArray:
        """Notional of the last 24 hours (USD); whole bars count at the mean of their four prices."""
        bars, rows = self.bars, slice(self._yesterday.bar, self.bar)
        typical = (bars.open[rows] + bars.high[rows] + bars.low[rows] + bars.close[rows]) / 4
        # In one order of memory, because the order of a sum shows in its last digit.
        whole = np.ascontiguousarray(np.nan_to_num(typical * bars.volume[rows])).sum(axis=0)
        total: FloatArray = whole + self._running_notional - self._yesterday._running_notional
        return np.asarray(np.round(np.maximum(total, 0.0), 6))

    @cached_property
    def previous_day(self) -> FloatArray:
        """Price 24 hours ago (USD); the first known one of a younger coin."""
        first = np.minimum(self.bars.first, self.bars.n_bars - 1)
        oldest = self.bars.open[first, np.arange(len(first))]
        return np.where(self.bars.first <= self._yesterday.bar, self._yesterday.price, oldest)

    @cached_property
    def _yesterday(self) -> "MarketView":
        """The market 24 hours ago, or when its history began."""
        return MarketView(self.market, max(self.time_ms - _DAY_MS, self.bars.start_ms), self.bars, self.funding)

    @cached_property
    def _running_notional(self) -> FloatArray:
        """Notional of the bar in progress so far (USD); whole steps count at the mean of their four prices."""
        steps, past = self.state.steps, slice(0, self.step)
        typical = (steps.open[:, past] + steps.high[:, past] + steps.low[:, past] + steps.close[:, past]) / 4
        notional: FloatArray = (typical * steps.lots[:, past]).sum(axis=1) + self._step_notional
        return np.nan_to_num(notional / 10.0**self.market.size_decimals)

    @cached_property
    def _step_notional(self) -> FloatArray:
        """Price times lots of the trades of the step in progress so far."""
        total = np.append(0.0, np.cumsum(self.prints.price * self.prints.lots))
        return np.asarray(total[self.done] - total[self.prints.bounds[:-1]])
