"""Order books: twenty levels are shown, more are there to be added up.

Levels belong to prices: each stays where it is for a while, whatever the mid does. Within a second of market time a
size changes only by trades, which take what they trade; what is taken within a second was placed before it began.
"""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.noise import Stream, uniforms
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import on_lot, on_price_tick, tick_decimals

__all__ = ["LEVELS", "BookSide", "aggregated", "best_levels", "book_side"]

LEVELS = 20
"""How many levels a side the exchange shows."""

_CELLS_PER_BAND = 32
_MOST_BANDS = 14
_DEEPEST = 0.7
_GROWTH = 0.38
# How long a level stays where it is, and how large it is; each level in turn.
_PLACE_SECONDS, _SIZE_SECONDS = 60, 4
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

    Levels sit on the tick, the best one at `MarketView.quotes`. Sizes and gaps scale with the coin's liquidity and
    grow away from the best price.
    """
    best = float((view.quotes.ask if asks else view.quotes.bid)[coin])
    if not np.isfinite(best):
        return BookSide(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    scale = 10.0 ** view.state.steps.shape.price_decimals[coin]
    prices, taken = _taken(view, coin, asks=asks)
    resting = on_price_tick(_places(view, coin, best, scale, asks=asks) / scale, view.market.price_decimals[coin])
    beyond = prices >= best if asks else prices <= best
    price = np.unique(np.concatenate([[best], resting, prices[beyond]]))
    price = price if asks else price[::-1]
    size, orders = _resting(view, coin, price, asks=asks)
    at = np.searchsorted(price if asks else -price, prices[beyond] if asks else -prices[beyond])
    np.add.at(size, at, taken[beyond])
    np.add.at(orders, at, 1)
    return BookSide(price, on_lot(size, view.market.size_decimals[coin]), orders)


def best_levels(view: MarketView, *, asks: bool) -> BookSide:
    """Return the best level of each coin, the first of its `book_side`; arrays of shape (n_coins,).

    A delisted coin has NaN as price and size, and no orders.
    """
    price = view.quotes.ask if asks else view.quotes.bid
    quoted = np.isfinite(price)
    coins, prints = np.arange(len(price)), view.prints
    size, orders = _resting(view, coins, np.where(quoted, price, 1.0), asks=asks)
    owner = np.repeat(coins, np.diff(prints.bounds))
    taken = np.flatnonzero(_soon(view, slice(None), asks=asks) & (prints.price == price[owner]))
    taken = taken[taken >= view.done[owner[taken]]]
    np.add.at(size, owner[taken], prints.lots[taken] / 10.0 ** view.market.size_decimals[owner[taken]])
    np.add.at(orders, owner[taken], 1)
    size = np.where(quoted, on_lot(size, view.market.size_decimals), np.nan)
    return BookSide(price, size, np.where(quoted, orders, 0))


def aggregated(
    side: BookSide, *, asks: bool, figures: int, mantissa: int, size_decimals: int, price_decimals: int | None = None
) -> BookSide:
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
    price_decimals : int, optional
        The most decimals of a price; by default those of a perpetual.
    """
    if not len(side.price):
        return side
    most = 6 - size_decimals if price_decimals is None else price_decimals
    exponent = int(np.floor(np.log10(side.price[0]))) - figures + 1
    exponent = max(exponent, -int(tick_decimals(side.price[0], most)))
    steps = side.price / 10.0**exponent / mantissa
    steps = np.ceil(steps - 1e-7) if asks else np.floor(steps + 1e-7)
    bucket = steps * mantissa * 10.0**exponent if exponent >= 0 else steps * mantissa / 10.0**-exponent
    starts = np.flatnonzero(np.diff(steps, prepend=np.nan) != 0)
    starts = starts[bucket[starts] > 0]
    size = on_lot(np.add.reduceat(side.size, starts), size_decimals)
    return BookSide(bucket[starts], size, np.add.reduceat(side.orders, starts))


def _places(view: MarketView, coin: int, best: float, scale: float, *, asks: bool) -> FloatArray:
    """Prices of the levels behind the best one, in ticks.

    Each cell of a grid holds one level. Cells are a mean gap wide near the best price, and twice as wide from band
    to band.
    """
    sign, base = (1, int(np.ceil(best * scale - 1e-6))) if asks else (-1, int(np.floor(best * scale + 1e-6)))
    gap = max(1, round(float(view.state.gap_bps[coin] / 1e4 * view.state.steps.shape.open[coin] * scale)))
    n_bands = int(np.ceil(np.log2(_DEEPEST * base / (_CELLS_PER_BAND * gap) + 1)))
    band = np.arange(max(1, min(n_bands, _MOST_BANDS)))[:, None]
    width, nearest = gap * 2**band, _CELLS_PER_BAND * gap * (2**band - 1)
    furthest = nearest + _CELLS_PER_BAND * width
    cell = (base + nearest if asks else base - furthest) // width + np.arange(_CELLS_PER_BAND + 2)
    keys = int(view.market.coin_keys[coin]), int(asks), band, cell
    turn = (view.time_ms // 1000 + cell % _PLACE_SECONDS) // _PLACE_SECONDS
    place = cell * width + np.floor(uniforms(view.market.seed, Stream.BOOK_GAP, *keys, turn) * width)
    away = sign * (place - base)
    return np.asarray(place[(away > 0) & (away >= nearest) & (away < furthest) & (place > 0)])


def _resting(view: MarketView, coin: int | IntArray, price: FloatArray, *, asks: bool) -> tuple[FloatArray, IntArray]:
    """Sizes and numbers of orders at some prices, before those that are about to be taken."""
    state, decimals = view.state, view.market.size_decimals[coin]
    tick = np.rint(price * 10.0 ** state.steps.shape.price_decimals[coin]).astype(np.int64)
    turn = (view.time_ms // 1000 + tick % _SIZE_SECONDS) // _SIZE_SECONDS
    chance = uniforms(view.market.seed, Stream.BOOK_SIZE, view.market.coin_keys[coin], int(asks), tick, turn)
    # Counted from where the mid was when the step began, so that a size does not move with the mid.
    away = np.abs(price / state.steps.path.mids[coin, view.step] - 1) / (state.gap_bps[coin] / 1e4 * _CELLS_PER_BAND)
    usd = state.level_usd[coin] * -np.log(chance) * (1 + np.nan_to_num(away)) ** _GROWTH
    size = np.maximum(on_lot(usd / price, decimals), 10.0**-decimals)
    return size, 1 + (usd / _USD_PER_ORDER).astype(np.int64)


def _taken(view: MarketView, coin: int, *, asks: bool) -> tuple[FloatArray, FloatArray]:
    """Prices and sizes of the orders that are taken before the current second ends."""
    later = slice(view.done[coin], view.prints.bounds[coin + 1])
    soon = _soon(view, later, asks=asks)
    size = view.prints.lots[later][soon] / 10.0 ** view.market.size_decimals[coin]
    return view.prints.price[later][soon], size


def _soon(view: MarketView, trades: slice, *, asks: bool) -> BoolArray:
    """Whether trades take this side in the current second."""
    prints = view.prints
    return np.asarray((prints.time_ms[trades] // 1000 == view.time_ms // 1000) & (prints.is_buy[trades] == asks))
