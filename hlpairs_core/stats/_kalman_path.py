from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.stats._kalman_model import KalmanModel
from hlpairs_core.stats._kalman_numpy import filter_bars

__all__ = ["FilteredPaths", "filtered_paths"]


@dataclass(frozen=True, eq=False)
class FilteredPaths:
    """What is known after each bar, in the order the pairs were asked for; every array has shape (T, B).

    Attributes
    ----------
    level, beta, beta_var, innovation, innovation_var : ndarray
        As in `FinalStates`. Before x has moved all but the level are NaN, and so is the innovation at the bar
        that gives the first beta.
    """

    level: FloatArray
    beta: FloatArray
    beta_var: FloatArray
    innovation: FloatArray
    innovation_var: FloatArray


def filtered_paths(model: KalmanModel) -> FilteredPaths:
    """Filter and keep every bar."""
    shape = (5, len(model.moves), len(model.y))
    path = np.empty(shape)
    shared = model.recursion
    for at, bar in enumerate(filter_bars(model)):
        recursions = (bar.beta_var[shared], bar.innovation, bar.innovation_var[shared])
        path[:, at, model.order] = (bar.level, bar.beta, *recursions)
    start = np.empty(len(model.y), dtype=np.int64)
    start[model.order] = model.start[shared]
    now = np.arange(len(model.moves))[:, None]
    path[1:3, now < start] = np.nan
    path[3:, now <= start] = np.nan
    return FilteredPaths(*path)
