"""The exchange's feed, whole: many sockets, one sequence of events."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import NoReturn, Self

from hlpairs_core.exceptions import ExchangeError, InputError
from hlpairs_core.exchange.client import HyperliquidClient
from hlpairs_core.exchange.coin_check import CoinCheck
from hlpairs_core.exchange.desk import Desk
from hlpairs_core.exchange.events import Event, Subscription
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.fills import FILLERS
from hlpairs_core.exchange.limits import StreamLimits
from hlpairs_core.exchange.mailbox import Mailbox
from hlpairs_core.exchange.sockets import Connect, Dialer, open_websocket
from hlpairs_core.exchange.status import StreamStatus
from hlpairs_core.exchange.subscriptions import check_subscription
from hlpairs_core.exchange.switchboard import Switchboard
from hlpairs_core.exchange.tap import Tap

__all__ = ["HyperliquidStream"]

_TEND_SECONDS = 1.0
_ASK_TIME_SECONDS = 60.0


class HyperliquidStream:
    """Live feed of Hyperliquid's public market data, or of a simulated exchange that speaks its wire.

    Sockets that are lost, go silent or stall are replaced, within the exchange's limits. What a loss costs is
    told: each interrupted subscription that is back is named by a `GapEvent`. A subscription that makes the
    server drop the connection is found, left out and named by a `QuarantineEvent`; the others go on.

    What is promised:

    - **Trades** are handed out once each. Where an interruption lost some, `GapEvent.filled` is False: the
      exchange repeats the last 30 on subscribing, and none of them was known.
    - **Candles**: each one that ends after it was subscribed is handed out closed, once, in order of time. What
      an interruption may have swallowed is fetched over REST, and later candles wait for it. From `settle_from`
      on, a candle that the feed does not close in time (an illiquid coin's), or not with certainty, is fetched
      too; of a shorter one that nobody traded in is heard with the next trade. A closed candle whose values
      prove wrong is handed out again with `corrects`; see `CandleEvent.is_confirmed` for when that may happen.
    - **Quotes, contexts, mids, books and open candles**: of each the newest; what a slow reader misses is
      replaced by newer ones and counted. If trades and closed candles pile up beyond a bound, the sockets are
      read no further until the reader has caught up.
    - Whatever arrives and is unfit is counted by kind in `status().faults` and logged once a kind.

    Parameters
    ----------
    client : HyperliquidClient
        Says which coins exist, where the exchange is, and fetches candles, at its priority; it stays the caller's
        to close.
    connect : callable, optional
        Given a URL, opens a WebSocket; by default over the network.
    tap : Tap, optional
        Sees every frame.
    clock : callable
        Seconds since 1970, the same as the client's.
    sleep : callable
        Awaitable sleep in seconds.
    rng : random.Random, optional
        Jitter of the reconnects.
    ping_seconds : float
        Between pings; a socket on which nothing comes for ten seconds more is replaced.
    stall_seconds : float
        Silence of a feed, on a socket that answers pings, after which it is asked for anew; or five times as
        long as it was ever silent before, if that is more.
    quarantine_seconds : float
        Until a subscription that was left out is tried again; see also `retry_quarantined`.
    settle_from : str
        See above. Each such candle costs a request of weight 21.
    limits : StreamLimits
        Of connections, subscriptions and messages.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> async with HyperliquidClient() as client, HyperliquidStream(client) as stream:  # doctest: +SKIP
    ...     await stream.subscribe(Subscription("trades", "BTC"), Subscription("candle", "BTC", "1m"))
    ...     async for event in stream.events():
    ...         print(event)
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        connect: Connect | None = None,
        tap: Tap | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
        ping_seconds: float = 20.0,
        stall_seconds: float = 30.0,
        quarantine_seconds: float = 3600.0,
        settle_from: str = "1h",
        limits: StreamLimits | None = None,
    ) -> None:
        for name, seconds in (
            ("ping_seconds", ping_seconds),
            ("stall_seconds", stall_seconds),
            ("quarantine_seconds", quarantine_seconds),
        ):
            if not 0 < seconds < math.inf:
                raise InputError(f"{name} must be a positive number, got {seconds!r}")
        limits = limits or StreamLimits()
        rng = rng or random.Random()
        self._client = client
        self._limits = limits
        self._coins = CoinCheck(client)
        self._faults = Faults()
        self._mailbox = Mailbox(limits.buffered)
        self._dialer = Dialer(
            lambda: f"ws{client.address.removeprefix('http')}/ws",
            connect=connect or partial(open_websocket, largest_message=limits.largest_message),
            limits=limits,
            ping_seconds=ping_seconds,
            mailbox=self._mailbox,
            faults=self._faults,
            tap=tap,
            clock=clock,
            sleep=sleep,
            rng=rng,
        )
        self._desk = Desk(
            client,
            self._mailbox.put,
            self._faults,
            settle_from=settle_from,
            clock=clock,
            steady=self._dialer.steady,
            rng=rng,
        )
        self._switchboard = Switchboard(
            self._dialer,
            self._desk,
            self._faults,
            put=self._mailbox.put,
            start=self._start,
            limits=limits,
            stall_seconds=stall_seconds,
            quarantine_seconds=quarantine_seconds,
        )
        self._wanted: set[Subscription] = set()
        self._subscribing = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_open = False
        self._time_asked_at = -math.inf

    async def __aenter__(self) -> Self:
        self._is_open = True
        self._start(self._tend())
        self._start(self._switchboard.probe.run())
        for _ in range(FILLERS):
            self._start(self._desk.filler.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all sockets and end the reader's iteration; a second call does nothing."""
        self._is_open = False
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._mailbox.close()

    async def subscribe(self, *subscriptions: Subscription) -> None:
        """Subscribe, all or none; what is subscribed already is left as it is.

        It returns when the names are checked; the exchange's acknowledgements are seen in `status`.

        Raises
        ------
        InputError
            If a subscription cannot be written, or there would be more than the limits allow.
        UnknownCoin
            If the exchange does not list a coin.
        ExchangeError
            If the exchange cannot say.
        """
        for subscription in subscriptions:
            check_subscription(subscription)
        async with self._subscribing:
            self._check_open()
            added = [subscription for subscription in dict.fromkeys(subscriptions) if subscription not in self._wanted]
            total = len(self._wanted) + len(added)
            if total > self._limits.capacity:
                raise InputError(f"that would be {total} subscriptions: {self._limits.capacity} fit into the limits")
            changed = await self._coins.check(subscription.coin for subscription in added if subscription.coin)
            self._check_open()
            self._wanted.update(added)
            self._switchboard.add(added)
            if changed:
                self._switchboard.retry_quarantined()

    async def unsubscribe(self, *subscriptions: Subscription) -> None:
        """Unsubscribe; what was received already is still handed out.

        Raises
        ------
        InputError
            If one is not subscribed: then all stay.
        """
        async with self._subscribing:
            self._check_open()
            for subscription in subscriptions:
                if subscription not in self._wanted:
                    raise InputError(f"{subscription} is not subscribed")
            for subscription in dict.fromkeys(subscriptions):
                self._wanted.remove(subscription)
                self._switchboard.remove(subscription)

    def retry_quarantined(self) -> None:
        """Try what was left out again, each alone on a socket of its own; for when the universe has changed.

        `subscribe` does so itself where it finds that it has.
        """
        self._switchboard.retry_quarantined()

    def events(self) -> AsyncIterator[Event]:
        """Return the events, to be read by one reader; they end when the stream is closed.

        Raises
        ------
        InputError
            If they are being read already.
        """
        return self._mailbox.read()

    def status(self) -> StreamStatus:
        """Return how the stream is now."""
        lines = self._switchboard.lines
        subscribed = sum(len(line.acknowledged) for line in lines)
        quarantined = self._switchboard.quarantined
        return StreamStatus(
            sockets_open=sum(line.is_open for line in lines),
            sockets_wanted=sum(bool(line.wanted) for line in lines),
            subscribed=subscribed,
            pending=len(self._wanted) - subscribed - len(quarantined),
            stalled=tuple(subscription for line in lines for subscription in line.pulses.stalled),
            quarantined=quarantined,
            reconnects=sum(max(0, line.opened - 1) for line in lines),
            last_loss=self._switchboard.last_loss,
            last_message_at=self._dialer.received_at,
            messages=self._dialer.received,
            conflated=self._mailbox.conflated,
            fills=self._desk.fills,
            filling=len(self._desk.filler),
            buffered=len(self._mailbox),
            is_paused=self._mailbox.is_full,
            faults=dict(self._faults.counts),
        )

    def _check_open(self) -> None:
        if not self._is_open:
            raise InputError("this stream is not open: use it in `async with HyperliquidStream(…) as stream`")

    def _start(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._mailbox.close(task.exception())  # a defect: the reader must not wait for ever

    async def _tend(self) -> NoReturn:
        while True:
            await self._dialer.sleep(_TEND_SECONDS)
            self._desk.tend()
            self._switchboard.tend()
            if self._desk.is_clock_doubtful and self._dialer.steady() - self._time_asked_at > _ASK_TIME_SECONDS:
                self._time_asked_at = self._dialer.steady()
                self._desk.is_clock_doubtful = False
                self._start(self._ask_time())

    async def _ask_time(self) -> None:
        try:
            await self._client.all_mids()  # any answer carries the market's time, and this one is cheap
        except ExchangeError as problem:
            self._faults.note("market time not known", str(problem))
