"""A look into a journal that another process may be writing."""

from dataclasses import dataclass
from pathlib import Path

from hlpairs_core.store.database import reading, size_of
from hlpairs_core.store.journal import JOURNAL_SCHEMA

__all__ = ["JournalReport", "report_journal"]


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
    with reading(path, JOURNAL_SCHEMA.what) as database:
        verdicts, first, last = database.execute("SELECT count(*), min(wall_ms), max(wall_ms) FROM verdicts").fetchone()
        (snapshots,) = database.execute("SELECT count(*) FROM snapshots").fetchone()
    return JournalReport(verdicts, snapshots, first, last, size_of(path))
