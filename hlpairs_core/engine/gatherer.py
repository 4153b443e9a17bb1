"""Brings in the candles of a bar that has closed: those of the feed, then by request."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from hlpairs_core.engine.agreement import Agreement
from hlpairs_core.engine.closes import Closes
from hlpairs_core.engine.history import History
from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.engine.payload import Loading
from hlpairs_core.engine.provisional import to_ms
from hlpairs_core.engine.state import State
from hlpairs_core.engine.waiting import woken
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient, Priority
from hlpairs_core.intervals import interval_duration

__all__ = ["FEED_SECONDS", "Gatherer", "Open"]

# A candle reaches the feed with the coin's next trade: so long it is waited for.
FEED_SECONDS = 2.0
# What the exchange says of a coin so long after a bar's end comes behind all of its trades.
AFTER_SECONDS = 0.3


@dataclass(frozen=True)
class Open:
    """What of a bar the exchange has yet to say.

    Attributes
    ----------
    late : tuple of str
        Coins of whose candle nothing is known.
    unconfirmed : tuple of str
        Coins that are screened with a provisional candle.
    """

    late: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.late or self.unconfirmed)

    @property
    def coins(self) -> list[str]:
        """In the order in which to ask: the feed may confirm those that trade most before it is their turn."""
        return list(dict.fromkeys((*self.late, *reversed(self.unconfirmed))))


class Gatherer:
    """Knows which candles of a bar are there, and gets the others.

    Parameters
    ----------
    client : HyperliquidClient
        Asked for the candles that the feed did not bring; with retries.
    history, closes : History, Closes
        Where they are kept.
    agreement : Agreement
        Says what trades make of a bar.
    first_bar : callable
        From the open of the bar to that of the first one that its screen looks at.
    state : State
        Of the engine.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        history: History,
        closes: Closes,
        agreement: Agreement,
        first_bar: Callable[[pd.Timestamp], pd.Timestamp],
        state: State,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._history, self._closes, self._agreement = history, closes, agreement
        self._first_bar, self._state = first_bar, state
        self._clock, self._sleep = clock, sleep
        self._ingest = Ingest(client.at(Priority.NORMAL), history)
        self._duration = interval_duration(history.interval)

    async def hear(self, coins: Sequence[str], last: pd.Timestamp) -> None:
        """Give the feed a moment to say that the bar is over, and take what it said; where it did not, guess."""
        left = min(FEED_SECONDS, 0.1 * self._state.wall_seconds(self._duration))
        while left > 0 and (self._closes.expected(coins, last) or self._falls_silent(coins, last)):
            nap = min(left, 0.25)
            await woken(self._closes.news, nap, self._sleep)
            left -= nap
        lacking = await self.lacking(coins, last)
        self._closes.build(self.heard_since(lacking, last), last, self._agreement.bar)
        self._closes.store()

    async def lacking(self, coins: Sequence[str], last: pd.Timestamp) -> list[str]:
        """Return the coins of whose candle nothing is known."""
        return await asyncio.to_thread(self._closes.lacking, coins, last)

    async def fetch(self, coins: Sequence[str], last: pd.Timestamp, *, total: int) -> None:
        """Ask for what these coins lack; provisional candles are not lacking.

        Raises
        ------
        ExchangeError
            If nothing could be fetched of any of them.
        """
        first = self._first_bar(last)
        wanting = await asyncio.to_thread(self._closes.wanting, coins, first, last)

        def progress(done: int) -> None:
            if self._state.screened is None:
                done += len(coins) - len(wanting)
                text = f"{done} of {total} coins"
                self._state.loading = Loading(stage="candles", done=done, total=total, text=text)

        progress(0)
        failed = await self._ingest.candles(wanting, first, last, progress=progress)
        await self.store()
        names = ", ".join(list(failed)[:5])
        text = f"{len(failed)} of {len(coins)} coins could not be fetched ({names}): screened without what is missing"
        self._state.problems.report("candles", text if failed else None)
        if coins and len(failed) == len(coins):
            raise ExchangeError(f"no candles could be fetched: {next(iter(failed.values()))}")

    async def ask(self, coins: Sequence[str], last: pd.Timestamp) -> None:
        """Ask for the exchange's own candles of these coins, as far as the feed has not brought them meanwhile."""
        await self._ingest.candles(self._in_turn(coins), self._first_bar(last), last)
        await self.store()

    async def settle(self) -> bool:
        """Let the exchange's own candles take the place of provisional ones; return whether any differs."""
        self._closes.store()
        return await asyncio.to_thread(self._closes.provisional.settle)

    async def open(self, coins: Sequence[str], last: pd.Timestamp) -> Open:
        """Return what the exchange has yet to say."""
        unconfirmed = self._closes.provisional.coins(coins, self._first_bar(last), last)
        return Open(tuple(await self.lacking(coins, last)), tuple(unconfirmed))

    async def store(self) -> None:
        """Store what came."""
        self._closes.store()
        self._state.problems.report("store", await self._ingest.flush())
        for text in self._history.problems:
            self._state.problems.note("store", text)

    def heard_since(self, coins: Sequence[str], last: pd.Timestamp) -> list[str]:
        """Return the coins of which the exchange has spoken after the end of a bar: none of its trades is on its way.

        What counts is the exchange's own time of what it said: the feed may be late. It keeps a coin's channels on
        one socket; of one that has died nobody knows yet what it lost.
        """
        after = self._after_ms(last)
        return [coin for coin in coins if self._closes.reached(coin) > after]

    def _falls_silent(self, coins: Sequence[str], last: pd.Timestamp) -> bool:
        """Whether there are coins of which the exchange spoke shortly before a bar was over, but not since."""
        after = self._after_ms(last)
        before = after - self._market_ms(FEED_SECONDS + AFTER_SECONDS)
        return any(before < self._closes.reached(coin) <= after for coin in coins)

    def _after_ms(self, last: pd.Timestamp) -> float:
        return to_ms(last + self._duration) + self._market_ms(AFTER_SECONDS)

    def _market_ms(self, seconds: float) -> float:
        return seconds * 1000 / self._state.wall_seconds(pd.Timedelta(seconds=1))

    def _in_turn(self, coins: Sequence[str]) -> Iterator[str]:
        """Yield coins; what the feed has confirmed by then is held, so that it is not asked for."""
        for coin in coins:
            self._closes.store()
            yield coin
