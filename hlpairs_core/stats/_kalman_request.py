from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._history import series_problems
from hlpairs_core.stats._inputs import Table, pair_positions, read_table
from hlpairs_core.stats._kalman_model import moves_from_first
from hlpairs_core.stats._kalman_noise import KalmanNoise, most_likely_noise

__all__ = ["FEWEST_BARS", "KalmanRequest", "read_noise", "read_request"]

FEWEST_BARS = 10
# Each ratio to within a factor of 1.16, the likelihood to a few tenths.
_HALVINGS = 4


@dataclass(frozen=True, eq=False)
class KalmanRequest:
    """Pairs to be filtered, of which some cannot be.

    Attributes
    ----------
    table : Table
        The prices.
    y, x : ndarray of int, shape (B,)
        Columns of all pairs.
    rows : ndarray of int, shape (S,)
        Positions of the pairs that can be filtered.
    noise : KalmanNoise
        Their variances, each of shape (S,).
    reasons : list of str
        Why a pair cannot be filtered, "" where it can; shape (B,).
    """

    table: Table
    y: IntArray
    x: IntArray
    rows: IntArray
    noise: KalmanNoise
    reasons: list[str]

    @property
    def first(self) -> FloatArray:
        """First bar of each series, shape (n,)."""
        first: FloatArray = self.table.values[0]
        return first

    @property
    def moves(self) -> FloatArray:
        """The series measured from their first bar; zero where no pair can be filtered."""
        moves = np.zeros_like(self.table.values)
        used = np.unique(np.concatenate([self.y[self.rows], self.x[self.rows]]))
        moves[:, used] = moves_from_first(self.table.values[:, used])
        return moves

    @property
    def labels(self) -> pd.Index:
        """Label of each column."""
        return pd.Index(self.table.labels, tupleize_cols=False)


def read_request(
    log_prices: pd.DataFrame | ArrayLike,
    pairs: Iterable[tuple[Hashable, Hashable]] | None,
    noises: tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None],
    compiled: bool | None,
) -> KalmanRequest:
    """Check the arguments, find the pairs that can be filtered and, unless given, their variances."""
    table = read_table(log_prices, "log_prices")
    y, x = pair_positions(table.labels, pairs)
    if len(table.values) < FEWEST_BARS:
        raise InputError(f"{len(table.values)} bars are too short for a Kalman filter: give at least {FEWEST_BARS}")
    given = read_noise(noises, len(y))
    problems = series_problems(table.values)
    faults = [f"{label} {problem}" if problem else "" for label, problem in zip(table.labels, problems, strict=True)]
    faulty = np.array([bool(fault) for fault in faults])
    rows = np.flatnonzero(~(faulty[y] | faulty[x]))
    reasons = [""] * len(y)
    for row in np.flatnonzero(faulty[y] | faulty[x]):
        reasons[row] = "; ".join(filter(None, (faults[y[row]], faults[x[row]])))
    if given is not None:
        return KalmanRequest(table, y, x, rows, given.take(rows), reasons)
    bare = KalmanRequest(table, y, x, rows, KalmanNoise(*np.empty((3, 0))), reasons)
    noise = most_likely_noise(bare.moves, y[rows], x[rows], halvings=_HALVINGS, compiled=compiled)
    largest = np.abs(table.values[:, y[rows]]).max(axis=0)
    exact = noise.observation <= (64 * np.finfo(float).eps * largest) ** 2
    for row in rows[exact]:
        reasons[row] = "the series are collinear: one asset twice"
    return KalmanRequest(table, y, x, rows[~exact], noise.take(~exact), reasons)


def read_noise(noises: tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None], n_pairs: int) -> KalmanNoise | None:
    """Return the given variances of each pair, or None where none is given.

    Raises
    ------
    InputError
        If some are given and some are not, or one is not a variance.
    """
    names = ("observation_noise", "level_noise", "beta_noise")
    missing = [name for name, value in zip(names, noises, strict=True) if value is None]
    if len(missing) == len(names):
        return None
    if missing:
        raise InputError(f"give all of {', '.join(names)}, or none for maximum likelihood: {missing[0]} is missing")
    observation, level, beta = (_variances(value, name, n_pairs) for name, value in zip(names, noises, strict=True))
    if not (observation > 0.0).all():
        raise InputError("observation_noise must be positive, got 0.0: without it the last bar would settle all")
    return KalmanNoise(observation, level, beta)


def _variances(value: ArrayLike | None, name: str, n_pairs: int) -> FloatArray:
    try:
        variances = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a variance, or one for each pair: {error}") from error
    if variances.ndim > 1 or variances.size not in (1, n_pairs):
        raise InputError(f"{name} must be one variance or {n_pairs}, one for each pair; got shape {variances.shape}")
    wrong = variances[~(np.isfinite(variances) & (variances >= 0.0))]
    if wrong.size:
        raise InputError(f"{name} must be a variance: finite and not negative, got {wrong.flat[0]}")
    spread: FloatArray = np.broadcast_to(variances.ravel(), (n_pairs,)).copy()
    return spread
