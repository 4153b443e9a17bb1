import errno
import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hlpairs_core.exceptions import InputError, StoreError, StoreNotWritable
from hlpairs_core.store import Journal
from hlpairs_core.store.database import connect

HOUR_MS = 3_600_000
DAY = 86_400


class Clock:
    """Wall time that moves when told."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "market" / "journal.sqlite"


@pytest.fixture
def journal(path: Path, clock: Clock):
    opened = Journal(path, clock)
    yield opened
    opened.close()


def test_history_gives_the_snapshots_of_the_window_oldest_first(journal: Journal, clock: Clock) -> None:
    for minute in range(31):
        journal.add_snapshot({"minute": minute}, market_ms=minute * HOUR_MS)
        clock.now += 60
    clock.now -= 60
    assert [row["payload"]["minute"] for row in journal.history(15 * 60)] == list(range(15, 31))
    assert [row["payload"]["minute"] for row in journal.history(60, clock.now - 600)] == [19, 20]
    last = journal.history(0)[0]
    assert last == {"wall_ms": round(clock.now * 1000), "market_ms": 30 * HOUR_MS, "payload": {"minute": 30}}


def test_a_snapshot_without_market_time_says_so(journal: Journal) -> None:
    journal.add_snapshot({"phase": "loading"})
    assert journal.history(1)[0]["market_ms"] is None


def test_a_verdict_is_never_changed_and_a_different_one_is_kept_beside_it(journal: Journal, clock: Clock) -> None:
    first, second = {"qualifies": False, "text": "no pair"}, {"qualifies": True, "text": "ETH/BTC"}
    assert journal.add_verdict(first, market="demo", bar_closed_ms=HOUR_MS)
    clock.now += 10
    assert not journal.add_verdict(dict(reversed(first.items())), market="demo", bar_closed_ms=HOUR_MS)
    assert journal.add_verdict(second, market="demo", bar_closed_ms=HOUR_MS)
    assert journal.add_verdict(first, market="mainnet", bar_closed_ms=HOUR_MS)
    assert journal.add_verdict(first, market="demo", bar_closed_ms=2 * HOUR_MS)

    demo = journal.verdicts(market="demo")
    assert [(row["bar_ms"], row["payload"]["text"]) for row in demo] == [
        (2 * HOUR_MS, "no pair"),
        (HOUR_MS, "ETH/BTC"),
        (HOUR_MS, "no pair"),
    ]
    assert demo[-1]["wall_ms"] == 1_700_000_000_000
    assert [row["market"] for row in journal.verdicts(limit=2)] == ["demo", "mainnet"]
    assert len(journal.verdicts()) == 4


def test_pruning_removes_snapshots_after_a_day_and_never_a_verdict(journal: Journal, clock: Clock) -> None:
    journal.add_verdict({"text": "old"}, market="demo", bar_closed_ms=0)
    journal.add_snapshot({"n": 1})
    clock.now += DAY
    journal.add_snapshot({"n": 2})
    assert journal.prune() == 0
    clock.now += 1
    assert journal.prune() == 1
    assert [row["payload"]["n"] for row in journal.history(10 * DAY)] == [2]
    clock.now += 1000 * DAY
    assert journal.prune() == 1
    assert len(journal.verdicts()) == 1


def test_entries_outlive_the_process_and_are_readable_while_it_writes(
    journal: Journal, path: Path, clock: Clock
) -> None:
    journal.add_verdict({"text": "kept"}, market="demo", bar_closed_ms=0)
    reader = Journal(path, clock)
    journal.add_snapshot({"n": 1})
    assert len(reader.history(1)) == 1
    assert reader.verdicts()[0]["payload"] == {"text": "kept"}
    reader.close()


def test_the_file_uses_a_write_ahead_log_and_carries_its_version(journal: Journal, path: Path) -> None:
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    database.close()


def test_each_entry_is_flushed_to_the_disk_before_it_counts_as_stored(path: Path, clock: Clock) -> None:
    opened: list[sqlite3.Connection] = []

    def watched(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[-1]

    journal = Journal(path, clock, connect=watched)
    full = 2
    assert opened[0].execute("PRAGMA synchronous").fetchone() == (full,)
    assert opened[0].execute("PRAGMA fullfsync").fetchone() == (1,)
    journal.close()


@pytest.fixture
def torn(journal: Journal, path: Path, tmp_path: Path) -> Callable[[Callable[[bytes], bytes]], Path]:
    """The files of a journal with nine verdicts as a machine leaves them that lost power; its log may be changed."""
    for number in range(9):
        journal.add_verdict({"n": number, "text": "x" * 700}, market="demo", bar_closed_ms=number)

    def copy(change: Callable[[bytes], bytes]) -> Path:
        target = tmp_path / "copy" / path.name
        target.parent.mkdir(exist_ok=True)
        for ending in ("", "-wal"):
            content = path.with_name(path.name + ending).read_bytes()
            target.with_name(target.name + ending).write_bytes(change(content) if ending else content)
        target.with_name(target.name + "-shm").unlink(missing_ok=True)
        return target

    return copy


def test_a_log_that_was_cut_short_loses_only_what_was_written_last(torn: Callable, clock: Clock) -> None:
    size = 0

    def measure(log: bytes) -> bytes:
        nonlocal size
        size = len(log)
        return log

    torn(measure)
    counts = []
    for length in (*range(0, size, 997), size):
        again = Journal(torn(lambda log, length=length: log[:length]), clock)
        found = [row["payload"]["n"] for row in reversed(again.verdicts())]
        assert found == list(range(len(found)))
        assert again.problems == ()
        assert again.add_verdict({"n": "new"}, market="demo", bar_closed_ms=99)
        again.close()
        counts.append(len(found))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 9)


def test_a_log_that_was_damaged_is_read_up_to_the_damage(torn: Callable, clock: Clock) -> None:
    def damage(log: bytes) -> bytes:
        middle = len(log) // 2
        return log[:middle] + bytes([log[middle] ^ 1]) + log[middle + 1 :]

    again = Journal(torn(damage), clock)
    found = [row["payload"]["n"] for row in reversed(again.verdicts())]
    assert 0 < len(found) < 9
    assert found == list(range(len(found)))
    again.close()


def test_closing_twice_does_nothing_and_a_later_call_opens_again(journal: Journal) -> None:
    journal.add_snapshot({"n": 1})
    journal.close()
    journal.close()
    assert len(journal.history(1)) == 1


def test_any_thread_may_write(journal: Journal) -> None:
    threads = [threading.Thread(target=journal.add_snapshot, args=({"n": n},)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["payload"]["n"] for row in journal.history(1)) == list(range(8))


def test_names_and_texts_of_strangers_are_only_data(journal: Journal) -> None:
    text = "'); DROP TABLE verdicts; -- <b> \ud800 \x00"
    journal.add_verdict({text: text}, market="'; --", bar_closed_ms=0)
    assert journal.verdicts(market="'; --")[0]["payload"] == {text: text}


@pytest.mark.parametrize("payload", [{"edge": float("nan")}, {"edge": float("inf")}, {"edge": object()}])
def test_an_entry_that_is_no_json_is_refused(journal: Journal, payload: dict[str, object]) -> None:
    with pytest.raises(InputError, match="cannot be written as JSON"):
        journal.add_snapshot(payload)
    assert journal.history(1) == []


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(journal: Journal, path: Path, clock: Clock) -> None:
    journal.close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(StoreError, match="has version 2, this hlpairs knows 1: update hlpairs"):
        Journal(path, clock)
    assert [file.name for file in path.parent.iterdir()] == ["journal.sqlite"]


def test_a_database_of_something_else_is_refused(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE bookmarks (url)")
    database.close()
    with pytest.raises(StoreError, match="a database of something else"):
        Journal(path, clock)


def test_a_file_that_is_no_database_is_set_aside(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was a journal once" * 1000)
    journal = Journal(path, clock)
    journal.add_snapshot({"n": 1})
    assert len(journal.history(1)) == 1
    assert "cannot be read as a journal (file is not a database)" in str(journal.problems[0])
    aside = journal.problems[0].path
    assert aside.name == "journal.sqlite.1700000000000.corrupt"
    assert aside.read_bytes().startswith(b"this was")
    journal.close()


def test_the_log_of_a_damaged_file_goes_with_it(journal: Journal, path: Path, clock: Clock) -> None:
    journal.add_snapshot({"n": 1})
    journal.close()
    # A reader that is still there keeps SQLite from tidying up.
    reader = connect(path)
    reader.execute("SELECT * FROM snapshots").fetchall()
    path.write_bytes(b"this was a journal once" * 1000)
    fresh = Journal(path, clock)
    aside = fresh.problems[0].path
    assert aside.with_name(aside.name + "-wal").is_file()
    fresh.add_snapshot({"n": 2})
    assert [row["payload"] for row in fresh.history(1)] == [{"n": 2}]
    reader.close()
    fresh.close()


def test_damage_found_while_reading_is_reported_and_the_journal_goes_on(
    journal: Journal, path: Path, clock: Clock
) -> None:
    for n in range(100):
        journal.add_snapshot({"n": n, "text": "x" * 2000})
    journal.close()
    data = bytearray(path.read_bytes())
    data[8192:-4096] = b"\xff" * (len(data) - 8192 - 4096)
    path.write_bytes(bytes(data))

    damaged = Journal(path, clock)
    assert damaged.history(1) == []
    assert "malformed" in str(damaged.problems[0])
    damaged.add_snapshot({"n": 1})
    assert len(damaged.history(1)) == 1
    damaged.close()


def test_one_unreadable_entry_does_not_hide_the_others(journal: Journal, path: Path) -> None:
    journal.add_snapshot({"n": 1})
    journal.add_snapshot({"n": 2})
    database = sqlite3.connect(path)
    database.execute("UPDATE snapshots SET payload = '{\"n\": ' WHERE id = 1")
    database.commit()
    database.close()
    assert [row["payload"] for row in journal.history(1)] == [{"n": 2}]
    assert "has an entry that cannot be read" in str(journal.problems[0])


def full(path: Path) -> sqlite3.Connection:
    database = connect(path)
    database.execute("PRAGMA max_page_count = 16")
    return database


def read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)


def test_a_full_disk_is_named_and_what_was_stored_stays(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock, connect=full)
    journal.add_snapshot({"n": 1})
    with pytest.raises(StoreNotWritable, match=f"cannot write to {path.parent}.*full"):
        journal.add_snapshot({"text": "x" * 100_000})
    assert [row["payload"] for row in journal.history(1)] == [{"n": 1}]
    journal.close()


def test_a_read_only_journal_can_be_read_and_says_why_it_cannot_be_written(
    journal: Journal, path: Path, clock: Clock
) -> None:
    journal.add_snapshot({"n": 1})
    reader = Journal(path, clock, connect=read_only)
    assert len(reader.history(1)) == 1
    with pytest.raises(StoreNotWritable, match="readonly"):
        reader.add_snapshot({"n": 2})
    reader.close()


def test_a_folder_that_cannot_be_made_is_named(path: Path, clock: Clock, faulty: Callable) -> None:
    files = faulty(1, lambda: OSError(errno.EROFS, "Read-only file system"))
    with pytest.raises(StoreNotWritable, match=f"cannot write to {path.parent}: read-only file system"):
        Journal(path, clock, files=files)


def test_a_verdict_is_stored_as_plain_json(journal: Journal, path: Path) -> None:
    journal.add_verdict({"b": 1, "a": [None, True]}, market="demo", bar_closed_ms=0)
    database = sqlite3.connect(path)
    (text,) = database.execute("SELECT payload FROM verdicts").fetchone()
    database.close()
    assert json.loads(text) == {"a": [None, True], "b": 1}
