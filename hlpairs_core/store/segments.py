"""One immutable Parquet file of a store: how it is written, read and checked."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hlpairs_core.exceptions import InputError
from hlpairs_core.store.spans import Span

__all__ = ["BrokenSegment", "Kind", "Segment", "decode", "encode", "segment_name", "sequence_of", "to_table"]

META = b"hlpairs"
VERSION = 1
NAME = re.compile(r"(\d{8,})-[0-9a-f]{16}\.parquet")
# Small enough that one coin or one day of a large segment is read without the rest.
ROWS_A_GROUP = 65_536


class BrokenSegment(Exception):
    """A segment cannot be trusted; the message says why."""


@dataclass(frozen=True)
class Kind:
    """What the segments of one store hold.

    Attributes
    ----------
    name : str
        Such as ``candles-1h``; part of each segment, so that one in the wrong folder is noticed.
    columns : tuple of str
        The number columns, beside ``coin`` and ``time``.
    """

    name: str
    columns: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of a segment."""
        numbers = [(name, pa.float64()) for name in self.columns]
        return pa.schema([("coin", pa.string()), ("time", pa.timestamp("ms", tz="UTC")), *numbers])


@dataclass(frozen=True)
class Segment:
    """What is known of a segment without reading it again.

    Attributes
    ----------
    name : str
        File name; later segments sort behind earlier ones.
    spans : mapping of str to sequence of (int, int)
        By coin, the ranges that were asked and answered: first and last millisecond, both included.
    first_ms, last_ms : int or None
        Earliest and latest time of its rows; None without rows.
    """

    name: str
    spans: Mapping[str, Sequence[Span]]
    first_ms: int | None
    last_ms: int | None

    def reaches(self, first: int | None, last: int | None) -> bool:
        """Return whether it has rows from `first` to `last` (both included; None is no limit)."""
        if self.first_ms is None or self.last_ms is None:
            return False
        return (last is None or self.first_ms <= last) and (first is None or self.last_ms >= first)


def segment_name(sequence: int, data: bytes) -> str:
    """Return the file name of a segment: its place in the order, and a digest of its bytes.

    The digest shows damage anywhere in the file, and keeps two writers from overwriting each other.
    """
    return f"{sequence:08d}-{hashlib.blake2b(data, digest_size=8).hexdigest()}.parquet"


def sequence_of(name: str) -> int | None:
    """Return the sequence number of a segment's file name; None for any other file."""
    match = NAME.fullmatch(name)
    return int(match[1]) if match else None


def to_table(frame: pd.DataFrame, kind: Kind) -> pa.Table:
    """Check a long frame and return it as a table, sorted by time and coin.

    Raises
    ------
    InputError
        If a column is missing, has a wrong type, a time has no zone or is finer than a millisecond, or a coin
        or time is missing.
    """
    schema = kind.schema
    if not len(frame):
        return schema.empty_table()
    missing = [name for name in schema.names if name not in frame.columns]
    if missing:
        raise InputError(f"the rows lack the columns {', '.join(missing)}: give {', '.join(schema.names)}")
    if not isinstance(frame["time"].dtype, pd.DatetimeTZDtype):
        raise InputError(f"the column 'time' is {frame['time'].dtype}: give times with a time zone")
    # Arrow would take text such as "12.5" for a number.
    texts = [name for name in kind.columns if not pd.api.types.is_any_real_numeric_dtype(frame[name].dtype)]
    if texts:
        raise InputError(f"the columns {', '.join(texts)} do not hold numbers: convert them with .astype(float)")
    rows = frame.loc[:, schema.names].assign(coin=frame["coin"].astype(object))
    try:
        table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the rows do not fit {kind.name}: {error}") from error
    if table["coin"].null_count or table["time"].null_count:
        raise InputError("a row has no coin or no time: leave such rows out")
    return table.sort_by([("time", "ascending"), ("coin", "ascending")])


def encode(table: pa.Table, spans: Mapping[str, Sequence[Span]], kind: Kind) -> bytes:
    """Return the bytes of a segment."""
    listed = [
        {"coin": coin, "start_ms": start, "end_ms": end} for coin, ranges in spans.items() for start, end in ranges
    ]
    meta = json.dumps({"version": VERSION, "kind": kind.name, "spans": listed})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({META: meta.encode()}),
        sink,
        compression="zstd",
        row_group_size=ROWS_A_GROUP,
    )
    return bytes(sink.getvalue())


def decode(data: bytes, name: str, kind: Kind) -> tuple[pa.Table, Segment]:
    """Return rows and description of a segment.

    Raises
    ------
    BrokenSegment
        If the bytes are damaged, cut short, or hold something else.
    """
    if name != segment_name(sequence_of(name) or 0, data):
        raise BrokenSegment("is not what was written: its bytes do not match the digest in its name")
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise BrokenSegment(f"cannot be read as Parquet: {_first_line(error)}") from error
    metadata = table.schema.metadata or {}
    if META not in metadata:
        raise BrokenSegment("was not written by hlpairs")
    spans = _spans(metadata[META], kind)
    table = table.replace_schema_metadata(None)
    if table.schema != kind.schema:
        raise BrokenSegment(f"has other columns than {kind.name}: {', '.join(table.schema.names)}")
    return table, describe(table, name, spans)


def describe(table: pa.Table, name: str, spans: Mapping[str, Sequence[Span]]) -> Segment:
    """Return the description of a table that is (or will be) a segment."""
    if not table.num_rows:
        return Segment(name, spans, None, None)
    ends = pc.min_max(table["time"].cast(pa.int64()))
    return Segment(name, spans, ends["min"].as_py(), ends["max"].as_py())


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _spans(meta: bytes, kind: Kind) -> dict[str, list[Span]]:
    try:
        content: Any = json.loads(meta)
        if content["version"] != VERSION or content["kind"] != kind.name:
            raise BrokenSegment(f"holds {content['kind']!r} of version {content['version']}, not {kind.name}")
        spans: dict[str, list[Span]] = {}
        for one in content["spans"]:
            spans.setdefault(str(one["coin"]), []).append((int(one["start_ms"]), int(one["end_ms"])))
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenSegment(f"has an unreadable description: {_first_line(error)}") from error
    return spans
