"""What a small p-value is worth after many tests."""

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError

__all__ = ["benjamini_hochberg", "benjamini_yekutieli", "expected_false_positives"]


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
    """
    if n_tests < 0:
        raise InputError(f"n_tests must not be negative, got {n_tests!r}")
    if not 0.0 <= alpha <= 1.0:
        raise InputError(f"alpha must be in [0, 1], got {alpha!r}")
    return n_tests * alpha


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
