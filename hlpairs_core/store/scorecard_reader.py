"""A look into a scorecard that another process may be writing."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.store.database import check_version, reading, size_of
from hlpairs_core.store.scorecard import SCORECARD_SCHEMA
from hlpairs_core.store.screen_history import to_ms

__all__ = ["SCORECARD_COLUMNS", "ScorecardReport", "read_scorecard", "report_scorecard"]

_TIMES = {
    "closed_at": "closed_ms",
    "said_at": "market_ms",
    "recorded_at": "wall_ms",
    "fitted_until": "fitted_ms",
    "entry_time": "entry_ms",
    "exit_time": "exit_ms",
    "marked_at": "marked_ms",
}
_AMOUNTS = {f"realised_{name}_bps": f"{name}_bps" for name in ("gross", "fee", "slippage", "funding", "net")}
_EXPECTED = ("mean_net_bps", "standard_error_bps", "lower_net_bps", "raw_net_bps")
_PAIR = ("kind", "y", "x", "side_y", "side_x")
_FLAGS = ("qualifies", "calibrated", "funding_assumed")
_TEXTS = ("rule", "text", *_PAIR, "exit_reason", "unknown", "interval", "settings", "signal")
SCORECARD_COLUMNS = (
    "closed_at", "said_at", "recorded_at", "rule", "qualifies", "calibrated", "text", *_PAIR, *_EXPECTED,
    "fitted_until", "marked_at", "entry_time", "exit_time", "exit_reason", "hold_hours", *_AMOUNTS, "funding_assumed",
    "unknown", "interval", "horizon_hours", "settings", "signal",
)  # fmt: skip
"""Columns of `read_scorecard`."""
_READ = (
    "asked", "rule", "text", *_PAIR, "exit_reason", "unknown", "hold_hours", *_FLAGS, *_EXPECTED, *_TIMES.values(),
    *_AMOUNTS.values(),
)  # fmt: skip


@dataclass(frozen=True)
class ScorecardReport:
    """What a scorecard holds.

    Attributes
    ----------
    bars : int
        Bars of which something was said.
    named, marked : int
        Pairs that were named, by either rule, and those of them whose outcome was marked.
    first_closed_ms, last_closed_ms : int or None
        Close of the earliest and latest bar, milliseconds since 1970; None without one.
    bytes : int
        Size of the file and of its write-ahead log.
    """

    bars: int
    named: int
    marked: int
    first_closed_ms: int | None
    last_closed_ms: int | None
    bytes: int


def read_scorecard(path: Path | str, *, since: pd.Timestamp | None = None, signals: bool = True) -> pd.DataFrame:
    """Return all that was said of closed bars and what came of it, oldest first.

    Parameters
    ----------
    path : path
        ``<data folder>/<market>/scorecard.sqlite``.
    since : pandas.Timestamp, optional
        With a time zone: only bars that closed then or later.
    signals : bool
        Whether to read the frozen rows, nine tenths of the file; else ``signal`` says ``{}`` where there is one.

    Returns
    -------
    DataFrame
        One row a bar and rule (`SCORECARD_COLUMNS`):

        * ``closed_at`` of the bar and ``said_at`` (market time), ``recorded_at`` (wall time), all UTC
        * ``rule``: "answer" is what readers were given, "raw" what the uncalibrated rule would have said
        * ``qualifies, calibrated, text``, and where a pair qualified ``kind, y, x, side_y, side_x``
        * expectations, net, in bps of gross notional: ``mean_net_bps, standard_error_bps, lower_net_bps`` of the
          model, which had seen trades until ``fitted_until``, and ``raw_net_bps`` of the fitted reversion
        * outcomes, as `realise` has them; NaN and empty until ``marked_at`` (wall time); ``unknown`` says why an amount
          is not known
        * ``interval, horizon_hours``, the digest of ``settings`` and costs, and ``signal``, the frozen row as JSON

    Raises
    ------
    InputError
        If `since` has no time zone.
    StoreError
        If the file cannot be read, or is of a newer version.
    """
    since_ms = -(2**62) if since is None else to_ms(since)
    signal = "signal" if signals else "iif(signal IS NULL, NULL, '{}') AS signal"
    query = f"SELECT {', '.join(_READ)}, {signal} FROM said WHERE closed_ms >= ? ORDER BY closed_ms, rule"  # noqa: S608
    path = Path(path)
    with reading(path, SCORECARD_SCHEMA.what) as database:
        check_version(database, path, SCORECARD_SCHEMA)
        database.execute("BEGIN")  # what both queries find belongs together
        asked = _asked(database)
        cursor = database.execute(query, (since_ms,))
        names = [column[0] for column in cursor.description]
        rows = pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)
    return _frame(rows, asked)


def report_scorecard(path: Path) -> ScorecardReport:
    """Count what a scorecard holds.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    query = (
        "SELECT count(DISTINCT closed_ms), count(signal), count(marked_ms), min(closed_ms), max(closed_ms) FROM said"
    )
    with reading(path, SCORECARD_SCHEMA.what) as database:
        check_version(database, path, SCORECARD_SCHEMA)
        bars, named, marked, first, last = database.execute(query).fetchone()
    return ScorecardReport(bars, named, marked, first, last, size_of(path))


def _asked(database: sqlite3.Connection) -> dict[int, tuple[str, dict[str, Any]]]:
    found = database.execute("SELECT id, hash, content FROM asked")
    return {key: (digest, json.loads(content)["settings"]) for key, digest, content in found}


def _frame(rows: pd.DataFrame, asked: dict[int, tuple[str, dict[str, Any]]]) -> pd.DataFrame:
    of_rows = [asked[key] for key in rows["asked"]]
    words = rows.assign(
        interval=[settings["interval"] for _, settings in of_rows], settings=[digest for digest, _ in of_rows]
    )
    columns: dict[str, Any] = {name: _times(rows[column]) for name, column in _TIMES.items()}
    columns |= {name: words[name].astype("str").where(words[name].notna(), "") for name in _TEXTS}
    columns |= {name: rows[name].fillna(0).astype(bool) for name in _FLAGS}
    columns |= {name: _numbers(rows[column]) for name, column in _AMOUNTS.items()}
    columns |= {name: _numbers(rows[name]) for name in (*_EXPECTED, "hold_hours")}
    columns["horizon_hours"] = np.array([settings["horizon_hours"] for _, settings in of_rows], dtype=np.float64)
    return pd.DataFrame(columns)[list(SCORECARD_COLUMNS)]


def _numbers(values: pd.Series) -> pd.Series:
    return values.astype(np.float64)


def _times(ms: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.NaT if one is None else one for one in ms], dtype="datetime64[ms, UTC]")
