from __future__ import annotations

import operator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._history import series_problems
from hlpairs_core.stats._kalman_model import moves_from_first

__all__ = ["Pair", "read_pair", "whole_number"]

_FEWEST_BARS = 10


@dataclass(frozen=True, eq=False)
class Pair:
    """Two series on one clock, counted from their first bar.

    Methods that fit these moves give the same beta whatever the units of the prices, and lose no digits.

    Attributes
    ----------
    y_name, x_name : str
        How errors and results call them.
    y, x : ndarray, shape (T,)
        Moves since the first bar; finite, not constant.
    y_first, x_first : float
        The first bar.
    index : Index
        The bars.
    """

    y_name: str
    x_name: str
    y: FloatArray
    x: FloatArray
    y_first: float
    x_first: float
    index: pd.Index

    @property
    def design(self) -> FloatArray:
        """A constant and x, shape (T, 2)."""
        return np.column_stack([np.ones_like(self.x), self.x])

    def refuse_one_asset_twice(self, method: str) -> None:
        """Refuse a spread that is nothing but rounding.

        Raises
        ------
        InputError
            If a straight line explains y to within its rounding.
        """
        x, y = self.x - self.x.mean(), self.y - self.y.mean()
        spread = y - (x @ y) / (x @ x) * x
        largest = max(np.abs(self.y + self.y_first).max(), np.abs(y).max())
        if np.abs(spread).max() <= 64 * np.finfo(float).eps * largest:
            raise InputError(
                f"{self.y_name} and {self.x_name} are collinear: their spread is nothing but rounding, and method "
                f"{method!r} needs one. Is it one asset twice?"
            )


def read_pair(y: pd.Series | ArrayLike, x: pd.Series | ArrayLike) -> Pair:
    """Check two series and take them together.

    Raises
    ------
    InputError
        If one of them is not a series of numbers, they differ in length or in their bars, the bars are unsorted
        or duplicated, there are too few, a value is missing or infinite, or a series is constant.
    """
    names = _name(y, "y"), _name(x, "x")
    values = [_numbers(one, name) for one, name in zip((y, x), names, strict=True)]
    if len(values[0]) != len(values[1]):
        raise InputError(f"{names[0]} has {len(values[0])} bars and {names[1]} has {len(values[1])}: align them first")
    index = _clock(y, x, names, len(values[0]))
    if len(index) < _FEWEST_BARS:
        raise InputError(f"{names[0]} and {names[1]} have {len(index)} bars: give at least {_FEWEST_BARS}")
    for name, one, problem in zip(names, values, series_problems(np.column_stack(values)), strict=True):
        if problem:
            raise InputError(f"{name} {problem}{_where(one, index)}")
    y_moves, x_moves = (moves_from_first(one) for one in values)
    return Pair(*names, y_moves, x_moves, float(values[0][0]), float(values[1][0]), index)


def _name(series: object, role: str) -> str:
    name = series.name if isinstance(series, pd.Series) else None
    return role if name is None else f"{role} ({name})"


def _numbers(series: pd.Series | ArrayLike, name: str) -> FloatArray:
    try:
        values = np.asarray(series, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers: {error}") from error
    if values.ndim != 1:
        raise InputError(f"{name} must have one dimension (bars), got shape {values.shape}")
    return values


def _where(values: FloatArray, index: pd.Index) -> str:
    """Say where the first bad value of a series is, or what it is constant at."""
    bad = np.flatnonzero(~np.isfinite(values))
    return f": {values[bad[0]]} at {index[bad[0]]}" if len(bad) else f": {values[0]}"


def _clock(y: object, x: object, names: tuple[str, str], n_bars: int) -> pd.Index:
    """Return the bars of both series."""
    clocks = {name: one.index for name, one in zip(names, (y, x), strict=True) if isinstance(one, pd.Series)}
    for name, clock in clocks.items():
        if not clock.is_unique:
            raise InputError(f"{name} has the bar {clock[clock.duplicated()][0]} more than once: keep one of each")
        if not clock.is_monotonic_increasing:
            raise InputError(f"{name} is not sorted by time, oldest bar first: {_step_back(clock)}; sort it")
    if len(clocks) == 2 and not clocks[names[0]].equals(clocks[names[1]]):
        differ = next(pair for pair in zip(*clocks.values(), strict=True) if pair[0] != pair[1])
        raise InputError(f"{names[0]} and {names[1]} are not on one clock: {differ[0]} beside {differ[1]}; align them")
    return next(iter(clocks.values()), pd.RangeIndex(n_bars))


def _step_back(clock: pd.Index) -> str:
    return next(f"{late} comes before {early}" for late, early in pairwise(clock) if late > early)


def whole_number(value: object, name: str, *, at_least: int) -> int:
    """Read an option that counts something.

    Raises
    ------
    InputError
        If it is not a whole number, or too small.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} must be a whole number of bars, got {value!r}") from None
    if count < at_least:
        raise InputError(f"{name} must be at least {at_least}, got {count}")
    return count
