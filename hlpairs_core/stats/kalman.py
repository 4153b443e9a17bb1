from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._kalman_model import final_states
from hlpairs_core.stats._kalman_path import filtered_paths
from hlpairs_core.stats._kalman_request import KalmanRequest, read_request

__all__ = ["KalmanPaths", "kalman_pairs", "kalman_paths"]


def kalman_pairs(
    log_prices: pd.DataFrame | ArrayLike,
    *,
    pairs: Iterable[tuple[Hashable, Hashable]] | None = None,
    observation_noise: ArrayLike | None = None,
    level_noise: ArrayLike | None = None,
    beta_noise: ArrayLike | None = None,
    compiled: bool | None = None,
) -> pd.DataFrame:
    """Filter a moving hedge ratio for every pair of series.

    Parameters
    ----------
    log_prices : DataFrame or array_like, shape (T, n)
        One column per series on one common clock, oldest bar first; at least 10 bars.
    pairs : iterable of (y, x), optional
        Column labels (positions, for an array) of the pairs. By default every unordered pair once, with the
        earlier column as y.
    observation_noise, level_noise, beta_noise : float or array_like, optional
        Variances per bar of the three noises (see Notes), in squared log prices: one, or one for each pair.
        All three or none; by default each pair's are estimated by maximum likelihood. *The estimates use the
        whole sample*: for a state that looks at no later bar, give those estimated on earlier bars, for example
        the columns of an earlier result.
    compiled : bool, optional
        By default compiled loops where numba is installed, NumPy where not. The numbers are the same.

    Returns
    -------
    DataFrame
        One row per pair, in the order of `pairs`; what is known after the last bar:

        * ``y``, ``x``: labels of the legs
        * ``alpha``, ``beta``: the state, for the spread ``y - alpha - beta x``
        * ``alpha_var``, ``beta_var``: its variances, given the variances of the noises
        * ``innovation``: the last bar's y less what the bars before it predicted
        * ``innovation_z``: that in its own standard deviations
        * ``log_likelihood``: of all bars, with a diffuse start
        * ``observation_noise``, ``level_noise``, ``beta_noise``: the variances used
        * ``reason``: why numbers are missing, else ""

        A series that is constant, or has a missing or infinite value, leaves the numbers of its pairs NaN and a
        ``reason``; other pairs are not affected. So does one asset twice if the noises are to be estimated.

    Raises
    ------
    InputError
        If `log_prices` is not a two-dimensional table of at least 10 rows of numbers with unique labels, a pair
        is unknown or pairs a series with itself, a noise is not a variance, or compiled loops are insisted on
        without numba.

    See Also
    --------
    kalman_paths : the whole path of some pairs.
    hedge_ratio : other methods, for one pair.

    Notes
    -----
    With ``x_0`` the first bar's x::

        y_t = level_t + beta_t (x_t - x_0) + v_t      variance observation_noise
        level_t = level_{t-1} + w_t                   variance level_noise
        beta_t  = beta_{t-1}  + u_t                   variance beta_noise

    and ``alpha_t = level_t - beta_t x_0``. Counting x from its first bar makes beta independent of the units of
    the prices. The start is exactly diffuse: the first bar sets the level, the first bar at which x has moved
    sets beta. The covariance is updated as a sum of positive matrices, so that it stays symmetric and positive.

    The gains depend on x and on the ratios of the noises alone, so that pairs which share them share one
    recursion: with one set of noises for all pairs, n recursions of the covariance instead of n (n - 1) / 2.

    Maximum likelihood searches the ratios of the two steps' variances to `observation_noise` from 1e-8 to 100
    (for beta times the mean of ``(x - x_0) ** 2``): 100 nodes a decade apart, then four times the best of the
    neighbours at half the distance. A variance at the lower end stands for zero: the coefficient is constant.
    Two series that have nothing to do with each other get a filter too, whose level follows y.

    J. Durbin and S. J. Koopman, *Time Series Analysis by State Space Methods*, 2nd edition, Oxford University
    Press, 2012, chapters 4, 5.2 and 7.2.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> x = 4.0 + np.cumsum(0.01 * rng.normal(size=500))
    >>> y = 1.0 + 0.8 * x + 0.004 * rng.normal(size=500)
    >>> table = kalman_pairs(np.column_stack([y, x]))
    >>> table[["y", "x", "beta"]].round(2)
       y  x  beta
    0  0  1   0.8
    """
    request = read_request(log_prices, pairs, (observation_noise, level_noise, beta_noise), compiled)
    columns = _final_columns(request, compiled)
    y, x = request.labels.take(request.y), request.labels.take(request.x)
    spread = {name: _spread(values, request) for name, values in columns.items()}
    return pd.DataFrame({"y": y, "x": x, **spread, "reason": pd.Series(request.reasons, dtype=str)})


def _final_columns(request: KalmanRequest, compiled: bool | None) -> dict[str, FloatArray]:
    y, x, moves, noise = request.y[request.rows], request.x[request.rows], request.moves, request.noise
    states = final_states(noise.model(moves, y, x), compiled=compiled)
    first = request.first
    alpha_var = states.level_var - 2.0 * first[x] * states.cross_var + first[x] ** 2 * states.beta_var
    deviation = np.sqrt(noise.observation * states.innovation_var)
    # A beta that the last bar has only just given predicted nothing.
    innovation = np.where((moves[:-1] != 0.0).any(axis=0)[x], states.innovation, np.nan)
    return {
        "alpha": first[y] + states.level - states.beta * first[x],
        "beta": states.beta,
        "alpha_var": noise.observation * alpha_var,
        "beta_var": noise.observation * states.beta_var,
        "innovation": innovation,
        "innovation_z": innovation / deviation,
        "log_likelihood": states.log_likelihood(noise.observation, len(moves)),
        "observation_noise": noise.observation,
        "level_noise": noise.level,
        "beta_noise": noise.beta,
    }


def _spread(values: FloatArray, request: KalmanRequest) -> FloatArray:
    column = np.full(len(request.y), np.nan)
    column[request.rows] = values
    return column


@dataclass(frozen=True, eq=False)
class KalmanPaths:
    """Filtered hedge ratios of some pairs, bar by bar; one column ``(y, x)`` per pair.

    A bar's row knows no later bar, given the variances of the noises.

    Attributes
    ----------
    alpha, beta : DataFrame, shape (T, B)
        The state; NaN until x has moved.
    beta_std : DataFrame, shape (T, B)
        Standard deviation of beta.
    innovation_z : DataFrame, shape (T, B)
        Each bar's y less what the bars before it predicted, in standard deviations.
    """

    alpha: pd.DataFrame
    beta: pd.DataFrame
    beta_std: pd.DataFrame
    innovation_z: pd.DataFrame


def kalman_paths(
    log_prices: pd.DataFrame | ArrayLike,
    *,
    pairs: Iterable[tuple[Hashable, Hashable]],
    observation_noise: ArrayLike | None = None,
    level_noise: ArrayLike | None = None,
    beta_noise: ArrayLike | None = None,
) -> KalmanPaths:
    """Filter a moving hedge ratio for some pairs and keep every bar; `kalman_pairs` explains all of it.

    Parameters
    ----------
    log_prices, pairs, observation_noise, level_noise, beta_noise
        As in `kalman_pairs`. Each path takes ``32 T`` bytes.

    Raises
    ------
    InputError
        As in `kalman_pairs`, and if a series of a pair cannot be filtered.
    """
    request = read_request(log_prices, pairs, (observation_noise, level_noise, beta_noise), None)
    faults = [reason for reason in request.reasons if reason]
    if faults:
        raise InputError(f"there is no path to be had: {faults[0]}; leave out its pairs")
    y, x, first, noise = request.y, request.x, request.first, request.noise
    path = filtered_paths(noise.model(request.moves, y, x))
    index = log_prices.index if isinstance(log_prices, pd.DataFrame) else None
    names = pd.MultiIndex.from_arrays([request.labels.take(y), request.labels.take(x)], names=["y", "x"])

    def frame(values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(values, index=index, columns=names)

    return KalmanPaths(
        alpha=frame(first[y] + path.level - path.beta * first[x]),
        beta=frame(path.beta),
        beta_std=frame(np.sqrt(noise.observation * path.beta_var)),
        innovation_z=frame(path.innovation / np.sqrt(noise.observation * path.innovation_var)),
    )
