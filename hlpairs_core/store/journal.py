"""What was said and when: verdicts for ever, snapshots for a day, in SQLite."""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.store.database import Database, Schema, connect
from hlpairs_core.store.files import DISK, Files
from hlpairs_core.store.problems import StoreProblem

__all__ = ["JOURNAL_SCHEMA", "Journal"]

DAY_SECONDS = 86_400
JOURNAL_SCHEMA = Schema(
    what="journal",
    application_id=0x686C7072,  # "hlpr"
    version=1,
    tables="""
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY, market TEXT NOT NULL, bar_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    payload TEXT NOT NULL, UNIQUE (market, bar_ms, payload)
);
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, market_ms INTEGER, payload TEXT NOT NULL
);
CREATE INDEX snapshots_by_wall ON snapshots (wall_ms);
""",
)


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
        self._database = Database(self.path, JOURNAL_SCHEMA, clock, connect=connect, files=files)

    @property
    def problems(self) -> tuple[StoreProblem, ...]:
        """What was set aside or could not be read by this object, oldest first."""
        return self._database.problems

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
        values = (market, int(bar_closed_ms), self._database.now_ms(), _to_json(payload))
        added = "INSERT OR IGNORE INTO verdicts (market, bar_ms, wall_ms, payload) VALUES (?, ?, ?, ?)"
        return self._database.run(lambda database: database.execute(added, values).rowcount > 0)

    def add_snapshot(self, payload: Mapping[str, Any], *, market_ms: int | None = None) -> None:
        """Store what readers were told now, with the wall time and, where known, the market's.

        Raises
        ------
        InputError
            If the payload is no JSON.
        StoreNotWritable, StoreError
            If it cannot be written.
        """
        values = (self._database.now_ms(), None if market_ms is None else int(market_ms), _to_json(payload))
        added = "INSERT INTO snapshots (wall_ms, market_ms, payload) VALUES (?, ?, ?)"
        self._database.run(lambda database: database.execute(added, values))

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
        end = self._database.now_ms() if now is None else round(now * 1000)
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
        oldest = self._database.now_ms() - round(keep_seconds * 1000)
        query = "DELETE FROM snapshots WHERE wall_ms < ?"
        return self._database.run(lambda database: database.execute(query, (oldest,)).rowcount)

    def close(self) -> None:
        """Close the file; calling it again does nothing. A later call opens it anew."""
        self._database.close()

    def _read(self, query: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        def fetch(database: sqlite3.Connection) -> list[dict[str, Any]]:
            with closing(database.execute(query, values)) as cursor:
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor]

        return [row for row in self._database.run(fetch) if self._parsed(row)]

    def _parsed(self, row: dict[str, Any]) -> bool:
        try:
            row["payload"] = json.loads(row["payload"])
        except (ValueError, TypeError) as error:
            self._database.report(
                StoreProblem(self.path, f"has an entry that cannot be read (wall time {row['wall_ms']} ms): {error}")
            )
            return False
        return True


def _to_json(payload: Mapping[str, Any]) -> str:
    try:
        # One form for one content: equal verdicts must be equal text. Escapes keep it plain ASCII.
        return json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the entry cannot be written as JSON: {error}") from error
