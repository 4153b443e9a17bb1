"""An SQLite file that outlives crashes: opened, checked, copied, and set aside where it is damaged."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from hlpairs_core.exceptions import StoreError, StoreNotWritable
from hlpairs_core.store.files import DISK, Files, store_errors
from hlpairs_core.store.problems import StoreProblem

__all__ = ["Database", "Schema", "check_version", "connect", "copy_database", "reading", "size_of"]

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

BUSY_SECONDS = 5.0
DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
NOT_WRITABLE = frozenset((sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM))


@dataclass(frozen=True)
class Schema:
    """What kind of file it is.

    Attributes
    ----------
    what : str
        What it is called in messages, such as ``journal``.
    application_id : int
        Says in the file that it is of this kind.
    version : int
        Of its tables; a file of a newer one is refused.
    tables : str
        The statements that make them.
    layout : str
        Statements that a new file needs before its first page is written.
    """

    what: str
    application_id: int
    version: int
    tables: str
    layout: str = ""


def connect(path: Path) -> sqlite3.Connection:
    """Open an SQLite file in autocommit mode, for use from any thread (the caller locks)."""
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


class Database:
    """An SQLite file written by one process and read by any.

    Each commit is flushed to the disk. A damaged file is renamed to ``*.corrupt``, listed in `problems`, and a new one
    begun.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    schema : Schema
        What it holds.
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
        If the file is of another kind, or of a newer version.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        clock: Callable[[], float] = time.time,
        *,
        connect: Callable[[Path], sqlite3.Connection] = connect,
        files: Files = DISK,
    ) -> None:
        self.path = Path(path)
        self._schema = schema
        self._clock = clock
        self._connect = connect
        self._files = files
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._problems: list[StoreProblem] = []
        with store_errors(self.path.parent):
            files.make_folder(self.path.parent)
        self.run(lambda database: database.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone())

    @property
    def problems(self) -> tuple[StoreProblem, ...]:
        """What was set aside or could not be read by this object, oldest first."""
        return tuple(self._problems)

    def now_ms(self) -> int:
        """Return the wall time, in milliseconds since 1970."""
        return round(self._clock() * 1000)

    def run(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do some work on the open file; once more on a new one if this one turns out damaged.

        Raises
        ------
        StoreNotWritable
            If the disk is full or read-only.
        StoreError
            If the file cannot be used.
        """
        with self._lock, self._errors():
            try:
                return work(self._opened())
            except sqlite3.DatabaseError as error:
                if _code(error) not in DAMAGED:
                    raise
                self._set_aside(str(error))
            return work(self._opened())

    def change(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do some work as one change: all of it is stored, or nothing. Errors are those of `run`."""

        def changed(database: sqlite3.Connection) -> Answer:
            database.execute("BEGIN IMMEDIATE")
            try:
                answer = work(database)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
            return answer

        return self.run(changed)

    def report(self, problem: StoreProblem) -> None:
        """Take note of a problem, once."""
        if problem not in self._problems:
            self._problems.append(problem)
            logger.warning("%s", problem)

    def close(self) -> None:
        """Close the file; calling it again does nothing. A later call opens it anew."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _opened(self) -> sqlite3.Connection:
        if self._open is None:
            database = self._connect(self.path)
            try:
                _prepare(database, self.path, self._schema)
            except BaseException:
                database.close()
                raise
            self._open = database
        return self._open

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
            raise StoreError(f"cannot use the {self._schema.what} {self.path}: {error}") from error

    def _set_aside(self, reason: str) -> None:
        self.close()
        aside = self.path.with_name(f"{self.path.name}.{self.now_ms()}.corrupt")
        with store_errors(self.path.parent):
            # A write-ahead log left behind would be played into the new file.
            for ending in ("", "-wal", "-shm"):
                source = self.path.with_name(self.path.name + ending)
                if source.exists():
                    self._files.replace(source, aside.with_name(aside.name + ending))
        text = f"cannot be read as a {self._schema.what} ({reason}); it was set aside and a new one begun"
        self.report(StoreProblem(aside, text))


@contextmanager
def reading(path: Path, what: str) -> Iterator[sqlite3.Connection]:
    """Open a file that another process may be writing, to read it only.

    Raises
    ------
    StoreNotWritable
        If what is done with it finds no room.
    StoreError
        If it cannot be read.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            yield database
    except sqlite3.Error as error:
        if _code(error) == sqlite3.SQLITE_FULL:
            raise StoreNotWritable(f"cannot copy the {what} {path}: {error}; make room") from error
        raise StoreError(f"cannot read the {what} {path}: {error}") from error


def _writing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def copy_database(
    path: Path, target: Path, what: str, *, connect: Callable[[Path], sqlite3.Connection] = _writing
) -> None:
    """Copy a file as it is at one instant, to one file without a write-ahead log; the writer is not held up.

    Raises
    ------
    StoreNotWritable
        If there is no room for the copy.
    StoreError
        If it cannot be read or is damaged.
    """
    with reading(path, what) as database, closing(connect(target)) as copy:
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"the {what} {path} is damaged: {found.splitlines()[0]}")


def size_of(path: Path) -> int:
    """Return the size of a file and of its write-ahead log, in bytes."""
    files = [path.with_name(path.name + ending) for ending in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def check_version(database: sqlite3.Connection, path: Path, schema: Schema) -> bool:
    """Return whether a file is empty.

    Raises
    ------
    StoreError
        If it is of another kind, or of a newer version.
    """
    version = database.execute("PRAGMA user_version").fetchone()[0]
    application = database.execute("PRAGMA application_id").fetchone()[0]
    if version > schema.version and application == schema.application_id:
        raise StoreError(
            f"the {schema.what} {path} has version {version}, this hlpairs knows {schema.version}: "
            "update hlpairs, or choose another data folder"
        )
    fresh = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not fresh and application != schema.application_id:
        raise StoreError(f"{path} is a database of something else: move it away, or choose another data folder")
    return fresh


def _prepare(database: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Make the tables in a new file; refuse a file that is not this version's."""
    fresh = check_version(database, path, schema)
    if fresh:
        database.executescript(schema.layout)
    database.execute("PRAGMA journal_mode = WAL")
    # Flushed at each commit, and on macOS past the disk's own cache: what was stored outlives a power cut.
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA fullfsync = ON")
    if fresh:
        marks = f"PRAGMA application_id = {schema.application_id}; PRAGMA user_version = {schema.version};"
        database.executescript(f"BEGIN IMMEDIATE; {schema.tables} {marks} COMMIT;")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where it gave none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
