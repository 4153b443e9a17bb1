"""How much stands in an order book near its middle."""

from collections.abc import Sequence

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.exchange.book import OrderBook

__all__ = ["depth_within"]

# The exchange shows so many levels a side: a side with fewer is shown whole.
LEVELS_SHOWN = 20


def depth_within(book: OrderBook, bps: Sequence[float], *, levels_shown: int = LEVELS_SHOWN) -> FloatArray:
    """Return what stands in a book within some distances of its mid (USD).

    Parameters
    ----------
    book : OrderBook
        The visible levels.
    bps : sequence of float
        Distances from the mid, in basis points of it.
    levels_shown : int
        How many levels a side is shown at most.

    Returns
    -------
    ndarray, shape (n_distances, 2)
        Of bids and asks. NaN on a side whose visible part ends before that distance: what stands beyond it is not
        known. NaN on both without a mid.
    """
    reach = book.mid * np.asarray(bps, dtype=np.float64) / 1e4
    if not np.isfinite(book.mid):
        return np.full((len(reach), 2), np.nan)
    return np.column_stack([_side(levels, book.mid, reach, levels_shown) for levels in (book.bids, book.asks)])


def _side(levels: FloatArray, mid: float, reach: FloatArray, levels_shown: int) -> FloatArray:
    distance = np.abs(levels[:, 0] - mid)
    usd = np.concatenate([[0.0], np.cumsum(levels[:, 0] * levels[:, 1])])
    within = usd[np.searchsorted(distance, reach, side="right")]
    cut_off = len(levels) >= levels_shown and distance[-1] < reach
    return np.where(cut_off, np.nan, within)
