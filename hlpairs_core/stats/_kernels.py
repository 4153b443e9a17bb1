"""The steps of `_adf` and `_residual` for one pair after the other, compiled: imported only where Numba is."""

from __future__ import annotations

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._compile import jit

__all__ = ["adf_of_residuals"]

# As in `_adf`.
_RANK_TOLERANCE = 1e-12


@jit
def adf_of_residuals(
    lagged: FloatArray,
    head: FloatArray,
    tail: FloatArray,
    n_bars: int,
    y: IntArray,
    x: IntArray,
    beta: FloatArray,
    ssr: FloatArray,
    max_lag: int,
    weight: float,
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Return the lag, the t-statistic, the AR(1) slope and the last residual of every pair.

    A positive `weight` of a lag in the criterion asks for a search up to `max_lag`, else it is the lag.
    """
    edge = len(lagged)
    own, heads, tails = _by_series(lagged, head, tail)
    lag, slope = np.full(len(y), max_lag), np.empty(len(y))
    t_stat, last = np.empty(len(y)), np.empty(len(y))
    products, residual = np.empty(edge), np.empty(edge + 1)
    enters, leaves = np.empty(edge), np.empty(edge)
    matrix = np.empty((max_lag + 2, max_lag + 2))
    for pair in range(len(y)):
        i, j, b = y[pair], x[pair], beta[pair]
        for k in range(edge):
            products[k] = 0.5 * (own[i, k] + b * b * own[j, k]) - b * lagged[k, i, j]
            residual[k] = heads[i, k] - b * heads[j, k]
            leaves[k] = (tails[i, k] - b * tails[j, k]) - (tails[i, k + 1] - b * tails[j, k + 1])
        residual[edge] = heads[i, edge] - b * heads[j, edge]
        last[pair] = tails[i, 0] - b * tails[j, 0]
        slope[pair] = _slope(products, residual, last[pair], ssr[pair], n_bars)
        if weight > 0.0:
            _regression(matrix, max_lag, True, products, residual, enters, leaves, last[pair], ssr[pair])
            _factor(matrix, max_lag + 2)
            lag[pair] = _best_lag(matrix, max_lag, n_bars - 1 - max_lag, weight)
        p = lag[pair]
        _regression(matrix, p, False, products, residual, enters, leaves, last[pair], ssr[pair])
        full_rank = _factor(matrix, p + 2)
        t_stat[pair] = matrix[p, p + 1] / matrix[p + 1, p + 1] * np.sqrt(n_bars - 2 - 2 * p) if full_rank else np.nan
    return lag, t_stat, slope, last


@jit
def _by_series(lagged: FloatArray, head: FloatArray, tail: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lay out what belongs to one series in one row; the tail newest first."""
    n_lags, n_series = lagged.shape[0], lagged.shape[1]
    own = np.empty((n_series, n_lags))
    for k in range(n_lags):
        for i in range(n_series):
            own[i, k] = lagged[k, i, i]
    return own, np.ascontiguousarray(head.T), np.ascontiguousarray(tail[::-1].T)


@jit
def _slope(products: FloatArray, residual: FloatArray, last: float, ssr: float, n_bars: int) -> float:
    """Return the slope of ``d_t`` on ``e_{t-1}`` and a constant."""
    first, n_obs = residual[0], n_bars - 1
    squares = products[0]
    for t in range(1, len(products)):
        squares += (residual[t] - residual[t - 1]) ** 2
    with_level = 0.5 * (last**2 - first**2 - squares) + last * (last - first) / n_obs
    slope: float = with_level / (ssr - last**2 - last**2 / n_obs)
    return slope


@jit
def _regression(
    matrix: FloatArray,
    n_lags: int,
    level_first: bool,
    products: FloatArray,
    residual: FloatArray,
    enters: FloatArray,
    leaves: FloatArray,
    last: float,
    ssr: float,
) -> None:
    """Fill the upper triangle with the products of the columns of a regression with `n_lags` lags; see `_adf`."""
    start, max_lag, end = n_lags, len(products) - 1, n_lags + 1
    at = 1 if level_first else 0
    level_at = 0 if level_first else n_lags
    for k in range(start):
        enters[k] = residual[start - k] - residual[start - k - 1]
    level = ssr - last**2
    for t in range(start):
        level -= residual[t] ** 2
    matrix[level_at, level_at] = level
    for k in range(n_lags + 1):
        row = products[k]
        for t in range(start + 1, max_lag + 1):
            row += (residual[t] - residual[t - 1]) * (residual[t - k] - residual[t - k - 1])
        matrix[end if k == 0 else at + k - 1, end] = row
    with_level = 0.5 * (last**2 - residual[start] ** 2 - matrix[end, end])
    matrix[level_at, end] = with_level
    for k in range(n_lags):
        before = matrix[end, end] if k == 0 else matrix[at + k - 1, end]
        with_level += before + residual[start] * enters[k] - last * leaves[k]
        if level_first:
            matrix[0, at + k] = with_level
        else:
            matrix[at + k, level_at] = with_level
        matrix[at, at + k] = before + enters[0] * enters[k] - leaves[0] * leaves[k]
    for row in range(1, n_lags):
        for k in range(row, n_lags):
            moved = enters[row] * enters[k] - leaves[row] * leaves[k]
            matrix[at + row, at + k] = matrix[at + row - 1, at + k - 1] + moved


@jit
def _factor(matrix: FloatArray, size: int) -> bool:
    """Replace an upper triangle by its Cholesky factor; a dependent column gets a row of zeros."""
    full_rank = True
    for row in range(size):
        scale = matrix[row, row]
        for k in range(row):
            share = matrix[k, row]
            for column in range(row, size):
                matrix[row, column] -= share * matrix[k, column]
        independent = matrix[row, row] > _RANK_TOLERANCE * scale
        full_rank &= independent
        factor = 1.0 / np.sqrt(matrix[row, row]) if independent else 0.0
        for column in range(row, size):
            matrix[row, column] *= factor
    return full_rank


@jit
def _best_lag(root: FloatArray, max_lag: int, n_obs: int, weight: float) -> int:
    """Return the first minimum of ``n_obs ln(SSR_p) + weight (p + 1)``, without a logarithm for every lag."""
    end, shrink = max_lag + 1, np.exp(-weight / n_obs)
    squares, best, smallest = root[end, end] ** 2, max_lag, root[end, end] ** 2
    for p in range(max_lag - 1, -1, -1):
        squares += root[p + 1, end] ** 2
        smallest /= shrink
        if squares <= smallest:
            best, smallest = p, squares
    return best
