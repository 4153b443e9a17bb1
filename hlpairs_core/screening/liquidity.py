"""How much trades and how much it moves: what the caps and the slippage model rest on."""

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.panel import Panel

__all__ = ["bars_per_day", "day_notional_usd", "day_volatility_bps"]


def bars_per_day(interval: str) -> float:
    """Return how many bars a day has; below 1 for intervals longer than a day."""
    return 86_400 / float(interval_duration(interval).total_seconds())


def day_notional_usd(panel: Panel) -> FloatArray:
    """Return what traded in the panel's last 24 hours (USD), shape (n_coins,).

    Bars longer than a day, and panels shorter than one, are scaled to 24 hours. A missing bar counts as no
    trade.
    """
    per_day = bars_per_day(panel.interval)
    rows = min(panel.n_bars, max(1, round(per_day)))
    traded: FloatArray = np.nansum(panel.notional[panel.n_bars - rows :], axis=0)
    return traded * (per_day / rows)


def day_volatility_bps(close: FloatArray, interval: str) -> FloatArray:
    """Return the standard deviation of a day's log return (bps), shape (n_coins,).

    Parameters
    ----------
    close : ndarray, shape (n_bars, n_coins)
        Closes (USD). A coin with a missing close gets NaN.
    interval : str
        Length of a bar; variances add up over a day's bars.
    """
    returns = np.diff(np.log(close), axis=0)
    deviation: FloatArray = np.std(returns, axis=0, ddof=1)
    return np.asarray(1e4 * deviation * np.sqrt(bars_per_day(interval)))
