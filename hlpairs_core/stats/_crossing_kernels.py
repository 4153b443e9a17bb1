"""Crossings of one spread after the other, compiled: imported only where Numba is."""

from __future__ import annotations

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._compile import jit

__all__ = ["crossings_of_spreads"]


@jit
def crossings_of_spreads(series: FloatArray, y: IntArray, x: IntArray, beta: FloatArray) -> IntArray:
    """Count the changes of side of ``series[y] - beta series[x]``; `series` has one row per series."""
    count = np.empty(len(y), dtype=np.int64)
    for pair in range(len(y)):
        of_y, of_x, b = series[y[pair]], series[x[pair]], beta[pair]
        changes, before = 0, b * of_x[0] < of_y[0]
        for t in range(1, len(of_y)):
            above = b * of_x[t] < of_y[t]
            changes += above != before
            before = above
        count[pair] = changes
    return count
