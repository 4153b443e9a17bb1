from __future__ import annotations

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._compile import use_numba

__all__ = ["count_crossings"]

# Residuals per step: they stay in the processor's cache.
_CHUNK = 50_000


def count_crossings(
    centred: FloatArray, y: IntArray, x: IntArray, beta: FloatArray, *, accelerate: bool | None = None
) -> IntArray:
    """Count how often each spread ``y - beta x`` of centred series changes sides of zero; exactly zero is below.

    Parameters
    ----------
    centred : ndarray, shape (T, n)
        Series without their means.
    y, x : ndarray of int, shape (B,)
        Positions of the legs.
    beta : ndarray, shape (B,)
        Hedge ratios. They change with every bar and with them the sides of all bars, so each is looked at.
    """
    by_series = np.ascontiguousarray(centred.T)
    if use_numba(accelerate):
        from hlpairs_core.stats._crossing_kernels import crossings_of_spreads

        return crossings_of_spreads(by_series, y, x, beta)
    return _in_chunks(by_series, y, x, beta)


def _in_chunks(series: FloatArray, y: IntArray, x: IntArray, beta: FloatArray) -> IntArray:
    count, step = np.empty(len(y), dtype=np.int64), max(_CHUNK // series.shape[1], 1)
    for start in range(0, len(y), step):
        rows = slice(start, start + step)
        above = beta[rows, None] * series[x[rows]] < series[y[rows]]
        crosses = np.packbits(above[:, 1:] != above[:, :-1], axis=1)
        count[rows] = np.bitwise_count(crosses).sum(axis=1)
    return count
