"""What an order costs in the visible order book."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError

__all__ = ["BookFill", "average_fill_price", "book_depth_usd", "slippage_bps", "walk_book"]


@dataclass(frozen=True)
class BookFill:
    """How one order would fill against one side of a book.

    Attributes
    ----------
    average_price : float
        USD; NaN where the visible levels do not hold the whole order.
    filled_usd : float
        What the visible levels would take of the order (USD).
    depth_usd : float
        Everything visible on this side (USD).
    levels_used : int
        How many levels the order touches.
    """

    average_price: float
    filled_usd: float
    depth_usd: float
    levels_used: int

    @property
    def complete(self) -> bool:
        """Whether the visible levels hold the whole order."""
        return not np.isnan(self.average_price)


def walk_book(levels: ArrayLike, notional_usd: float) -> BookFill:
    """Fill an order level by level.

    Parameters
    ----------
    levels : array_like, shape (n_levels, 2)
        Price (USD) and size (base units), best first: the asks to buy, the bids to sell. An empty side
        fills nothing.
    notional_usd : float
        What is spent, or received before fees (USD).

    Returns
    -------
    BookFill
        An order larger than the visible side is not filled: its average price is NaN and `depth_usd` says
        how much there is.

    Raises
    ------
    InputError
        If the notional is not a positive finite number or a level is not one of positive finite numbers.
    """
    table = _checked_levels(levels)
    average = float(average_fill_price(table, notional_usd))
    depth = book_depth_usd(table)
    spent_before = np.concatenate([[0.0], np.cumsum(table[:, 0] * table[:, 1])[:-1]]) if len(table) else np.empty(0)
    used = int(np.count_nonzero(spent_before < notional_usd))
    return BookFill(average, min(float(notional_usd), depth), depth, used)


def average_fill_price(levels: ArrayLike, notional_usd: ArrayLike) -> FloatArray:
    """Return the average price (USD) of orders of several sizes against one side of a book.

    Parameters
    ----------
    levels : array_like, shape (n_levels, 2)
        Price and size, best first.
    notional_usd : array_like
        Order sizes (USD), any shape.

    Returns
    -------
    ndarray
        Of the shape of `notional_usd`; NaN where the visible levels do not hold the order.

    Raises
    ------
    InputError
        As `walk_book`.
    """
    table, wanted = _checked_levels(levels), np.asarray(notional_usd, dtype=np.float64)
    if not np.all(np.isfinite(wanted) & (wanted > 0)):
        raise InputError(f"the notional of an order is {notional_usd!r}: use finite USD above 0")
    if not len(table):
        return np.full(wanted.shape, np.nan)
    price, size = table.T
    spent = np.concatenate([[0.0], np.cumsum(price * size)])
    bought = np.concatenate([[0.0], np.cumsum(size)])
    level = np.minimum(np.searchsorted(spent[1:], wanted), len(price) - 1)
    units = bought[level] + (wanted - spent[level]) / price[level]
    average: FloatArray = np.where(wanted <= spent[-1], wanted / units, np.nan)
    return average


def slippage_bps(
    levels: ArrayLike, notional_usd: ArrayLike, *, mid: float, action: Literal["buy", "sell"]
) -> FloatArray:
    """Return how much worse than the mid orders fill, in bps of the mid, half the spread included.

    Parameters
    ----------
    levels : array_like, shape (n_levels, 2)
        The side the order takes from: asks to buy, bids to sell; best first.
    notional_usd : array_like
        Order sizes (USD), any shape.
    mid : float
        The same book's mid (USD).
    action : {"buy", "sell"}
        What the order does; a buyer pays more than the mid, a seller receives less.

    Returns
    -------
    ndarray
        Of the shape of `notional_usd`; NaN where the visible levels do not hold the order.

    Raises
    ------
    InputError
        As `walk_book`; also for a mid that is not positive and for another action.
    """
    if not (np.isfinite(mid) and mid > 0):
        raise InputError(f"the mid is {mid!r}: use a finite price above 0")
    if action not in ("buy", "sell"):
        raise InputError(f"action is {action!r}: use 'buy' or 'sell'")
    average = average_fill_price(levels, notional_usd)
    worse = average - mid if action == "buy" else mid - average
    return np.asarray(1e4 * worse / mid)


def book_depth_usd(levels: ArrayLike) -> float:
    """Return everything visible on one side of a book (USD); 0 for an empty side."""
    table = _checked_levels(levels)
    return float(np.sum(table[:, 0] * table[:, 1]))


def _checked_levels(levels: ArrayLike) -> FloatArray:
    table = np.asarray(levels, dtype=np.float64)
    if table.size == 0:
        return np.empty((0, 2))
    if table.ndim != 2 or table.shape[1] != 2:
        raise InputError(f"book levels have shape {table.shape}: use (n_levels, 2), price and size")
    if not np.all(np.isfinite(table) & (table > 0)):
        raise InputError("a book level is not finite or not above 0: use positive prices and sizes")
    return table
