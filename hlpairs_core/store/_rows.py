"""Times and rows of segments, between pandas and Arrow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from hlpairs_core._typing import IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.store.kinds import Kind

__all__ = ["is_encodable", "merged_rows", "to_frame", "to_ms", "to_time", "to_times"]

UNITS_A_MS = {"ms": 1, "us": 1000, "ns": 1_000_000}


def is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def to_ms(value: Any, what: str, *, up: bool = False) -> int:
    """Return milliseconds since 1970 of a time with a zone, rounded down, or up."""
    try:
        time = pd.Timestamp(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what} is {value!r}, which is no time: {error}") from None
    if time is pd.NaT or time.tzinfo is None:
        raise InputError(f"{what} is {value!r}: give a time with a time zone")
    units = int(time.asm8.astype(np.int64))  # of UTC, in the time's own unit
    if time.unit == "s":
        return units * 1000
    a_ms = UNITS_A_MS[time.unit]
    return -(-units // a_ms) if up else units // a_ms


def to_times(ms: IntArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(ms.view("datetime64[ms]")).tz_localize("UTC")


def to_time(ms: int) -> pd.Timestamp:
    return to_times(np.array([ms]))[0]


def merged_rows(tables: Sequence[pa.Table], kind: Kind) -> pa.Table:
    """Return decoded rows, oldest first, as one table sorted by time and coin; of equal rows only the last."""
    table, names, codes, ms = _keyed(tables, kind)
    order = _last_of_equal(ms, codes)
    coin = pa.DictionaryArray.from_arrays(codes[order].astype(np.int32), pa.array(names, pa.string()))
    return table.combine_chunks().take(pa.array(order)).set_column(0, "coin", coin.cast(pa.string()))


def to_frame(
    tables: Sequence[pa.Table], kind: Kind, coins: Sequence[str] | None, first: int | None, last: int | None
) -> pd.DataFrame:
    """Return the wanted of decoded rows, oldest first, sorted by coin and time; of equal rows only the last."""
    table, names, codes, ms = _keyed(tables, kind)
    wanted = np.ones(len(ms), dtype=bool)
    if first is not None:
        wanted &= ms >= first
    if last is not None:
        wanted &= ms <= last
    if coins is not None:
        asked = set(coins)
        wanted &= np.array([name in asked for name in names], dtype=bool)[codes]
    places = np.flatnonzero(wanted)
    places = places[_last_of_equal(codes[places], ms[places])]
    held, codes = np.unique(codes[places], return_inverse=True)
    coin = pd.Categorical.from_codes(codes, categories=pd.Index([names[code] for code in held], dtype="str"))
    numbers = {name: table[name].to_numpy()[places] for name in kind.columns}
    return pd.DataFrame({"coin": coin, "time": to_times(ms[places]), **numbers})


def _keyed(tables: Sequence[pa.Table], kind: Kind) -> tuple[pa.Table, list[str], IntArray, IntArray]:
    """Return tables as one, the coins sorted, and for each row the place of its coin among them and its time."""
    table = pa.concat_tables([kind.decoded.empty_table(), *tables]).unify_dictionaries()
    column = table["coin"].combine_chunks()
    listed = column.dictionary.to_pylist()
    names = sorted(listed)
    place = {name: number for number, name in enumerate(names)}
    ranks = np.array([place[name] for name in listed], dtype=np.int64)
    return table, names, ranks[column.indices.to_numpy()], table["time"].cast(pa.int64()).to_numpy()


def _last_of_equal(major: IntArray, minor: IntArray) -> IntArray:
    """Return the places of rows sorted by two keys; of rows where both are equal, only the last."""
    order = np.lexsort((minor, major))
    major, minor = major[order], minor[order]
    last = np.append((np.diff(major) != 0) | (np.diff(minor) != 0), True)[: len(order)]
    kept: IntArray = order[last]
    return kept
