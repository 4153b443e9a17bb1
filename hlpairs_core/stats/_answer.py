from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._batch import EngleGrangerArrays

__all__ = ["Answer"]

_COLUMNS = (
    "y", "x", "alpha", "beta", "trend_per_bar", "r_squared", "t_stat", "p_value", "lag", "half_life", "z_last",
    "resid_std", "n_obs", "reason",
)  # fmt: skip
_FLOATS = tuple(name for name in _COLUMNS if name not in ("y", "x", "lag", "n_obs", "reason"))


class Answer:
    """The tests of all pairs, put together window by window; a pair that nothing is said of has NaN.

    Parameters
    ----------
    labels : sequence
        Names of the series.
    y, x : ndarray of int, shape (n_pairs,)
        Positions of the two legs of every pair in `labels`.

    Attributes
    ----------
    floats : dict of str to ndarray, shape (n_pairs,)
        The columns of numbers.
    lag : ndarray of int, shape (n_pairs,)
        Lags; -1 where there are none.
    reason : list of str
        Why numbers are missing, else "".
    """

    def __init__(self, labels: Sequence[Hashable], y: IntArray, x: IntArray) -> None:
        self.y, self.x = y, x
        self._labels = labels
        self.floats = {name: np.full(len(y), np.nan) for name in _FLOATS}
        self.lag = np.full(len(y), -1)
        self._n_obs = np.zeros(len(y), dtype=np.int64)
        self.reason = [""] * len(y)

    def put(self, pairs: IntArray, tests: EngleGrangerArrays, n_bars: int) -> None:
        """Take the tests of some pairs, on a window of `n_bars`."""
        for name, values in zip(_FLOATS, _floats(tests), strict=True):
            self.floats[name][pairs] = values
        self.lag[pairs] = tests.lag
        self._n_obs[pairs] = n_bars
        for pair in pairs[np.isnan(tests.t_stat)]:
            self.reason[pair] = "the ADF regression is singular: the residual hardly moves"
        for pair in pairs[tests.collinear]:
            self.reason[pair] = "the series are collinear: one asset twice"

    def blame_series(self, pairs: IntArray, problems: Mapping[int, str]) -> None:
        """Say what is wrong with the legs of some pairs, given what is wrong with the series."""
        for pair in pairs:
            legs = (self.y[pair], self.x[pair])
            self.reason[pair] = "; ".join(f"{self._labels[leg]} {problems[leg]}" for leg in legs if leg in problems)

    def blame_window(self, pairs: IntArray, n_bars: int, problem: str) -> None:
        """Say that the legs of some pairs have too few bars in common."""
        self._n_obs[pairs] = n_bars
        for pair in pairs:
            y, x = self._labels[self.y[pair]], self._labels[self.x[pair]]
            self.reason[pair] = f"{y} and {x} have too few bars in common: {problem}"

    def frame(self) -> pd.DataFrame:
        """Return the table, one row per pair."""
        names = pd.Index(self._labels, tupleize_cols=False)
        columns: dict[str, object] = {"y": names.take(self.y), "x": names.take(self.x), **self.floats}
        columns["lag"] = pd.arrays.IntegerArray(np.maximum(self.lag, 0), self.lag < 0)
        columns["n_obs"] = self._n_obs
        columns["reason"] = pd.Series(self.reason, dtype=str)
        return pd.DataFrame({name: columns[name] for name in _COLUMNS})


def _floats(tests: EngleGrangerArrays) -> tuple[FloatArray, ...]:
    """Return the columns of numbers in the order of the table."""
    fit = tests.fit
    step_one = (fit.alpha, fit.beta, fit.slope, fit.r_squared)
    return (*step_one, tests.t_stat, tests.p_value, tests.half_life, tests.z_last, tests.resid_std)
