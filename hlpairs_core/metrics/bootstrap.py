from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_integer, check_number
from hlpairs_core.metrics.inputs import read_returns

__all__ = [
    "LEAST_BARS",
    "MOST_RESAMPLES",
    "BootstrapInterval",
    "block_length_of",
    "bootstrap_interval",
    "checked_block_length",
]

LEAST_BARS = 20
MOST_RESAMPLES = 10**6


@dataclass(frozen=True)
class BootstrapInterval:
    """Where a number lies if the past is drawn again in blocks.

    Attributes
    ----------
    estimate : float
        From the returns as they are.
    low, high : float
        Bounds; NaN where `reason` says why.
    confidence : float
        Share of intervals that hold the true number, asymptotically.
    block_length : int
        Mean length of the blocks (bars).
    n_resamples : int
        Number of draws.
    reason : str
        Why there is no interval; "" where there is one.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    block_length: int
    n_resamples: int
    reason: str = ""


def bootstrap_interval(
    returns: pd.Series | ArrayLike,
    statistic: Callable[[FloatArray], float],
    *,
    rng: np.random.Generator,
    confidence: float = 0.90,
    n_resamples: int = 1000,
    block_length: int | None = None,
) -> BootstrapInterval:
    """Return an interval for any statistic of returns that depend on each other.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        One number a bar in any unit; a bar without a position counts as 0. At least 20.
    statistic : callable
        Takes an array of shape (T,), returns a number.
    rng : numpy.random.Generator
        Source of the draws.
    confidence : float, default 0.90
        In (0, 1).
    n_resamples : int, default 1000
        Number of draws, at least 100.
    block_length : int, optional
        Mean length of the blocks (bars). By default the one that is best for the *mean*; give at least the longest
        hold where profits of one trade must stay together.

    Raises
    ------
    InputError
        If there are fewer than 20 bars, a value is missing or infinite, or an option is out of range.

    Notes
    -----
    Percentile interval. D. N. Politis and J. P. Romano, "The Stationary Bootstrap", *Journal of the American
    Statistical Association* 89 (1994), 1303-1313; block length by D. N. Politis and H. White, "Automatic Block-Length
    Selection for the Dependent Bootstrap", *Econometric Reviews* 23 (2004), 53-70, corrected by A. Patton, D. N.
    Politis and H. White, 28 (2009), 372-375. Done by arch. The interval is narrow where the record has not seen its
    worst yet.
    """
    check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    check_integer("n_resamples", n_resamples, low=100, high=MOST_RESAMPLES)
    values = read_returns(returns, least=LEAST_BARS)
    length = block_length_of(values) if block_length is None else checked_block_length(block_length, len(values))
    estimate = float(statistic(values))
    from arch.bootstrap import StationaryBootstrap

    drawn = StationaryBootstrap(length, values, seed=rng).apply(lambda draw: float(statistic(draw)), n_resamples)
    lost = int((~np.isfinite(drawn)).sum())
    if lost:
        reason = f"the number does not exist in {lost} of {n_resamples} draws"
        return BootstrapInterval(estimate, math.nan, math.nan, confidence, length, n_resamples, reason)
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return BootstrapInterval(estimate, float(low), float(high), confidence, length, n_resamples)


def block_length_of(values: FloatArray) -> int:
    """Return the whole number of bars that is the best mean block length for the mean of `values`."""
    from arch.bootstrap import optimal_block_length

    with np.errstate(divide="ignore", invalid="ignore"):
        best = float(optimal_block_length(values)["stationary"].iloc[0])
    return int(np.clip(math.ceil(best), 1, len(values) - 1)) if math.isfinite(best) else 1


def checked_block_length(block_length: int, n_bars: int) -> int:
    """Return a block length that somebody asked for, refusing what is none.

    Raises
    ------
    InputError
        If it is no whole number from 1 to one less than the bars.
    """
    check_integer("block_length", block_length, low=1, high=n_bars - 1)
    return int(block_length)
