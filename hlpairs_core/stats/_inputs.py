from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray, LagRule
from hlpairs_core.exceptions import InputError

__all__ = ["LagPlan", "Table", "lag_plan", "pair_positions", "read_table", "series_problems"]

# Beyond these, squares and ratios of squares overflow or vanish.
_LARGEST, _SMALLEST = 1e50, 1e-50


@dataclass(frozen=True, eq=False)
class Table:
    """Values, shape (T, n), and the label of each column."""

    values: FloatArray
    labels: Sequence[Hashable]


def read_table(data: pd.DataFrame | ArrayLike, name: str) -> Table:
    """Read a table with one column per series; an array's columns are labelled 0, 1, 2, ...

    Raises
    ------
    InputError
        If it is not two-dimensional, empty, not numeric, or two columns have the same label.
    """
    try:
        values = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers: {error}") from error
    if values.ndim != 2:
        raise InputError(f"{name} must have two dimensions (bars, series), got shape {values.shape}")
    if not values.size:
        raise InputError(f"{name} is empty: its shape is {values.shape}")
    if not isinstance(data, pd.DataFrame):
        return Table(values, range(values.shape[1]))
    if not data.columns.is_unique:
        twice = data.columns[data.columns.duplicated()][0]
        raise InputError(f"{name} has more than one column {twice!r}: give every series its own label")
    return Table(values, list(data.columns))


def pair_positions(
    labels: Sequence[Hashable], pairs: Iterable[tuple[Hashable, Hashable]] | None
) -> tuple[IntArray, IntArray]:
    """Return the column positions of both legs; None means every unordered pair once, in column order.

    Raises
    ------
    InputError
        If a pair is not two labels, has an unknown label, or the same label twice.
    """
    if pairs is None:
        first, second = np.triu_indices(len(labels), 1)
        return first.astype(np.int64), second.astype(np.int64)
    at = {label: position for position, label in enumerate(labels)}
    positions = [_position(at, pair) for pair in pairs]
    table = np.array(positions, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _position(at: dict[Hashable, int], pair: tuple[Hashable, Hashable]) -> tuple[int, int]:
    try:
        y, x = pair
        found = at[y], at[x]
    except KeyError as error:
        raise InputError(f"pair {pair!r} names {error.args[0]!r}, which is not a column") from None
    except (TypeError, ValueError):
        raise InputError(f"a pair must be two column labels (y, x), got {pair!r}") from None
    if found[0] == found[1]:
        raise InputError(f"pair {pair!r} pairs a series with itself")
    return found


def series_problems(values: FloatArray) -> list[str]:
    """Say for each column why no statistic can be computed from it; "" where one can.

    A column is constant if it moves by no more than the rounding of its values.
    """
    usable = np.abs(values) < _LARGEST
    bad = (~usable).sum(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(values).max(axis=0)
        still = np.ptp(values, axis=0) <= np.maximum(8 * np.finfo(float).eps * size, _SMALLEST)
    problems = [""] * values.shape[1]
    for column in np.flatnonzero(still):
        problems[column] = "is constant"
    for column in np.flatnonzero(bad):
        problems[column] = f"has {bad[column]} missing or infinite of {len(values)} values"
    return problems


@dataclass(frozen=True)
class LagPlan:
    """Either a search up to `max_lag` by `search`, or exactly `max_lag` lags (`search` is None)."""

    max_lag: int
    search: Literal["aic", "bic"] | None


def lag_plan(n_bars: int, lag_rule: LagRule, max_lag: int | None) -> LagPlan:
    """Work out how the number of lags is chosen, as statsmodels does it.

    Raises
    ------
    InputError
        If the rule is unknown or the window too short for it.
    """
    if isinstance(lag_rule, str):
        if lag_rule not in ("aic", "bic"):
            raise InputError(f"lag_rule must be 'aic', 'bic' or a number of lags, got {lag_rule!r}")
        lags = _schwert(n_bars) if max_lag is None else _count(max_lag, "max_lag")
        plan = LagPlan(lags, lag_rule)
    elif max_lag is not None:
        raise InputError(f"max_lag={max_lag!r} bounds a search, but lag_rule={lag_rule!r} fixes the lags: drop one")
    else:
        plan = LagPlan(_count(lag_rule, "lag_rule"), None)
    _refuse_short(n_bars, plan.max_lag)
    return plan


def _schwert(n_bars: int) -> int:
    rule = int(np.ceil(12.0 * (n_bars / 100.0) ** 0.25))
    return max(min(n_bars // 2 - 1, rule), 0)


def _count(value: object, name: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} must be a whole number of lags, got {value!r}") from None
    if count < 0:
        raise InputError(f"{name} must not be negative, got {count}")
    return count


def _refuse_short(n_bars: int, lags: int) -> None:
    """Refuse a window whose longest regression has no more observations than coefficients."""
    if n_bars - 1 - lags <= lags + 1:
        raise InputError(
            f"{n_bars} bars are too short for an ADF regression with {lags} lags: "
            f"give at least {2 * lags + 3} bars or allow fewer lags"
        )
