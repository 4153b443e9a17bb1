"""Fetches what the store lacks, several coins at a time, and says how far it has come."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import pandas as pd

from hlpairs_core.engine.history import Buffered, History, Range
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient
from hlpairs_core.intervals import interval_duration

__all__ = ["Ingest", "by_liquidity"]

log = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[int], None]

AT_A_TIME = 8
# Rows are stored after so many coins: a crash costs at most this much fetching.
COINS_A_SEGMENT = 24


def _silent(_done: int) -> None:
    """Say nothing."""


def by_liquidity(contexts: pd.DataFrame) -> list[str]:
    """Return the listed coins, those with the largest notional of the day first; delisted ones left out."""
    live = contexts[~contexts["is_delisted"]]
    return list(live["day_notional_usd"].fillna(0.0).sort_values(ascending=False, kind="stable").index)


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
    trouble : str or None
        Why rows wait in memory instead of the store; None when they do not.
    """

    def __init__(self, client: HyperliquidClient, history: History) -> None:
        self._client = client
        self._history = history
        self._duration = interval_duration(history.interval)
        self._unstored = 0
        self.trouble: str | None = None

    async def candles(
        self, coins: Sequence[str], first: pd.Timestamp, last: pd.Timestamp, *, progress: Progress = _silent
    ) -> dict[str, str]:
        """Fetch the missing closed candles that open in ``first … last``.

        Parameters
        ----------
        coins : sequence of str
            In the order in which they are fetched, several at a time.
        progress : callable
            Gets the number of coins done.

        Returns
        -------
        dict of str to str
            The coins that could not be fetched, with the reason of each.
        """
        return await self._round(self._history.candles, self._candles_of, coins, (first, last), progress)

    async def funding(
        self, coins: Sequence[str], first: pd.Timestamp, last: pd.Timestamp, *, progress: Progress = _silent
    ) -> dict[str, str]:
        """Fetch the missing settled funding stamped in ``first … last`` (full hours); as `candles`."""
        return await self._round(self._history.funding, self._funding_of, coins, (first, last), progress)

    async def flush(self) -> str | None:
        """Store what waits; return why that failed, None when it did not."""
        self._unstored = 0
        self.trouble = await asyncio.to_thread(self._history.flush)
        return self.trouble

    async def _round(
        self,
        part: Buffered,
        fetch: Callable[[str, Range], Awaitable[None]],
        coins: Sequence[str],
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

    async def _candles_of(self, coin: str, hole: Range) -> None:
        first, last = hole
        frame = await self._client.candles(coin, self._history.interval, first, last)
        self._check_market()
        # A bar that should be closed but is not there yet must be asked for again.
        answered = frame["time"].iloc[-1] if len(frame) else last - self._duration
        self._history.candles.add(frame.assign(coin=coin), [(coin, first, answered)] if first <= answered else [])

    async def _funding_of(self, coin: str, hole: Range) -> None:
        first, last = hole
        # Stamps come up to minutes after their hour.
        frame = await self._client.funding_history(coin, first, last + pd.Timedelta(minutes=59))
        self._check_market()
        hour = frame["time"].iloc[-1].floor("h") if len(frame) else last - pd.Timedelta(hours=1)
        self._history.funding.add(frame.assign(coin=coin), [(coin, first, hour)] if first <= hour else [])
