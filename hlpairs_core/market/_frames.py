"""Reads the long frames that come from outside (one row a coin and time) into plain arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.exceptions import InputError

__all__ = ["NO_TIME", "LongFrame", "as_utc", "read_long", "to_ms", "to_times"]

NO_TIME = np.iinfo(np.int64).min  # how numpy stores NaT


@dataclass(frozen=True, eq=False)
class LongFrame:
    """Rows of a checked long frame, in their given order.

    Attributes
    ----------
    names : tuple of str
        The coins, in the order of the codes.
    coin : ndarray of int, shape (n_rows,)
        Index into `names`.
    time_ms : ndarray of int, shape (n_rows,)
        Milliseconds since 1970 (UTC); `NO_TIME` where the time is missing.
    whole_ms : ndarray of bool, shape (n_rows,)
        False where the time has a part below a millisecond.
    values : dict of str to ndarray, shape (n_rows,)
        The number columns.
    """

    names: tuple[str, ...]
    coin: IntArray
    time_ms: IntArray
    whole_ms: BoolArray
    values: dict[str, FloatArray]

    def __len__(self) -> int:
        return len(self.coin)


def as_utc(value: Any, name: str) -> pd.Timestamp:
    """Return an instant as UTC timestamp.

    Raises
    ------
    InputError
        If it is no time, or has no time zone.
    """
    try:
        time = pd.Timestamp(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is {value!r}, which is no time: {error}") from None
    if time is pd.NaT:
        raise InputError(f"{name} is missing: give a time with a time zone")
    if time.tzinfo is None:
        raise InputError(f"{name} is {value!r} without a time zone: say which, for example '2025-01-01T00:00Z'")
    return time.tz_convert("UTC")


def to_ms(time: pd.Timestamp) -> int:
    """Return milliseconds since 1970 of a UTC timestamp, rounded down."""
    return int(time.floor("ms").as_unit("ms").asm8.astype("datetime64[ms]").astype(np.int64))


def to_times(ms: IntArray) -> pd.DatetimeIndex:
    """Return milliseconds since 1970 as ``datetime64[ms, UTC]``; `NO_TIME` becomes NaT."""
    return pd.DatetimeIndex(np.asarray(ms, dtype=np.int64).view("datetime64[ms]")).tz_localize("UTC")


def read_long(frame: Any, columns: Sequence[str], what: str, *, coins: Sequence[str] | None = None) -> LongFrame:
    """Check a long frame's shape and types and return its rows as arrays.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``coin`` (text or categorical), ``time`` (with a time zone) and `columns` (numbers). Not changed.
    columns : sequence of str
        The number columns.
    what : str
        What the frame is called in messages.
    coins : sequence of str, optional
        Only these, in this order; all in alphabetical order when None.

    Raises
    ------
    InputError
        If it is no frame, is empty, lacks a column, or a column has a type that cannot be worked with.
    """
    _check_columns(frame, ("coin", "time", *columns), what)
    times, whole = _times(frame["time"], what)
    names, codes = _coins(frame["coin"], what, coins)
    values = {name: _numbers(frame[name], what) for name in columns}
    if (codes < 0).any():
        wanted = codes >= 0
        codes, times, whole = codes[wanted], times[wanted], whole[wanted]
        values = {name: column[wanted] for name, column in values.items()}
    return LongFrame(names, codes, times, whole, values)


def _check_columns(frame: Any, columns: Sequence[str], what: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{what} must be a DataFrame, not {type(frame).__name__}")
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InputError(f"{what} lack the columns {', '.join(missing)}: give {', '.join(columns)}")
    if not frame.columns.is_unique:
        raise InputError(f"{what} have columns of the same name: {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise InputError(f"{what} have no rows: give at least one")


def _times(column: pd.Series, what: str) -> tuple[IntArray, BoolArray]:
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        advice = "localize it (Series.dt.tz_localize) to say which zone it means"
        if not pd.api.types.is_datetime64_dtype(column.dtype):
            advice = "convert it with pandas.to_datetime(..., utc=True)"
        raise InputError(f"the column 'time' of {what} is {column.dtype}, not a time with a zone: {advice}")
    index = pd.DatetimeIndex(column).tz_convert("UTC")
    coarse = index.as_unit("ms")
    whole = np.ones(len(index), dtype=bool) if index.unit == "ms" else np.asarray(coarse == index)
    return coarse.asi8, whole


def _coins(column: pd.Series, what: str, coins: Sequence[str] | None) -> tuple[tuple[str, ...], IntArray]:
    """Return the coins and, row by row, the index of the row's coin; -1 for one that was not asked for."""
    codes, found = pd.factorize(column)
    present = [str(name) for name in found]
    if (codes < 0).any() or not all(isinstance(name, str) and _is_unicode(name) for name in found):
        raise InputError(f"the column 'coin' of {what} must hold a name in each row, as text")
    names = tuple(sorted(present) if coins is None else coins)
    if isinstance(coins, str) or not names or len(set(names)) < len(names):
        raise InputError(f"coins is {coins!r}: give a sequence of different names")
    place = {name: index for index, name in enumerate(names)}
    translate = np.array([place.get(name, -1) for name in present], dtype=np.int64)
    return names, translate[codes]


def _is_unicode(text: str) -> bool:
    """Return whether a text can be written at all: JSON may smuggle in halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _numbers(column: pd.Series, what: str) -> FloatArray:
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_any_real_numeric_dtype(kind):
        raise InputError(f"the column {column.name!r} of {what} is {kind}, not numbers: convert it with .astype(float)")
    numbers: FloatArray = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers
