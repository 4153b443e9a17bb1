"""Whether a Sharpe ratio is luck: of one try (probabilistic), or of the best of many (deflated).

All ratios here are *per bar*, not annualised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri
from scipy.stats import kurtosis, skew

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_integer, check_number
from hlpairs_core.metrics.inputs import read_returns, varies
from hlpairs_core.metrics.ratios import sharpe_per_bar
from hlpairs_core.stats.multiplicity import expected_best_sharpe

__all__ = ["SharpeSample", "deflated_sharpe", "minimum_track_record", "probabilistic_sharpe", "sharpe_sample"]

_MANY = 10**12


@dataclass(frozen=True)
class SharpeSample:
    """What the tests of a Sharpe ratio need to know of the returns.

    Attributes
    ----------
    sharpe : float
        Mean over standard deviation of a bar, not annualised.
    n_bars : int
        Number of bars, at least 2.
    skewness : float
        0 for normal returns.
    kurtosis : float
        3 for normal returns (not the excess); never below ``1 + skewness ** 2``.

    Raises
    ------
    InputError
        If there are fewer than two bars, or numbers that no returns have.
    """

    sharpe: float
    n_bars: int
    skewness: float = 0.0
    kurtosis: float = 3.0

    def __post_init__(self) -> None:
        check_integer("n_bars", self.n_bars, low=2, high=_MANY)
        for name in ("sharpe", "skewness"):
            check_number(name, getattr(self, name), low=-np.inf, high=np.inf)
        # Less the rounding of the moments of a two-valued sample, where the bound is reached.
        check_number("kurtosis", self.kurtosis, low=(1.0 + self.skewness**2) * (1 - 1e-9), high=np.inf)

    @property
    def standard_error(self) -> float:
        """Standard error of `sharpe`, for independent bars of any distribution."""
        variance = 1.0 - self.skewness * self.sharpe + 0.25 * (self.kurtosis - 1.0) * self.sharpe**2
        return math.sqrt(max(variance, 0.0) / (self.n_bars - 1))


def sharpe_sample(returns: pd.Series | ArrayLike) -> SharpeSample | None:
    """Read a `SharpeSample` off returns; None where they are all the same.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        One number a bar in any unit; a bar without a position counts as 0.

    Raises
    ------
    InputError
        If there are fewer than four bars, or a value is missing or infinite.
    """
    values: FloatArray = read_returns(returns, least=4)
    if not varies(values):
        return None
    moments = float(skew(values)), float(kurtosis(values, fisher=False))
    return SharpeSample(sharpe_per_bar(values), len(values), *moments)


def probabilistic_sharpe(sample: SharpeSample, *, benchmark: float = 0.0) -> float:
    """Return the confidence that the true Sharpe ratio is above a benchmark.

    Null hypothesis: the true ratio is at most `benchmark`; one minus the result is the test's p-value.

    Parameters
    ----------
    sample : SharpeSample
        The ratio found, its number of bars, skewness and kurtosis.
    benchmark : float, default 0
        Per bar, not annualised.

    Returns
    -------
    float
        In [0, 1].

    Notes
    -----
    Asymptotic, for bars that are independent of each other: where they are not, `bootstrap_interval` is the better
    witness. Skewness and kurtosis enter, but not what the record has not seen yet.

    D. H. Bailey and M. López de Prado, "The Sharpe Ratio Efficient Frontier", *Journal of Risk* 15 (2012), 3-44.

    Examples
    --------
    The paper's fund: 24 months, a ratio of 0.458 a month. Its fat left tail is worth seven points.

    >>> fund = SharpeSample(0.458, 24, skewness=-2.448, kurtosis=10.164)
    >>> normal = SharpeSample(0.458, 24)
    >>> round(probabilistic_sharpe(fund), 3), round(probabilistic_sharpe(normal), 3)
    (0.913, 0.982)
    """
    check_number("benchmark", benchmark, low=-np.inf, high=np.inf)
    excess = sample.sharpe - benchmark
    # Without a standard error (a two-valued sample at its own bound) the ratio is what it is.
    if sample.standard_error == 0.0:
        return float(np.heaviside(excess, 0.5))
    return float(ndtr(excess / sample.standard_error))


def deflated_sharpe(sample: SharpeSample, *, n_tries: int, sharpe_sd: float) -> float:
    """Return the confidence that the best of many tries has any skill.

    Null hypothesis: no try has skill (each true Sharpe ratio is 0), and the best was picked.

    Parameters
    ----------
    sample : SharpeSample
        Of the try that was picked.
    n_tries : int
        Independent tries, those that were thrown away included.
    sharpe_sd : float
        Standard deviation of the ratio across the tries, per bar.

    Returns
    -------
    float
        In [0, 1]: `probabilistic_sharpe` against `expected_best_sharpe`.

    Raises
    ------
    InputError
        If `n_tries` is no positive whole number, or `sharpe_sd` is negative or not finite.

    Notes
    -----
    D. H. Bailey and M. López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
    Overfitting, and Non-Normality", *Journal of Portfolio Management* 40 (2014), 94-107.

    Examples
    --------
    The paper's example: 2.5 a year over five years of days, best of 100 whose ratios have a variance of 1/2 a year.

    >>> best = SharpeSample(2.5 / 250**0.5, 1250, skewness=-3.0, kurtosis=10.0)
    >>> round(deflated_sharpe(best, n_tries=100, sharpe_sd=(0.5 / 250) ** 0.5), 4)
    0.9004
    """
    return probabilistic_sharpe(sample, benchmark=expected_best_sharpe(n_tries, sharpe_sd=sharpe_sd))


def minimum_track_record(sample: SharpeSample, *, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Return how many bars it takes to be confident that the true Sharpe ratio is above a benchmark.

    Parameters
    ----------
    sample : SharpeSample
        The ratio found, skewness and kurtosis; its number of bars does not matter.
    benchmark : float, default 0
        Per bar, not annualised.
    confidence : float, default 0.95
        In (0.5, 1).

    Returns
    -------
    float
        Bars; inf where the ratio is not above the benchmark.

    Raises
    ------
    InputError
        If an option is out of range.

    Notes
    -----
    The length at which `probabilistic_sharpe` reaches the confidence, if the ratio stayed as it is. D. H. Bailey and
    M. López de Prado, "The Sharpe Ratio Efficient Frontier", *Journal of Risk* 15 (2012), 3-44.
    """
    check_number("benchmark", benchmark, low=-np.inf, high=np.inf)
    check_number("confidence", confidence, low=0.5, high=1, low_open=True, high_open=True)
    excess = sample.sharpe - benchmark
    if excess <= 0.0:
        return math.inf
    one_bar_variance = sample.standard_error**2 * (sample.n_bars - 1)
    return 1.0 + one_bar_variance * float(ndtri(confidence) / excess) ** 2
