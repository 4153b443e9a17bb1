"""Every tested pair of every screen, in SQLite: all of them for a month, the best for ever.

190 coins make 18,000 pairs, 430,000 rows a day. A row of SQLite for each would be 1.8 MB a screen, 1.3 GB a month. As
one compressed piece a screen is 0.46 MB, but looking up a pair over a month would unpack all of it: two seconds. So
a screen is cut by coin: the part of a coin has the pairs with those that were met after it, about a hundred rows,
packed (`pair_rows`). Which coin of a pair is explained may change from bar to bar; the pair stays in the part of the
one that was met first. That is 0.64 MB a screen and 50 ms a look-up over a month; writing takes 20 ms, in a thread.

The parts of a screen lie next to each other and are removed together: clustered by coin, each screen would change
pages all over the file. The best ten pairs have parts of their own, which stay when the rest is removed.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hlpairs_core._typing import IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.store.database import Database, Schema, connect
from hlpairs_core.store.files import DISK, Files
from hlpairs_core.store.pair_rows import PairRows, to_bytes
from hlpairs_core.store.problems import StoreProblem

__all__ = ["SCREENS_SCHEMA", "Keep", "ScreenTable", "Screens"]

DAY_MS = 86_400_000
MB = 1_000_000
# Free pages are taken by the next screen; only where they are many is the file made smaller, some at a time.
FREE_SHARE = 0.1
FREE_PAGES = 1000
SCREENS_SCHEMA = Schema(
    what="screen history",
    application_id=0x686C7073,  # "hlps"
    version=1,
    layout="PRAGMA auto_vacuum = INCREMENTAL;",
    tables="""
CREATE TABLE coins (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE settings (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, content TEXT NOT NULL);
CREATE TABLE screens (
    closed_ms INTEGER PRIMARY KEY, bar_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    settings INTEGER NOT NULL REFERENCES settings, n_pairs INTEGER NOT NULL, n_tests INTEGER NOT NULL,
    expected_by_luck REAL NOT NULL, fee_bps REAL NOT NULL, qualifies INTEGER NOT NULL, verdict TEXT NOT NULL,
    is_final INTEGER NOT NULL, is_whole INTEGER NOT NULL
);
CREATE INDEX whole_screens ON screens (wall_ms) WHERE is_whole;
CREATE TABLE pairs (
    closed_ms INTEGER NOT NULL, coin INTEGER NOT NULL, best INTEGER NOT NULL, rows BLOB NOT NULL,
    PRIMARY KEY (closed_ms, coin, best)
);
""",
)


@dataclass(frozen=True, kw_only=True)
class Keep:
    """What is kept of past screens.

    Attributes
    ----------
    days : float
        So long (of wall time) all pairs of a screen.
    megabytes : float
        So large may the file be; the oldest screens are reduced first, the newest never is.
    best : int
        Of how many of a screen's best pairs the rows are kept for ever.
    """

    days: float = 30.0
    megabytes: float = 1000.0
    best: int = 10

    def __post_init__(self) -> None:
        if not (self.days > 0 and self.megabytes > 0 and self.best >= 0):
            raise InputError(f"{self}: use days and megabytes above 0, and best of at least 0")


@dataclass(frozen=True, eq=False, kw_only=True)
class ScreenTable:
    """One screen: every tested pair, what was asked and what was answered.

    Attributes
    ----------
    bar_ms, closed_ms : int
        Open and close of the signal bar, milliseconds since 1970 (market time).
    asked : mapping
        Settings and costs, as JSON can say them.
    gates : tuple of str
        Names of the gates; the k-th has bit k in ``failed``.
    coins : tuple of str
        Names, by position.
    rows : PairRows
        One row a tested pair, best first; ``y, x`` are positions in `coins`.
    n_pairs : int
        Pairs of eligible coins, before the dependence filter.
    expected_by_luck : float
        How many pass the p gate when none is cointegrated.
    fee_bps : float
        Of a round trip, the same for all pairs.
    qualifies : bool
        Whether a pair passed every gate.
    verdict : str
        The answer in words.
    """

    bar_ms: int
    closed_ms: int
    asked: Mapping[str, Any]
    gates: tuple[str, ...]
    coins: tuple[str, ...]
    rows: PairRows
    n_pairs: int
    expected_by_luck: float
    fee_bps: float
    qualifies: bool
    verdict: str


class Screens:
    """The tables of one market's screens, written by one process; `ScreenHistory` reads them, from any.

    When `add` has returned, the table outlives a crash of the process and of the machine; before, a crash leaves the
    one that was there or none. A damaged file is renamed to ``*.corrupt``, listed in `problems`, and a new one begun.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    clock : callable
        Wall time in seconds since 1970.
    keep : Keep
        What `prune` leaves.
    connect : callable
        Opens the file.
    files : Files
        What changes the disk.

    Raises
    ------
    StoreNotWritable
        If the folder is read-only or full.
    StoreError
        If the file is no screen history, or one of a newer version.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        *,
        keep: Keep | None = None,
        connect: Callable[[Path], sqlite3.Connection] = connect,
        files: Files = DISK,
    ) -> None:
        self.path = Path(path)
        self._keep = keep or Keep()
        self._database = Database(self.path, SCREENS_SCHEMA, clock, connect=connect, files=files)

    @property
    def problems(self) -> tuple[StoreProblem, ...]:
        """What was set aside or could not be read by this object, oldest first."""
        return self._database.problems

    def add(self, table: ScreenTable, *, final: bool) -> bool:
        """Store the table of a bar in the place of the one that is there.

        Returns
        -------
        bool
            False if nothing was stored, because there is a final one already and this one is not.

        Raises
        ------
        StoreNotWritable, StoreError
            If it cannot be written.
        """
        return self._database.change(lambda database: self._put(database, table, final))

    def prune(self) -> int:
        """Reduce screens that are too old, or the oldest where the file is too large, to their best pairs.

        Returns
        -------
        int
            How many were reduced.

        Raises
        ------
        StoreNotWritable, StoreError
            If the file cannot be written.
        """
        reduced = 0
        while self._database.change(self._reduce_oldest):
            reduced += 1
        if reduced:
            while self._database.run(_gave_back):
                pass
        return reduced

    def close(self) -> None:
        """Close the file; calling it again does nothing. A later call opens it anew."""
        self._database.close()

    def _put(self, database: sqlite3.Connection, table: ScreenTable, final: bool) -> bool:
        found = database.execute("SELECT is_final FROM screens WHERE closed_ms = ?", (table.closed_ms,)).fetchone()
        if found is not None and found[0] and not final:
            return False
        settings, coins = _settings_id(database, table), _coin_ids(database, table.coins)
        numbers = (table.n_pairs, len(table.rows), table.expected_by_luck, table.fee_bps)
        times = (table.closed_ms, table.bar_ms, self._database.now_ms())
        values = (*times, settings, *numbers, table.qualifies, table.verdict, final, True)
        database.execute("DELETE FROM pairs WHERE closed_ms = ?", (table.closed_ms,))
        database.execute("INSERT OR REPLACE INTO screens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        rows = table.rows.copy()
        rows["y"], rows["x"] = coins[rows["y"]], coins[rows["x"]]
        for best, some in ((True, rows[: self._keep.best]), (False, rows[self._keep.best :])):
            parts = ((table.closed_ms, coin, best, to_bytes(part)) for coin, part in _parts(some))
            database.executemany("INSERT INTO pairs VALUES (?, ?, ?, ?)", parts)
        return True

    def _reduce_oldest(self, database: sqlite3.Connection) -> bool:
        query = "SELECT closed_ms, wall_ms FROM screens WHERE is_whole ORDER BY wall_ms, closed_ms LIMIT 2"
        oldest = database.execute(query).fetchall()
        if len(oldest) < 2:
            return False
        closed_ms, wall_ms = oldest[0]
        too_old = wall_ms < self._database.now_ms() - self._keep.days * DAY_MS
        if not too_old and _used_bytes(database) <= self._keep.megabytes * MB:
            return False
        database.execute("DELETE FROM pairs WHERE closed_ms = ? AND NOT best", (closed_ms,))
        database.execute("UPDATE screens SET is_whole = FALSE WHERE closed_ms = ?", (closed_ms,))
        return True


def _settings_id(database: sqlite3.Connection, table: ScreenTable) -> int:
    content = json.dumps({**table.asked, "gates": table.gates}, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    database.execute("INSERT OR IGNORE INTO settings (hash, content) VALUES (?, ?)", (digest, content))
    return int(database.execute("SELECT id FROM settings WHERE hash = ?", (digest,)).fetchone()[0])


def _coin_ids(database: sqlite3.Connection, coins: tuple[str, ...]) -> IntArray:
    database.executemany("INSERT OR IGNORE INTO coins (name) VALUES (?)", ((coin,) for coin in coins))
    known = dict(database.execute("SELECT name, id FROM coins"))
    return np.array([known[coin] for coin in coins], dtype=np.int64)


def _parts(rows: PairRows) -> list[tuple[int, PairRows]]:
    """Cut rows by the coin of each pair that was met first."""
    first = np.minimum(rows["y"], rows["x"])
    order = np.argsort(first, kind="stable")
    coins, starts = np.unique(first[order], return_index=True)
    return list(zip(coins.tolist(), np.split(rows[order], starts[1:]), strict=True)) if len(rows) else []


def _used_bytes(database: sqlite3.Connection) -> int:
    pages, free, size = (_pragma(database, name) for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def _gave_back(database: sqlite3.Connection) -> bool:
    """Make the file smaller by some of its free pages; return whether there were so many."""
    free = _pragma(database, "freelist_count")
    if free <= max(FREE_PAGES, FREE_SHARE * _pragma(database, "page_count")):
        return False
    database.execute(f"PRAGMA incremental_vacuum({FREE_PAGES})").fetchall()
    return _pragma(database, "freelist_count") < free


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])
