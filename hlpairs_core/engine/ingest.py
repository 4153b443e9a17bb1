"""Fetches what the store lacks, several coins at a time, and says how far it has come."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import pandas as pd

from hlpairs_core.engine.history import Buffered, History, Range
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient
from hlpairs_core.intervals import interval_duration

__all__ = ["Ingest"]

log = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[int], None]

AT_A_TIME = 8
# Rows are stored after so many coins: a crash costs at most this much fetching.
COINS_A_SEGMENT = 24


def _silent(_done: int) -> None:
    """Say nothing."""


class Ingest:
    """Brings a market's history up to date.

    Parameters
    ----------
    client : HyperliquidClient
        Where to fetch.
    history : History
        Where to keep.

    Attributes
    ----------
    rows : int
        How many were fetched so far.
    """

    def __init__(self, client: HyperliquidClient, history: History) -> None:
        self._client = client
        self._history = history
        self._unstored = 0
        self.rows = 0

    async def candles(
        self,
        coins: Iterable[str],
        first: pd.Timestamp,
        last: pd.Timestamp,
        *,
        interval: str | None = None,
        progress: Progress = _silent,
    ) -> dict[str, str]:
        """Fetch the missing closed candles that open in ``first … last``.

        Parameters
        ----------
        coins : iterable of str
            In the order in which they are fetched, several at a time; taken when it is their turn.
        interval : str, optional
            Of the candles; by default the one that is screened.
        progress : callable
            Gets the number of coins done.

        Returns
        -------
        dict of str to str
            The coins that could not be fetched, with the reason of each.
        """
        kept = self._history.interval if interval is None else interval
        part = await asyncio.to_thread(self._history.candles_of, kept)

        async def fetch(coin: str, hole: Range) -> None:
            await self._candles_of(coin, hole, kept, part)

        return await self._round(part, fetch, coins, (first, last), progress)

    async def funding(
        self, coins: Iterable[str], first: pd.Timestamp, last: pd.Timestamp, *, progress: Progress = _silent
    ) -> dict[str, str]:
        """Fetch the missing settled funding stamped in ``first … last`` (full hours); as `candles`."""
        return await self._round(self._history.funding, self._funding_of, coins, (first, last), progress)

    async def flush(self) -> str | None:
        """Store what waits; return why that failed, None when it did not."""
        self._unstored = 0
        return await asyncio.to_thread(self._history.flush)

    async def _round(
        self,
        part: Buffered,
        fetch: Callable[[str, Range], Awaitable[None]],
        coins: Iterable[str],
        span: Range,
        progress: Progress,
    ) -> dict[str, str]:
        failed: dict[str, str] = {}
        queue = iter(coins)
        done = 0

        async def work() -> None:
            nonlocal done
            for coin in queue:
                try:
                    for hole in await asyncio.to_thread(part.missing, coin, *span):
                        await fetch(coin, hole)
                except ExchangeError as error:
                    failed[coin] = str(error)
                    log.warning("%s", error)
                done += 1
                progress(done)
                self._unstored += 1
                if self._unstored >= COINS_A_SEGMENT:
                    await self.flush()

        # A group, so that nobody goes on fetching when one fails in a way that is not the exchange's.
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(work())
        return failed

    def _check_market(self) -> None:
        stamp = self._client.stamp
        if stamp is not None and stamp.name != self._history.folder.name:
            raise ExchangeError(
                f"the exchange is now the market {stamp.name}, not {self._history.folder.name}: nothing is stored"
            )

    async def _candles_of(self, coin: str, hole: Range, interval: str, part: Buffered) -> None:
        first, last = hole
        frame = await self._client.candles(coin, interval, first, last)
        self._check_market()
        # A bar that should be closed but is not there yet must be asked for again.
        answered = frame["time"].iloc[-1] if len(frame) else last - interval_duration(interval)
        self._take(part, coin, frame, first, answered)

    async def _funding_of(self, coin: str, hole: Range) -> None:
        first, last = hole
        # Stamps come up to minutes after their hour.
        frame = await self._client.funding_history(coin, first, last + pd.Timedelta(minutes=59))
        self._check_market()
        hour = frame["time"].iloc[-1].floor("h") if len(frame) else last - pd.Timedelta(hours=1)
        self._take(self._history.funding, coin, frame, first, hour)

    def _take(self, part: Buffered, coin: str, frame: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> None:
        self.rows += len(frame)
        part.add(frame.assign(coin=coin), [(coin, first, last)] if first <= last else [])
