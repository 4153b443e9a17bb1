"""What the engine's API serves beside the answer: health, status, history and frames."""

import asyncio
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hlpairs_core.engine.archive import Archive
from hlpairs_core.engine.client_watch import ClientWatch
from hlpairs_core.engine.feed import Feed
from hlpairs_core.engine.filler import Filler
from hlpairs_core.engine.history import History
from hlpairs_core.engine.payload import iso
from hlpairs_core.engine.scorecard import board_of
from hlpairs_core.engine.scorecard_report import track_record
from hlpairs_core.engine.selector import Selector
from hlpairs_core.engine.snapshot import describe_market
from hlpairs_core.engine.state import State
from hlpairs_core.engine.track_record import TrackRecord
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import OrderBook
from hlpairs_core.market import as_utc
from hlpairs_core.store import Journal, ScorecardFile, ScreenHistory, Screens, read_scorecard

__all__ = ["EngineSource", "Parts"]

FRESH_SECONDS = 10.0


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of an engine that has a market; `feed` is None where it has no stream."""

    archive: Archive
    selector: Selector
    filler: Filler
    feed: Feed | None
    watch: ClientWatch
    history: History
    journal: Journal
    screens: Screens
    scorecard: ScorecardFile


class EngineSource:
    """Reads the parts of a live engine; before a market is open there is nothing to read.

    Parameters
    ----------
    state : State
        Of the engine.
    clock : callable
        Wall time, seconds since the epoch.
    """

    def __init__(self, state: State, *, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._started = clock()
        self._parts: Parts | None = None

    def open(self, parts: Parts) -> None:
        """Serve these parts from now on."""
        self._parts = parts

    def health(self) -> dict[str, Any]:
        """Say whether messages arrive and nothing is wrong."""
        age, feed_age = self._age(self._state.message_at), self._age(self._state.feed_at)
        problems = self._state.problems
        return {
            "ok": age is not None and age < FRESH_SECONDS and not problems.is_anything_wrong,
            "pid": os.getpid(),
            "message_age_seconds": age,
            "stream_connected": feed_age is not None and feed_age < FRESH_SECONDS,
            "stream_message_age_seconds": feed_age,
            "problems": problems.all(),
        }

    def _age(self, heard: float | None) -> float | None:
        return None if heard is None else max(0.0, self._clock() - heard)

    def status(self) -> dict[str, Any]:
        """Say what is held and done."""
        now = self._clock()
        return {
            "market": describe_market(self._state, now=now),
            "started_at": iso(self._started),
            "uptime_seconds": round(now - self._started, 1),
            "loading": self._state.loading,
            **(self._held(self._parts) if self._parts is not None else {}),
        }

    def _held(self, parts: Parts) -> dict[str, Any]:
        history, journal = parts.history, parts.journal
        kept = (journal, parts.screens, parts.scorecard)
        return {
            "stream": None if parts.feed is None else parts.feed.status(),
            "requests": parts.watch.status(),
            "backfill": parts.filler.status(),
            "edge_model": self._state.edge_fit.status(),
            "folder": str(history.folder),
            "candle_segments": history.candles.store.segments,
            "funding_segments": history.funding.store.segments,
            "minute_segments": history.minutes.store.segments,
            "rows_waiting": history.waiting,
            "set_aside": [*history.problems, *(str(one) for file in kept for one in file.problems)],
            "last_verdicts": [_brief(entry) for entry in journal.verdicts(5)],
        }

    def history(self, window_seconds: float) -> list[dict[str, Any]]:
        """Return the snapshots of the last so many seconds of wall time, oldest first."""
        if self._parts is None:
            return []
        rows = self._parts.journal.history(window_seconds)
        return [{**row["payload"], "recorded_at": iso(row["wall_ms"] / 1000)} for row in rows]

    def pair_history(self, y: str, x: str, *, since: str | None) -> bytes:
        """Return what each screen found of a pair as Parquet, oldest first.

        Raises
        ------
        InputError
            If both are the same coin, or `since` is no time with a zone.
        UnknownPair
            If no screen that is kept has tested the pair.
        ExchangeError
            If nothing is known yet.
        """
        start = None if since is None else as_utc(since, "since")
        screens = self._opened().screens
        return _parquet(ScreenHistory(screens.path).pair(y, x, since=start))

    def scorecard(self) -> TrackRecord:
        """Return what was said of closed bars here against what came of it, summed up.

        Raises
        ------
        ExchangeError
            If nothing is known yet.
        """
        return track_record(board_of(read_scorecard(self._opened().scorecard.path, signals=False)))

    def scorecard_rows(self, *, since: str | None) -> bytes:
        """Return every answer of a closed bar and its outcome as Parquet, oldest first.

        Raises
        ------
        InputError
            If `since` is no time with a zone.
        ExchangeError
            If nothing is known yet.
        """
        start = None if since is None else as_utc(since, "since")
        return _parquet(read_scorecard(self._opened().scorecard.path, since=start))

    async def books(self, coins: list[str] | None) -> dict[str, Any]:
        """Return books of these coins; without any, those that the last selection was priced with.

        Raises
        ------
        InputError
            If a coin is unknown.
        ExchangeError
            If a book could not be fetched.
        """
        if coins is None:
            books = {} if self._parts is None else self._parts.selector.books
        else:
            books = await self._opened().archive.books(coins)
        return {coin: _levels(book) for coin, book in books.items()}

    async def frame(self, kind: str, *, coins: list[str] | None, bars: int, interval: str | None) -> bytes:
        """Return candles, funding, the universe, ticks or one-second bars as Parquet.

        Raises
        ------
        InputError
            If a coin or interval is unknown, or too much is asked for at once.
        ExchangeError
            If what is missing could not be fetched, or nothing is known yet.
        """
        archive = self._opened().archive
        if kind == "candles":
            frame = await archive.candles(coins, bars, interval)
        elif kind == "funding":
            frame = await archive.funding(coins, bars, interval)
        elif kind == "universe":
            frame = archive.universe().reset_index()
        else:
            frame = archive.ticks(coins) if kind == "ticks" else archive.seconds(coins)
        return await asyncio.to_thread(_parquet, frame.astype({"coin": "str"}))

    def _opened(self) -> Parts:
        if self._parts is None:
            raise ExchangeError("the exchange has not answered yet: ask again in a moment")
        return self._parts


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _levels(book: OrderBook) -> dict[str, Any]:
    return {"time": iso(book.time.timestamp()), "bids": book.bids.tolist(), "asks": book.asks.tolist()}


def _brief(entry: dict[str, Any]) -> dict[str, Any]:
    closed, said = iso(entry["bar_ms"] / 1000), iso(entry["wall_ms"] / 1000)
    return {"bar_closed_at": closed, "recorded_at": said, "verdict": entry["payload"]["verdict"]}
