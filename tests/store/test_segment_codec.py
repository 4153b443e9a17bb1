import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import StoreError
from hlpairs_core.store import CandleStore
from hlpairs_core.store.codec import META, META_DIGEST, ROWS_A_GROUP, decode, describe, encode, footer_bytes
from hlpairs_core.store.kinds import Kind, to_table
from hlpairs_core.store.segments import BrokenSegment, Group, digest, segment_name

KIND = Kind("prices", ("close",))
START = pd.Timestamp("2025-01-01T00:00Z")
START_MS = 1_735_689_600_000
HOUR_MS = 3_600_000


def table(coins: list[str], bars: int) -> pa.Table:
    times = pd.date_range(START, periods=bars, freq="h").as_unit("ms")
    frame = pd.DataFrame({"coin": np.repeat(coins, bars), "time": np.tile(times, len(coins))})
    return to_table(frame.assign(close=np.arange(len(frame), dtype=float)), KIND)


WHOLE = encode(table(["BTC", "../ETH"], 3), {"BTC": [(0, 5), (9, 9)], "../ETH": [(0, 5)]}, KIND)
NAME = segment_name(7, WHOLE)


def test_the_footer_alone_says_what_a_segment_holds() -> None:
    end = WHOLE[-footer_bytes(WHOLE[-8:]) :]
    assert len(end) < len(WHOLE)
    segment = describe(end, NAME, KIND)
    assert segment.spans == {"BTC": [(0, 5), (9, 9)], "../ETH": [(0, 5)]}
    assert segment.coins == {"BTC", "../ETH"}
    assert segment.groups == (Group(6, START_MS, START_MS + 2 * HOUR_MS),)
    assert (segment.sequence, segment.rows) == (7, 6)


def test_rows_come_in_groups_of_time_and_each_can_be_decoded_alone() -> None:
    coins = [f"C{number}" for number in range(100)]
    rows = table(coins, 400)
    data = encode(rows, {}, KIND)
    segment = describe(data, segment_name(1, data), KIND)
    assert [group.rows for group in segment.groups] == [ROWS_A_GROUP, ROWS_A_GROUP, 40_000 - 2 * ROWS_A_GROUP]
    assert segment.wanted(None, START_MS + 399 * HOUR_MS, None) == [2]
    assert segment.wanted(["C5"], None, START_MS) == [0]
    assert segment.wanted(["C100"], None, None) == []
    (last,) = decode(data, segment.name, KIND, [2])
    assert last.cast(KIND.schema) == rows.slice(2 * ROWS_A_GROUP)


def test_a_segment_without_rows_can_still_be_an_answer() -> None:
    data = encode(KIND.schema.empty_table(), {"BTC": [(0, 5)]}, KIND)
    segment = describe(data, segment_name(1, data), KIND)
    assert (segment.rows, segment.groups, segment.coins, segment.spans) == (0, (), frozenset(), {"BTC": [(0, 5)]})
    assert decode(data, segment.name, KIND, []) == []


def test_a_thousand_coins_answered_alike_take_little_room() -> None:
    spans = {f"C{number}": [(0, 10)] for number in range(1000)}
    assert len(encode(KIND.schema.empty_table(), spans, KIND)) < 15_000


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_damage_anywhere_is_noticed_when_rows_are_read_and_never_tells_other_ranges(place: int, change: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= change
    with pytest.raises(BrokenSegment, match="do not match the digest"):
        decode(bytes(data), NAME, KIND, [0])
    try:
        told = describe(bytes(data), NAME, KIND)
    except BrokenSegment:
        return
    assert told == describe(WHOLE, NAME, KIND)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_short_is_no_segment(length: int) -> None:
    with pytest.raises(BrokenSegment):
        describe(WHOLE[:length], NAME, KIND)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_anything_else_is_no_segment(data: bytes) -> None:
    with pytest.raises(BrokenSegment):
        describe(data + b"PAR1", NAME, KIND)


def test_a_segment_of_a_newer_version_is_refused_and_left_where_it_is(tmp_path: Path) -> None:
    rows = pq.read_table(pa.BufferReader(WHOLE))
    meta = json.dumps({**json.loads(rows.schema.metadata[META]), "version": 3, "kind": "candles-1h"}).encode()
    sink = pa.BufferOutputStream()
    pq.write_table(rows.replace_schema_metadata({META: meta, META_DIGEST: digest(meta).encode()}), sink)
    data = bytes(sink.getvalue())
    path = tmp_path / "candles-1h" / segment_name(1, data)
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(StoreError, match=f"{path.name} has version 3, this hlpairs knows 2: update hlpairs"):
        CandleStore(tmp_path, "1h")
    assert path.read_bytes() == data
