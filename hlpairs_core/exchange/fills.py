"""Fetches over REST the candles that a feed is missing."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

import pandas as pd

from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange.candle_feed import Candle, CandleFeed
from hlpairs_core.exchange.client import HyperliquidClient
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.payloads import utc_ms

__all__ = ["FILLERS", "Filler", "Taker"]

FILLERS = 4
"""How many of `Filler.run` should be at work."""

_FIRST_WAIT = 2.0
_LONGEST_WAIT = 600.0
_EMPTY_ANSWERS = 4


class Taker(Protocol):
    """Whom a filler serves."""

    def wanted(self, feed: CandleFeed) -> tuple[int, int] | None:
        """First and last open time that is missing now (milliseconds since 1970); None where nothing is."""

    def filled(self, feed: CandleFeed, candles: list[Candle]) -> None:
        """These came."""

    def gave_up(self, feed: CandleFeed) -> None:
        """REST does not have what is missing."""


@dataclass
class _Record:
    tries: int = 0
    empty_answers: int = 0
    not_before: float = 0.0


class Filler:
    """Asks for what feeds are missing; again, ever less often, where there was no answer or not all of it.

    Parameters
    ----------
    client : HyperliquidClient
        Asks, within its budget and at its priority.
    taker : Taker
        Gets the candles.
    faults : Faults
        Counts failures.
    steady : callable
        Seconds, never going back.
    rng : random.Random
        Jitter.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        taker: Taker,
        faults: Faults,
        *,
        steady: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._client = client
        self._taker = taker
        self._faults = faults
        self._steady = steady
        self._rng = rng
        self._queue: asyncio.Queue[CandleFeed] = asyncio.Queue()
        self._queued: set[CandleFeed] = set()
        self._records: dict[CandleFeed, _Record] = {}

    def __len__(self) -> int:
        return len(self._queued)

    def ask(self, feed: CandleFeed) -> None:
        """Have a feed filled, unless that is under way, or was tried a moment ago."""
        if feed not in self._queued and self._records.get(feed, _Record()).not_before <= self._steady():
            self._queued.add(feed)
            self._queue.put_nowait(feed)

    def forget(self, feed: CandleFeed) -> None:
        """Let a feed go."""
        self._records.pop(feed, None)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        while True:
            feed = await self._queue.get()
            try:
                while (wanted := self._taker.wanted(feed)) is not None and await self._fill(feed, *wanted):
                    pass
            finally:
                self._queued.discard(feed)

    async def _fill(self, feed: CandleFeed, first: int, last: int) -> bool:
        """Ask once; return whether that helped."""
        start, end = utc_ms([first, last])
        try:
            frame = await self._client.candles(feed.subscription.coin, feed.subscription.interval, start, end)
        except ExchangeError as problem:
            self._faults.note("candles not fetched", str(problem))
            self._postpone(feed)
            return False
        self._taker.filled(feed, _candles(frame))
        after = self._taker.wanted(feed)
        if after is None or after[0] > first:
            self._records.pop(feed, None)
            return True
        self._postpone(feed, empty_answers=1)
        return False

    def _postpone(self, feed: CandleFeed, *, empty_answers: int = 0) -> None:
        record = self._records.setdefault(feed, _Record())
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(record.tries, 30))
        record.tries += 1
        record.empty_answers += empty_answers
        record.not_before = self._steady() + wait * self._rng.uniform(0.5, 1.0)
        if record.empty_answers >= _EMPTY_ANSWERS:
            self._taker.gave_up(feed)


def _candles(frame: pd.DataFrame) -> list[Candle]:
    times = frame["time"].dt.as_unit("ms").astype("int64").tolist()
    columns = (frame[name].tolist() for name in ("open", "high", "low", "close", "volume"))
    return [
        Candle(time, opened, high, low, close, volume, None)
        for time, opened, high, low, close, volume in zip(times, *columns, strict=True)
    ]
