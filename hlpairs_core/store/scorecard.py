"""What the screen said of each closed bar, and what came of it, in SQLite: every row is kept for ever.

A row is what one rule said of one bar. It is written when the bar's answer is final, and its outcome once, when the
trade has ended. A bar at which both rules name a pair takes 4 KB: 37 MB a year of hourly bars.
"""

import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hlpairs_core.store.database import Database, Schema, connect
from hlpairs_core.store.files import DISK, Files
from hlpairs_core.store.problems import StoreProblem

__all__ = ["SCORECARD_SCHEMA", "Came", "Rule", "Said", "ScorecardFile", "Unmarked"]

Rule = Literal["answer", "raw"]
"""Who said it: the answer that readers were given, or the rule that takes the fitted reversion at its word."""

SCORECARD_SCHEMA = Schema(
    what="scorecard",
    application_id=0x686C7063,  # "hlpc"
    version=1,
    tables="""
CREATE TABLE asked (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, content TEXT NOT NULL);
CREATE TABLE said (
    closed_ms INTEGER NOT NULL, rule TEXT NOT NULL, wall_ms INTEGER NOT NULL, market_ms INTEGER,
    asked INTEGER NOT NULL REFERENCES asked, fitted_ms INTEGER,
    qualifies INTEGER NOT NULL, calibrated INTEGER NOT NULL, text TEXT NOT NULL,
    kind TEXT, y TEXT, x TEXT, side_y TEXT, side_x TEXT,
    mean_net_bps REAL, lower_net_bps REAL, standard_error_bps REAL, raw_net_bps REAL, signal TEXT,
    marked_ms INTEGER, entry_ms INTEGER, exit_ms INTEGER, exit_reason TEXT, hold_hours REAL,
    gross_bps REAL, fee_bps REAL, slippage_bps REAL, funding_bps REAL, net_bps REAL,
    funding_assumed INTEGER, unknown TEXT,
    PRIMARY KEY (closed_ms, rule)
);
CREATE INDEX not_marked ON said (closed_ms, rule) WHERE marked_ms IS NULL AND signal IS NOT NULL;
""",
)
_BEFORE_ALL = (-(2**62), "")
_PAIR = ("kind", "y", "x", "side_y", "side_x")
_ADDED = """
INSERT INTO said (
    closed_ms, rule, wall_ms, market_ms, asked, fitted_ms, qualifies, calibrated, text, kind, y, x, side_y, side_x,
    mean_net_bps, lower_net_bps, standard_error_bps, raw_net_bps, signal
) VALUES (
    :closed_ms, :rule, :wall_ms, :market_ms, :asked, :fitted_ms, :qualifies, :calibrated, :text, :kind, :y, :x, :side_y,
    :side_x, :mean_net_bps, :lower_net_bps, :standard_error_bps, :raw_net_bps, :signal
)
"""
_MARKED = """
UPDATE said SET
    marked_ms = :marked_ms, entry_ms = :entry_ms, exit_ms = :exit_ms, exit_reason = :exit_reason,
    hold_hours = :hold_hours, gross_bps = :gross_bps, fee_bps = :fee_bps, slippage_bps = :slippage_bps,
    funding_bps = :funding_bps, net_bps = :net_bps, funding_assumed = :funding_assumed, unknown = :unknown
WHERE closed_ms = :closed_ms AND rule = :rule AND marked_ms IS NULL
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Said:
    """What one rule said of one closed bar.

    Attributes
    ----------
    closed_ms : int
        When the bar closed: market time, milliseconds since 1970.
    rule : {"answer", "raw"}
        Who said it.
    qualifies, calibrated : bool
        Whether a pair qualified, and whether its expectation was checked against later trades.
    text : str
        The verdict in words.
    asked : mapping
        Settings and costs, as JSON can say them.
    signal : mapping or None
        The row of the pair that qualified, frozen, as JSON can say it: `SIGNALS` of the screen. None where none did.
    mean_net_bps, standard_error_bps, lower_net_bps : float
        What a fitted model expected of it; NaN without one.
    raw_net_bps : float
        What the fitted reversion promised.
    market_ms : int or None
        Market time at which it was said; None where it was not known.
    fitted_ms : int or None
        Until when the model had seen trades; None without a model.
    """

    closed_ms: int
    rule: Rule
    qualifies: bool
    calibrated: bool
    text: str
    asked: Mapping[str, Any]
    signal: Mapping[str, Any] | None = None
    mean_net_bps: float = math.nan
    standard_error_bps: float = math.nan
    lower_net_bps: float = math.nan
    raw_net_bps: float = math.nan
    market_ms: int | None = None
    fitted_ms: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Unmarked:
    """A pair that was named and whose outcome is not known: the attributes are those of `Said`."""

    closed_ms: int
    rule: Rule
    asked: Mapping[str, Any]
    signal: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of a pair that was named; amounts in bps of gross notional, NaN where unknown.

    Attributes
    ----------
    closed_ms, rule
        Which row it is of.
    entry_ms, exit_ms : int or None
        Times of the fills, market time; None where there were none.
    exit_reason : str
        As `realise` has it.
    hold_hours, gross_bps, fee_bps, slippage_bps, funding_bps, net_bps : float
    funding_assumed : bool
        Whether a rate that is not known was taken to be what the costs assume.
    unknown : str
        Why an amount is not known; "" where all are.
    """

    closed_ms: int
    rule: Rule
    entry_ms: int | None = None
    exit_ms: int | None = None
    exit_reason: str = ""
    hold_hours: float = math.nan
    gross_bps: float = math.nan
    fee_bps: float = math.nan
    slippage_bps: float = math.nan
    funding_bps: float = math.nan
    net_bps: float = math.nan
    funding_assumed: bool = False
    unknown: str = ""


class ScorecardFile:
    """The scorecard of one market, written by one process, read by any (`read_scorecard`).

    When a method that writes has returned, the rows outlive a crash of the process and of the machine. **First said
    counts**: a bar that has rows gets no others, so that an answer which a restarted engine gives of the same bar, on
    more or other candles, does not take the place of the one that readers had. An outcome once marked stays too. A
    damaged file is renamed to ``*.corrupt``, listed in `problems`, and a new one begun.

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
        If the file is no scorecard, or one of a newer version.
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
        self._database = Database(self.path, SCORECARD_SCHEMA, clock, connect=connect, files=files)

    @property
    def problems(self) -> tuple[StoreProblem, ...]:
        """What was set aside or could not be read by this object, oldest first."""
        return self._database.problems

    def add(self, said: Sequence[Said]) -> bool:
        """Store all that was said of one bar; False where the bar has rows already, and nothing was stored.

        Raises
        ------
        StoreNotWritable, StoreError
            If it cannot be written.
        """
        return self._database.change(lambda database: self._put(database, said))

    def unmarked(self, *, after: tuple[int, str] | None = None, limit: int = -1) -> list[Unmarked]:
        """Return the rows that name a pair and have no outcome, oldest first, from behind the row `after` on."""
        query = (
            "SELECT closed_ms, rule, content, signal FROM said JOIN asked ON asked.id = said.asked "
            "WHERE marked_ms IS NULL AND signal IS NOT NULL AND (closed_ms, rule) > (?, ?) "
            "ORDER BY closed_ms, rule LIMIT ?"
        )
        rows = self._database.run(lambda database: database.execute(query, (*(after or _BEFORE_ALL), limit)).fetchall())
        return [
            Unmarked(closed_ms=closed_ms, rule=rule, asked=json.loads(asked), signal=json.loads(signal))
            for closed_ms, rule, asked, signal in rows
        ]

    def mark(self, came: Sequence[Came]) -> int:
        """Store outcomes, all or none; return of how many rows. A row that has one keeps it.

        Raises
        ------
        StoreNotWritable, StoreError
            If it cannot be written.
        """
        now_ms = self._database.now_ms()
        values = [vars(one) | {"marked_ms": now_ms} for one in came]
        return self._database.change(lambda database: database.executemany(_MARKED, values).rowcount) if came else 0

    def close(self) -> None:
        """Close the file; calling it again does nothing. A later call opens it anew."""
        self._database.close()

    def _put(self, database: sqlite3.Connection, said: Sequence[Said]) -> bool:
        now_ms = self._database.now_ms()
        for one in said:
            if database.execute("SELECT 1 FROM said WHERE closed_ms = ?", (one.closed_ms,)).fetchone():
                return False
        for one in said:
            values = _values(one) | {"wall_ms": now_ms, "asked": _asked_id(database, one.asked)}
            database.execute(_ADDED, values)
        return True


def _values(said: Said) -> dict[str, Any]:
    signal = said.signal
    pair = dict.fromkeys(_PAIR) if signal is None else {name: signal[name] for name in _PAIR}
    own = {name: value for name, value in vars(said).items() if name not in ("asked", "signal")}
    return {**own, **pair, "signal": None if signal is None else _json(signal)}


def _asked_id(database: sqlite3.Connection, asked: Mapping[str, Any]) -> int:
    content = _json(asked)
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    database.execute("INSERT OR IGNORE INTO asked (hash, content) VALUES (?, ?)", (digest, content))
    return int(database.execute("SELECT id FROM asked WHERE hash = ?", (digest,)).fetchone()[0])


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
