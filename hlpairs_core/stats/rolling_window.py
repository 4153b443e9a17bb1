from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._inputs import read_table

__all__ = ["Bar", "RollingWindow"]

# By label, in any order; or numbers in the order of the columns.
Bar: TypeAlias = pd.Series | Mapping[Hashable, float] | ArrayLike

# Beyond this, squares of squares overflow; no log price or return is that large.
_LARGEST = 1e50


@dataclass(frozen=True, eq=False)
class RollingWindow:
    """The last T bars of n series; a new bar pushes out the oldest. No step writes to an array.

    Attributes
    ----------
    name : str
        What errors call the data.
    labels : sequence
        The series, in the order of the columns.
    values : ndarray, shape (T, n)
        The bars, oldest first.
    time : object
        Time of the last bar.
    """

    name: str
    labels: Sequence[Hashable]
    values: FloatArray
    time: Any

    @classmethod
    def of(cls, data: pd.DataFrame | ArrayLike, name: str) -> RollingWindow:
        """Read the first window: one column per series, times in the index; an array's bars have times 0 to T - 1.

        Raises
        ------
        InputError
            If the data are no table of finite numbers, or the times do not increase.
        """
        table = read_table(data, name)
        _refuse_unusable(table.values, table.labels, name)
        time = _last_time(data, name) if isinstance(data, pd.DataFrame) else len(table.values) - 1
        return cls(name, table.labels, table.values.copy(), time)

    def read(self, bar: Bar) -> FloatArray:
        """Return the numbers of one bar in the order of the columns.

        Parameters
        ----------
        bar : Series, mapping or array_like, shape (n,)
            By label, in any order; or numbers in the order of the columns.

        Raises
        ------
        InputError
            If it does not have exactly the window's series, or a value is missing or infinite.
        """
        if isinstance(bar, (pd.Series, Mapping)):
            bar = self._in_order(dict(bar.items()), n_given=len(bar))
        try:
            values = np.array(bar, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"a bar of {self.name} must be numbers: {error}") from error
        if values.shape != (len(self.labels),):
            raise InputError(
                f"a bar of {self.name} must have one number for each of the {len(self.labels)} columns, "
                f"got shape {values.shape}"
            )
        _refuse_unusable(values[None], self.labels, self.name)
        return values

    def appended(self, bar: Bar, time: Any) -> RollingWindow:
        """Return the window one bar later.

        Raises
        ------
        InputError
            As from `read`, or if the time is not after the last one.
        """
        values = self.read(bar)
        try:
            later = bool(time > self.time)
        except TypeError as error:
            raise InputError(f"the bar's time {time!r} cannot be compared with the last one's: {error}") from None
        if not later:
            raise InputError(f"the bar's time {time!r} is not after the last one's, {self.time!r}")
        return replace(self, values=np.concatenate([self.values[1:], values[None]]), time=time)

    def _in_order(self, bar: dict[Hashable, float], n_given: int) -> list[float]:
        for label in self.labels:
            if label not in bar:
                raise InputError(f"the bar of {self.name} lacks {label!r}: give every column, or restart without it")
        if n_given > len(self.labels):
            extra = next((label for label in bar if label not in self.labels), None)
            problem = "names a column twice" if extra is None else f"has {extra!r}, which is not a column"
            raise InputError(f"the bar of {self.name} {problem}: give each column once, or restart with new ones")
        return [bar[label] for label in self.labels]


def _refuse_unusable(values: FloatArray, labels: Sequence[Hashable], name: str) -> None:
    bad = np.argwhere(~(np.abs(values) < _LARGEST).T)
    if len(bad):
        column, row = bad[0]
        at = f" in row {row}" if len(values) > 1 else ""
        raise InputError(
            f"{name} has {values[row, column]} for {labels[column]!r}{at}: "
            "every number must be finite; fill the bar first or leave the column out"
        )


def _last_time(data: pd.DataFrame, name: str) -> Any:
    if not (data.index.is_monotonic_increasing and data.index.is_unique):
        raise InputError(f"the times of {name} must increase from bar to bar: sort its rows and drop what comes twice")
    return data.index[-1]
