"""What was said and when: verdicts for ever, snapshots for a day, in SQLite."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hlpairs_core.exceptions import InputError, StoreError, StoreNotWritable
from hlpairs_core.store.files import DISK, Files, store_errors
from hlpairs_core.store.problems import StoreProblem

__all__ = ["Journal", "connect"]

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

SCHEMA_VERSION = 1
APPLICATION_ID = 0x686C7072  # "hlpr"
BUSY_SECONDS = 5.0
DAY_SECONDS = 86_400
SCHEMA = f"""
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY, market TEXT NOT NULL, bar_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    payload TEXT NOT NULL, UNIQUE (market, bar_ms, payload)
);
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, market_ms INTEGER, payload TEXT NOT NULL
);
CREATE INDEX snapshots_by_wall ON snapshots (wall_ms);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
NOT_WRITABLE = frozenset((sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM))


def connect(path: Path) -> sqlite3.Connection:
    """Open an SQLite file in autocommit mode, for use from any thread (the caller locks)."""
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


class Journal:
    """Verdicts and snapshots of one market, written by one process, read by any.

    When a method that adds has returned, the entry outlives a crash of the process and of the machine. A verdict
    is never changed or removed: the same one again is no new entry, a different one for the same bar is a further
    row with its own wall time. A damaged file is renamed to ``*.corrupt``, listed in
    `problems`, and a new one begun.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    clock : callable
        Wall time in seconds since 1970.
    connect : callable
        Opens the file.
    files : Files
        What changes the disk.

    Raises
    ------
    StoreNotWritable
        If the folder is read-only or full.
    StoreError
        If the file is not a journal, or one of a newer version.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        *,
        connect: Callable[[Path], sqlite3.Connection] = connect,
        files: Files = DISK,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._connect = connect
        self._files = files
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._problems: list[StoreProblem] = []
        with store_errors(self.path.parent):
            files.make_folder(self.path.parent)
        self._run(lambda database: database.execute("SELECT id FROM verdicts LIMIT 1").fetchone())

    @property
    def problems(self) -> tuple[StoreProblem, ...]:
        """What was set aside or could not be read by this object, oldest first."""
        return tuple(self._problems)

    def add_verdict(self, payload: Mapping[str, Any], *, market: str, bar_closed_ms: int) -> bool:
        """Store the verdict of a bar, with the wall time.

        Parameters
        ----------
        payload : mapping
            Anything JSON can say; no NaN.
        market : str
            Name of the market.
        bar_closed_ms : int
            When the bar closed: market time, milliseconds since 1970.

        Returns
        -------
        bool
            False if this very verdict was there already.

        Raises
        ------
        InputError
            If the payload is no JSON.
        StoreNotWritable, StoreError
            If it cannot be written.
        """
        values = (market, int(bar_closed_ms), self._now_ms(), _to_json(payload))
        added = "INSERT OR IGNORE INTO verdicts (market, bar_ms, wall_ms, payload) VALUES (?, ?, ?, ?)"
        return self._run(lambda database: database.execute(added, values).rowcount > 0)

    def add_snapshot(self, payload: Mapping[str, Any], *, market_ms: int | None = None) -> None:
        """Store what readers were told now, with the wall time and, where known, the market's.

        Raises
        ------
        InputError
            If the payload is no JSON.
        StoreNotWritable, StoreError
            If it cannot be written.
        """
        values = (self._now_ms(), None if market_ms is None else int(market_ms), _to_json(payload))
        added = "INSERT INTO snapshots (wall_ms, market_ms, payload) VALUES (?, ?, ?)"
        self._run(lambda database: database.execute(added, values))

    def history(self, window_seconds: float, now: float | None = None) -> list[dict[str, Any]]:
        """Return the snapshots of the last seconds, oldest first.

        Parameters
        ----------
        window_seconds : float
            How far back; a snapshot exactly that old is included.
        now : float, optional
            Wall time in seconds since 1970; the clock's when None. Later snapshots are left out.

        Returns
        -------
        list of dict
            ``wall_ms, market_ms`` (None where unknown) and ``payload``.
        """
        end = self._now_ms() if now is None else round(now * 1000)
        query = "SELECT wall_ms, market_ms, payload FROM snapshots WHERE wall_ms BETWEEN ? AND ? ORDER BY id"
        return self._read(query, (end - round(window_seconds * 1000), end))

    def verdicts(self, limit: int | None = None, *, market: str | None = None) -> list[dict[str, Any]]:
        """Return verdicts as stored, newest first: ``market, bar_ms, wall_ms, payload``."""
        query = (
            "SELECT market, bar_ms, wall_ms, payload FROM verdicts WHERE ?1 IS NULL OR market = ?1 "
            "ORDER BY id DESC LIMIT ?2"
        )
        return self._read(query, (market, -1 if limit is None else max(0, limit)))

    def prune(self, keep_seconds: float = DAY_SECONDS) -> int:
        """Remove snapshots older than this, and return how many; verdicts stay."""
        oldest = self._now_ms() - round(keep_seconds * 1000)
        query = "DELETE FROM snapshots WHERE wall_ms < ?"
        return self._run(lambda database: database.execute(query, (oldest,)).rowcount)

    def close(self) -> None:
        """Close the file; calling it again does nothing. A later call opens it anew."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _read(self, query: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        def fetch(database: sqlite3.Connection) -> list[dict[str, Any]]:
            with closing(database.execute(query, values)) as cursor:
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor]

        return [row for row in self._run(fetch) if self._parsed(row)]

    def _parsed(self, row: dict[str, Any]) -> bool:
        try:
            row["payload"] = json.loads(row["payload"])
        except (ValueError, TypeError) as error:
            self._report(
                StoreProblem(self.path, f"has an entry that cannot be read (wall time {row['wall_ms']} ms): {error}")
            )
            return False
        return True

    def _run(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do some work on the open file; once more on a new one if this one turns out damaged."""
        with self._lock, self._errors():
            try:
                return work(self._opened())
            except sqlite3.DatabaseError as error:
                if _code(error) not in DAMAGED:
                    raise
                self._set_aside(str(error))
            return work(self._opened())

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            database = self._connect(self.path)
            try:
                _prepare(database, self.path)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _code(error) in NOT_WRITABLE:
                raise StoreNotWritable(
                    f"cannot write to {self.path.parent}: {self.path.name}: {error}; "
                    "make room, give access, or choose another folder"
                ) from error
            raise StoreError(f"cannot use the journal {self.path}: {error}") from error

    def _set_aside(self, reason: str) -> None:
        self.close()
        aside = self.path.with_name(f"{self.path.name}.{self._now_ms()}.corrupt")
        with store_errors(self.path.parent):
            # A write-ahead log left behind would be played into the new file.
            for ending in ("", "-wal", "-shm"):
                source = self.path.with_name(self.path.name + ending)
                if source.exists():
                    self._files.replace(source, aside.with_name(aside.name + ending))
        self._report(
            StoreProblem(aside, f"cannot be read as a journal ({reason}); it was set aside and a new one begun")
        )

    def _report(self, problem: StoreProblem) -> None:
        if problem not in self._problems:
            self._problems.append(problem)
            logger.warning("%s", problem)


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where it gave none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _to_json(payload: Mapping[str, Any]) -> str:
    try:
        # One form for one content: equal verdicts must be equal text. Escapes keep it plain ASCII.
        return json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the entry cannot be written as JSON: {error}") from error


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file; refuse a file that is not this version's."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    application = database.execute("PRAGMA application_id").fetchone()[0]
    if version > SCHEMA_VERSION and application == APPLICATION_ID:
        raise StoreError(
            f"the journal {path} has version {version}, this hlpairs knows {SCHEMA_VERSION}: "
            "update hlpairs, or choose another data folder"
        )
    fresh = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not fresh and application != APPLICATION_ID:
        raise StoreError(f"{path} is a database of something else: move it away, or choose another data folder")
    database.execute("PRAGMA journal_mode = WAL")
    # Flushed at each commit, and on macOS past the disk's own cache: what was stored outlives a power cut.
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA fullfsync = ON")
    if fresh:
        database.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
