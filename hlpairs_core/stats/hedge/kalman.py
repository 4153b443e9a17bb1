from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from hlpairs_core._typing import FloatArray
from hlpairs_core.stats._kalman_model import final_states
from hlpairs_core.stats._kalman_noise import KalmanNoise, most_likely_noise
from hlpairs_core.stats._kalman_path import filtered_paths
from hlpairs_core.stats._kalman_request import read_noise
from hlpairs_core.stats.hedge.method import Method
from hlpairs_core.stats.hedge.pair import Pair
from hlpairs_core.stats.hedge.result import Fit

__all__ = ["KALMAN"]

_Y, _X = np.array([0]), np.array([1])


def _kalman(
    pair: Pair,
    *,
    level: float,
    observation_noise: ArrayLike | None = None,
    level_noise: ArrayLike | None = None,
    beta_noise: ArrayLike | None = None,
) -> Fit:
    moves = np.column_stack([pair.y, pair.x])
    noise = read_noise((observation_noise, level_noise, beta_noise), 1)
    if noise is None:
        pair.refuse_one_asset_twice("kalman")
        noise = most_likely_noise(moves, _Y, _X, halvings=10, compiled=None)
    path = filtered_paths(noise.model(moves, _Y, _X))
    beta = float(path.beta[-1, 0])
    reach = float(ndtri(0.5 + 0.5 * level) * np.sqrt(noise.observation[0] * path.beta_var[-1, 0]))
    return Fit(
        beta,
        float(path.level[-1, 0]),
        (beta - reach, beta + reach),
        _params(noise, moves),
        beta_path=path.beta[:, 0],
        intercept_path=path.level[:, 0],
    )


def _params(noise: KalmanNoise, moves: FloatArray) -> dict[str, float]:
    states = final_states(noise.model(moves, _Y, _X), compiled=False)
    return {
        "observation_noise": float(noise.observation[0]),
        "level_noise": float(noise.level[0]),
        "beta_noise": float(noise.beta[0]),
        "log_likelihood": float(states.log_likelihood(noise.observation, len(moves))[0]),
    }


KALMAN = Method(
    _kalman,
    assumptions=(
        "Level and beta are random walks and all noises normal. The path is filtered, but variances by maximum "
        "likelihood come from the whole sample: for a path free of later bars give those of earlier ones (options "
        "observation_noise, level_noise, beta_noise). Where the series have nothing in common, the level follows y "
        "and the spread looks stationary all the same."
    ),
    interval_note="of beta at the last bar, given the variances: too narrow by what is not known of them.",
)
