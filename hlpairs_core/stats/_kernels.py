"""The steps of `_adf` and `_residual` compiled: imported only where Numba is.

Pairs go through in blocks, and the innermost loop is always over the pairs of a block: it has no dependence between
its turns, so that the processor does several at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._compile import jit

__all__ = ["adf_of_residuals"]

# Wide enough to fill the processor's vectors, small enough that the regressions stay near it.
_WIDTH = 128
# As in `_adf`.
_RANK_TOLERANCE = 1e-12


class _Block(NamedTuple):
    """As `ResidualProducts`, but for its names all arrays have shape (..., pairs of a block)."""

    products: FloatArray
    head: FloatArray
    head_differences: FloatArray
    tail_differences: FloatArray
    last: FloatArray
    ssr: FloatArray
    matrix: FloatArray


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
    n_pairs, every = len(y), np.arange(len(y))
    lag, t_stat = np.full(n_pairs, max_lag), np.empty(n_pairs)
    slope, last = np.empty(n_pairs), np.empty(n_pairs)
    own, block = _diagonals(lagged), _empty_block(len(lagged), max_lag + 2)
    for start in range(0, n_pairs, _WIDTH):
        pairs = every[start : start + _WIDTH]
        _fill(block, lagged, own, head, tail, y[pairs], x[pairs], beta[pairs], ssr[pairs], max_lag)
        last[pairs] = block.last[: len(pairs)]
        slope[pairs] = _slope(block, len(pairs), n_bars)
        if weight > 0.0:
            _regression(block, len(pairs), max_lag, True)
            _factor(block.matrix, len(pairs), max_lag + 2)
            lag[pairs] = _best_lag(block.matrix, len(pairs), max_lag, np.exp(weight / (n_bars - 1 - max_lag)))
    for n_lags in range(max_lag + 1):
        chosen = np.flatnonzero(lag == n_lags)
        for start in range(0, len(chosen), _WIDTH):
            pairs = chosen[start : start + _WIDTH]
            _fill(block, lagged, own, head, tail, y[pairs], x[pairs], beta[pairs], ssr[pairs], n_lags)
            _regression(block, len(pairs), n_lags, False)
            _factor(block.matrix, len(pairs), n_lags + 2)
            t_stat[pairs] = _statistic(block.matrix, len(pairs), n_lags, n_bars)
    return lag, t_stat, slope, last


@jit
def _diagonals(lagged: FloatArray) -> FloatArray:
    own = np.empty(lagged.shape[:2])
    for k in range(len(lagged)):
        own[k] = np.diag(lagged[k])
    return own


@jit
def _empty_block(edge: int, size: int) -> _Block:
    return _Block(
        np.empty((edge, _WIDTH)),
        np.empty((edge + 1, _WIDTH)),
        np.empty((edge, _WIDTH)),
        np.empty((edge, _WIDTH)),
        np.empty(_WIDTH),
        np.empty(_WIDTH),
        np.empty((size, size, _WIDTH)),
    )


@jit
def _fill(
    block: _Block,
    lagged: FloatArray,
    own: FloatArray,
    head: FloatArray,
    tail: FloatArray,
    y: IntArray,
    x: IntArray,
    beta: FloatArray,
    ssr: FloatArray,
    n_lags: int,
) -> None:
    """Evaluate the products and the ends of the residuals of some pairs, as far as `n_lags` lags need them."""
    newest = len(tail) - 1
    for k in range(len(head)):
        for b in range(len(y)):
            block.head[k, b] = head[k, y[b]] - beta[b] * head[k, x[b]]
    for k in range(len(head) - 1):
        for b in range(len(y)):
            block.head_differences[k, b] = block.head[k + 1, b] - block.head[k, b]
    for k in range(n_lags + 1):
        now, before = tail[newest - k], tail[newest - k - 1]
        for b in range(len(y)):
            i, j = y[b], x[b]
            block.products[k, b] = 0.5 * (own[k, i] + beta[b] ** 2 * own[k, j]) - beta[b] * lagged[k, i, j]
            block.tail_differences[k, b] = (now[i] - beta[b] * now[j]) - (before[i] - beta[b] * before[j])
    for b in range(len(y)):
        block.last[b] = tail[newest, y[b]] - beta[b] * tail[newest, x[b]]
        block.ssr[b] = ssr[b]


@jit
def _slope(block: _Block, width: int, n_bars: int) -> FloatArray:
    """Return the slopes of ``d_t`` on ``e_{t-1}`` and a constant."""
    squares = block.products[0, :width].copy()
    for t in range(len(block.products) - 1):
        squares += block.head_differences[t, :width] ** 2
    first, last, n_obs = block.head[0, :width], block.last[:width], n_bars - 1
    with_level = 0.5 * (last**2 - first**2 - squares) + last * (last - first) / n_obs
    slope: FloatArray = with_level / (block.ssr[:width] - last**2 - last**2 / n_obs)
    return slope


@jit
def _regression(block: _Block, width: int, n_lags: int, level_first: bool) -> None:
    """Fill the upper triangles with the products of the columns of a regression with `n_lags` lags."""
    matrix, start, end = block.matrix, n_lags, n_lags + 1
    at = 1 if level_first else 0
    level_at = 0 if level_first else n_lags
    for k in range(n_lags + 1):
        _product(block, matrix[end if k == 0 else at + k - 1, end], width, start, k)
    first, last, level = block.head[start], block.last, matrix[level_at, level_at]
    total, squares = matrix[level_at, end], matrix[end, end]
    for b in range(width):
        level[b] = block.ssr[b] - last[b] ** 2
        total[b] = 0.5 * (last[b] ** 2 - first[b] ** 2 - squares[b])
    for t in range(start):
        earlier = block.head[t]
        for b in range(width):
            level[b] -= earlier[b] ** 2
    for k in range(n_lags):
        before = squares if k == 0 else matrix[at + k - 1, end]
        moved = matrix[0, at + k] if level_first else matrix[at + k, level_at]
        enters, leaves = block.head_differences[start - 1 - k], block.tail_differences[k]
        for b in range(width):
            moved[b] = total[b] + before[b] + first[b] * enters[b] - last[b] * leaves[b]
        _move(block, matrix[at, at + k], before, width, start, 0, k)
        total = moved
    for row in range(1, n_lags):
        for k in range(row, n_lags):
            _move(block, matrix[at + row, at + k], matrix[at + row - 1, at + k - 1], width, start, row, k)


@jit
def _product(block: _Block, out: FloatArray, width: int, start: int, lag: int) -> None:
    """Write ``sum of d_t d_{t-lag}`` over ``t = start + 1 .. T - 1``."""
    known = block.products[lag]
    for b in range(width):
        out[b] = known[b]
    for t in range(start, len(block.products) - 1):
        now, then = block.head_differences[t], block.head_differences[t - lag]
        for b in range(width):
            out[b] += now[b] * then[b]


@jit
def _move(block: _Block, out: FloatArray, before: FloatArray, width: int, start: int, row: int, k: int) -> None:
    """Write the product of the differences of lags ``row + 1`` and ``k + 1``, given that of `row` and `k`."""
    enters_row, enters = block.head_differences[start - 1 - row], block.head_differences[start - 1 - k]
    leaves_row, leaves = block.tail_differences[row], block.tail_differences[k]
    for b in range(width):
        out[b] = before[b] + enters_row[b] * enters[b] - leaves_row[b] * leaves[b]


@jit
def _factor(matrix: FloatArray, width: int, size: int) -> None:
    """Replace the upper triangles by their Cholesky factors; a dependent column gets a row of zeros."""
    scale, share = np.empty(width), np.empty(width)
    for row in range(size):
        pivot = matrix[row, row]
        for b in range(width):
            scale[b] = pivot[b]
        for column in range(row, size):
            _take_off(matrix, width, row, column)
        for b in range(width):
            share[b] = 1.0 / np.sqrt(pivot[b]) if pivot[b] > _RANK_TOLERANCE * scale[b] else 0.0
        for column in range(row, size):
            rest = matrix[row, column]
            for b in range(width):
                rest[b] *= share[b]


@jit
def _take_off(matrix: FloatArray, width: int, row: int, column: int) -> None:
    """Take from an element what the rows above explain, four at a time: it is loaded and stored less often."""
    rest = matrix[row, column]
    for quarter in range(row // 4):
        k = 4 * quarter
        a, b, c, d = matrix[k, row], matrix[k + 1, row], matrix[k + 2, row], matrix[k + 3, row]
        e, f, g, h = matrix[k, column], matrix[k + 1, column], matrix[k + 2, column], matrix[k + 3, column]
        for at in range(width):
            rest[at] -= a[at] * e[at] + b[at] * f[at] + c[at] * g[at] + d[at] * h[at]
    for k in range(row // 4 * 4, row):
        a, e = matrix[k, row], matrix[k, column]
        for at in range(width):
            rest[at] -= a[at] * e[at]


@jit
def _best_lag(root: FloatArray, width: int, max_lag: int, grow: float) -> IntArray:
    """Return the first minimum of ``n_obs ln(SSR_p) + weight p``; `grow` is ``exp(weight / n_obs)``.

    The logarithm rises, so its argument ``SSR_p grow ** p`` is compared instead, in units of the lag at hand.
    """
    end, best = max_lag + 1, np.full(width, max_lag)
    squares = root[end, end, :width] ** 2
    smallest = squares.copy()
    for p in range(max_lag - 1, -1, -1):
        explained = root[p + 1, end]
        for b in range(width):
            squares[b] += explained[b] ** 2
            smallest[b] *= grow
            if squares[b] <= smallest[b]:
                best[b], smallest[b] = p, squares[b]
    return best


@jit
def _statistic(root: FloatArray, width: int, n_lags: int, n_bars: int) -> FloatArray:
    t_stat = np.empty(width)
    for b in range(width):
        t_stat[b] = root[n_lags, n_lags + 1, b] / root[n_lags + 1, n_lags + 1, b] * np.sqrt(n_bars - 2 - 2 * n_lags)
        for k in range(n_lags + 2):
            if root[k, k, b] == 0.0:
                t_stat[b] = np.nan
    return t_stat
