"""Bytes of a segment: Parquet, with a description of itself in the footer."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hlpairs_core.exceptions import StoreError
from hlpairs_core.store.kinds import Kind
from hlpairs_core.store.segments import BrokenSegment, Group, Segment, Spans, check_name, digest
from hlpairs_core.store.spans import Span

__all__ = ["decode", "describe", "encode", "footer_bytes", "groups_of"]

META = b"hlpairs"
META_DIGEST = b"hlpairs.digest"
# 1: no digest of the description, no coins and groups in it, and no columns that may be empty.
VERSION = 2
# Some 86 bars of 190 coins: little is decoded in vain for one window, and compression loses nothing.
ROWS_A_GROUP = 16_384
ENDING = 8  # a Parquet file ends with the length of its footer and four letters


def encode(table: pa.Table, spans: Spans, kind: Kind) -> bytes:
    """Return the bytes of a segment with the rows of a table, which is sorted by time."""
    meta = _stated(table, spans, kind)
    sink = pa.BufferOutputStream()
    # Prices hardly repeat: a dictionary of them makes a file a third larger and twice as slow to write.
    form = {"compression": "zstd", "use_dictionary": ["coin", "time"], "store_schema": False}
    with pq.ParquetWriter(sink, kind.schema, **form) as writer:
        if table.num_rows:
            writer.write_table(table, row_group_size=ROWS_A_GROUP)
        writer.add_key_value_metadata({META: meta, META_DIGEST: digest(meta)})
    return bytes(sink.getvalue())


def groups_of(table: pa.Table) -> tuple[Group, ...]:
    """Return the groups that a table has as a segment."""
    return tuple(_group(table.slice(start, ROWS_A_GROUP)) for start in range(0, table.num_rows, ROWS_A_GROUP))


def footer_bytes(end: bytes) -> int:
    """Return how many bytes at the end of a file `describe` needs, by the last few of them."""
    return int.from_bytes(end[-ENDING:-4], "little") + ENDING


def describe(end: bytes, name: str, kind: Kind) -> Segment:
    """Return the description of a segment, from its footer; damage to its rows is noticed by `decode`.

    Raises
    ------
    BrokenSegment
        If the footer is damaged or cut short, or of something else.
    StoreError
        If a newer hlpairs wrote it.
    """
    with _as_broken("cannot be read as Parquet"):
        footer = pq.read_metadata(pa.BufferReader(end))
        names, meta = footer.schema.to_arrow_schema().names, footer.metadata or {}
    if META not in meta:
        raise BrokenSegment("was not written by hlpairs")
    if META_DIGEST in meta and meta[META_DIGEST] != digest(meta[META]).encode():
        raise BrokenSegment("has a description that does not match its digest")
    with _as_broken("has an unreadable description"):
        content: Any = json.loads(meta[META])
        version, of = int(content["version"]), content["kind"]
        if version > VERSION:
            raise StoreError(f"{name} has version {version}, this hlpairs knows {VERSION}: update hlpairs")
        if of != kind.name:
            raise BrokenSegment(f"holds {of!r}, not {kind.name}")
        old = version == 1
        if not old and META_DIGEST not in meta:
            raise BrokenSegment("has a description without a digest")
        if not {*kind.schema.names} - {*(kind.nullable if old else ())} <= {*names} <= {*kind.schema.names}:
            raise BrokenSegment(f"has other columns than {kind.name}: {', '.join(names)}")
        groups = _statistics(footer) if old else tuple(Group(*map(int, one)) for one in content["groups"])
        coins = None if old else frozenset(map(str, content["coins"]))
        return Segment(name, _spans(content["spans"], old), groups, coins)


def decode(data: bytes, name: str, kind: Kind, groups: Sequence[int]) -> list[pa.Table]:
    """Return the rows of some groups of a segment, a table each; coins as a dictionary.

    Raises
    ------
    BrokenSegment
        If the bytes are damaged, or not those that were described.
    """
    check_name(name, data)
    with _as_broken("cannot be read as Parquet"):
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=["coin"])
        return [_completed(file.read_row_group(place), kind) for place in groups]


def _stated(table: pa.Table, spans: Spans, kind: Kind) -> bytes:
    answered: dict[Span, list[str]] = {}
    for coin, ranges in spans.items():
        for one in ranges:
            answered.setdefault(one, []).append(coin)
    content = {
        "version": VERSION,
        "kind": kind.name,
        "coins": pc.unique(table["coin"]).to_pylist(),
        "groups": [(group.rows, group.first_ms, group.last_ms) for group in groups_of(table)],
        "spans": [(*span, coins) for span, coins in answered.items()],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _group(rows: pa.Table) -> Group:
    ends = pc.min_max(rows["time"].cast(pa.int64()))
    return Group(rows.num_rows, ends["min"].as_py(), ends["max"].as_py())


def _statistics(footer: pq.FileMetaData) -> tuple[Group, ...]:
    place = footer.schema.names.index("time")
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    ends = [(group.num_rows, group.column(place).statistics) for group in groups]
    return tuple(Group(rows, _ms(found.min), _ms(found.max)) if rows else Group(0, 0, 0) for rows, found in ends)


def _ms(time: Any) -> int:
    return int(pa.scalar(time, pa.timestamp("ms", tz="UTC")).value)


def _spans(listed: Any, old: bool) -> dict[str, list[Span]]:
    if old:
        listed = [(one["start_ms"], one["end_ms"], [one["coin"]]) for one in listed]
    spans: dict[str, list[Span]] = {}
    for start, end, coins in listed:
        for coin in coins:
            spans.setdefault(str(coin), []).append((int(start), int(end)))
    return spans


def _completed(table: pa.Table, kind: Kind) -> pa.Table:
    """Put the columns in order; one that came after an old file is empty."""
    empty = pa.nulls(table.num_rows, pa.float64())
    columns = [table[name] if name in table.schema.names else empty for name in kind.schema.names]
    return pa.table(columns, schema=kind.decoded)


@contextmanager
def _as_broken(what: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise BrokenSegment(f"{what}: {text}") from error
