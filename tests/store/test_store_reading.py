"""What is read and decoded for an answer, and what is kept of it in memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hlpairs_core.store import CandleStore
from hlpairs_core.store.cache import Cache
from hlpairs_core.store.files import DiskFiles

Hour = Callable[[int], pd.Timestamp]
Candles = Callable[..., pd.DataFrame]
COINS = [f"C{number}" for number in range(50)]


class Counting(DiskFiles):
    """Notes which files are read whole."""

    def __init__(self) -> None:
        self.read_whole: list[str] = []

    def read(self, path: Path) -> bytes:
        self.read_whole.append(path.name)
        return super().read(path)


@pytest.fixture
def counting() -> Counting:
    return Counting()


def universe(hours: range) -> pd.DataFrame:
    times = pd.DatetimeIndex([pd.Timestamp("2025-01-01T00:00Z") + pd.Timedelta(hours=n) for n in hours]).as_unit("ms")
    frame = pd.DataFrame({"coin": np.repeat(COINS, len(times)), "time": np.tile(times, len(COINS))})
    return frame.assign(**{name: np.arange(len(frame)) + 0.5 for name in ("open", "high", "low", "close", "volume")})


def test_opening_reads_no_rows_of_large_files(tmp_path: Path, counting: Counting, hour: Hour) -> None:
    CandleStore(tmp_path, "1h").append(universe(range(1000)), [(coin, hour(0), hour(999)) for coin in COINS])
    store = CandleStore(tmp_path, "1h", files=counting)
    assert store.missing("C7", hour(0), hour(1001)) == [(hour(1000), hour(1001))]
    assert counting.read_whole == []


def test_only_files_with_the_wanted_coins_and_times_are_read_and_only_once(
    tmp_path: Path, counting: Counting, candles: Candles, hour: Hour
) -> None:
    writer = CandleStore(tmp_path, "1h")
    writer.append(candles("BTC", range(10)), [])
    writer.append(candles("ETH", range(10)), [])
    writer.append(candles("BTC", range(10, 20)), [])
    names = sorted(path.name for path in writer.folder.iterdir())
    store = CandleStore(tmp_path, "1h", files=counting)
    for _ in range(3):
        assert len(store.read(["BTC"], hour(12))) == 8
    assert counting.read_whole == [names[2]]
    for _ in range(3):
        assert len(store.read(["BTC"])) == 20
    assert counting.read_whole == [names[2], names[0]]


def test_the_last_bars_of_a_long_history_are_decoded_without_the_rest(tmp_path: Path, hour: Hour) -> None:
    store = CandleStore(tmp_path, "1h")
    store.append(universe(range(2000)), [])
    (segment,) = store._disk.segments
    groups = segment.wanted(None, int(hour(1990).timestamp() * 1000), None)
    assert (len(segment.groups), len(groups)) == (7, 1)
    answer = store.read(start=hour(1990))
    expected = universe(range(2000)).query("time >= @start", local_dict={"start": hour(1990)})
    expected = expected.sort_values(["coin", "time"], ignore_index=True)
    pd.testing.assert_frame_equal(answer.astype({"coin": str}), expected.astype({"coin": str}))


def rows(number: int) -> pa.Table:
    return pa.table({"x": pa.array(np.full(1000, number))})


def test_what_is_unused_for_longest_is_let_go_when_memory_is_full() -> None:
    cache, decoded = Cache(limit_bytes=3 * rows(0).nbytes), []

    def get(name: str, *groups: int) -> list[pa.Table]:
        def decode(absent: list[int]) -> list[pa.Table]:
            decoded.extend((name, one) for one in absent)
            return [rows(one) for one in absent]

        return cache.get(name, "as it was", groups, decode)

    assert get("a", 1, 2) == [rows(1), rows(2)]
    assert get("b", 3) == [rows(3)]
    assert get("a", 1) == [rows(1)]
    assert decoded == [("a", 1), ("a", 2), ("b", 3)]
    assert get("c", 4) == [rows(4)]
    assert cache.bytes == 3 * rows(0).nbytes
    assert get("a", 1, 2) == [rows(1), rows(2)]
    assert decoded[3:] == [("c", 4), ("a", 2)]
    assert get("d", *range(10)) == [rows(number) for number in range(10)]
    assert cache.bytes == 3 * rows(0).nbytes
    for name in "abcd":
        cache.forget(name)
    assert cache.bytes == 0


def test_what_was_decoded_of_a_file_that_has_changed_is_let_go() -> None:
    cache = Cache()
    assert cache.get("a", "first", [1], lambda absent: [rows(1)]) == [rows(1)]
    assert cache.get("a", "second", [1], lambda absent: [rows(2)]) == [rows(2)]
    assert cache.bytes == rows(0).nbytes


def test_merging_leaves_nothing_of_the_old_files_in_memory(tmp_path: Path, candles: Candles) -> None:
    store = CandleStore(tmp_path, "1h")
    for hour in range(30):
        store.append(candles("BTC", [hour]), [])
    store.read()
    held = store._disk._cache.bytes
    store.compact()
    assert len(store.read()) == 30
    assert 0 < store._disk._cache.bytes < held
