from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_integer
from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics.bootstrap import LEAST_BARS, MOST_RESAMPLES, block_length_of, checked_block_length
from hlpairs_core.metrics.inputs import read_returns, read_returns_table, varies

__all__ = ["SuperiorAbility", "superior_ability"]


@dataclass(frozen=True)
class SuperiorAbility:
    """Whether the best of many tries beats the benchmark.

    Attributes
    ----------
    p_value : float
        Hansen's consistent p-value, the one to read; never 0.
    p_lower, p_upper : float
        Bounds of it: as if the bad tries were not there, and as if they were as good as the benchmark (White's
        reality check).
    best : hashable
        Label of the try with the highest mean against the benchmark, in its standard errors where studentised.
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


def superior_ability(
    returns: pd.DataFrame | ArrayLike,
    *,
    rng: np.random.Generator,
    benchmark: pd.Series | ArrayLike | None = None,
    studentise: bool = False,
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
    studentise : bool, default False
        Whether each difference is divided by its standard error, as Hansen proposes. Without, tries are compared in
        the unit of the returns and a wild one hides the others. With, a try of many small gains whose large losses
        have not come yet has too small an error and passes far too easily (`docs/metrics.md`).
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
    P. R. Hansen, "A Test for Superior Predictive Ability", *Journal of Business & Economic Statistics* 23 (2005),
    365-380. Done by arch, whose statistic is not studentised, so it is given the differences in units of their
    standard errors. A p-value is ``(1 + m) / (1 + n_resamples)``, m being the more extreme draws.
    """
    check_integer("n_resamples", n_resamples, low=100, high=MOST_RESAMPLES)
    values, labels = read_returns_table(returns, least=LEAST_BARS)
    gain = values if benchmark is None else values - _benchmark(benchmark, len(values))[:, None]
    for label, column in zip(labels, gain.T, strict=True):
        if not varies(column):
            raise InputError(f"try {label!r} differs from the benchmark by {column[0]} in every bar: leave it out")
    if block_length is None:
        length = max(block_length_of(column) for column in gain.T)
    else:
        length = checked_block_length(block_length, len(gain))
    from arch.bootstrap import SPA

    if studentise:
        gain = gain / (np.sqrt(len(gain)) * _standard_errors(gain, length))
    # `nested` estimates the variances by draws; arch's formula takes T**2 steps.
    test = SPA(np.zeros(len(gain)), -gain, block_size=length, reps=n_resamples, nested=True, seed=rng)
    test.compute()
    p = (1.0 + n_resamples * test.pvalues) / (1.0 + n_resamples)
    best = labels[int(gain.mean(axis=0).argmax())]
    return SuperiorAbility(
        float(p["consistent"]), float(p["lower"]), float(p["upper"]), best, len(labels), length, n_resamples
    )


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
