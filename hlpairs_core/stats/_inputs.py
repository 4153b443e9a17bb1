from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray, LagRule, Trend
from hlpairs_core.exceptions import InputError

__all__ = ["LagPlan", "Table", "lag_plan", "pair_positions", "read_log_prices", "read_table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Values, shape (T, n), the label of each column and the time (or number) of each row."""

    values: FloatArray
    labels: Sequence[Hashable]
    times: Sequence[Hashable]


def read_log_prices(data: pd.DataFrame | ArrayLike) -> Table:
    """Read a table of log prices; NaN where a coin has none.

    Raises
    ------
    InputError
        As `read_table`, and if its rows are not in order of time or a value is infinite.
    """
    table = read_table(data, "log_prices")
    if isinstance(data, pd.DataFrame):
        _refuse_disorder(data.index)
    infinite = np.isinf(table.values)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise InputError(
            f"log_prices has {table.values[row, column]} in column {table.labels[column]!r} at {table.times[row]}: "
            "the logarithm of no price; give NaN where there is none"
        )
    return table


def _refuse_disorder(times: pd.Index) -> None:
    if not isinstance(times, pd.DatetimeIndex) and not pd.api.types.is_numeric_dtype(times):
        return
    if times.has_duplicates:
        raise InputError(f"log_prices has more than one row {times[times.duplicated()][0]}: keep one bar a time")
    if not times.is_monotonic_increasing:
        early = int(np.flatnonzero(~(times[1:] > times[:-1]))[0])
        raise InputError(f"log_prices is not in order of time: {times[early + 1]} comes after {times[early]}; sort it")


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
        return Table(values, range(values.shape[1]), range(len(values)))
    if not data.columns.is_unique:
        twice = data.columns[data.columns.duplicated()][0]
        raise InputError(f"{name} has more than one column {twice!r}: give every series its own label")
    return Table(values, list(data.columns), data.index)


def pair_positions(
    labels: Sequence[Hashable], pairs: Iterable[tuple[Hashable, Hashable]] | None, *, ordered: bool = False
) -> tuple[IntArray, IntArray]:
    """Return the column positions of both legs; None means every unordered pair once, in column order.

    With `ordered` each pair is followed by itself the other way round.

    Raises
    ------
    InputError
        If a pair is not two labels, has an unknown label, or the same label twice.
    """
    if pairs is None:
        table = np.column_stack(np.triu_indices(len(labels), 1)).astype(np.int64)
    else:
        at = {label: position for position, label in enumerate(labels)}
        table = np.array([_position(at, pair) for pair in pairs], dtype=np.int64).reshape(-1, 2)
    if ordered:
        table = np.hstack([table, table[:, ::-1]]).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


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


@dataclass(frozen=True)
class LagPlan:
    """Either a search up to `max_lag` by `search`, or exactly `max_lag` lags (`search` is None)."""

    max_lag: int
    search: Literal["aic", "bic"] | None


def lag_plan(n_bars: int, lag_rule: LagRule, max_lag: int | None, trend: Trend = "c") -> LagPlan:
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
    _refuse_short(n_bars, plan.max_lag, trend)
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


def _refuse_short(n_bars: int, lags: int, trend: Trend) -> None:
    """Refuse a window whose longest regression has no more observations than coefficients."""
    least = max(2 * lags + 3, 4 if trend == "ct" else 3)
    if n_bars < least:
        raise InputError(
            f"{n_bars} bars are too short for an ADF regression with {lags} lags: "
            f"give at least {least} bars or allow fewer lags"
        )
