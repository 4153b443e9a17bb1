from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from hlpairs_core._typing import IntArray

__all__ = ["PairReasons"]


class PairReasons:
    """What every answer about all pairs says: who they are, on how many bars, and why numbers are missing.

    Parameters
    ----------
    labels : sequence
        Names of the series.
    y, x : ndarray of int, shape (n_pairs,)
        Positions of the two legs of every pair in `labels`.

    Attributes
    ----------
    n_obs : ndarray of int, shape (n_pairs,)
        Bars used; 0 where nothing was said.
    reason : list of str
        Why numbers are missing, else "".
    """

    def __init__(self, labels: Sequence[Hashable], y: IntArray, x: IntArray) -> None:
        self.y, self.x = y, x
        self._labels = labels
        self.n_obs = np.zeros(len(y), dtype=np.int64)
        self.reason = [""] * len(y)

    def blame(self, pairs: IntArray, problem: str) -> None:
        """Say the same of several pairs."""
        for pair in pairs:
            self.reason[pair] = problem

    def blame_series(self, pairs: IntArray, problems: Mapping[int, str]) -> None:
        """Say what is wrong with the legs of some pairs, given what is wrong with the series."""
        for pair in pairs:
            legs = (self.y[pair], self.x[pair])
            self.reason[pair] = "; ".join(f"{self._labels[leg]} {problems[leg]}" for leg in legs if leg in problems)

    def blame_window(self, pairs: IntArray, n_bars: int, problem: str) -> None:
        """Say that the legs of some pairs have too few bars in common."""
        self.n_obs[pairs] = n_bars
        for pair in pairs:
            self.reason[pair] = f"{self._labels[self.y[pair]]} and {self._labels[self.x[pair]]} {problem}"

    def legs(self) -> dict[str, pd.Index]:
        """Return the first columns of the table: the labels of both legs."""
        names = pd.Index(self._labels, tupleize_cols=False)
        return {"y": names.take(self.y), "x": names.take(self.x)}

    def remarks(self) -> dict[str, object]:
        """Return its last columns: bars used, and reasons."""
        return {"n_obs": self.n_obs, "reason": pd.Series(self.reason, dtype=str)}
