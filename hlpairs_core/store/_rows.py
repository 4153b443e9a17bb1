"""Times and rows of segments, between pandas and Arrow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlpairs_core._typing import IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.store.segments import Kind

__all__ = ["deduplicated", "is_encodable", "selected", "to_ms", "to_time", "to_times"]


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
    whole = time.ceil("ms") if up else time.floor("ms")
    return int(whole.tz_convert("UTC").tz_localize(None).as_unit("ms").asm8.astype(np.int64))


def to_times(ms: IntArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(ms.view("datetime64[ms]")).tz_localize("UTC")


def to_time(ms: int) -> pd.Timestamp:
    return to_times(np.array([ms]))[0]


def selected(table: pa.Table, coins: Sequence[str] | None, first: int | None, last: int | None) -> pa.Table:
    times = table["time"].cast(pa.int64())
    if first is not None:
        table = table.filter(pc.greater_equal(times, first))
        times = table["time"].cast(pa.int64())
    if last is not None:
        table = table.filter(pc.less_equal(times, last))
    if coins is not None:
        table = table.filter(pc.is_in(table["coin"], value_set=pa.array(list(coins), pa.string())))
    return table


def deduplicated(table: pa.Table, kind: Kind) -> pd.DataFrame:
    """Return rows sorted by coin and time; where both are the same, only the last."""
    column = table["coin"].combine_chunks().dictionary_encode()
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    names, codes = np.array(column.dictionary.to_pylist(), dtype=object), column.indices.to_numpy()
    rank = np.argsort(np.argsort(names)) if len(names) else names.astype(np.int64)
    codes, ms = rank[codes], table["time"].cast(pa.int64()).to_numpy()
    order = np.lexsort((ms, codes))
    codes, ms = codes[order], ms[order]
    last = np.append((np.diff(codes) != 0) | (np.diff(ms) != 0), True)[: len(order)]
    order, codes, ms = order[last], codes[last], ms[last]
    coin = pd.Categorical.from_codes(codes, categories=pd.Index(sorted(names), dtype="str"))
    numbers = {name: table[name].to_numpy()[order] for name in kind.columns}
    return pd.DataFrame({"coin": coin, "time": to_times(ms), **numbers})
