from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._kalman_model import KalmanModel

__all__ = ["FilterBar", "filter_bars", "final_columns"]

# Logarithms of products of so many variances are taken at once: they are slow, and the product does not overflow.
_LOG_EVERY = 16


@dataclass(eq=False)
class FilterBar:
    """Everything known after one bar; the arrays are overwritten by the next.

    Attributes
    ----------
    level, beta, innovation, ssq : ndarray, shape (B,)
        As in `FinalStates`, of the pairs.
    level_var, cross_var, beta_var, innovation_var, log_det : ndarray, shape (F,)
        As in `FinalStates`, of the recursions.
    """

    level: FloatArray
    beta: FloatArray
    innovation: FloatArray
    ssq: FloatArray
    level_var: FloatArray
    cross_var: FloatArray
    beta_var: FloatArray
    innovation_var: FloatArray
    log_det: FloatArray

    @classmethod
    def first(cls, model: KalmanModel) -> FilterBar:
        """Take the level from the first bar: its variance is R; of beta nothing is known yet."""
        level, beta, innovation, ssq = np.zeros((4, len(model.y)))
        cross_var, beta_var, innovation_var, log_det = np.zeros((4, len(model.x)))
        level_var = np.ones(len(model.x))
        return cls(level, beta, innovation, ssq, level_var, cross_var, beta_var, innovation_var, log_det)


def filter_bars(model: KalmanModel) -> Iterator[FilterBar]:
    """Yield the state after each bar from the first one on.

    Before x has moved, the level alone is filtered (beta is 0 and its covariance without meaning).
    """
    bar = FilterBar.first(model)
    yield bar
    product = np.ones(len(model.x))
    for now in range(1, len(model.moves)):
        move = model.moves[now]
        gains = _update_covariance(bar, move[model.x], model, now)
        _update_states(bar, move.take(model.y), gains.take(model.recursion, axis=1))
        np.multiply(product, bar.innovation_var, out=product)
        if now % _LOG_EVERY == 0 or now == len(model.moves) - 1:
            bar.log_det += np.log(product)
            product[:] = 1.0
        yield bar


def _update_covariance(bar: FilterBar, x: FloatArray, model: KalmanModel, now: int) -> FloatArray:
    """Advance the covariances; return x, the two gains and the weight of a squared innovation, shape (4, F).

    With ``z = (1, x)``, ``f = z'Pz + 1`` and ``o = (x, -1)`` orthogonal to z, the updated covariance of two states is
    ``(P + det(P) o o') / f``: a sum of positive matrices, symmetric and positive without any correction.
    """
    level, cross, beta = bar.level_var + model.level_ratio, bar.cross_var, bar.beta_var + model.beta_ratio
    with_level = level + cross * x
    with_beta = cross + beta * x
    weight = 1.0 / (with_level + with_beta * x + 1.0)
    determinant = level * beta - cross * cross
    gains = np.stack([x, with_level * weight, with_beta * weight, weight])
    bar.innovation_var = 1.0 / weight
    bar.level_var = (level + determinant * x * x) * weight
    bar.cross_var = (cross - determinant * x) * weight
    bar.beta_var = (beta + determinant) * weight
    starting = np.flatnonzero(model.start == now)
    if len(starting):
        _start_beta(bar, gains, starting, level[starting])
    return gains


def _start_beta(bar: FilterBar, gains: FloatArray, rows: IntArray, level: FloatArray) -> None:
    """Exact diffuse step: the first bar at which x has moved gives beta, and tells nothing else."""
    x = gains[0, rows]
    gains[1, rows], gains[2, rows], gains[3, rows] = 0.0, 1.0 / x, 0.0
    bar.level_var[rows], bar.cross_var[rows], bar.beta_var[rows] = level, -level / x, (level + 1.0) / (x * x)
    bar.innovation_var[rows] = x * x


def _update_states(bar: FilterBar, y: FloatArray, gains: FloatArray) -> None:
    x, level_gain, beta_gain, weight = gains
    np.multiply(x, bar.beta, out=x)
    y -= bar.level
    innovation = np.subtract(y, x, out=bar.innovation)
    level_gain *= innovation
    bar.level += level_gain
    beta_gain *= innovation
    bar.beta += beta_gain
    weight *= innovation
    weight *= innovation
    bar.ssq += weight


def final_columns(model: KalmanModel) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """Return the columns after the last bar, those of the pairs and those of the recursions."""
    *_, bar = filter_bars(model)
    return (
        (bar.level, bar.beta, bar.innovation, bar.ssq),
        (bar.level_var, bar.cross_var, bar.beta_var, bar.innovation_var, bar.log_det),
    )
