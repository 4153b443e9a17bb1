from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.store import FundingStore, MinuteStore
from hlpairs_core.store.segments import digest, segment_name

START = pd.Timestamp("2025-01-01T00:00Z")
COLUMNS = [
    *("coin", "time", "bid", "ask", "bid_size", "ask_size"),
    *("bid_depth_10bps_usd", "ask_depth_10bps_usd", "bid_depth_25bps_usd", "ask_depth_25bps_usd"),
    *("bid_depth_50bps_usd", "ask_depth_50bps_usd", "trades", "buy_volume", "sell_volume", "notional_usd"),
]


@pytest.fixture
def minutes() -> pd.DataFrame:
    """Three minutes of two coins; nothing is known of the second coin's book."""
    times = pd.DatetimeIndex([START + pd.Timedelta(minutes=n) for n in range(3)] * 2).as_unit("ms")
    frame = pd.DataFrame({"coin": ["BTC"] * 3 + ["dex:ETH"] * 3, "time": times})
    numbers = {name: np.arange(6) + 100.0 * place for place, name in enumerate(COLUMNS[2:])}
    frame = frame.assign(**numbers)
    frame.loc[3:, COLUMNS[2:12]] = np.nan
    return frame


def test_minutes_come_back_as_they_went_in_where_nothing_was_seen_too(tmp_path: Path, minutes: pd.DataFrame) -> None:
    store = MinuteStore(tmp_path)
    store.append(minutes, [("BTC", START, START + pd.Timedelta(minutes=2))])
    store.append(minutes.iloc[:0], [("BTC", START + pd.Timedelta(minutes=3), START + pd.Timedelta(minutes=3))])
    store.compact()
    answer = MinuteStore(tmp_path).read()
    assert list(answer.columns) == COLUMNS
    pd.testing.assert_frame_equal(answer.astype({"coin": str}), minutes.astype({"coin": str}))
    assert store.missing("BTC", START, START + pd.Timedelta(minutes=4)) == [(START + pd.Timedelta(minutes=4),) * 2]


@pytest.mark.parametrize("column", ["trades", "buy_volume", "sell_volume", "notional_usd"])
def test_the_sums_of_trades_are_always_known(tmp_path: Path, minutes: pd.DataFrame, column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' of minutes is NaN in 6 rows"):
        MinuteStore(tmp_path).append(minutes.assign(**{column: np.nan}), [])


def test_a_quote_may_be_unknown_but_not_infinite(tmp_path: Path, minutes: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="column 'bid' of minutes is infinite"):
        MinuteStore(tmp_path).append(minutes.assign(bid=-np.inf), [])


def old_funding(folder: Path, columns: dict[str, list[float]], version: int) -> Path:
    """Write a segment as hlpairs did before it kept the premium."""
    schema = pa.schema([("coin", pa.string()), ("time", pa.timestamp("ms", tz="UTC"))])
    schema = pa.schema([*schema, *(pa.field(name, pa.float64()) for name in columns)])
    meta = b'{"version": %d, "kind": "funding", "spans": [{"coin": "BTC", "start_ms": 0, "end_ms": 3600000}]}' % version
    stated = {b"hlpairs": meta} | ({b"hlpairs.digest": digest(meta).encode()} if version > 1 else {})
    table = pa.table({"coin": ["BTC", "BTC"], "time": [17, 3_600_068], **columns}, schema=schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(stated), sink)
    data = bytes(sink.getvalue())
    (folder / "funding").mkdir()
    path = folder / "funding" / segment_name(1, data)
    path.write_bytes(data)
    return path


def test_funding_stored_before_the_premium_was_kept_is_read_with_nan_and_merges_with_new_rows(tmp_path: Path) -> None:
    old_funding(tmp_path, {"funding_rate": [1e-5, 2e-5]}, version=1)
    store = FundingStore(tmp_path)
    new = store.read().assign(coin="ETH", premium=3e-4)
    store.append(new, [])
    store.compact()
    answer = FundingStore(tmp_path).read()
    assert list(answer["funding_rate"]) == [1e-5, 2e-5] * 2
    np.testing.assert_array_equal(answer["premium"], [np.nan, np.nan, 3e-4, 3e-4])
    assert store.missing("BTC", pd.Timestamp(0, tz="UTC"), pd.Timestamp("1970-01-01T01:00Z")) == []
    assert store.problems == ()


@pytest.mark.parametrize(
    ("columns", "version"),
    [
        ({"premium": [0.0, 0.0]}, 1),
        ({"funding_rate": [0.0, 0.0]}, 2),
        ({"funding_rate": [0.0, 0.0], "x": [0.0, 0.0]}, 1),
    ],
    ids=["no rate", "no premium in a new file", "a strange column"],
)
def test_any_other_lack_or_surplus_is_damage(tmp_path: Path, columns: dict[str, list[float]], version: int) -> None:
    path = old_funding(tmp_path, columns, version)
    store = FundingStore(tmp_path)
    assert "has other columns than funding" in str(store.problems[0])
    assert store.problems[0].path.name == path.name + ".corrupt"
