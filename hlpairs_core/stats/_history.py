"""Coins are listed and delisted: which bars two series have in common, and what is wrong with a series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray, Trend
from hlpairs_core.stats._gram import centre
from hlpairs_core.stats._inputs import Table

__all__ = ["Histories", "Window", "common_windows", "dull_series", "histories", "series_problems"]

# Beyond these, squares and ratios of squares overflow or vanish.
_LARGEST, _SMALLEST = 1e50, 1e-50


@dataclass(frozen=True, eq=False)
class Histories:
    """The bars of n series, one span each.

    Attributes
    ----------
    first, stop : ndarray of int, shape (n,)
        Row of the first value, and the row after the last one.
    problems : dict
        Why no statistic can be computed from a series, whatever its partner, by its column.
    """

    first: IntArray
    stop: IntArray
    problems: dict[int, str]


@dataclass(frozen=True, eq=False)
class Window:
    """Pairs (positions in the list of all pairs) whose two series have the bars ``start .. stop - 1`` in common."""

    start: int
    stop: int
    pairs: IntArray

    @property
    def n_bars(self) -> int:
        """Number of bars in common."""
        return self.stop - self.start


def histories(table: Table) -> Histories:
    """Find where each series begins and ends, and which cannot be used.

    NaN before the first and after the last value is a coin that was not listed. NaN in between is a hole: it
    would have to be guessed, so the series is not used.
    """
    values = table.values
    there = ~np.isnan(values)
    first = np.where(there.any(axis=0), there.argmax(axis=0), 0)
    stop = np.where(there.any(axis=0), len(values) - there[::-1].argmax(axis=0), 0)
    found = Histories(first, stop, {})
    for column in np.flatnonzero(there.sum(axis=0) < stop - first):
        found.problems[int(column)] = _describe_holes(table, there[:, column], first[column], stop[column])
    for column in np.flatnonzero((np.abs(values) >= _LARGEST).any(axis=0)):
        found.problems[int(column)] = f"has values of {_LARGEST:g} or more: no log prices"
    for column in np.flatnonzero(stop == 0):
        found.problems[int(column)] = f"has no value in {len(values)} bars"
    return found


def _describe_holes(table: Table, there: BoolArray, first: int, stop: int) -> str:
    missing = first + np.flatnonzero(~there[first:stop])
    return f"has {len(missing)} missing of {stop - first} values, the first at {table.times[missing[0]]}"


def dull_series(values: FloatArray, trend: Trend) -> dict[int, str]:
    """Name the columns of `values` (finite) whose distance from their mean ("c") or line ("ct") is only rounding."""
    tolerance = np.maximum(8 * np.finfo(float).eps * np.abs(values).max(axis=0), _SMALLEST)
    dull = {}
    if trend == "ct":
        away = np.ptp(centre(values, trend)[0], axis=0)
        for column in np.flatnonzero(away <= tolerance):
            dull[int(column)] = f"is a straight line over {len(values)} bars"
    for column in np.flatnonzero(np.ptp(values, axis=0) <= tolerance):
        dull[int(column)] = f"is constant over {len(values)} bars"
    return dull


def series_problems(values: FloatArray) -> list[str]:
    """Say for each column why a measure that needs every bar cannot be computed from it; "" where one can."""
    bad = (~(np.abs(values) < _LARGEST)).sum(axis=0)
    problems = [f"has {n} missing or infinite of {len(values)} values" if n else "" for n in bad.tolist()]
    sound = np.flatnonzero(bad == 0)
    for at, problem in dull_series(values[:, sound], "c").items():
        problems[sound[at]] = problem
    return problems


def common_windows(found: Histories, y: IntArray, x: IntArray) -> Iterator[Window]:
    """Group the pairs ``(y[b], x[b])`` of usable series by the bars that the two have in common."""
    usable = ~np.isin(np.arange(len(found.first)), list(found.problems))
    pairs = np.flatnonzero(usable[y] & usable[x])
    start = np.maximum(found.first[y], found.first[x])[pairs]
    stop = np.maximum(np.minimum(found.stop[y], found.stop[x])[pairs], start)
    order = np.lexsort((stop, start))
    differs = np.diff(start[order]).astype(bool) | np.diff(stop[order]).astype(bool)
    for members in np.split(order, np.flatnonzero(differs) + 1):
        if len(members):
            yield Window(int(start[members[0]]), int(stop[members[0]]), pairs[members])
