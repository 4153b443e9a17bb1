from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray

__all__ = ["OrderBook", "deepened"]


@dataclass(frozen=True, eq=False)
class OrderBook:
    """One coin's visible order book at one instant.

    Attributes
    ----------
    coin : str
        Name on the wire.
    time : pandas.Timestamp
        Exchange time, UTC.
    bids, asks : ndarray, shape (n_levels, 2)
        Columns are price (USD) and size (base units); best level first: bids descend, asks ascend.
        A side without orders has shape (0, 2).
    """

    coin: str
    time: pd.Timestamp
    bids: FloatArray
    asks: FloatArray

    @property
    def mid(self) -> float:
        """Mean of best bid and best ask (USD); NaN where a side is empty."""
        if not len(self.bids) or not len(self.asks):
            return float(np.nan)
        return float((self.bids[0, 0] + self.asks[0, 0]) / 2)

    @property
    def half_spread_bps(self) -> float:
        """Half the distance between best bid and best ask, in bps of the mid; NaN where a side is empty."""
        if not len(self.bids) or not len(self.asks):
            return float(np.nan)
        return float(1e4 * (self.asks[0, 0] - self.bids[0, 0]) / 2 / self.mid)


def deepened(book: OrderBook, coarser: Iterable[OrderBook]) -> OrderBook:
    """Add to a book the levels beyond its last ones, from books of the same moment with aggregated levels.

    Aggregated asks are priced at the upper end of what they hold and bids at the lower one, so that what is walked in
    them costs at least what it would. The level that holds the finer book's last price is left out: a part of it is
    counted already.

    Parameters
    ----------
    book : OrderBook
        All its levels.
    coarser : iterable of OrderBook
        Of the same coin, from the finest on.
    """
    for other in coarser:
        asks, bids = (_beyond(book.asks, other.asks, 1.0), _beyond(book.bids, other.bids, -1.0))
        book = replace(book, asks=asks, bids=bids)
    return book


def _beyond(fine: FloatArray, coarse: FloatArray, up: float) -> FloatArray:
    if not len(fine):
        return fine
    further = coarse[up * coarse[:, 0] >= up * fine[-1, 0]]
    return np.concatenate([fine, further[1:]])
