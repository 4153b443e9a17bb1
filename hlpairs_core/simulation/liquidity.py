"""How liquid a coin is, from the notional it traded in a day: spread, depth and number of trades."""

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.noise import Stream, normals

__all__ = ["MOST_TRADES_A_MINUTE", "gap_bps", "half_spread_bps", "level_usd", "trade_counts"]

MOST_TRADES_A_MINUTE = 300
"""However lively a coin, it has no more trades a minute than this; they are larger then."""

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
# On average; the liveliest minutes of a bar have twice as many.
_USUAL_MOST_A_MINUTE = 150


def half_spread_bps(day_usd: FloatArray) -> FloatArray:
    """Half the quoted spread before it is rounded to ticks (bps of the price).

    One tick of BTC at 3.6 bn USD a day. Recorded minutes bounce so little that coins of half a million a day cannot be
    quoted wider than some 3 bps.
    """
    return np.asarray(np.clip(0.235 * (1e8 / np.maximum(day_usd, 1.0)) ** 0.337, 0.03, 20.0))


def gap_bps(day_usd: FloatArray) -> FloatArray:
    """Mean distance between neighbouring levels near the top of a book (bps of the price).

    Fitted by eye to real books and impact prices: one tick at 3.6 bn USD a day, 5 bps at 400 k.
    """
    return np.asarray(np.clip(0.42 * (2.4e8 / np.maximum(day_usd, 1.0)) ** 0.4, 0.035, 28.0))


def level_usd(day_usd: FloatArray) -> FloatArray:
    """Average notional of one level near the top (USD): 360 k at 3.6 bn a day, 4 k at 400 k."""
    return np.asarray(np.maximum(6.0 * np.sqrt(day_usd), 250.0))


def trade_counts(
    seed: int,
    *,
    coin: IntArray,
    open_ms: IntArray,
    interval_ms: int,
    prices: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    lots: IntArray,
    usd: FloatArray,
) -> IntArray:
    """Return the number of trades of whole bars, all arrays of shape (n,).

    Fitted to the share of recorded minutes without a trade: 2,300 trades on a day of 120 k USD, 7 a minute at
    3.5 m, some 160 a minute at 3.6 bn.

    Parameters
    ----------
    seed : int
        Of the market.
    coin : ndarray of int
        `noise.name_keys` of the coins.
    open_ms : ndarray of int
        When the bars opened.
    interval_ms : int
        Their length.
    prices : tuple of ndarray
        Open, high, low, close.
    lots : ndarray of int
        Volume in lots; no trade is smaller than one.
    usd : ndarray
        Volume in USD.

    Returns
    -------
    ndarray of int
        0 without volume. Otherwise enough to touch every price of the bar, as far as the lots allow it.
    """
    opened, high, low, close = prices
    share = interval_ms / _DAY_MS
    noise = np.exp(0.3 * normals(seed, Stream.TRADES, coin, open_ms // 1000))
    usual = 1400.0 * share * (usd / share / 4e4) ** 0.45 * noise
    outside = (high > np.maximum(opened, close)).astype(np.int64) + (low < np.minimum(opened, close))
    needed = 1 + (opened != close) + outside + ((opened == close) & (outside > 0))
    most = max(4, _USUAL_MOST_A_MINUTE * interval_ms // _MINUTE_MS)
    counts = np.clip(np.rint(np.nan_to_num(usual)).astype(np.int64), needed, most)
    return np.asarray(np.where(lots > 0, np.minimum(counts, lots), 0))
