"""MacKinnon's distribution of the Engle-Granger statistic of two series.

Sources
-------
J. G. MacKinnon, "Approximate Asymptotic Distribution Functions for Unit-Root and Cointegration Tests",
*Journal of Business & Economic Statistics* 12 (1994), 167-176 (p-values, tables 3 and 4, N = 2).
J. G. MacKinnon, "Critical Values for Cointegration Tests", Queen's Economics Department Working Paper 1227
(2010), tables 2 and 3, N = 2 (critical values).
"""

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from hlpairs_core._typing import FloatArray, Trend
from hlpairs_core.exceptions import InputError

__all__ = ["CriticalValues", "check_trend", "mackinnon_critical_values", "mackinnon_p"]


@dataclass(frozen=True)
class _Surface:
    """p-values: polynomials in rising powers of tau, and where they hold; critical values: in those of 1 / N."""

    certain_above: float
    impossible_below: float
    small_below: float
    small: tuple[float, ...]
    large: tuple[float, ...]
    critical: tuple[tuple[float, ...], ...]


_SURFACES: dict[Trend, _Surface] = {
    "c": _Surface(
        certain_above=0.92,
        impossible_below=-18.86,
        small_below=-2.62,
        small=(2.92, 1.5012, 0.039796),
        large=(2.1945, 0.64695, -0.29198, -0.042377),
        critical=((-3.89644, -10.9519, -33.527), (-3.33613, -6.1101, -6.823), (-3.04445, -4.2412, -2.720)),
    ),
    "ct": _Surface(
        certain_above=0.63,
        impossible_below=-21.15,
        small_below=-3.19,
        small=(3.6646, 1.5419, 0.036448),
        large=(2.85, 0.5272, -0.36622, -0.051695),
        critical=((-4.32762, -15.4387, -35.679), (-3.78057, -9.5106, -12.074), (-3.49631, -7.0815, -7.538, 21.892)),
    ),
}


@dataclass(frozen=True)
class CriticalValues:
    """Critical values of the Engle-Granger statistic.

    Attributes
    ----------
    one_percent, five_percent, ten_percent : float
        A statistic below the value rejects "not cointegrated" at that level.
    """

    one_percent: float
    five_percent: float
    ten_percent: float


@overload
def mackinnon_p(tau: float, *, trend: Trend = "c") -> float: ...
@overload
def mackinnon_p(tau: ArrayLike, *, trend: Trend = "c") -> FloatArray: ...
def mackinnon_p(tau: ArrayLike, *, trend: Trend = "c") -> FloatArray | float:
    """Return the asymptotic p-value of Engle-Granger statistics.

    Null hypothesis: the two series are not cointegrated (their residual has a unit root).

    Parameters
    ----------
    tau : float or array_like
        t-statistics of the residual's ADF regression, two series. ``-inf`` gives 0, ``inf`` gives 1, NaN
        stays NaN.
    trend : {"c", "ct"}, default "c"
        Deterministic part of the first stage: a constant, or a constant and a linear trend.

    Returns
    -------
    float or ndarray
        p-values in the shape of `tau`.

    Raises
    ------
    InputError
        If `trend` is neither "c" nor "ct".

    Notes
    -----
    MacKinnon (1994): the normal distribution of a polynomial in `tau`. The critical values of a *plain* ADF
    test do not hold for an estimated residual: at its 5 % value 14.7 % of unrelated pairs would pass.
    """
    surface = _SURFACES[check_trend(trend)]
    value = np.asarray(tau, dtype=np.float64)
    inside = np.clip(value, surface.impossible_below, surface.certain_above)
    small = np.polynomial.polynomial.polyval(inside, surface.small)
    large = np.polynomial.polynomial.polyval(inside, surface.large)
    p = ndtr(np.where(inside <= surface.small_below, small, large))
    p = np.where(value > surface.certain_above, 1.0, np.where(value < surface.impossible_below, 0.0, p))
    return p if p.ndim else float(p)


def mackinnon_critical_values(n_obs: float, *, trend: Trend = "c") -> CriticalValues:
    """Return the 1 %, 5 % and 10 % critical values for a sample of `n_obs`.

    Parameters
    ----------
    n_obs : float
        Number of observations: the number of bars less one for `engle_granger_pairs`; ``inf`` for the
        asymptotic values.
    trend : {"c", "ct"}, default "c"
        As in `mackinnon_p`.

    Raises
    ------
    InputError
        If `n_obs` is not positive, or `trend` neither "c" nor "ct".

    Notes
    -----
    MacKinnon (2010), response surface in ``1 / n_obs``; see `mackinnon_p` for the null hypothesis.
    """
    if not n_obs > 0:
        raise InputError(f"n_obs must be positive, got {n_obs!r}")
    surface = _SURFACES[check_trend(trend)]
    values = (float(np.polynomial.polynomial.polyval(1.0 / n_obs, row)) for row in surface.critical)
    return CriticalValues(*values)


def check_trend(trend: Trend) -> Trend:
    """Return `trend` if it is one that is known.

    Raises
    ------
    InputError
        If it is neither "c" nor "ct".
    """
    if trend not in _SURFACES:
        raise InputError(f"trend must be 'c' (a constant) or 'ct' (a constant and a linear trend), got {trend!r}")
    return trend
