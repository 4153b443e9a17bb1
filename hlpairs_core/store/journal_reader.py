"""A look into a journal that another process may be writing."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hlpairs_core.exceptions import StoreError, StoreNotWritable

__all__ = ["JournalReport", "copy_journal", "report_journal"]

BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class JournalReport:
    """What a journal holds.

    Attributes
    ----------
    verdicts, snapshots : int
        Number of entries.
    first_verdict_ms, last_verdict_ms : int or None
        Wall time of the oldest and newest verdict, milliseconds since 1970; None without one.
    bytes : int
        Size of the file and of its write-ahead log.
    """

    verdicts: int
    snapshots: int
    first_verdict_ms: int | None
    last_verdict_ms: int | None
    bytes: int


def report_journal(path: Path) -> JournalReport:
    """Count what a journal holds.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    with _reading(path) as database:
        verdicts, first, last = database.execute("SELECT count(*), min(wall_ms), max(wall_ms) FROM verdicts").fetchone()
        (snapshots,) = database.execute("SELECT count(*) FROM snapshots").fetchone()
        files = [path.with_name(path.name + ending) for ending in ("", "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
    return JournalReport(verdicts, snapshots, first, last, size)


def _writing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def copy_journal(path: Path, target: Path, *, connect: Callable[[Path], sqlite3.Connection] = _writing) -> None:
    """Copy a journal as it is at one instant, to one file without a write-ahead log; the writer is not held up.

    Raises
    ------
    StoreNotWritable
        If there is no room for the copy.
    StoreError
        If the journal cannot be read or is damaged.
    """
    with _reading(path) as database, closing(connect(target)) as copy:
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"the journal {path} is damaged: {found.splitlines()[0]}")


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            yield database
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StoreNotWritable(f"cannot copy the journal {path}: {error}; make room") from error
        raise StoreError(f"cannot read the journal {path}: {error}") from error
