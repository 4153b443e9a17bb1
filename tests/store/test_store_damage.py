import errno
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hlpairs_core.exceptions import StoreError, StoreNotWritable
from hlpairs_core.store import CandleStore, FundingStore
from hlpairs_core.store.codec import META, META_DIGEST
from hlpairs_core.store.files import DiskFiles
from hlpairs_core.store.segments import digest, segment_name

Hour = Callable[[int], pd.Timestamp]
Candles = Callable[..., pd.DataFrame]


@pytest.fixture
def two(tmp_path: Path, candles: Candles, hour: Hour) -> CandleStore:
    """Two segments: hours 0 to 4 and hours 5 to 9."""
    store = CandleStore(tmp_path, "1h")
    store.append(candles("BTC", range(5), 1.0), [("BTC", hour(0), hour(4))])
    store.append(candles("BTC", range(5, 10), 2.0), [("BTC", hour(5), hour(9))])
    return store


def parquet_files(store: CandleStore) -> list[Path]:
    return sorted(store.folder.glob("*.parquet"))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def renamed_to_fit(path: Path, data: bytes) -> None:
    """Put whole bytes in a segment's place, under a name that fits them."""
    path.unlink()
    path.with_name(segment_name(1, data)).write_bytes(data)


def garbage(path: Path) -> None:
    renamed_to_fit(path, b"<html>" * 100)


def foreign(path: Path) -> None:
    rewritten(path, pa.table({"a": [1]}))


def rewritten(path: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    renamed_to_fit(path, bytes(sink.getvalue()))


def other_columns(path: Path) -> None:
    table = pq.read_table(path)
    rewritten(path, table.drop_columns("volume").replace_schema_metadata(table.schema.metadata))


def other_kind(path: Path) -> None:
    redescribed(path, b"candles-1h", b"candles-1d")


def bad_spans(path: Path) -> None:
    redescribed(path, b'"spans":[', b'"spans":[["x"],')


def other_description(path: Path) -> None:
    redescribed(path, b'["BTC"]', b'["ETH"]', honest=False)


def no_digest(path: Path) -> None:
    table = pq.read_table(path)
    rewritten(path, table.replace_schema_metadata({META: table.schema.metadata[META]}))


def redescribed(path: Path, old: bytes, new: bytes, honest: bool = True) -> None:
    table = pq.read_table(path)
    meta = table.schema.metadata[META].replace(old, new)
    stated = digest(meta).encode() if honest else table.schema.metadata[META_DIGEST]
    rewritten(path, table.replace_schema_metadata({META: meta, META_DIGEST: stated}))


DAMAGE = {
    "cut short": (cut_short, "do not match the digest"),
    "empty": (emptied, "do not match the digest"),
    "one bit flipped": (one_bit, "do not match the digest"),
    "garbage": (garbage, "cannot be read as Parquet"),
    "not ours": (foreign, "was not written by hlpairs"),
    "other columns": (other_columns, "has other columns"),
    "other kind": (other_kind, "holds 'candles-1d'"),
    "bad spans": (bad_spans, "unreadable description"),
    "other description": (other_description, "a description that does not match its digest"),
    "no digest": (no_digest, "a description without a digest"),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("opened_before", [True, False], ids=["while open", "before opening"])
def test_a_damaged_file_is_set_aside_and_its_range_is_missing_again(
    two: CandleStore, candles: Candles, hour: Hour, kind: str, opened_before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    damage, reason = DAMAGE[kind]
    victim = parquet_files(two)[0]
    damage(victim)
    victim = parquet_files(two)[0]
    store = two if opened_before else CandleStore(two.folder.parent, "1h")
    assert list(store.read()["time"]) == [hour(n) for n in range(5, 10)]
    assert store.missing("BTC", hour(0), hour(9)) == [(hour(0), hour(4))]
    assert [problem.path.name for problem in store.problems] == [victim.name + ".corrupt"]
    assert reason in str(store.problems[0])
    assert "counts as missing" in caplog.text
    assert store.problems[0].path.is_file()
    assert not victim.exists()

    store.append(candles("BTC", range(5), 1.0), [("BTC", hour(0), hour(4))])
    assert CandleStore(two.folder.parent, "1h").missing("BTC", hour(0), hour(9)) == []
    assert len(store.problems) == 1


def test_a_merge_does_not_claim_what_a_damaged_file_held(two: CandleStore, hour: Hour) -> None:
    two.append(two.read().assign(coin="ETH"), [("ETH", hour(0), hour(9))])
    assert len(two.read()) == 20
    cut_short(parquet_files(two)[1])
    two.compact()
    fresh = CandleStore(two.folder.parent, "1h")
    assert fresh.segments == 1
    assert fresh.missing("BTC", hour(0), hour(9)) == [(hour(5), hour(9))]
    assert len(fresh.read(["ETH"])) == 10


def test_a_damaged_file_that_cannot_be_renamed_is_passed_over_and_named(two: CandleStore, faulty: type) -> None:
    cut_short(parquet_files(two)[0])
    files = faulty(1, lambda: OSError(errno.EROFS, "Read-only file system"))
    store = CandleStore(two.folder.parent, "1h", files=files)
    assert "cannot be renamed (Read-only file system)" in str(store.problems[0])
    assert len(store.read()) == 5


def test_other_files_in_the_folder_are_left_alone(two: CandleStore) -> None:
    notes = two.folder / "notes.txt"
    stranger = two.folder / "mine.parquet"
    notes.write_text("hello")
    stranger.write_bytes(b"not even parquet")
    two.compact()
    assert notes.read_text() == "hello"
    assert stranger.exists()
    assert two.problems == ()


@pytest.mark.parametrize("step", range(1, 5))
@pytest.mark.parametrize("partial", [False, True], ids=["nothing written", "half written"])
def test_a_crash_at_any_step_of_an_append_leaves_all_or_nothing_of_it(
    two: CandleStore, candles: Candles, hour: Hour, faulty: type, crash: type[BaseException], step: int, partial: bool
) -> None:
    store = CandleStore(two.folder.parent, "1h", files=faulty(step, crash, partial=partial))
    with pytest.raises(crash):
        store.append(candles("BTC", range(10, 15), 3.0), [("BTC", hour(10), hour(14))])
    after = CandleStore(two.folder.parent, "1h")
    stored = len(after.read()) - 10
    missing = after.missing("BTC", hour(0), hour(14))
    assert (stored, missing) == ((5, []) if step == 4 else (0, [(hour(10), hour(14))]))
    assert after.problems == ()
    after.compact()
    assert list(after.folder.glob("*.tmp")) == []
    assert len(after.read()) == 10 + stored


@pytest.mark.parametrize("step", range(1, 7))
def test_a_crash_at_any_step_of_a_merge_loses_nothing(
    two: CandleStore, hour: Hour, faulty: type, crash: type[BaseException], step: int
) -> None:
    two.append(two.read(["BTC"], hour(4), hour(5)).assign(close=9.0), [])
    expected = two.read()
    store = CandleStore(two.folder.parent, "1h", files=faulty(step, crash, partial=True))
    with pytest.raises(crash):
        store.compact()
    after = CandleStore(two.folder.parent, "1h")
    pd.testing.assert_frame_equal(after.read(), expected)
    assert after.missing("BTC", hour(0), hour(9)) == []
    after.compact()
    pd.testing.assert_frame_equal(after.read(), expected)
    assert after.segments == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EROFS, "Read-only file system"),
        (errno.EACCES, "Permission denied"),
    ],
)
@pytest.mark.parametrize("step", range(1, 4))
def test_a_folder_that_cannot_be_written_is_named_with_its_cause(
    two: CandleStore, candles: Candles, hour: Hour, faulty: type, number: int, text: str, step: int
) -> None:
    store = CandleStore(two.folder.parent, "1h", files=faulty(step, lambda: OSError(number, text), partial=True))
    with pytest.raises(StoreNotWritable, match=f"cannot write to {two.folder}: {text.lower()}"):
        store.append(candles("BTC", [10]), [("BTC", hour(10), hour(10))])
    assert list(two.folder.glob("*.tmp")) == []
    assert store.missing("BTC", hour(0), hour(10)) == [(hour(10), hour(10))]
    store.append(candles("BTC", [10]), [("BTC", hour(10), hour(10))])
    assert store.missing("BTC", hour(0), hour(10)) == []


class Racing(DiskFiles):
    """A disk on which something happens just before a file is read."""

    def __init__(self, before_read: Callable[[], None]) -> None:
        self.before_read = before_read

    def read(self, path: Path) -> bytes:
        self.before_read()
        return super().read(path)

    def read_end(self, path: Path, size: int) -> bytes:
        self.before_read()
        return super().read_end(path, size)


def test_a_merge_by_the_writer_during_a_read_does_not_hide_rows(two: CandleStore) -> None:
    files = Racing(lambda: None)
    reader = CandleStore(two.folder.parent, "1h", files=files)
    files.before_read = two.compact
    assert len(reader.read()) == 10
    assert reader.problems == ()


def test_a_folder_that_never_comes_to_rest_is_named(two: CandleStore, candles: Candles) -> None:
    files = Racing(lambda: None)
    reader = CandleStore(two.folder.parent, "1h", files=files)

    def churn() -> None:
        two.append(candles("BTC", [11]), [])
        two.compact()

    files.before_read = churn
    with pytest.raises(StoreError, match="keep changing: is more than one process writing there"):
        reader.read()


def test_a_file_that_the_system_does_not_let_us_read_is_not_set_aside(two: CandleStore) -> None:
    def refuse() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(StoreError, match=r"cannot read .*parquet: Input/output error"):
        CandleStore(two.folder.parent, "1h", files=Racing(refuse))
    assert list(two.folder.glob("*.corrupt")) == []


def test_another_error_of_the_system_is_told_apart(two: CandleStore, candles: Candles, faulty: type) -> None:
    store = CandleStore(two.folder.parent, "1h", files=faulty(2, lambda: OSError(errno.EIO, "Input/output error")))
    with pytest.raises(StoreError, match="input/output error") as caught:
        store.append(candles("BTC", [10]), [])
    assert not isinstance(caught.value, StoreNotWritable)


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path, candles: Candles) -> None:
    blocked = tmp_path / "market"
    blocked.write_text("I am a file")
    with pytest.raises(StoreError, match="market"):
        FundingStore(blocked).append(candles("BTC", [0]).rename(columns={"close": "funding_rate"}), [])
