import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from hlpairs_core.simulation.faults import Fault, Faults
from hlpairs_core.simulation.feed_accounts import ACCOUNT_KINDS, account_stream
from hlpairs_core.simulation.feed_block import Block
from hlpairs_core.simulation.feed_markets import market_stream
from hlpairs_core.simulation.feed_meter import FeedMeter
from hlpairs_core.simulation.feed_posts import post_answer
from hlpairs_core.simulation.feed_requests import Post, Subscription
from hlpairs_core.simulation.feed_settings import FeedSettings
from hlpairs_core.simulation.feed_streams import FeedStream
from hlpairs_core.simulation.limits import WeightMeter
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.view import MarketView

__all__ = ["Feed", "FeedClient"]

_TURN_SECONDS = 0.02

logger = logging.getLogger(__name__)


class FeedClient(Protocol):
    """A connection, as the feed sees it; `sent_at` is the time of the feed's clock when it was last sent something."""

    address: str
    sent_at: float

    def transmit(self, text: str) -> None:
        """Send a message; returns at once."""

    def drop(self, reason: str) -> None:
        """End the connection without a word. Idempotent."""


@dataclass
class _Channel:
    """A subscription that somebody has."""

    stream: FeedStream
    block: Block
    clients: dict[FeedClient, None] = field(default_factory=dict)
    turn: int = 0

    def advance(self, block: Block, now: float) -> None:
        """Send everybody what a block brings, unless that was done before."""
        if block is self.block:
            return
        self.block = block
        if self.due(block, now):
            messages = self.stream.next(block)
            for client in tuple(self.clients):
                for message in messages:
                    client.transmit(message)

    def due(self, block: Block, now: float) -> bool:
        """Whether its stream has a message to make; all streams of one pace keep the same time."""
        if not self.stream.every:
            return True
        turn = int(now / self.stream.every + self.stream.phase)
        passed, self.turn = turn != self.turn, turn
        return passed or self.stream.ready(block)


class Feed:
    """Sends what happens in a market to everybody who subscribed to it.

    One task looks at the market once a block for all connections, and makes each message once for all of its
    subscribers. It runs while anybody is connected.

    Parameters
    ----------
    market : SimulatedMarket
        The market.
    settings : FeedSettings, optional
        How it behaves.
    weights : WeightMeter, optional
        Counts what ``post`` requests weigh, together with those over REST.
    clock : callable
        Wall time in seconds, from any origin.
    faults : Faults, optional
        What goes wrong.
    sleep : callable
        Waits so many seconds.
    """

    def __init__(
        self,
        market: SimulatedMarket,
        settings: FeedSettings | None = None,
        *,
        weights: WeightMeter | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.settings = settings or FeedSettings()
        self.clock = clock
        self.faults = faults if faults is not None else Faults()
        self.faults.listen(self._begun)
        self.meter = FeedMeter(self.settings.limits, clock)
        self._weights = weights or WeightMeter()
        self._market = market
        self._sleep = sleep
        self._clients: dict[FeedClient, set[Subscription]] = {}
        self._channels: dict[Subscription, _Channel] = {}
        self._posts: list[tuple[FeedClient, Post]] = []
        self._pump: asyncio.Task[None] | None = None
        self._deserted = asyncio.Event()
        self._block: Block | None = None
        self._looked_at = 0.0

    def join(self, client: FeedClient) -> None:
        """Take in a connection."""
        client.sent_at = self.clock()
        self._clients[client] = set()
        self._deserted.clear()
        if self._pump is None:
            self._block = None
            self._pump = asyncio.get_running_loop().create_task(self._run())

    def leave(self, client: FeedClient) -> None:
        """Forget a connection and all it asked for. Idempotent."""
        for subscription in tuple(self._clients.get(client, ())):
            self.unsubscribe(client, subscription)
        self._posts = [(asker, post) for asker, post in self._posts if asker is not client]
        self._clients.pop(client, None)
        if not self._clients:
            self._deserted.set()

    def connections(self, address: str) -> int:
        """How many connections an address has."""
        return sum(client.address == address for client in self._clients)

    def subscriptions(self, address: str) -> list[Subscription]:
        """Return the subscriptions of an address over all its connections."""
        held = (subscriptions for client, subscriptions in self._clients.items() if client.address == address)
        return [subscription for subscriptions in held for subscription in subscriptions]

    def waiting(self, address: str) -> int:
        """How many ``post`` requests of an address are not answered yet."""
        return sum(client.address == address for client, _ in self._posts)

    def has(self, client: FeedClient, subscription: Subscription) -> bool:
        """Whether a connection has a subscription."""
        return subscription in self._clients[client]

    def subscribe(self, client: FeedClient, subscription: Subscription) -> list[str]:
        """Subscribe a connection; return the messages that it starts with.

        Raises
        ------
        InputError
            If there is nothing of this name; nothing is subscribed then.
        """
        block = self._latest()
        channel = self._channels.get(subscription)
        if channel is None:
            channel = _Channel(self._stream(subscription, block), block)
            channel.due(block, self._looked_at)
        # What the others are still to be sent of this block is in what the new one is sent.
        channel.advance(block, self._looked_at)
        messages = channel.stream.first(block)
        channel.clients[client] = None
        self._channels[subscription] = channel
        self._clients[client].add(subscription)
        return messages

    def unsubscribe(self, client: FeedClient, subscription: Subscription) -> None:
        """End a subscription that a connection has."""
        self._clients[client].discard(subscription)
        channel = self._channels[subscription]
        del channel.clients[client]
        if not channel.clients:
            del self._channels[subscription]

    def post(self, client: FeedClient, request: Post) -> None:
        """Take in a request; it is answered with the next block."""
        self._posts.append((client, request))

    def tick(self) -> None:
        """Look at the market and send everybody what is due."""
        for _ in self._portions():
            pass

    async def close(self) -> None:
        """Drop all connections and stop. Idempotent."""
        for client in tuple(self._clients):
            client.drop("the exchange stops")
        if self._clients:
            await self._deserted.wait()
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    def _portions(self) -> Iterator[None]:
        """Look at the market and send everybody what is due, one subscription after the other."""
        now = self._looked_at = self.clock()
        block = self._block = Block(MarketView.at(self._market, self._market.clock.time_ms()))
        for channel in tuple(self._channels.values()):
            channel.advance(block, now)
            yield
        posts, self._posts = self._posts, []
        for client, request in posts:
            client.transmit(post_answer(block, request, self._weights, client.address))
            yield
        for client in tuple(self._clients):
            if now - client.sent_at >= self.settings.idle_seconds:
                client.drop(f"nothing to send for {self.settings.idle_seconds:g} seconds")

    async def _run(self) -> None:
        """Tick until nobody is left; let others have a turn where a block takes long."""
        try:
            while self._clients:
                started = turn = self.clock()
                for _ in self._portions():
                    if self.clock() - turn >= _TURN_SECONDS:
                        await self._sleep(0.0)
                        turn = self.clock()
                await self._sleep(max(0.0, self.settings.pace.block - (self.clock() - started)))
        except Exception:
            logger.exception("the feed of the simulated exchange failed: all connections are dropped")
            for client in tuple(self._clients):
                client.drop("the feed failed")
        finally:
            self._pump = None

    def _begun(self, fault: Fault) -> None:
        if fault.kind == "feed-drop":
            for client in tuple(self._clients):
                client.drop("a fault")

    def _latest(self) -> Block:
        """The last block; a new one if the last is from before everybody left."""
        if self._block is None:
            self.tick()
        assert self._block is not None
        return self._block

    def _stream(self, subscription: Subscription, block: Block) -> FeedStream:
        if subscription.kind in ACCOUNT_KINDS:
            return account_stream(subscription, every=self.settings.pace.account)
        return market_stream(subscription, block, self.settings.pace)
