"""The first-order autoregression of a spread and the exact distribution of its estimated slope."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError

__all__ = ["UNIT_ROOT", "Ar1", "fit_ar1", "slope_cdf"]

# The largest slope short of a random walk at which the distribution is computed; its limit is reached long before.
UNIT_ROOT = 1.0 - 1e-7
# Frequencies of the inversion, in units of the inverse scale of the statistic: good to 3e-5 in probability.
_FREQUENCIES = np.exp(np.linspace(math.log(1e-3), math.log(500.0), 120))


@dataclass(frozen=True)
class Ar1:
    """Least squares of ``x_t = intercept + slope x_{t-1} + e_t``.

    Attributes
    ----------
    n_obs : int
        Number of pairs ``(x_{t-1}, x_t)``: the number of bars less one.
    slope, intercept : float
        The coefficients.
    ssr : float
        Sum of squared residuals.
    lagged_mean : float
        Mean of ``x_{t-1}``.
    lagged_squares : float
        Sum of squares of ``x_{t-1}`` about its mean.
    """

    n_obs: int
    slope: float
    intercept: float
    ssr: float
    lagged_mean: float
    lagged_squares: float


def fit_ar1(values: FloatArray) -> Ar1:
    """Fit the autoregression by least squares, which is maximum likelihood given the first bar."""
    shift = float(values.mean())
    lagged, now = values[:-1] - shift, values[1:] - shift
    mean = float(lagged.mean())
    centred = lagged - mean
    squares = float(centred @ centred)
    if squares <= (8 * np.finfo(float).eps * float(np.abs(values).max())) ** 2 * len(lagged):
        raise InputError(
            f"the spread is constant at {values[0]} up to its last bar: it cannot be regressed on its past"
        )
    slope = float(centred @ now) / squares
    level = float(now.mean()) - slope * mean
    residuals = now - level - slope * lagged
    intercept = level + shift * (1.0 - slope)
    return Ar1(len(now), slope, intercept, float(residuals @ residuals), mean + shift, squares)


def slope_cdf(estimate: float, slope: float, n_obs: int) -> float:
    """Return the probability that least squares finds at most `estimate` when the slope is `slope`.

    Exact for Gaussian errors and a stationary start, intercept estimated; `slope` in (-1, `UNIT_ROOT`].

    Notes
    -----
    The slope found is at most r exactly if the quadratic form ``q = sum (x_{t-1} - mean)(x_t - r x_{t-1})`` is
    not positive. Its characteristic function is ``(det(Q - 2 i w M) / det Q) ** -1/2`` with Q the precision of
    the bars, tridiagonal, and M tridiagonal but for the mean, which adds two columns. The probability follows
    by inversion: J. P. Imhof, "Computing the Distribution of Quadratic Forms in Normal Variables",
    *Biometrika* 48 (1961), 419-426.
    """
    variance = 1.0 / (1.0 - slope**2)
    # About its own mean, a near random walk varies less than its stationary variance says.
    w = _FREQUENCIES / math.sqrt(n_obs * (min(variance, n_obs / 6.0) if slope > 0.0 else variance))
    step = math.log(_FREQUENCIES[1] / _FREQUENCIES[0])
    imaginary = _characteristic(estimate, slope, n_obs, w).imag
    integral = (imaginary.sum() - 0.5 * (imaginary[0] + imaginary[-1])) * step
    # Below the lowest frequency the integrand of dw is flat.
    integral += imaginary[0]
    return float(min(max(0.5 - integral / math.pi, 0.0), 1.0))


def _characteristic(estimate: float, slope: float, n_obs: int, w: FloatArray) -> NDArray[np.complex128]:
    """Characteristic function of the quadratic form at the frequencies `w`.

    Gaussian elimination of the tridiagonal part, all frequencies at once. The real parts of all pivots are
    positive, so the sum of their principal logarithms is the continuous branch of the determinant's.
    """
    s = 2j * w
    off = -slope - 0.5 * s
    ends = (1.0 + s * estimate, np.ones_like(s))
    inner = 1.0 + slope**2 + s * estimate
    # u sums all bars but the last, v is the sum of all bars but the first less `estimate` times u.
    pivot = ends[0]
    logarithm = np.log(pivot)
    u, v = np.ones_like(s), np.full_like(s, -estimate)
    uu, uv, vv = u * u / pivot, u * v / pivot, v * v / pivot
    for bar in range(1, n_obs + 1):
        last = bar == n_obs
        factor = off / pivot
        pivot = (ends[1] if last else inner) - off * factor
        logarithm = logarithm + np.log(pivot)
        u = (0.0 if last else 1.0) - factor * u
        v = (1.0 if last else 1.0 - estimate) - factor * v
        scaled = u / pivot
        uu, uv, vv = uu + u * scaled, uv + v * scaled, vv + v * v / pivot
    # Q - s M = tridiagonal + (s / 2n)(u v' + v u').
    k = 0.5 * s / n_obs
    mean_part = (1.0 + k * uv) ** 2 - k * k * uu * vv
    root: NDArray[np.complex128] = np.exp(-0.5 * logarithm) / np.sqrt(mean_part)
    return math.sqrt(1.0 - slope**2) * root
