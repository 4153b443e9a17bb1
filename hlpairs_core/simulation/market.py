from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray, StrArray
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.clock import MarketClock
from hlpairs_core.simulation.coins import Coin
from hlpairs_core.simulation.liquidity import gap_bps, half_spread_bps, level_usd
from hlpairs_core.simulation.noise import name_keys
from hlpairs_core.simulation.planted import PlantedPair
from hlpairs_core.simulation.prints import Prints, prints_of
from hlpairs_core.simulation.shape import Tokens, bar_shape
from hlpairs_core.simulation.steps import Steps, refined

__all__ = ["BarState", "History", "RecordedHistory", "SimulatedMarket"]

_KEPT_STATES = 4
_KEPT_PRINTS = 8


class History(Protocol):
    """Where a market's bars and funding come from."""

    def upto(self, time_ms: int) -> tuple[BarHistory, FundingHistory]:
        """Return histories that reach past a time, or to where the market ends."""
        ...


@dataclass(frozen=True, eq=False)
class RecordedHistory:
    """Bars and funding that are all there from the start."""

    bars: BarHistory
    funding: FundingHistory

    def upto(self, time_ms: int) -> tuple[BarHistory, FundingHistory]:  # noqa: ARG002
        """Return everything; the market itself looks no further than its clock."""
        return self.bars, self.funding


@dataclass(frozen=True, eq=False)
class BarState:
    """One bar of all coins, refined, and how liquid they were when it opened; arrays of shape (n_coins,).

    Attributes
    ----------
    steps : Steps
        The bars' steps, one row a coin.
    half_spread_bps : ndarray
        Half the quoted spread before tick rounding.
    gap_bps : ndarray
        Mean distance between levels near the top of the book.
    level_usd : ndarray
        Average notional of one of them.
    """

    steps: Steps
    half_spread_bps: FloatArray
    gap_bps: FloatArray
    level_usd: FloatArray


@dataclass(frozen=True, eq=False)
class SimulatedMarket:
    """A market with a clock of its own.

    Attributes
    ----------
    kind : {"demo", "replay"}
        Synthetic or recorded.
    name : str
        Slug that names the market's data, whatever the clock.
    clock : MarketClock
        Its time.
    coins : tuple of Coin
        The exchange's perpetuals in the order of their asset ids; then those of builders' dexes and the spot pairs.
    history : History
        Its bars and funding.
    seed : int
        Fixes everything that is made up: trades inside bars, books, premia.
    pairs : tuple of PlantedPair
        The cointegrated pairs of a synthetic market.
    wide_books : mapping of str to float
        Half the quoted spread (bps) of coins whose books are wider than their volume would say.
    """

    kind: Literal["demo", "replay"]
    name: str
    clock: MarketClock
    coins: tuple[Coin, ...]
    history: History
    seed: int
    pairs: tuple[PlantedPair, ...] = ()
    wide_books: Mapping[str, float] = field(default_factory=dict)
    coin_keys: IntArray = field(init=False)
    size_decimals: IntArray = field(init=False)
    price_decimals: IntArray = field(init=False)
    kinds: StrArray = field(init=False)
    least_half_spread_bps: FloatArray = field(init=False)
    _states: OrderedDict[int, BarState] = field(init=False, default_factory=OrderedDict)
    _prints: OrderedDict[tuple[int, int], Prints] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "coin_keys", name_keys(tuple(coin.name for coin in self.coins)))
        object.__setattr__(self, "size_decimals", np.array([coin.size_decimals for coin in self.coins]))
        object.__setattr__(self, "price_decimals", np.array([coin.price_decimals for coin in self.coins]))
        object.__setattr__(self, "kinds", np.array([coin.kind for coin in self.coins], dtype=np.str_))
        least = np.array([self.wide_books.get(coin.name, 0.0) for coin in self.coins])
        object.__setattr__(self, "least_half_spread_bps", least)

    @property
    def synthetic(self) -> str:
        """What of it is made up; in a replay the recorded candles and funding are not."""
        return "all" if self.kind == "demo" else "path-in-bar, book, premium, open-interest"

    def truth(self) -> tuple[PlantedPair, ...]:
        """Return every cointegrated pair of a synthetic market. For tests only: never on the wire.

        What follows from two planted pairs with a common coin is among them, and so are spot pairs with the perpetual
        of their asset, even where nothing is planted: see `PlantedPair.kind`.
        """
        return self.pairs

    def state(self, bars: BarHistory, bar: int) -> BarState:
        """Return one bar of all coins; the last few are remembered."""
        return _remembered(self._states, bar, _KEPT_STATES, lambda: self._made_state(bars, bar))

    def prints(self, bars: BarHistory, bar: int, step: int) -> Prints:
        """Return the trades of all coins in one step of a bar; the last few are remembered."""

        def make() -> Prints:
            rows = np.arange(len(self.coins))
            return prints_of(self.state(bars, bar).steps, rows, np.full_like(rows, step))

        return _remembered(self._prints, (bar, step), _KEPT_PRINTS, make)

    def steps(self, bars: BarHistory, rows: slice, coin: int) -> Steps:
        """Refine some bars of one coin."""
        numbers = np.arange(rows.start, rows.stop)
        return refined(bar_shape(self.seed, bars, self._tokens, numbers, np.full_like(numbers, coin)))

    def now(self) -> pd.Timestamp:
        """Market time, UTC."""
        return self.clock.now()

    @property
    def _tokens(self) -> Tokens:
        return Tokens(self.coin_keys, self.size_decimals, self.price_decimals, self.least_half_spread_bps)

    def _made_state(self, bars: BarHistory, bar: int) -> BarState:
        columns = np.arange(len(self.coins))
        shape = bar_shape(self.seed, bars, self._tokens, np.full_like(columns, bar), columns)
        day = bars.day_before[bar]
        half_spread = np.maximum(half_spread_bps(day), self.least_half_spread_bps)
        return BarState(refined(shape), half_spread, gap_bps(day), level_usd(day))


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _remembered(known: OrderedDict[_Key, _Value], key: _Key, most: int, make: Callable[[], _Value]) -> _Value:
    """Look something up, or make it and forget what was used longest ago."""
    if key not in known:
        known[key] = make()
        if len(known) > most:
            known.popitem(last=False)
    known.move_to_end(key)
    return known[key]
