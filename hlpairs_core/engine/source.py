"""What the engine's API serves beside the answer: health, status, history, candles, funding, universe, books."""

import asyncio
import io
import os
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from hlpairs_core.engine.bars import Bars
from hlpairs_core.engine.history import History
from hlpairs_core.engine.marks import iso
from hlpairs_core.engine.snapshot import State, describe_market
from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange import OrderBook
from hlpairs_core.intervals import interval_duration
from hlpairs_core.store import Journal

__all__ = ["EngineSource"]

FRESH_SECONDS = 10.0


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
        self._parts: tuple[Bars, History, Journal] | None = None

    def open(self, bars: Bars, history: History, journal: Journal) -> None:
        """Serve these parts from now on."""
        self._parts = (bars, history, journal)

    def health(self) -> dict[str, Any]:
        """Say whether messages arrive and nothing is wrong."""
        age = None if self._state.message_at is None else self._clock() - self._state.message_at
        problems = self._state.problems.all()
        return {
            "ok": age is not None and age < FRESH_SECONDS and not problems,
            "pid": os.getpid(),
            "message_age_seconds": None if age is None else max(0.0, age),
            "problems": problems,
        }

    def status(self) -> dict[str, Any]:
        """Say what is held and done."""
        now = self._clock()
        held = {}
        if self._parts is not None:
            _, history, journal = self._parts
            held = {
                "folder": str(history.folder),
                "candle_segments": history.candles.store.segments,
                "funding_segments": history.funding.store.segments,
                "rows_waiting": history.candles.waiting + history.funding.waiting,
                "set_aside": [*history.problems, *map(str, journal.problems)],
                "last_verdicts": [_brief(entry) for entry in journal.verdicts(5)],
            }
        return {
            "market": describe_market(self._state, now=now),
            "started_at": iso(self._started),
            "uptime_seconds": round(now - self._started, 1),
            "loading": self._state.loading,
            **held,
        }

    def history(self, window_seconds: float) -> list[dict[str, Any]]:
        """Return the snapshots of the last so many seconds of wall time, oldest first."""
        if self._parts is None:
            return []
        rows = self._parts[2].history(window_seconds)
        return [{**row["payload"], "recorded_at": iso(row["wall_ms"] / 1000)} for row in rows]

    def books(self) -> dict[str, Any]:
        """Return the books that the last selection was priced with."""
        return {} if self._parts is None else {coin: _levels(book) for coin, book in self._parts[0].books.items()}

    async def frame(self, kind: str, *, coins: list[str] | None, bars: int) -> bytes:
        """Return candles, funding or the universe as Parquet.

        Raises
        ------
        InputError
            If a coin is not listed, or nothing is known yet.
        """
        contexts = None if self._parts is None else self._parts[0].contexts
        if self._parts is None or contexts is None:
            raise InputError("the engine has not heard from the exchange yet: ask again in a moment")
        unknown = [coin for coin in coins or [] if coin not in contexts.index]
        if unknown:
            raise InputError(f"the exchange lists no coin {unknown[0]!r}: see /universe for those it does")
        if kind == "universe":
            return await asyncio.to_thread(_parquet, contexts.reset_index())
        return await asyncio.to_thread(self._rows, self._parts[1], kind, coins, bars)

    def _rows(self, history: History, kind: str, coins: list[str] | None, bars: int) -> bytes:
        now = self._state.market_time(self._clock())
        assert now is not None
        duration = interval_duration(history.interval)
        last = now.floor(duration) - duration
        read = history.candles.read if kind == "candles" else history.funding_of_bars
        return _parquet(read(coins, last - (bars - 1) * duration, last).astype({"coin": "str"}))


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _levels(book: OrderBook) -> dict[str, Any]:
    return {"time": iso(book.time.timestamp()), "bids": book.bids.tolist(), "asks": book.asks.tolist()}


def _brief(entry: dict[str, Any]) -> dict[str, Any]:
    closed, said = iso(entry["bar_ms"] / 1000), iso(entry["wall_ms"] / 1000)
    return {"bar_closed_at": closed, "recorded_at": said, "verdict": entry["payload"]["verdict"]}
