from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.stats._kalman_model import KalmanModel, final_states

__all__ = ["KalmanNoise", "most_likely_noise"]

# Powers of ten of the two ratios; the first is as good as zero for fewer than 10,000 bars. A coarser lattice would
# miss the higher of two maxima: a level that moves and a beta that moves explain much the same.
_LATTICE = np.array([-8.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0])
_NODES = np.array([(level, beta) for level in _LATTICE for beta in _LATTICE])
_NEIGHBOURS = np.array([(level, beta) for level in (-1.0, 0.0, 1.0) for beta in (-1.0, 0.0, 1.0)])
# Filters run at once at most: their states stay in the processor's cache.
_AT_ONCE = 40_000


@dataclass(frozen=True, eq=False)
class KalmanNoise:
    """Variances per bar of B pairs, in squared log prices; every array has shape (B,).

    Attributes
    ----------
    observation : ndarray
        Of the spread around ``level + beta (x - x_0)``.
    level, beta : ndarray
        Of the steps of the two states.
    """

    observation: FloatArray
    level: FloatArray
    beta: FloatArray

    def take(self, pairs: IntArray | BoolArray) -> KalmanNoise:
        """Return the variances of some of the pairs."""
        return KalmanNoise(self.observation[pairs], self.level[pairs], self.beta[pairs])

    def model(self, moves: FloatArray, y: IntArray, x: IntArray) -> KalmanModel:
        """Return the model of the pairs ``(y[b], x[b])`` with these variances."""
        return KalmanModel.of(moves, y, x, self.level / self.observation, self.beta / self.observation)


def most_likely_noise(
    moves: FloatArray, y: IntArray, x: IntArray, *, halvings: int, compiled: bool | None
) -> KalmanNoise:
    """Estimate each pair's variances by maximum likelihood: a search over two ratios.

    The best node of a lattice; then the best among it and its neighbours half a decade away, then a quarter, and
    so on `halvings` times. R has its estimate in closed form. No derivative is needed, a maximum at the edge (a
    variance of zero is common) does no harm, and equal input gives equal output.
    """
    search = _Search(moves, y, x, np.mean(moves**2, axis=0)[x], compiled)
    powers = search.best(np.broadcast_to(_NODES[:, None], (len(_NODES), len(y), 2)))
    for halving in range(1, halvings + 1):
        step = 0.5**halving
        powers = search.best(np.clip(powers + step * _NEIGHBOURS[:, None], _LATTICE[0], _LATTICE[-1]))
    return search.noise(powers)


@dataclass(frozen=True, eq=False)
class _Search:
    """Pairs whose noise is looked for; `scale` makes the ratio of beta independent of how far x moves."""

    moves: FloatArray
    y: IntArray
    x: IntArray
    scale: FloatArray
    compiled: bool | None

    def best(self, candidates: FloatArray) -> FloatArray:
        """Return each pair's most likely of G candidates, shape (G, B, 2), as powers of ten."""
        at_once = max(1, _AT_ONCE // max(1, len(self.y)))
        parts = [self._concentrated(candidates[g : g + at_once])[1] for g in range(0, len(candidates), at_once)]
        winner = np.argmax(np.concatenate(parts), axis=0)
        chosen: FloatArray = candidates[winner, np.arange(len(self.y))]
        return chosen

    def noise(self, powers: FloatArray) -> KalmanNoise:
        """Return the variances that belong to two powers of ten per pair, shape (B, 2)."""
        observation = self._concentrated(powers[None])[0][0]
        level, beta = 10.0**powers.T
        return KalmanNoise(observation, observation * level, observation * beta / self.scale)

    def _concentrated(self, powers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the estimate of R and the log likelihood there, both of shape (G, B)."""
        n_bars, shape = len(self.moves), powers.shape[:2]
        level, beta = 10.0 ** np.moveaxis(powers, -1, 0)
        y, x = (np.broadcast_to(leg, shape).ravel() for leg in (self.y, self.x))
        model = KalmanModel.of(self.moves, y, x, level.ravel(), (beta / self.scale).ravel())
        states = final_states(model, compiled=self.compiled)
        observation = states.ssq / (n_bars - 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = states.log_likelihood(observation, n_bars)
        return observation.reshape(shape), likelihood.reshape(shape)
