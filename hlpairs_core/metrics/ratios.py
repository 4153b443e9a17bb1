"""Reward over risk: Sharpe, Sortino and Calmar, of returns that are not reinvested."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_number
from hlpairs_core.metrics.drawdown import max_drawdown
from hlpairs_core.metrics.inputs import bars_per_year, read_returns, varies

__all__ = ["calmar_ratio", "sharpe_per_bar", "sharpe_ratio", "sortino_ratio"]


def sharpe_ratio(returns: pd.Series | ArrayLike, *, interval: str = "1h") -> float:
    """Return the annualised Sharpe ratio, with no interest rate deducted.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        One number a bar in any unit; a bar without a position counts as 0.
    interval : str, default "1h"
        Length of a bar. A year has 8,760 hours.

    Returns
    -------
    float
        NaN where all returns are the same: there is no risk to divide by.

    Raises
    ------
    InputError
        If there are fewer than two bars, or a value is missing or infinite.

    Notes
    -----
    Mean over standard deviation (divisor T - 1) times the square root of the bars in a year. The root is right where
    bars are uncorrelated: positive autocorrelation makes the true ratio smaller (A. W. Lo, "The Statistics of
    Sharpe Ratios", *Financial Analysts Journal* 58 (2002), 36-52).

    A long and a short leg finance each other, so nothing is deducted. W. F. Sharpe, "The Sharpe Ratio", *Journal of
    Portfolio Management* 21 (1994), 49-58.

    Examples
    --------
    >>> round(sharpe_ratio([1.0, -2.0, 0.0, 4.0], interval="1d"), 3)
    5.731
    """
    return sharpe_per_bar(read_returns(returns, least=2)) * math.sqrt(bars_per_year(interval))


def sortino_ratio(returns: pd.Series | ArrayLike, *, interval: str = "1h", target: float = 0.0) -> float:
    """Return the annualised Sortino ratio.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        One number a bar in any unit; a bar without a position counts as 0.
    interval : str, default "1h"
        Length of a bar. A year has 8,760 hours.
    target : float, default 0
        Return of a bar below which there is a shortfall, in the unit of `returns`.

    Returns
    -------
    float
        NaN where no bar falls short of the target.

    Raises
    ------
    InputError
        If there are fewer than two bars, or a value is missing or infinite.

    Notes
    -----
    ``(mean - target) / sqrt(mean of min(r - target, 0) ** 2)``, the mean over all bars and not over the bad ones, times
    the square root of the bars in a year. F. A. Sortino and L. N. Price, "Performance Measurement in a Downside
    Risk Framework", *Journal of Investing* 3 (1994), 59-64.
    """
    check_number("target", target, low=-np.inf, high=np.inf)
    excess = read_returns(returns, least=2) - target
    shortfall = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    return float(excess.mean()) / shortfall * math.sqrt(bars_per_year(interval)) if shortfall else math.nan


def calmar_ratio(returns: pd.Series | ArrayLike, *, interval: str = "1h") -> float:
    """Return the mean return of a year over the maximum drawdown, both on constant capital.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        One number a bar in any unit; a bar without a position counts as 0.
    interval : str, default "1h"
        Length of a bar. A year has 8,760 hours.

    Returns
    -------
    float
        NaN where there was no drawdown.

    Raises
    ------
    InputError
        If there is no bar, or a value is missing or infinite.

    Notes
    -----
    Over all bars given, where T. W. Young, "Calmar Ratio: A Smoother Tool", *Futures* 20 (1991), 40, took three
    years. Drawdowns grow with the length of a record, so ratios of different lengths do not compare.
    """
    values = read_returns(returns)
    depth = max_drawdown(values).depth
    return float(values.mean()) * bars_per_year(interval) / depth if depth else math.nan


def sharpe_per_bar(values: FloatArray) -> float:
    """Return mean over standard deviation of returns that were read before; NaN where they do not vary."""
    return float(values.mean() / values.std(ddof=1)) if varies(values) else math.nan
