from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.clock import MarketClock
from hlpairs_core.simulation.coins import Coin
from hlpairs_core.simulation.noise import name_keys
from hlpairs_core.simulation.path import STEPS, BarShape, price_paths, volume_paths

__all__ = ["BarState", "History", "PlantedPair", "RecordedHistory", "SimulatedMarket"]

_DAY_MS = 86_400_000
_KEPT_STATES = 4


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


@dataclass(frozen=True)
class PlantedPair:
    """A pair that is cointegrated by construction: ``log y = const + hedge_ratio * log x + spread``.

    Attributes
    ----------
    y, x : str
        Coins.
    hedge_ratio : float
        Units of log x against one of log y.
    half_life_hours : float
        Half-life of the spread, an AR(1) process.
    spread_sd : float
        Its stationary standard deviation, natural log units, at average market activity.
    breaks : bool
        Whether its mean jumps now and then, after which the old relation no longer holds.
    """

    y: str
    x: str
    hedge_ratio: float
    half_life_hours: float
    spread_sd: float
    breaks: bool


@dataclass(frozen=True, eq=False)
class BarState:
    """One bar of all coins, walked, and how liquid they were when it opened.

    Attributes
    ----------
    prices, volumes : ndarray, shape (n_coins, STEPS + 1)
        See `path`; NaN for a coin without this bar.
    half_spread_bps : ndarray, shape (n_coins,)
        Half the quoted spread before tick rounding.
    level_usd : ndarray, shape (n_coins,)
        Average notional of one level near the top of the book.
    """

    prices: FloatArray
    volumes: FloatArray
    half_spread_bps: FloatArray
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
        Perpetuals in the order of their asset ids.
    history : History
        Its bars and funding.
    seed : int
        Fixes everything that is made up: paths inside bars, books, premia.
    pairs : tuple of PlantedPair
        What a synthetic market planted.
    """

    kind: Literal["demo", "replay"]
    name: str
    clock: MarketClock
    coins: tuple[Coin, ...]
    history: History
    seed: int
    pairs: tuple[PlantedPair, ...] = ()
    coin_keys: IntArray = field(init=False)
    size_decimals: IntArray = field(init=False)
    _states: OrderedDict[int, BarState] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "coin_keys", name_keys(tuple(coin.name for coin in self.coins)))
        object.__setattr__(self, "size_decimals", np.array([coin.size_decimals for coin in self.coins]))

    def truth(self) -> tuple[PlantedPair, ...]:
        """Return the planted pairs of a synthetic market. For tests only: never on the wire."""
        return self.pairs

    def state(self, bars: BarHistory, bar: int) -> BarState:
        """Return one bar's paths and liquidity; the last few are remembered."""
        if bar not in self._states:
            self._states[bar] = self._made_state(bars, bar)
            if len(self._states) > _KEPT_STATES:
                self._states.popitem(last=False)
        return self._states[bar]

    def shape(self, bars: BarHistory, rows: slice, coin: int | None = None) -> BarShape:
        """Return bars to be walked: one bar of all coins, or `rows` of one coin."""
        chosen: slice | int = slice(None) if coin is None else coin
        numbers = np.arange(rows.start, rows.stop)
        columns = slice(None) if coin is None else slice(coin, coin + 1)
        values: Callable[[FloatArray], FloatArray] = lambda array: array[rows, chosen].reshape(-1)  # noqa: E731
        return BarShape(
            bar=(bars.start_ms + numbers * bars.interval_ms) // 1000,
            coin=self.coin_keys[columns],
            size_decimals=self.size_decimals[columns],
            open=values(bars.open),
            high=values(bars.high),
            low=values(bars.low),
            close=values(bars.close),
            volume=values(bars.volume),
        )

    def now(self) -> pd.Timestamp:
        """Market time, UTC."""
        return self.clock.now()

    def _made_state(self, bars: BarHistory, bar: int) -> BarState:
        day = day_notional_before(bars, bar)
        if bar < bars.n_bars:
            shape = self.shape(bars, slice(bar, bar + 1))
            prices, volumes = price_paths(self.seed, shape), volume_paths(self.seed, shape)
        else:
            prices = volumes = np.full((len(self.coins), STEPS + 1), np.nan)
        # Fitted by eye to real books: 0.2 bps at 3.6 bn USD a day, 8 bps at 400 k; 360 k USD a level and 4 k.
        half_spread = np.clip(0.6 * (2.4e8 / np.maximum(day, 1.0)) ** 0.4, 0.05, 40.0)
        return BarState(prices, volumes, half_spread, np.maximum(6.0 * np.sqrt(day), 250.0))


def day_notional_before(bars: BarHistory, bar: int) -> FloatArray:
    """Return the notional (USD) traded in the 24 hours before a bar opened, shape (n_coins,); 0 where unknown."""
    rows = slice(max(0, bar - _DAY_MS // bars.interval_ms), bar)
    notional: FloatArray = np.nansum(bars.volume[rows] * bars.close[rows], axis=0)
    return notional
