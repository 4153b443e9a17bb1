from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._batch import EngleGrangerArrays
from hlpairs_core.stats._reasons import PairReasons

__all__ = ["Answer"]

_COLUMNS = (
    "y", "x", "alpha", "beta", "trend_per_bar", "r_squared", "t_stat", "p_value", "lag", "half_life", "z_last",
    "resid_std", "n_obs", "reason",
)  # fmt: skip
_FLOATS = tuple(name for name in _COLUMNS if name not in ("y", "x", "lag", "n_obs", "reason"))


class Answer(PairReasons):
    """The tests of all pairs, put together window by window; a pair that nothing is said of has NaN.

    Attributes
    ----------
    floats : dict of str to ndarray, shape (n_pairs,)
        The columns of numbers.
    lag : ndarray of int, shape (n_pairs,)
        Lags; -1 where there are none.
    """

    def __init__(self, labels: Sequence[Hashable], y: IntArray, x: IntArray) -> None:
        super().__init__(labels, y, x)
        self.floats = {name: np.full(len(y), np.nan) for name in _FLOATS}
        self.lag = np.full(len(y), -1)

    def put(self, pairs: IntArray, tests: EngleGrangerArrays, n_bars: int) -> None:
        """Take the tests of some pairs, on a window of `n_bars`."""
        for name, values in zip(_FLOATS, _floats(tests), strict=True):
            self.floats[name][pairs] = values
        self.lag[pairs] = tests.lag
        self.n_obs[pairs] = n_bars
        self.blame(pairs[np.isnan(tests.t_stat)], "the ADF regression is singular: the residual hardly moves")
        self.blame(pairs[tests.collinear], "the series are collinear: one asset twice")

    def frame(self) -> pd.DataFrame:
        """Return the table, one row per pair."""
        columns: dict[str, object] = {**self.legs(), **self.floats, **self.remarks()}
        columns["lag"] = pd.arrays.IntegerArray(np.maximum(self.lag, 0), self.lag < 0)
        return pd.DataFrame({name: columns[name] for name in _COLUMNS})


def _floats(tests: EngleGrangerArrays) -> tuple[FloatArray, ...]:
    """Return the columns of numbers in the order of the table."""
    fit = tests.fit
    step_one = (fit.alpha, fit.beta, fit.slope, fit.r_squared)
    return (*step_one, tests.t_stat, tests.p_value, tests.half_life, tests.z_last, tests.resid_std)
