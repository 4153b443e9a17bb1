"""Intervals by the stationary bootstrap, and Hansen's test of the best of many tries."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_integer, check_number
from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics.inputs import read_returns, read_returns_table, varies

__all__ = ["BootstrapInterval", "SuperiorAbility", "block_length_of", "bootstrap_interval", "superior_ability"]

_LEAST_BARS = 20
_MOST_RESAMPLES = 10**6


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


@dataclass(frozen=True)
class SuperiorAbility:
    """Whether the best of many tries beats the benchmark.

    Attributes
    ----------
    p_value : float
        Hansen's consistent p-value, the one to read; never 0.
    p_lower, p_upper : float
        Bounds of it: as if the bad tries were not there, and as if they were as good as the benchmark (White's
        reality check, studentised).
    best : hashable
        Label of the try with the highest t-statistic against the benchmark.
    n_tries : int
        Tries that were compared.
    block_length : int
        Mean length of the blocks (bars).
    n_resamples : int
        Number of draws.
    """

    p_value: float
    p_lower: float
    p_upper: float
    best: Hashable
    n_tries: int
    block_length: int
    n_resamples: int


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
    check_integer("n_resamples", n_resamples, low=100, high=_MOST_RESAMPLES)
    values = read_returns(returns, least=_LEAST_BARS)
    length = block_length_of(values) if block_length is None else _checked_length(block_length, len(values))
    estimate = float(statistic(values))
    from arch.bootstrap import StationaryBootstrap

    drawn = StationaryBootstrap(length, values, seed=rng).apply(lambda draw: float(statistic(draw)), n_resamples)
    lost = int((~np.isfinite(drawn)).sum())
    if lost:
        reason = f"the number does not exist in {lost} of {n_resamples} draws"
        return BootstrapInterval(estimate, math.nan, math.nan, confidence, length, n_resamples, reason)
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return BootstrapInterval(estimate, float(low), float(high), confidence, length, n_resamples)


def superior_ability(
    returns: pd.DataFrame | ArrayLike,
    *,
    rng: np.random.Generator,
    benchmark: pd.Series | ArrayLike | None = None,
    n_resamples: int = 1000,
    block_length: int | None = None,
) -> SuperiorAbility:
    """Test whether the best of many tries is better than a benchmark, or only the luckiest.

    Null hypothesis: no try has a higher mean return than the benchmark.

    Parameters
    ----------
    returns : DataFrame or array_like, shape (T, n_tries)
        Per-bar returns of *every* try on the same bars, those that were thrown away included.
    rng : numpy.random.Generator
        Source of the draws.
    benchmark : Series or array_like, shape (T,), optional
        By default 0 in each bar: staying out of the market.
    n_resamples : int, default 1000
        Number of draws, at least 100.
    block_length : int, optional
        Mean length of the blocks (bars). By default the longest that any try's difference asks for.

    Raises
    ------
    InputError
        If there are fewer than 20 bars, a value is missing or infinite, a try does not differ from the benchmark
        by more than a constant, or an option is out of range.

    Notes
    -----
    Studentised: each difference is divided by its standard error, else the wildest try decides. P. R. Hansen, "A Test
    for Superior Predictive Ability", *Journal of Business & Economic Statistics* 23 (2005), 365-380; done by arch on
    the differences so scaled (its own statistic is not). A p-value is ``(1 + m) / (1 + n_resamples)``, m
    being the draws at least as extreme.
    """
    check_integer("n_resamples", n_resamples, low=100, high=_MOST_RESAMPLES)
    values, labels = read_returns_table(returns, least=_LEAST_BARS)
    gain = values if benchmark is None else values - _benchmark(benchmark, len(values))[:, None]
    for label, column in zip(labels, gain.T, strict=True):
        if not varies(column):
            raise InputError(f"try {label!r} differs from the benchmark by {column[0]} in every bar: leave it out")
    if block_length is None:
        length = max(block_length_of(column) for column in gain.T)
    else:
        length = _checked_length(block_length, len(gain))
    from arch.bootstrap import SPA

    t_stats = gain / (np.sqrt(len(gain)) * _standard_errors(gain, length))
    # `nested` estimates the variances by draws; arch's formula takes T**2 steps.
    test = SPA(np.zeros(len(gain)), -t_stats, block_size=length, reps=n_resamples, nested=True, seed=rng)
    test.compute()
    p = (1.0 + n_resamples * test.pvalues) / (1.0 + n_resamples)
    best = labels[int(t_stats.mean(axis=0).argmax())]
    return SuperiorAbility(
        float(p["consistent"]), float(p["lower"]), float(p["upper"]), best, len(labels), length, n_resamples
    )


def block_length_of(values: FloatArray) -> int:
    """Return the whole number of bars that is the best mean block length for the mean of `values`."""
    from arch.bootstrap import optimal_block_length

    with np.errstate(divide="ignore", invalid="ignore"):
        best = float(optimal_block_length(values)["stationary"].iloc[0])
    return int(np.clip(math.ceil(best), 1, len(values) - 1)) if math.isfinite(best) else 1


def _standard_errors(gain: FloatArray, length: int) -> FloatArray:
    """Standard errors of the means, under the stationary bootstrap with this mean block length (Hansen's omega)."""
    n = len(gain)
    padded = np.fft.rfft(gain - gain.mean(axis=0), n=2 * n, axis=0)
    covariance = np.fft.irfft(np.abs(padded) ** 2, axis=0)[:n] / n
    lag, stay = np.arange(n), 1.0 - 1.0 / length
    kernel = 2.0 * ((1.0 - lag / n) * stay**lag + lag / n * stay ** (n - lag))
    kernel[0] = 1.0
    return np.asarray(np.sqrt(np.maximum(kernel @ covariance, covariance[0] * 1e-6) / n))


def _benchmark(benchmark: pd.Series | ArrayLike, n_bars: int) -> FloatArray:
    values = read_returns(benchmark, name="benchmark")
    if len(values) != n_bars:
        raise InputError(f"benchmark has {len(values)} bars and returns have {n_bars}: give both on the same bars")
    return values


def _checked_length(block_length: int, n_bars: int) -> int:
    check_integer("block_length", block_length, low=1, high=n_bars - 1)
    return int(block_length)
