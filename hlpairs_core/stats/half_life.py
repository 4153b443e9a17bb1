"""The half-life of a spread: least squares, and two ways to take off its bias."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import norm

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._ar1 import UNIT_ROOT, Ar1, fit_ar1, slope_cdf
from hlpairs_core.stats._spread import positive, read_spread, share

__all__ = ["HalfLife", "HalfLifeMethod", "half_life", "half_life_of_slope"]

HalfLifeMethod: TypeAlias = Literal["median_unbiased", "kendall", "least_squares"]

# Fewer bars say nothing about reversion, and Kendall's correction divides by n - 3.
_LEAST = 10
# The search ends here: a spread that turns round at every bar has no half-life anyway.
_LOWEST = -0.999


@dataclass(frozen=True)
class HalfLife:
    """How long a deviation takes to halve, on average.

    Attributes
    ----------
    method : str
        How the slope was estimated.
    bars, hours : float
        The half-life. ``inf`` where the estimate does not revert (slope of 1 or more); NaN where the slope is
        0 or less: the spread then reverts within a bar, and these bars cannot say how fast. `reason` says so.
    low_bars, high_bars, low_hours, high_hours : float
        Interval of the half-life. `high_bars` is ``inf`` where a random walk is not excluded, `low_bars` is 0
        where reversion within a bar is not.
    slope, low_slope, high_slope : float
        The autoregression's slope behind them; at most 1 with "median_unbiased".
    level : float
        Confidence level of the interval.
    n_bars : int
        Bars used.
    reason : str
        Why there is no finite half-life; "" where there is one.
    """

    method: HalfLifeMethod
    bars: float
    hours: float
    low_bars: float
    high_bars: float
    low_hours: float
    high_hours: float
    slope: float
    low_slope: float
    high_slope: float
    level: float
    n_bars: int
    reason: str


def half_life(
    spread: pd.Series | ArrayLike,
    *,
    method: HalfLifeMethod = "median_unbiased",
    bar_hours: float = 1.0,
    level: float = 0.95,
) -> HalfLife:
    """Estimate the half-life of a spread from its first-order autoregression, with an interval.

    Least squares finds a spread that reverts faster than it does: the slope comes out too small by about
    ``(1 + 3 slope) / n``, and a random walk is given a half-life. `docs/reversion.md` has the table.

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, without gaps, T >= 10.
    method : {"median_unbiased", "kendall", "least_squares"}
        * "median_unbiased": the slope of which the least-squares slope found is the median (Andrews 1993).
          The interval has exactly its level, up to the random walk, for Gaussian errors.
        * "kendall": least squares plus the first-order bias (Kendall 1954; Marriott and Pope 1954), with a
          normal interval. Fast; too narrow near a random walk.
        * "least_squares": as it is found, with a normal interval.
    bar_hours : float
        Length of a bar in hours.
    level : float
        Confidence level of the interval.

    Returns
    -------
    HalfLife

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, or an option is out of range.

    Notes
    -----
    The half-life is ``-ln 2 / ln slope`` bars. Only the median passes through that function: the half-life is
    median-unbiased where the slope is; no estimator of a half-life has a mean. "median_unbiased" takes 0.3 ms a
    bar, as the distribution is computed exactly. A hedge ratio that was estimated on the same bars makes every
    spread look faster than it is, beyond what these methods correct.

    M. G. Kendall, "Note on Bias in the Estimation of Autocorrelation", *Biometrika* 41 (1954), 403-404.
    F. H. C. Marriott and J. A. Pope, "Bias in the Estimation of Autocorrelations", *Biometrika* 41 (1954),
    390-402.
    D. W. K. Andrews, "Exactly Median-Unbiased Estimation of First Order Autoregressive/Unit Root Models",
    *Econometrica* 61 (1993), 139-165.

    Examples
    --------
    The slope is 0.9 in truth, a half-life of ``-ln 2 / ln 0.9`` = 6.6 bars.

    >>> import numpy as np
    >>> from scipy.signal import lfilter
    >>> spread = lfilter([1.0], [1.0, -0.9], np.random.default_rng(0).normal(size=300))
    >>> found = half_life(spread)
    >>> round(found.low_bars, 1), round(found.bars, 1), round(found.high_bars, 1)
    (4.3, 6.9, 16.4)
    """
    values = read_spread(spread, least=_LEAST)
    positive(bar_hours, "bar_hours")
    share(level, "level")
    if method not in _ESTIMATORS:
        known = ", ".join(map(repr, _ESTIMATORS))
        raise InputError(f"method must be one of {known}, got {method!r}")
    slope, low, high = _ESTIMATORS[method](fit_ar1(values), level)
    bars, low_bars, high_bars = (half_life_of_slope(one) for one in (slope, low, high))
    return HalfLife(
        method=method,
        bars=bars if slope > 0.0 else math.nan,
        hours=bars * bar_hours if slope > 0.0 else math.nan,
        low_bars=low_bars,
        high_bars=high_bars,
        low_hours=low_bars * bar_hours,
        high_hours=high_bars * bar_hours,
        slope=slope,
        low_slope=low,
        high_slope=high,
        level=level,
        n_bars=len(values),
        reason=_reason(slope),
    )


def half_life_of_slope(slope: float) -> float:
    """Half-life in bars of an autoregression; ``inf`` for a slope of 1 or more, 0 for a slope of 0 or less."""
    if slope >= 1.0:
        return math.inf
    return -math.log(2.0) / math.log(slope) if slope > 0.0 else 0.0


def _reason(slope: float) -> str:
    if slope >= 1.0:
        return f"it does not revert: the slope on the bar before is {slope:.4f}"
    if slope <= 0.0:
        return f"it reverts within a bar, these bars cannot say how fast: the slope on the bar before is {slope:.4f}"
    return ""


def _least_squares(ar1: Ar1, level: float) -> tuple[float, float, float]:
    half = float(norm.ppf(0.5 + 0.5 * level)) * math.sqrt(ar1.ssr / (ar1.n_obs - 2) / ar1.lagged_squares)
    return ar1.slope, ar1.slope - half, ar1.slope + half


def _kendall(ar1: Ar1, level: float) -> tuple[float, float, float]:
    """Solve ``E[found] = slope - (1 + 3 slope) / n`` for the slope."""

    def corrected(found: float) -> float:
        return (ar1.n_obs * found + 1.0) / (ar1.n_obs - 3.0)

    slope, low, high = _least_squares(ar1, level)
    return corrected(slope), corrected(low), corrected(high)


def _median_unbiased(ar1: Ar1, level: float) -> tuple[float, float, float]:
    slope, low, high = (_slope_with_probability(ar1, p) for p in (0.5, 0.5 + 0.5 * level, 0.5 - 0.5 * level))
    return slope, low, high


def _slope_with_probability(ar1: Ar1, probability: float) -> float:
    """The slope under which the estimate is at most what was found with this probability; 1 if none reaches down."""

    def excess(slope: float) -> float:
        return slope_cdf(ar1.slope, slope, ar1.n_obs) - probability

    if excess(UNIT_ROOT) >= 0.0:
        return 1.0
    # Widened from the estimate, as the inversion is not made for slopes that are out of the question.
    step = math.sqrt(max(1.0 - ar1.slope**2, 2.0 / ar1.n_obs) / ar1.n_obs)
    low = high = min(max(ar1.slope, _LOWEST), UNIT_ROOT)
    while excess(low) < 0.0:
        if low == _LOWEST:
            return -1.0
        low = max(low - step, _LOWEST)
    while high < UNIT_ROOT and excess(high) > 0.0:
        high = min(high + step, UNIT_ROOT)
    return float(brentq(excess, low, high, xtol=1e-6)) if low < high else low


_ESTIMATORS = {"median_unbiased": _median_unbiased, "kendall": _kendall, "least_squares": _least_squares}
