from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.noise import Stream, uniforms
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import on_lot, on_tick, tick_decimals

__all__ = ["LEVELS", "BookSide", "aggregated", "book_side"]

LEVELS = 20
"""How many levels a side the exchange shows."""

# Deep enough for twenty levels at two significant figures of a liquid coin.
_DEPTH = 600
_REFRESH_MS = 1000
_USD_PER_ORDER = 8000.0


@dataclass(frozen=True, eq=False)
class BookSide:
    """One side of a book, best level first; arrays of shape (n_levels,).

    Attributes
    ----------
    price : ndarray
        USD.
    size : ndarray
        Base units.
    orders : ndarray of int
        Number of orders.
    """

    price: FloatArray
    size: FloatArray
    orders: IntArray


def book_side(view: MarketView, coin: int, *, asks: bool) -> BookSide:
    """Return one side of a coin's book, the hidden depth included; a delisted coin has none.

    Levels sit on the tick, the best one at `MarketView.quotes`. Sizes and gaps scale with the coin's liquidity,
    grow away from the mid, and change once a second.
    """
    best = float((view.quotes.ask if asks else view.quotes.bid)[coin])
    if not np.isfinite(best):
        return BookSide(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    decimals = view.market.coins[coin].size_decimals
    price = _prices(view, coin, best, decimals, asks=asks)
    chance = uniforms(view.market.seed, Stream.BOOK_SIZE, *_keys(view, coin, asks), np.arange(len(price)))
    usd = view.state.level_usd[coin] * -np.log(chance) * _growth(len(price), 100)
    size = np.maximum(on_lot(usd / price, decimals), 10.0**-decimals)
    return BookSide(price, size, 1 + (usd / _USD_PER_ORDER).astype(np.int64))


def aggregated(side: BookSide, *, asks: bool, figures: int, mantissa: int, size_decimals: int) -> BookSide:
    """Merge levels to a number of significant figures: bids are rounded down, asks up.

    Parameters
    ----------
    side : BookSide
        The full side.
    asks : bool
        Which side it is.
    figures : int
        Significant figures of a price.
    mantissa : int
        Steps of the last figure: 1, 2 or 5.
    size_decimals : int
        Decimals of a size.
    """
    if not len(side.price):
        return side
    exponent = int(np.floor(np.log10(side.price[0]))) - figures + 1
    exponent = max(exponent, -int(tick_decimals(side.price[0], size_decimals)))
    steps = side.price / 10.0**exponent / mantissa
    steps = np.ceil(steps - 1e-7) if asks else np.floor(steps + 1e-7)
    bucket = steps * mantissa * 10.0**exponent if exponent >= 0 else steps * mantissa / 10.0**-exponent
    starts = np.flatnonzero(np.diff(steps, prepend=np.nan) != 0)
    starts = starts[bucket[starts] > 0]
    size = on_lot(np.add.reduceat(side.size, starts), size_decimals)
    return BookSide(bucket[starts], size, np.add.reduceat(side.orders, starts))


def _prices(view: MarketView, coin: int, best: float, decimals: int, *, asks: bool) -> FloatArray:
    """Distinct prices on the tick, best first."""
    tick = 10.0 ** -int(tick_decimals(best, decimals))
    chance = uniforms(view.market.seed, Stream.BOOK_GAP, *_keys(view, coin, asks), np.arange(_DEPTH - 1))
    spacing = 0.7 * view.state.half_spread_bps[coin] / 1e4 * best / tick
    gaps = 1 + np.floor(-np.log(chance) * spacing * _growth(_DEPTH - 1, 25))
    away = tick * np.append(0.0, np.cumsum(gaps))
    price = on_tick(best + away if asks else best - away, decimals, towards="up" if asks else "down")
    distinct = np.unique(price[price > 0])
    return distinct if asks else distinct[::-1]


def _growth(n_levels: int, levels_to_double: int) -> FloatArray:
    return 1.0 + np.arange(n_levels) / levels_to_double


def _keys(view: MarketView, coin: int, asks: bool) -> tuple[int, int, int]:
    return int(view.market.coin_keys[coin]), view.time_ms // _REFRESH_MS, int(asks)
