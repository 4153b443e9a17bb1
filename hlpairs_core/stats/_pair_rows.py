from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.stats._inputs import pair_positions

__all__ = ["PairRows"]


@dataclass(frozen=True, eq=False)
class PairRows:
    """The rows of a table with one row per pair, and which of them numbers can be computed for.

    Attributes
    ----------
    names : Index
        Labels of the series.
    y, x : ndarray of int, shape (n_pairs,)
        Positions of the legs.
    sound : ndarray of int
        Rows of which both legs can be worked with.
    faults : list of str
        For each series what is wrong with it, else "".
    """

    names: pd.Index
    y: IntArray
    x: IntArray
    sound: IntArray
    faults: list[str]

    @classmethod
    def of(
        cls,
        labels: Sequence[Hashable],
        problems: Sequence[str],
        pairs: Iterable[tuple[Hashable, Hashable]] | None,
    ) -> PairRows:
        """Look up the pairs of series with these labels and problems; None means every unordered pair once."""
        y, x = pair_positions(labels, pairs)
        usable = np.array([not problem for problem in problems])
        names = pd.Index(labels, tupleize_cols=False)
        faults = [f"{name} {problem}" if problem else "" for name, problem in zip(names, problems, strict=True)]
        return cls(names, y, x, np.flatnonzero(usable[y] & usable[x]), faults)

    def legs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return the series that sound pairs use, and where among these the legs of each are."""
        both = np.concatenate([self.y[self.sound], self.x[self.sound]])
        used, positions = np.unique(both, return_inverse=True)
        return used, positions[: len(self.sound)], positions[len(self.sound) :]

    def floats(self, values: FloatArray) -> FloatArray:
        """Spread numbers of the sound pairs over all rows; the others get NaN."""
        column = np.full(len(self.y), np.nan)
        column[self.sound] = values
        return column

    def counts(self, values: IntArray, missing: BoolArray) -> pd.arrays.IntegerArray:
        """Spread counts of the sound pairs over all rows; the others, and the `missing`, get NA."""
        column, mask = np.zeros(len(self.y), dtype=np.int64), np.ones(len(self.y), dtype=bool)
        column[self.sound], mask[self.sound] = values, missing
        return pd.arrays.IntegerArray(column, mask)

    def reasons(self, found: dict[str, BoolArray]) -> pd.Series:
        """Say why numbers are missing: the faults of the legs, or what was found among the sound pairs."""
        reasons = np.full(len(self.y), "", dtype=object)
        unsound = np.ones(len(self.y), dtype=bool)
        unsound[self.sound] = False
        for row in np.flatnonzero(unsound):
            reasons[row] = "; ".join(filter(None, (self.faults[self.y[row]], self.faults[self.x[row]])))
        for reason, among_sound in found.items():
            reasons[self.sound[among_sound]] = reason
        return pd.Series(reasons, dtype=str)

    def table(self, columns: dict[str, object], reasons: pd.Series) -> pd.DataFrame:
        """Put the labels of the legs before the columns and the reasons after them."""
        legs = {"y": self.names.take(self.y), "x": self.names.take(self.x)}
        return pd.DataFrame({**legs, **columns, "reason": reasons})
