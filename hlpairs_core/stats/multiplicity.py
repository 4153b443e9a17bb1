"""What a small p-value, or a high Sharpe ratio, is worth after many tries."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri

from hlpairs_core._typing import FloatArray, Trend
from hlpairs_core.costs import check_choice, check_integer, check_number
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.mackinnon import mackinnon_critical_values, mackinnon_p

__all__ = [
    "BonferroniThreshold",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni_t",
    "expected_best_sharpe",
    "expected_false_positives",
]

_MANY = 10**12
# MacKinnon's p is 1 from here on, and just before it stops falling.
_HIGHEST_T, _LOWEST_T = 1.0, -18.0


@dataclass(frozen=True)
class BonferroniThreshold:
    """What one of many Engle-Granger tests must reach.

    Attributes
    ----------
    t_stat : float
        The pair's t must be at or below it.
    p_value : float
        The pair's p must be at or below it: ``alpha / n_tests``.
    """

    t_stat: float
    p_value: float


def benjamini_hochberg(p: ArrayLike) -> FloatArray:
    """Return q-values that control the false-discovery rate of independent tests.

    Among the tests with ``q <= 0.05`` at most 5 % are expected to be false discoveries, if the tests are
    independent (or positively dependent). Pairs that share a coin are neither: use `benjamini_yekutieli`.

    Parameters
    ----------
    p : array_like, shape (n_tests,)
        p-values in [0, 1], each for its own null hypothesis. NaN stays NaN and is not counted as a test.

    Returns
    -------
    ndarray, shape (n_tests,)
        q-values (adjusted p-values), in the order of `p`.

    Raises
    ------
    InputError
        If `p` is not one-dimensional or has a value outside [0, 1].

    Notes
    -----
    Y. Benjamini and Y. Hochberg, "Controlling the False Discovery Rate", *Journal of the Royal Statistical
    Society B* 57 (1995), 289-300.
    """
    return _step_up(p, dependent=False)


def benjamini_yekutieli(p: ArrayLike) -> FloatArray:
    """Return q-values that control the false-discovery rate under any dependence between the tests.

    The Benjamini-Hochberg q-values times ``1 + 1/2 + ... + 1/n_tests`` (10.5 for 19,900 pairs), at most 1.

    Parameters
    ----------
    p : array_like, shape (n_tests,)
        p-values in [0, 1], each for its own null hypothesis. NaN stays NaN and is not counted as a test.

    Returns
    -------
    ndarray, shape (n_tests,)
        q-values (adjusted p-values), in the order of `p`.

    Raises
    ------
    InputError
        If `p` is not one-dimensional or has a value outside [0, 1].

    Notes
    -----
    Y. Benjamini and D. Yekutieli, "The Control of the False Discovery Rate in Multiple Testing under
    Dependency", *Annals of Statistics* 29 (2001), 1165-1188.
    """
    return _step_up(p, dependent=True)


def expected_false_positives(n_tests: int, alpha: float) -> float:
    """Return how many of `n_tests` true null hypotheses are expected to have p <= `alpha`.

    The number is nominal, ``n_tests * alpha``, and holds for exact p-values: of pairs whose lags were chosen by AIC
    more pass, 1.3 to 2.2 times as many at recorded prices (`docs/statistics.md`), which `null_screen` counts.

    Parameters
    ----------
    n_tests : int
        Number of tests made, not of those that passed.
    alpha : float
        Level of each test, in [0, 1].

    Raises
    ------
    InputError
        If `n_tests` is negative or `alpha` is outside [0, 1].

    See Also
    --------
    null_screen : how many pass by luck, by simulation.
    """
    if n_tests < 0:
        raise InputError(f"n_tests must not be negative, got {n_tests!r}")
    if not 0.0 <= alpha <= 1.0:
        raise InputError(f"alpha must be in [0, 1], got {alpha!r}")
    return n_tests * alpha


def bonferroni_t(
    n_tests: int, n_obs: float = np.inf, *, alpha: float = 0.05, trend: Trend = "c"
) -> BonferroniThreshold:
    """Return the Engle-Granger t (and p) that a pair needs when `n_tests` pairs were tested.

    Null hypothesis: none of the pairs is cointegrated. If it is true, the chance that any pair gets there is at
    most `alpha`, whatever the dependence between the tests.

    Parameters
    ----------
    n_tests : int
        Number of tests made, not of those that passed.
    n_obs : float
        Number of observations: bars less one. The default gives the t at which `mackinnon_p` is
        ``alpha / n_tests``. A finite sample needs a lower t; see Notes.
    alpha : float
        Chance of any false pair, in (0, 1).
    trend : {"c", "ct"}, default "c"
        Deterministic part of the tests' first regression.

    Raises
    ------
    InputError
        If an argument is out of range, or ``alpha / n_tests`` is smaller than any p-value of MacKinnon's.

    See Also
    --------
    null_screen : the same question answered by simulation, with the dependence between the pairs.

    Notes
    -----
    MacKinnon's polynomials were fitted to simulated quantiles at the levels a single test uses, and his
    critical values end at 1 %. The 2.5e-6 that 19,900 tests ask for is an extrapolation of a parabola;
    `docs/statistics.md` measures how far the real rate is from the level.

    The finite-sample part is the difference between his critical values at `n_obs` and at infinity, taken at
    the level, between his levels by the log of the level, and below 1 % as at 1 %. It grows towards the
    tail, so too little is added there.

    Examples
    --------
    >>> threshold = bonferroni_t(19_900)
    >>> round(threshold.t_stat, 2), threshold.p_value
    (-5.91, 2.512562814070352e-06)
    """
    check_integer("n_tests", n_tests, low=1, high=_MANY)
    check_number("alpha", alpha, low=0, high=1, low_open=True, high_open=True)
    check_choice("trend", trend, get_args(Trend))
    level = alpha / n_tests
    smallest = mackinnon_p(_LOWEST_T, trend=trend)
    if level < smallest:
        raise InputError(f"alpha / n_tests is {level!r}: MacKinnon's p-values end at {smallest:.1e}")
    asymptotic = brentq(lambda t: mackinnon_p(t, trend=trend) - level, _LOWEST_T, _HIGHEST_T, xtol=1e-12)
    return BonferroniThreshold(float(asymptotic + _finite_sample(level, n_obs, trend)), level)


def expected_best_sharpe(n_tries: int, *, sharpe_sd: float) -> float:
    """Return the Sharpe ratio that the best of `n_tries` strategies without skill is expected to show.

    Null hypothesis: every try's true Sharpe ratio is 0. A found ratio says something only beyond this one.

    Parameters
    ----------
    n_tries : int
        Independent tries, those that were thrown away included.
    sharpe_sd : float
        Standard deviation of the Sharpe ratio across the tries, in the unit of the result. For tries
        of y years each and annualised ratios it is about ``1 / sqrt(y)``.

    Returns
    -------
    float
        0 for a single try.

    Raises
    ------
    InputError
        If `n_tries` is no positive whole number or `sharpe_sd` is negative or not finite.

    Notes
    -----
    ``sd ((1 - g) z(1 - 1 / N) + g z(1 - 1 / (N e)))``, g being Euler's constant and z the normal quantile:
    D. H. Bailey and M. López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
    Overfitting, and Non-Normality", *Journal of Portfolio Management* 40 (2014), 94-107. It approximates the
    mean of the largest of N normals: 2.3 % too high for 10 tries, 0.9 % for 100, 0.4 % for 1,000; 8 % too low for 2.

    Examples
    --------
    >>> round(expected_best_sharpe(1000, sharpe_sd=1.0), 3)
    3.255
    """
    check_integer("n_tries", n_tries, low=1, high=_MANY)
    check_number("sharpe_sd", sharpe_sd, low=0, high=np.inf)
    if n_tries == 1:
        return 0.0
    # ndtri(1 - q) loses digits for a small q; -ndtri(q) does not.
    typical, farther = -ndtri(1.0 / n_tries), -ndtri(1.0 / (n_tries * np.e))
    return float(sharpe_sd * ((1.0 - np.euler_gamma) * typical + np.euler_gamma * farther))


def _finite_sample(level: float, n_obs: float, trend: Trend) -> float:
    """How much lower than the asymptotic t a sample of `n_obs` needs."""
    finite = mackinnon_critical_values(n_obs, trend=trend)
    asymptotic = mackinnon_critical_values(np.inf, trend=trend)
    shifts = [
        finite.one_percent - asymptotic.one_percent,
        finite.five_percent - asymptotic.five_percent,
        finite.ten_percent - asymptotic.ten_percent,
    ]
    return float(np.interp(np.log(level), np.log([0.01, 0.05, 0.10]), shifts))


def _step_up(p: ArrayLike, *, dependent: bool) -> FloatArray:
    values = _probabilities(p)
    q = np.full(len(values), np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    factor = len(order) * (np.sum(1.0 / ranks) if dependent else 1.0)
    scaled = values[order] * factor / ranks
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def _probabilities(p: ArrayLike) -> FloatArray:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"p-values must be one-dimensional, got shape {values.shape}")
    outside = np.flatnonzero((values < 0.0) | (values > 1.0))
    if outside.size:
        raise InputError(f"p-values must be in [0, 1], got {values[outside[0]]!r} at position {outside[0]}")
    return values
