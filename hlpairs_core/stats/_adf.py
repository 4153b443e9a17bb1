from __future__ import annotations

from typing import Literal

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._residual import ResidualProducts

__all__ = ["adf_statistic", "lag_weight", "reversion_slope", "select_lag"]

# A column of which less than this share is left after the columns before it adds nothing but rounding noise.
_RANK_TOLERANCE = 1e-12


def select_lag(residuals: ResidualProducts, rule: Literal["aic", "bic"]) -> IntArray:
    """Choose the number of lags of each residual's ADF regression.

    All regressions share one sample, the one that the largest lag leaves, and nest: one factorisation ordered
    ``[e_{t-1}, d_{t-1}, ..., d_{t-m}, d_t]`` yields the sum of squares of all of them, every term positive.
    The first minimum wins.

    Returns
    -------
    ndarray of int, shape (B,)
    """
    max_lag = residuals.max_lag
    n_obs = residuals.n_bars - 1 - max_lag
    root = _factor(_regression(residuals, max_lag, max_lag, level_first=True))
    explained = root[1:, -1] ** 2
    squares = np.cumsum(explained[::-1], axis=0)[::-1]
    with np.errstate(divide="ignore"):
        criterion = n_obs * np.log(squares) + lag_weight(rule, n_obs) * np.arange(1, max_lag + 2)[:, None]
    best: IntArray = np.argmin(criterion, axis=0)
    return best


def lag_weight(rule: Literal["aic", "bic"], n_obs: int) -> float:
    """Return what a lag costs in the criterion ``n_obs ln(SSR) + weight (lags + 1)``."""
    return 2.0 if rule == "aic" else float(np.log(n_obs))


def reversion_slope(residuals: ResidualProducts) -> FloatArray:
    """Return the slope of ``d_t`` on ``e_{t-1}`` and a constant, in closed form: the residuals sum to zero.

    Returns
    -------
    ndarray, shape (B,)
    """
    first, last, n_obs = residuals.head[0], residuals.last, residuals.n_bars - 1
    squares = residuals.products_from(0, 0)[0]
    with_level = 0.5 * (last**2 - first**2 - squares) + last * (last - first) / n_obs
    with np.errstate(divide="ignore", invalid="ignore"):
        slope: FloatArray = with_level / (residuals.ssr - last**2 - last**2 / n_obs)
    return slope


def adf_statistic(residuals: ResidualProducts, n_lags: int) -> FloatArray:
    """Return the t-statistic of ``e_{t-1}`` in ``d_t = phi e_{t-1} + sum of g_k d_{t-k} + u_t``.

    The sample is the longest that `n_lags` leaves. NaN where the regression is singular.

    Returns
    -------
    ndarray, shape (B,)
    """
    root = _factor(_regression(residuals, n_lags, n_lags, level_first=False))
    freedom = residuals.n_bars - 2 - 2 * n_lags
    pivots = np.einsum("kkb->kb", root)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic: FloatArray = root[-2, -1] / root[-1, -1] * np.sqrt(freedom)
    statistic[(pivots == 0.0).any(axis=0)] = np.nan
    return statistic


def _regression(residuals: ResidualProducts, start: int, n_lags: int, *, level_first: bool) -> FloatArray:
    """Return the products of all columns of an ADF regression on ``t = start + 1 .. T - 1``.

    The columns are the level and the lagged differences (or the lagged differences and the level), then
    ``d_t``. Only the upper triangle is filled. Shape (n_lags + 2, n_lags + 2, B).
    """
    own, with_level, level = _moments(residuals, start, n_lags)
    size = n_lags + 2
    matrix = np.zeros((size, size, own.shape[-1]))
    lags = slice(1, n_lags + 1) if level_first else slice(0, n_lags)
    level_at = 0 if level_first else n_lags
    matrix[lags, lags] = own[1:, 1:]
    matrix[lags, -1] = own[0, 1:]
    matrix[-1, -1] = own[0, 0]
    if level_first:
        matrix[0, lags] = with_level[1:]
    else:
        matrix[lags, n_lags] = with_level[1:]
    matrix[level_at, level_at] = level
    matrix[level_at, -1] = with_level[0]
    return matrix


def _moments(residuals: ResidualProducts, start: int, n_lags: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the products ``d_{t-j} d_{t-k}`` (j <= k), ``e_{t-1} d_{t-k}`` and ``e_{t-1} ** 2``.

    Each moves to the next lag by what enters at the front of the sample and leaves at its back.
    """
    enters = residuals.head_differences[:start][::-1]
    leaves = residuals.tail_differences
    first, last = residuals.head[start], residuals.last
    own = np.empty((n_lags + 1, n_lags + 1, len(last)))
    own[0] = residuals.products_from(start, n_lags)
    for lag in range(n_lags):
        later = slice(lag, n_lags)
        own[lag + 1, lag + 1 :] = own[lag, later] + enters[lag] * enters[later] - leaves[lag] * leaves[later]
    with_level = np.empty((n_lags + 1, len(last)))
    with_level[0] = 0.5 * (last**2 - first**2 - own[0, 0])
    with_level[1:] = own[0, :-1] + first * enters[:n_lags] - last * leaves[:n_lags]
    np.cumsum(with_level, axis=0, out=with_level)
    level = residuals.ssr - (residuals.head[:start] ** 2).sum(axis=0) - last**2
    return own, with_level, level


def _factor(matrix: FloatArray) -> FloatArray:
    """Replace the upper triangles of B matrices, shape (size, size, B), by their Cholesky factors.

    A column that depends on those before it gets a row of zeros instead of an error, so one singular
    regression does not spoil the others.
    """
    for row in range(len(matrix)):
        rest = matrix[row, row:]
        scale = rest[0].copy()
        if row:
            rest -= np.einsum("kb,kib->ib", matrix[:row, row], matrix[:row, row:])
        dependent = ~(rest[0] > _RANK_TOLERANCE * scale)
        rest /= np.sqrt(np.where(dependent, 1.0, rest[0]))
        if dependent.any():
            rest[:, dependent] = 0.0
    return matrix
