"""What it would cost to fetch a range, in units of the exchange's request weight."""

import math

import pandas as pd

from hlpairs_core.engine.history import Range
from hlpairs_core.exchange import WEIGHTS

__all__ = ["candles_weight", "funding_weight"]

# The exchange keeps so many candles of an interval, and sends so many payments at once.
CANDLES_AT_MOST = 5000
FUNDING_PAGE = 500
HOUR = pd.Timedelta(hours=1)


def candles_weight(hole: Range, step: pd.Timedelta) -> int:
    """Return the weight of the candles of one coin that open in a range, both ends included."""
    rows = int((hole[1] - hole[0]) / step) + 1
    return WEIGHTS["candleSnapshot"].of(min(rows, CANDLES_AT_MOST))


def funding_weight(hole: Range) -> int:
    """Return the weight of one coin's funding of a range, page by page."""
    rows = int((hole[1] - hole[0]) / HOUR) + 1
    pages = math.ceil(rows / FUNDING_PAGE)
    whole, last = pages - 1, rows - (pages - 1) * FUNDING_PAGE
    return whole * WEIGHTS["fundingHistory"].of(FUNDING_PAGE) + WEIGHTS["fundingHistory"].of(last)
