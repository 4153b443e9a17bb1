"""Looks up what past screens found of a pair, also while an engine writes."""

import json
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray
from hlpairs_core.exceptions import DataWarning, InputError, StoreError, UnknownPair
from hlpairs_core.store.database import check_version, reading, size_of
from hlpairs_core.store.pair_rows import NUMBERS, ROW, PairRows, from_bytes
from hlpairs_core.store.screens import SCREENS_SCHEMA

__all__ = ["PAIR_COLUMNS", "ScreenHistory", "ScreensReport", "report_screens", "to_ms"]

EVER_MS = -(2**62)
TEXTS = ("y", "x", "gates_failed", "settings")
COSTS = ("gross_bps", "fee_bps", "slippage_bps", "funding_bps", "net_edge_bps")
PAIR_COLUMNS = ("time", "closed_at", "y", "x", *NUMBERS[:6], *COSTS, "gates_failed", "is_final", "settings")
"""Columns of what `ScreenHistory` returns of pairs, in order."""

# Of each screen its part is looked up (CROSS: in this order); the other way round all parts would be walked through.
PARTS = """
SELECT screens.closed_ms, bar_ms, fee_bps, is_final, settings, pairs.rows
FROM screens CROSS JOIN pairs ON pairs.closed_ms = screens.closed_ms
"""


class Part(NamedTuple):
    """Rows of a screen, and what is the same for all of them."""

    closed_ms: int
    bar_ms: int
    fee_bps: float
    is_final: int
    settings: int
    rows: PairRows


@dataclass(frozen=True)
class ScreensReport:
    """What is held of past screens.

    Attributes
    ----------
    screens, whole : int
        Number of screens, and of those with all of their pairs.
    first_closed_ms, last_closed_ms : int or None
        Close of the earliest and latest bar, milliseconds since 1970; None without one.
    bytes : int
        Size of the file and of its write-ahead log.
    """

    screens: int
    whole: int
    first_closed_ms: int | None
    last_closed_ms: int | None
    bytes: int


class ScreenHistory:
    """Reads the file that `Screens` writes, and changes nothing.

    Parameters
    ----------
    path : pathlib.Path
        ``<data folder>/<market>/screens.sqlite``.

    Raises
    ------
    StoreError
        By every method, where the file cannot be read, or is of a newer version.

    Examples
    --------
    >>> ScreenHistory("data/mainnet/screens.sqlite").pair("ETH", "BTC")["zscore"]  # doctest: +SKIP
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def pair(self, y: str, x: str, *, since: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return what each screen found of a pair, oldest first.

        Parameters
        ----------
        y, x : str
            Its coins, in either order. In which one a screen tested them, its row says.
        since : pandas.Timestamp, optional
            With a time zone: only bars that closed then or later.

        Returns
        -------
        DataFrame
            One row a screen that tested the pair: `time` and `closed_at` (open and close of the bar, UTC), ``y, x,
            p_value, q_value, t_stat, zscore, beta, half_life_hours, gross_bps, fee_bps, slippage_bps, funding_bps,
            net_edge_bps`` as `hlpairs_core.Candidate` has them, with seven significant digits; `gates_failed` (names,
            empty where it qualified), `is_final` (False: a candle that came late may still have changed it) and
            `settings` (which of `asked` the screen was made with). NaN is what the screen could not say. After 30
            days only screens with the pair among their best ten are left.

        Raises
        ------
        InputError
            If both are the same coin, or `since` has no time zone.
        UnknownPair
            If no screen that is kept has tested the pair, or listed a coin.
        """
        if y == x:
            raise InputError(f"{y!r} is named twice: a pair has two coins")
        since_ms = EVER_MS if since is None else to_ms(since)
        with self._reading() as database:
            pair = [_coin_id(database, name) for name in (y, x)]
            parts = _parts_of(database, pair, since_ms)
            if not parts and (since is None or not _parts_of(database, pair, EVER_MS)):
                raise UnknownPair(f"no screen that is kept has tested {y!r} with {x!r}")
            return _frame(database, parts)

    def table(self, closed_at: pd.Timestamp) -> pd.DataFrame:
        """Return all pairs that are kept of one screen, by name: the columns that `pair` has.

        Parameters
        ----------
        closed_at : pandas.Timestamp
            With a time zone: when its bar closed.

        Raises
        ------
        InputError
            If no screen of this bar is kept, or `closed_at` has no time zone.
        """
        with self._reading() as database:
            found = _unpacked(database.execute(f"{PARTS} WHERE screens.closed_ms = ?", (to_ms(closed_at),)))
            frame = _frame(database, list(found))
        if frame.empty:
            raise InputError(f"no pair is kept of a screen of the bar that closed at {closed_at}: see `screens`")
        return frame.sort_values(["y", "x"], ignore_index=True)

    def screens(self) -> pd.DataFrame:
        """Return one row a screen, oldest first.

        Returns
        -------
        DataFrame
            ``time, closed_at, recorded_at`` (wall time), ``n_pairs, n_tests, expected_by_luck, fee_bps, qualifies,
            verdict, is_final, is_whole`` (False: only its best pairs are left) and ``settings``.
        """
        query = "SELECT screens.*, hash FROM screens JOIN settings ON settings.id = screens.settings ORDER BY closed_ms"
        with self._reading() as database:
            cursor = database.execute(query)
            names = [column[0] for column in cursor.description]
            frame = pd.DataFrame(cursor.fetchall(), columns=names)
        flags = dict.fromkeys(("qualifies", "is_final", "is_whole"), bool)
        times = {"time": "bar_ms", "closed_at": "closed_ms", "recorded_at": "wall_ms"}
        named = {name: _times(frame[column]) for name, column in times.items()}
        frame = frame.astype(flags).assign(settings=frame["hash"], **named)
        numbers = ("n_pairs", "n_tests", "expected_by_luck", "fee_bps")
        return frame[[*times, *numbers, "qualifies", "verdict", "is_final", "is_whole", "settings"]]

    def asked(self) -> dict[str, dict[str, Any]]:
        """Return settings and costs of screens, and the names of their gates, by what `settings` says."""
        with self._reading() as database:
            return {digest: json.loads(text) for digest, text in database.execute("SELECT hash, content FROM settings")}

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with reading(self.path, SCREENS_SCHEMA.what) as database:
            check_version(database, self.path, SCREENS_SCHEMA)
            database.execute("BEGIN")  # what several queries find belongs together
            yield database


def report_screens(path: Path) -> ScreensReport:
    """Count what is held of past screens.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    with reading(path, SCREENS_SCHEMA.what) as database:
        check_version(database, path, SCREENS_SCHEMA)
        query = "SELECT count(*), total(is_whole), min(closed_ms), max(closed_ms) FROM screens"
        count, whole, first, last = database.execute(query).fetchone()
    return ScreensReport(count, int(whole), first, last, size_of(path))


def _coin_id(database: sqlite3.Connection, name: str) -> int:
    try:
        found = database.execute("SELECT id FROM coins WHERE name = ?", (name,)).fetchone()
    except UnicodeEncodeError:  # halves of characters, which no name has
        found = None
    if found is None:
        raise UnknownPair(f"no screen that is kept has the coin {name!r}")
    return int(found[0])


def _parts_of(database: sqlite3.Connection, pair: list[int], since_ms: int) -> list[Part]:
    """Return what each screen found of a pair: one row a part."""
    query = f"{PARTS} AND coin = ? WHERE screens.closed_ms >= ? ORDER BY screens.closed_ms"
    parts = _unpacked(database.execute(query, (min(pair), since_ms)))
    of_pair = (part._replace(rows=part.rows[_is_pair(part.rows, *pair)]) for part in parts)
    return [part for part in of_pair if len(part.rows)]


def _unpacked(found: sqlite3.Cursor) -> Iterator[Part]:
    for row in found:
        part = Part(*row)
        try:
            yield part._replace(rows=from_bytes(row[-1]))
        except StoreError as error:
            closed_at = _times([part.closed_ms])[0]
            warnings.warn(f"the screen of the bar that closed at {closed_at}: {error}", DataWarning, stacklevel=2)


def _is_pair(rows: PairRows, one: int, other: int) -> BoolArray:
    y, x = rows["y"], rows["x"]
    return np.asarray((y == one) & (x == other) | (y == other) & (x == one))


def _frame(database: sqlite3.Connection, parts: list[Part]) -> pd.DataFrame:
    names, asked = dict(database.execute("SELECT id, name FROM coins")), _asked(database)
    rows = np.frombuffer(b"".join(part.rows.tobytes() for part in parts), dtype=ROW)
    repeats = np.array([len(part.rows) for part in parts], dtype=np.int64)
    heads = pd.DataFrame([part[:-1] for part in parts], columns=list(Part._fields[:-1]))
    heads = heads.loc[heads.index.repeat(repeats)].reset_index(drop=True)
    settings, fee_bps = heads["settings"].tolist(), heads["fee_bps"].astype(np.float64)
    frame = pd.DataFrame({name: rows[name].astype(np.float64) for name in NUMBERS})
    frame = frame.assign(
        time=_times(heads["bar_ms"]),
        closed_at=_times(heads["closed_ms"]),
        y=[names[coin] for coin in rows["y"].tolist()],
        x=[names[coin] for coin in rows["x"].tolist()],
        fee_bps=fee_bps,
        net_edge_bps=frame["gross_bps"] - fee_bps - frame["slippage_bps"] + frame["funding_bps"],
        gates_failed=_names_of_failed(settings, rows["failed"].tolist(), asked),
        is_final=heads["is_final"].astype(bool),
        settings=[asked[key][0] for key in settings],
    )
    return frame.astype(dict.fromkeys(TEXTS, "str"))[list(PAIR_COLUMNS)]


def _names_of_failed(settings: list[int], bits: list[int], asked: dict[int, tuple[str, list[str]]]) -> list[str]:
    keys = list(zip(settings, bits, strict=True))
    names = {
        (key, some): ", ".join(name for place, name in enumerate(asked[key][1]) if some >> place & 1)
        for key, some in set(keys)
    }
    return [names[key] for key in keys]


def _asked(database: sqlite3.Connection) -> dict[int, tuple[str, list[str]]]:
    query = "SELECT id, hash, content FROM settings"
    return {key: (digest, json.loads(content)["gates"]) for key, digest, content in database.execute(query)}


def _times(ms: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.asarray(ms, dtype=np.int64).view("datetime64[ms]")).tz_localize("UTC")


def to_ms(time: pd.Timestamp) -> int:
    """Return milliseconds since 1970, rounded up.

    Raises
    ------
    InputError
        If the time has no zone.
    """
    if time.tzinfo is None:
        raise InputError(f"the time is {time} without a time zone: say which, for example '2025-01-01T00:00Z'")
    microseconds = int(time.as_unit("us").asm8.astype(np.int64))
    return -(-microseconds // 1000)
