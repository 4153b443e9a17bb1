from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.bars import BarHistory
from hlpairs_core.simulation.liquidity import half_spread_bps, trade_counts
from hlpairs_core.simulation.noise import Stream, uniforms
from hlpairs_core.simulation.wire import tick_decimals

__all__ = ["BarShape", "Tokens", "bar_shape", "lots_of", "steps_of"]

_MINUTE_MS = 60_000
_FEWEST_STEPS = 60


@dataclass(frozen=True, eq=False)
class Tokens:
    """What addresses, rounds and at least spreads each coin of a market, arrays of shape (n_coins,)."""

    keys: IntArray
    size_decimals: IntArray
    price_decimals: IntArray
    least_half_spread_bps: FloatArray


@dataclass(frozen=True, eq=False)
class BarShape:
    """Bars to be refined, arrays of shape (n,): many coins of one bar, or many bars of one coin.

    Attributes
    ----------
    seed : int
        Of the market.
    interval_ms : int
        Length of a bar.
    open_ms : ndarray of int
        When each bar opens.
    coin : ndarray of int
        `noise.name_keys` of its coin.
    size_decimals, price_decimals : ndarray of int
        Decimals of sizes, and of prices at this level.
    open, high, low, close : ndarray
        USD. After a coin's last bar all are its last close; before its first they are NaN.
    lots : ndarray of int
        Volume in the smallest size; 0 in a silent bar.
    trades : ndarray of int
        Number of trades.
    spread : ndarray of int
        Quoted spread in ticks.
    before : ndarray
        Last close before the bar, its open where there is none.
    start_mid, end_mid : ndarray
        Mid prices (USD) when the bar opens and closes; neighbouring bars agree on them.
    """

    seed: int
    interval_ms: int
    open_ms: IntArray
    coin: IntArray
    size_decimals: IntArray
    price_decimals: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    lots: IntArray
    trades: IntArray
    spread: IntArray
    before: FloatArray
    start_mid: FloatArray
    end_mid: FloatArray

    @property
    def tick(self) -> FloatArray:
        """Smallest price step, USD."""
        return np.asarray(10.0**-self.price_decimals)

    @property
    def half_spread(self) -> FloatArray:
        """Half the quoted spread, USD."""
        return np.asarray(0.5 * self.spread * self.tick)

    @property
    def n_steps(self) -> int:
        """Steps of each bar."""
        return steps_of(self.interval_ms)

    @property
    def step_ms(self) -> int:
        """Length of a step."""
        return self.interval_ms // self.n_steps


def steps_of(interval_ms: int) -> int:
    """Return into how many steps a bar is refined: 60, or minutes where those are more."""
    return max(_FEWEST_STEPS, interval_ms // _MINUTE_MS)


def bar_shape(seed: int, bars: BarHistory, tokens: Tokens, rows: IntArray, columns: IntArray) -> BarShape:
    """Describe the bars at the given rows and columns; rows may lie past the end of the history."""
    first, last = np.minimum(bars.first[columns], bars.n_bars - 1), np.maximum(bars.last[columns], 0)
    early, over, begun = rows < bars.first[columns], rows > bars.last[columns], rows > bars.first[columns]
    cells = _Cells(seed, bars, tokens, np.clip(rows, first, last), columns)
    earlier = _Cells(seed, bars, tokens, np.clip(rows - 1, first, last), columns)
    close = np.where(early, np.nan, cells.of(bars.close))
    opened, high, low = (np.where(over | early, close, cells.of(array)) for array in (bars.open, bars.high, bars.low))
    volume = np.where(over | early, 0.0, cells.of(bars.volume))
    lots, open_ms = lots_of(volume, tokens.size_decimals[columns]), bars.start_ms + rows * bars.interval_ms
    return BarShape(
        seed=seed,
        interval_ms=bars.interval_ms,
        open_ms=open_ms,
        coin=tokens.keys[columns],
        size_decimals=tokens.size_decimals[columns],
        price_decimals=cells.price_decimals,
        open=opened,
        high=high,
        low=low,
        close=close,
        lots=lots,
        trades=trade_counts(
            seed,
            coin=tokens.keys[columns],
            open_ms=open_ms,
            interval_ms=bars.interval_ms,
            prices=(opened, high, low, close),
            lots=lots,
            usd=volume * close,
        ),
        spread=cells.spread,
        before=np.where(begun, earlier.of(bars.close), opened),
        start_mid=np.where(begun, earlier.end_mid, opened),
        end_mid=np.where(early, np.nan, cells.end_mid),
    )


def lots_of(volume: FloatArray, size_decimals: ArrayLike) -> IntArray:
    """Volumes in lots, at least one where there is any."""
    known = np.nan_to_num(volume)
    lots = np.rint(known * 10.0 ** np.asarray(size_decimals)).astype(np.int64)
    return np.asarray(np.where(known > 0, np.maximum(lots, 1), 0))


@dataclass(frozen=True, eq=False)
class _Cells:
    """Bars that are there, one a coin."""

    seed: int
    bars: BarHistory
    tokens: Tokens
    rows: IntArray
    columns: IntArray

    def of(self, matrix: FloatArray) -> FloatArray:
        return np.asarray(matrix[self.rows, self.columns])

    @cached_property
    def price_decimals(self) -> IntArray:
        """Decimals of prices: by the high, so that all prices of the bar have one tick."""
        return tick_decimals(self.of(self.bars.high), self.tokens.price_decimals[self.columns])

    @cached_property
    def spread(self) -> IntArray:
        """Quoted spread in ticks; a coin of few ticks must not be quoted at or below nothing."""
        scale = 10.0**self.price_decimals
        half = np.maximum(
            half_spread_bps(self.of(self.bars.day_before)), self.tokens.least_half_spread_bps[self.columns]
        )
        quoted = 2e-4 * half * self.of(self.bars.high) * scale
        most = np.maximum(1.0, np.nan_to_num(self.of(self.bars.low)) * scale / 4)
        return np.asarray(np.clip(np.rint(np.nan_to_num(quoted)), 1, most).astype(np.int64))

    @property
    def end_mid(self) -> FloatArray:
        """Mid when the bar closes: the last price lies inside the quotes, anywhere."""
        open_s = (self.bars.start_ms + self.rows * self.bars.interval_ms) // 1000
        where = uniforms(self.seed, Stream.QUOTE, 0, self.tokens.keys[self.columns], open_s) - 0.5
        return np.asarray(self.of(self.bars.close) + where * self.spread * 10.0**-self.price_decimals)
