"""The recursions of `_kalman_numpy`, compiled; importing this module imports numba."""

from __future__ import annotations

import math

import numba
import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._kalman_model import KalmanModel

__all__ = ["final_columns"]

# Pairs filtered together: their states stay in the fastest cache, and the inner loops fill vector registers.
_BLOCK = 256
_LOG_EVERY = 16


def final_columns(model: KalmanModel) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """Return the columns after the last bar, those of the pairs and those of the recursions."""
    pairs = np.empty((4, len(model.y)))
    recursions = np.empty((5, len(model.x)))
    edges = np.searchsorted(model.recursion, np.arange(len(model.x) + 1))
    first = 0
    while first < len(model.x):
        # As many recursions as have _BLOCK pairs between them, but at least one.
        last = max(first + 1, int(np.searchsorted(edges, edges[first] + _BLOCK, side="right")) - 1)
        rows, block = slice(edges[first], edges[last]), slice(first, last)
        pairs[:, rows], recursions[:, block] = _filter(
            model.moves,
            np.ascontiguousarray(model.moves[:, model.x[block]]),
            model.start[block],
            model.level_ratio[block],
            model.beta_ratio[block],
            *_runs(model.y[rows], model.recursion[rows] - first),
        )
        first = last
    return tuple(pairs), tuple(recursions)


def _runs(y: IntArray, recursion: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Cut the pairs into runs of neighbouring columns with one recursion, which are read from memory in one go.

    Returns the first column and the recursion of each run, shape (K,), and the runs' edges, shape (K + 1,).
    """
    first = np.flatnonzero(np.concatenate(([True], (np.diff(recursion) != 0) | (np.diff(y) != 1))))
    return y[first], recursion[first], np.append(first, len(y))


def _filter_block(
    moves: FloatArray,
    moves_x: FloatArray,
    start: IntArray,
    level_ratio: FloatArray,
    beta_ratio: FloatArray,
    run_y: IntArray,
    run_recursion: IntArray,
    edges: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Filter the runs of a block bar by bar; return the states of its pairs and of its recursions."""
    n, n_pairs = len(start), edges[-1]
    p11, p12, p22, f, log_det = np.ones(n), np.zeros(n), np.zeros(n), np.empty(n), np.zeros(n)
    prior, level_gain, beta_gain, weight, product = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.ones(n)
    level, beta, innovation, ssq = np.zeros(n_pairs), np.zeros(n_pairs), np.empty(n_pairs), np.zeros(n_pairs)
    last_start = start.max()
    for now in range(1, len(moves)):
        x, y = moves_x[now], moves[now]
        for r in range(n):
            a, b, c = p11[r] + level_ratio[r], p12[r], p22[r] + beta_ratio[r]
            u, v = a + b * x[r], b + c * x[r]
            f[r] = u + v * x[r] + 1.0
            weight[r] = 1.0 / f[r]
            determinant = a * c - b * b
            prior[r], level_gain[r], beta_gain[r] = a, u * weight[r], v * weight[r]
            p11[r] = (a + determinant * x[r] * x[r]) * weight[r]
            p12[r] = (b - determinant * x[r]) * weight[r]
            p22[r] = (c + determinant) * weight[r]
        # The diffuse step, apart: a branch in the loop above would keep it from being vectorised.
        if now <= last_start:
            for r in range(n):
                if start[r] == now:
                    p11[r], p12[r], p22[r] = prior[r], -prior[r] / x[r], (prior[r] + 1.0) / (x[r] * x[r])
                    level_gain[r], beta_gain[r], weight[r] = 0.0, 1.0 / x[r], 0.0
                    f[r] = x[r] * x[r]
        for r in range(n):
            product[r] *= f[r]
        if now % _LOG_EVERY == 0 or now == len(moves) - 1:
            for r in range(n):
                log_det[r] += math.log(product[r])
                product[r] = 1.0
        for k in range(len(run_y)):
            r, low, high = run_recursion[k], edges[k], edges[k + 1]
            x_now, to_level, to_beta, to_ssq = x[r], level_gain[r], beta_gain[r], weight[r]
            y_run = y[run_y[k] : run_y[k] + high - low]
            level_run, beta_run = level[low:high], beta[low:high]
            innovation_run, ssq_run = innovation[low:high], ssq[low:high]
            for p in range(high - low):
                error = y_run[p] - level_run[p] - beta_run[p] * x_now
                innovation_run[p] = error
                level_run[p] += to_level * error
                beta_run[p] += to_beta * error
                ssq_run[p] += to_ssq * error * error
    return np.stack((level, beta, innovation, ssq)), np.stack((p11, p12, p22, f, log_det))


_filter = numba.njit(error_model="numpy", cache=True)(_filter_block)
