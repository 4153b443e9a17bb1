"""Subscribes to the exchange's stream and hands on what it says."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import pandas as pd

from hlpairs_core.engine.agreement import Agreement
from hlpairs_core.engine.books import Books
from hlpairs_core.engine.closes import Closes
from hlpairs_core.engine.contexts import Contexts
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.payload import iso
from hlpairs_core.engine.plan import plan_subscriptions
from hlpairs_core.engine.state import State
from hlpairs_core.exceptions import EngineError, ExchangeError, UnknownCoin
from hlpairs_core.exchange import HyperliquidClient, Priority, StreamStatus
from hlpairs_core.exchange.events import (
    BookEvent,
    CandleEvent,
    ContextEvent,
    Event,
    GapEvent,
    MidsEvent,
    QuarantineEvent,
    QuoteEvent,
    Subscription,
    TradesEvent,
)
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.minutes import Minutes

__all__ = ["Feed", "Stream"]

LOOK_SECONDS = 1.0
CHECK_SECONDS = 5.0
ANSWER_SECONDS = 3.0
# A stream of all coins says something many times a second: what it would have said in a longer silence may be lost.
QUIET_SECONDS = 2.0
# Their address alone says which market it is.
OFFICIAL = ("live", "testnet")


class Stream(Protocol):
    """What the feed needs of `hlpairs_core.exchange.HyperliquidStream`."""

    async def subscribe(self, *subscriptions: Subscription) -> None:
        """Ask for these too; `UnknownCoin`, and for none of them, where a coin is not listed."""

    async def unsubscribe(self, *subscriptions: Subscription) -> None:
        """Ask for these no longer."""

    def events(self) -> AsyncIterator[Event]:
        """Yield what comes, to one reader."""

    def status(self) -> StreamStatus:
        """Return how it is."""


class Feed:
    """The exchange's stream: what it is asked for, and where what it says goes.

    Parameters
    ----------
    stream : Stream
        Reconnects, fills gaps and quarantines by itself.
    client : HyperliquidClient
        Asked, where the connection was lost, whether it is still the same market.
    state : State
        Takes quotes, mids and contexts.
    contexts : Contexts
        Which coins there are.
    closes, books, agreement, minutes : Closes, Books, Agreement, Minutes
        Take candles, books, and (the last two) trades. Without `minutes` nothing is recorded, and only the books of
        the best pairs are asked for.
    metrics : Metrics
        The instruments.
    moved : callable
        Told the coin (None: perhaps any) whose mid may have moved.
    interval : str
        Of the candles.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        stream: Stream,
        client: HyperliquidClient,
        *,
        state: State,
        contexts: Contexts,
        closes: Closes,
        books: Books,
        agreement: Agreement,
        minutes: Minutes | None,
        metrics: Metrics,
        moved: Callable[[str | None], None],
        interval: str,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._stream = stream
        # Nothing of the stream is taken meanwhile: better asked again than waited for.
        self._client = client.at(Priority.URGENT, retries=0, timeout_seconds=ANSWER_SECONDS)
        self._state, self._contexts, self._closes, self._books = state, contexts, closes, books
        self._agreement, self._minutes, self._metrics, self._moved = agreement, minutes, metrics, moved
        self._interval, self._duration = interval, interval_duration(interval)
        self._clock, self._sleep = clock, sleep
        self._events = stream.events()
        self._held: list[Subscription] = []
        self._planned: tuple[pd.DataFrame | None, tuple[str, ...]] = (None, ())
        # A connection that was lost may have come back to another market.
        self._suspect, self._checked_at, self._vouched_at = False, 0.0, 0.0

    async def read(self) -> None:
        """Hand on what comes, for about a second.

        Raises
        ------
        ExchangeError
            If the exchange has become another market: nothing of it is taken.
        EngineError
            If the stream has ended.
        """
        await self._check_market()
        began = self._clock()
        async for event in self._events:
            self._take(event)
            await self._check_market()
            if not 0 <= self._clock() - began < LOOK_SECONDS:
                return
        raise EngineError("the stream has ended: restart the engine to have it again")

    async def follow(self) -> None:
        """Subscribe to what is wanted now, and wait for a moment."""
        frame, shortlist = self._contexts.frame, self._state.shortlist
        coins = self._contexts.listed()
        if coins and (frame is not self._planned[0] or shortlist != self._planned[1]):
            self._keep_only(coins)
            all_books = self._minutes is not None
            wanted = plan_subscriptions(coins, interval=self._interval, shortlist=shortlist, all_books=all_books)
            await self._change_to(wanted)
            self._planned = (frame, shortlist)
        self._metrics.observe_stream(self._stream.status())
        await self._sleep(LOOK_SECONDS)

    def status(self) -> dict[str, Any]:
        """Say how the stream is."""
        status = self._stream.status()
        names = ("sockets_open", "subscribed", "pending", "reconnects", "messages", "conflated", "buffered")
        quarantined = {f"{one.channel} {one.coin}": reason for one, reason in status.quarantined.items()}
        return {
            **{name: getattr(status, name) for name in names},
            "quarantined": quarantined,
            "faults": dict(status.faults),
            "last_message_at": None if status.last_message_at is None else iso(status.last_message_at),
        }

    def _keep_only(self, coins: list[str]) -> None:
        self._books.keep_only(coins)
        self._agreement.keep_only(coins)
        if self._minutes is not None:
            self._minutes.keep_only(coins)

    async def _change_to(self, wanted: Sequence[Subscription]) -> None:
        held, needed = set(self._held), set(wanted)
        gone = [one for one in self._held if one not in needed]
        self._held = [one for one in self._held if one in needed]
        if gone:
            await self._stream.unsubscribe(*gone)
        await self._subscribe([one for one in wanted if one not in held])

    async def _subscribe(self, new: list[Subscription]) -> None:
        try:
            if new:
                await self._stream.subscribe(*new)
                self._held.extend(new)
        except UnknownCoin:
            # One that was delisted this minute must not keep the others out.
            for one in new:
                await self._subscribe_alone(one)

    async def _subscribe_alone(self, one: Subscription) -> None:
        try:
            await self._stream.subscribe(one)
            self._held.append(one)
        except UnknownCoin as error:
            self._state.problems.note("stream", f"{one.channel} of {one.coin} is left out: {error}")

    async def _check_market(self) -> None:
        asked_at = self._clock()
        if not self._suspect or 0 <= asked_at - self._checked_at < CHECK_SECONDS:
            return
        try:
            await self._client.all_mids()
        except ExchangeError:
            self._checked_at = self._clock()
            return  # it says nothing: asked again in a moment
        assert self._client.stamp is not None
        self._checked_at = 0.0  # a different market is found again at once
        self._state.hear(self._client.stamp)
        self._suspect, self._vouched_at = False, asked_at

    def _take(self, event: Event) -> None:
        if not isinstance(event, GapEvent | QuarantineEvent):
            self._mind_silence(event.received_at)
        match event:
            case QuoteEvent():
                self._take_quote(event)
            case ContextEvent():
                self._closes.reach(event.coin)
                self._state.ticks.take_context(event.coin, event.values)
            case CandleEvent():
                self._closes.take(event)
            case TradesEvent():
                self._closes.reach(event.coin, event.trades[-1].time)
                self._agreement.take(event)
                if self._minutes is not None:
                    self._minutes.take_trades(event)
            case BookEvent():
                self._closes.reach(event.book.coin, int(event.book.time.timestamp() * 1000))
                self._books.take(event)
                if self._minutes is not None:
                    self._minutes.take_book(event)
            case MidsEvent():
                self._state.ticks.take_mids(event.mids)
                self._state.seconds.take_all(event.mids, event.received_at)
                self._moved(None)
            case GapEvent():
                self._mind(event)
                return
            case QuarantineEvent():
                self._leave_out(event)
                return
        self._state.message_at = self._state.feed_at = event.received_at

    def _take_quote(self, quote: QuoteEvent) -> None:
        self._closes.reach(quote.coin, quote.time_ms)
        self._state.ticks.take_quote(quote)
        self._state.seconds.take(quote.coin, (quote.bid + quote.ask) / 2, quote.received_at)
        if self._minutes is not None:
            self._minutes.take_quote(quote)
        self._moved(quote.coin)
        self._metrics.ticks.inc()

    def _mind_silence(self, now: float) -> None:
        """After a silence of the whole stream, take its word for no bar that ended in it."""
        heard, stamp = self._state.feed_at, self._state.stamp
        if heard is not None and stamp is not None and now - heard > QUIET_SECONDS:
            self._closes.mistrust(*self._bars_between(heard, now, stamp.speed))
            for coin in self._contexts.listed():
                self._agreement.interrupt(coin)

    def _mind(self, gap: GapEvent) -> None:
        """Forget what may have changed unheard."""
        coin, stamp = gap.subscription.coin, self._state.stamp
        # One loss interrupts every subscription of a socket: one answer vouches for all that were back before it.
        is_old = gap.until < self._vouched_at <= self._clock()
        was_lost = gap.since < gap.until  # else a frame could not be read, and the connection is the same
        self._suspect |= was_lost and not is_old and (stamp is None or stamp.kind not in OFFICIAL)
        channel = gap.subscription.channel
        if channel == "bbo":
            self._state.ticks.interrupt(coin, gap.until)
            if self._minutes is not None:
                self._minutes.interrupt_quotes(gap.until, coin)
        elif channel == "trades" and not gap.filled:
            self._agreement.interrupt(coin)
            if self._minutes is not None:
                self._minutes.interrupt_trades(coin)
        elif channel == "candle" and not gap.filled and stamp is not None:
            self._doubt(gap, stamp.speed)

    def _doubt(self, gap: GapEvent, speed: float) -> None:
        self._closes.doubt(gap.subscription.coin, *self._bars_between(gap.since, gap.until, speed))

    def _bars_between(self, since: float, until: float, speed: float) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return the opens of the first and the last bar between two wall times."""
        now = self._clock()
        market = self._state.market_time(now)
        assert market is not None
        # What wall times are in the market's is an estimate: a second more on either side.
        first, last = (market - pd.Timedelta(seconds=(now - wall) * speed) for wall in (since - 1.0, until + 1.0))
        return first.floor(self._duration), last.floor(self._duration)

    def _leave_out(self, event: QuarantineEvent) -> None:
        one = event.subscription
        if one.channel == "candle":
            self._closes.forget(one.coin)
        self._state.problems.note("stream", f"{one.channel} of {one.coin} is left out of the stream: {event.reason}")
