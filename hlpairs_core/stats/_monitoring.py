"""What a break monitor computes: the fit of its window, and paths that know nothing of later bars."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._ar1 import fit_ar1

__all__ = [
    "WindowFit",
    "fit_window",
    "looks",
    "monitoring_bound",
    "recursive_deviations",
    "recursive_residuals",
    "rolling_beta",
]

# How often the rolling hedge ratio is looked at while its window passes once.
_LOOKS = 4
# What is smaller than this share of a series is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class WindowFit:
    """Regression of the quasi-differences ``y_t - slope y_{t-1}`` on those of x, about their means.

    `sizes` are its absolute errors in their standard deviations.
    """

    slope: float
    mean_y: float
    mean_x: float
    beta: float
    beta_variance: float
    error_std: float
    sizes: FloatArray


def fit_window(y: FloatArray, x: FloatArray) -> tuple[WindowFit, float]:
    """Fit the window: least squares, the reversion of its residual, and least squares of the quasi-differences."""
    centred = x - x.mean()
    spread = y - y.mean() - (centred @ y) / (centred @ centred) * centred
    size = float(np.abs(y).max())
    if float(np.abs(spread).max()) <= _ROUNDING * size:
        raise InputError("y and x are collinear in the fit window: there is no spread to watch")
    ar1 = fit_ar1(spread)
    # Taking out a hedge ratio as well as a mean about doubles the bias that Kendall found.
    slope = (ar1.n_obs * ar1.slope + 2.0) / (ar1.n_obs - 6.0)
    used = min(slope, 1.0)
    quasi_y, quasi_x = y[1:] - used * y[:-1], x[1:] - used * x[:-1]
    mean_y, mean_x = float(quasi_y.mean()), float(quasi_x.mean())
    quasi_y, quasi_x = quasi_y - mean_y, quasi_x - mean_x
    squares = float(quasi_x @ quasi_x)
    if squares <= (_ROUNDING * float(np.abs(x).max())) ** 2:
        raise InputError("x changes by the same amount at every bar of the fit window: its hedge ratio cannot be told")
    beta = float(quasi_x @ quasi_y) / squares
    errors = quasi_y - beta * quasi_x
    variance = float(errors @ errors) / (len(errors) - 3)
    error_std = math.sqrt(variance)
    if error_std <= _ROUNDING * size:
        raise InputError("the spread is predicted without error in the fit window: there is nothing to compare with")
    return WindowFit(used, mean_y, mean_x, beta, variance / squares, error_std, np.abs(errors) / error_std), slope


def recursive_residuals(y: FloatArray, x: FloatArray, first: int) -> FloatArray:
    """Errors, from `first` on, of predicting y from x with all observations before, scaled to equal variance."""
    count = np.arange(first, len(y), dtype=np.float64)
    mean_x, mean_y = _sums_before(x, first) / count, _sums_before(y, first) / count
    xx = _sums_before(x * x, first) - count * mean_x**2
    beta = (_sums_before(x * y, first) - count * mean_x * mean_y) / xx
    away = x[first:] - mean_x
    residuals: FloatArray = (y[first:] - mean_y - beta * away) / np.sqrt(1.0 + 1.0 / count + away**2 / xx)
    return residuals


def recursive_deviations(values: FloatArray, first: int) -> FloatArray:
    """Distance, from `first` on, of each value from the mean of all before it, scaled to equal variance."""
    count = np.arange(first, len(values), dtype=np.float64)
    deviations: FloatArray = (values[first:] - _sums_before(values, first) / count) / np.sqrt(1.0 + 1.0 / count)
    return deviations


def _sums_before(values: FloatArray, first: int) -> FloatArray:
    sums: FloatArray = np.cumsum(values)[first - 1 : -1]
    return sums


def rolling_beta(
    quasi_y: FloatArray, quasi_x: FloatArray, fit: WindowFit, window: int, alpha: float
) -> tuple[FloatArray, FloatArray]:
    """Slope of the last `window` bars and how far it may be from the fit's."""
    n_bars = len(quasi_y)
    rolling, half = np.full(n_bars, np.nan), np.full(n_bars, np.nan)
    if n_bars < window:
        return rolling, half
    sum_x, sum_y = _last(quasi_x, window), _last(quasi_y, window)
    xx = _last(quasi_x**2, window) - sum_x**2 / window
    xy = _last(quasi_x * quasi_y, window) - sum_x * sum_y / window
    yy = _last(quasi_y**2, window) - sum_y**2 / window
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.where(xx > 0.0, xy / xx, np.nan)
        variance = np.maximum(yy - beta * xy, 0.0) / (window - 2) / xx
    look = 1 + np.arange(n_bars - window + 1) // (window // _LOOKS)
    critical = student.isf(0.5 * alpha / (look * (look + 1.0)), window - 2)
    rolling[window - 1 :] = beta
    half[window - 1 :] = critical * np.sqrt(variance + fit.beta_variance)
    return rolling, half


def looks(n_bars: int, window: int) -> BoolArray:
    """The bars after the fit at which the rolling hedge ratio is looked at."""
    since = np.arange(1, n_bars + 1) - window
    looked: BoolArray = (since >= 0) & (since % (window // _LOOKS) == 0)
    return looked


def _last(values: FloatArray, window: int) -> FloatArray:
    """Sums over the last `window` values."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: FloatArray = total[window:] - total[:-window]
    return sums


def monitoring_bound(alpha: float) -> float:
    """The a of the boundary that a Wiener process ever crosses with probability ``exp(-a**2 / 2)`` = `alpha`."""
    return math.sqrt(-2.0 * math.log(alpha))
