"""The model behind the Kalman hedge ratio, for any number of pairs at once.

Per pair, in the unit of log prices, ``x_0`` being the first bar's x::

    y_t = level_t + beta_t (x_t - x_0) + v_t      v_t ~ N(0, R)
    level_t = level_{t-1} + w_t                   w_t ~ N(0, R * level_ratio)
    beta_t  = beta_{t-1}  + u_t                   u_t ~ N(0, R * beta_ratio)

``alpha_t = level_t - beta_t x_0``. Measuring x from its first bar makes the model independent of the unit of the
prices, needs no look ahead, and keeps the 2 x 2 covariance well conditioned. The start is diffuse: nothing is known
of level and beta before the first bar.

Everything is filtered in units of R. Then the gains and the covariance depend on x and the two ratios only, so that
all pairs with these in common share one recursion, and R itself has a maximum-likelihood estimate in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.exceptions import InputError

__all__ = ["FinalStates", "KalmanModel", "final_states", "moves_from_first"]


def moves_from_first(values: FloatArray) -> FloatArray:
    """Count each series from its first bar, shape (T, ...); a move within the rounding of the price is none.

    A beta drawn from such a move would be noise, however large.
    """
    moves: FloatArray = values - values[0]
    moves[np.abs(moves) <= np.maximum(8 * np.finfo(float).eps * np.abs(values[0]), 1e-50)] = 0.0
    return moves


@dataclass(frozen=True, eq=False)
class KalmanModel:
    """B pairs that share F covariance recursions over T bars.

    Attributes
    ----------
    moves : ndarray, shape (T, n)
        The series, measured from their first bar.
    y : ndarray of int, shape (B,)
        Column of each pair's y.
    recursion : ndarray of int, shape (B,)
        Which recursion a pair uses; never decreases.
    x : ndarray of int, shape (F,)
        Column of each recursion's x, which moves at least once.
    level_ratio, beta_ratio : ndarray, shape (F,)
        Variances of the steps of level and beta over R.
    start : ndarray of int, shape (F,)
        First bar at which x has moved: beta is known from there on.
    order : ndarray of int, shape (B,)
        Position of each pair in what was asked for.
    """

    moves: FloatArray
    y: IntArray
    recursion: IntArray
    x: IntArray
    level_ratio: FloatArray
    beta_ratio: FloatArray
    start: IntArray
    order: IntArray

    @classmethod
    def of(
        cls, moves: FloatArray, y: IntArray, x: IntArray, level_ratio: FloatArray, beta_ratio: FloatArray
    ) -> KalmanModel:
        """Find the pairs (given by arrays of shape (B,)) that share a recursion."""
        order = np.lexsort((y, beta_ratio, level_ratio, x))
        x, level_ratio, beta_ratio = x[order], level_ratio[order], beta_ratio[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (np.diff(x) != 0) | (np.diff(level_ratio) != 0) | (np.diff(beta_ratio) != 0)
        first = np.flatnonzero(new)
        start = np.argmax(moves != 0.0, axis=0)[x[first]]
        return cls(moves, y[order], np.cumsum(new) - 1, x[first], level_ratio[first], beta_ratio[first], start, order)


@dataclass(frozen=True, eq=False)
class FinalStates:
    """What is known after the last bar, in the order the pairs were asked for; every array has shape (B,).

    Variances and covariances are in units of R.

    Attributes
    ----------
    level, beta : ndarray
        The state.
    level_var, cross_var, beta_var : ndarray
        Its covariance matrix.
    innovation, innovation_var : ndarray
        The last bar's y less what the bar before predicted, and the variance of that.
    ssq : ndarray
        Sum of the squared innovations over their variances, without the two bars that only set the state.
    log_det : ndarray
        Sum of the logarithms of the innovations' variances (for those two bars, of their diffuse parts).
    """

    level: FloatArray
    beta: FloatArray
    level_var: FloatArray
    cross_var: FloatArray
    beta_var: FloatArray
    innovation: FloatArray
    innovation_var: FloatArray
    ssq: FloatArray
    log_det: FloatArray

    def log_likelihood(self, observation_noise: FloatArray, n_bars: int) -> FloatArray:
        """Diffuse log likelihood of T bars (Durbin and Koopman, 2012, section 7.2.2)."""
        constant = n_bars * np.log(2.0 * np.pi) + (n_bars - 2) * np.log(observation_noise)
        likelihood: FloatArray = -0.5 * (constant + self.log_det + self.ssq / observation_noise)
        return likelihood


def final_states(model: KalmanModel, *, compiled: bool | None = None) -> FinalStates:
    """Filter all pairs; `compiled` None takes numba where it is installed, True insists on it, False does without."""
    installed = find_spec("numba") is not None
    if compiled and not installed:
        raise InputError("compiled=True needs numba, which is not installed: pip install 'hlpairs[fast]'")
    if installed and compiled is not False:
        from hlpairs_core.stats._kalman_numba import final_columns
    else:
        from hlpairs_core.stats._kalman_numpy import final_columns
    pairs, recursions = final_columns(model)
    back = np.empty_like(model.order)
    back[model.order] = np.arange(len(back))
    level, beta, innovation, ssq = (column[back] for column in pairs)
    shared = model.recursion[back]
    level_var, cross_var, beta_var, innovation_var, log_det = (column[shared] for column in recursions)
    return FinalStates(level, beta, level_var, cross_var, beta_var, innovation, innovation_var, ssq, log_det)
