from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray

__all__ = ["OrderBook"]


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
