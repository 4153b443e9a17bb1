"""Stand-ins for what surrounds a feed: clients without a connection, and time that moves when told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import Any

import numpy as np

from hlpairs_core.simulation import MarketClock, SimulatedMarket
from hlpairs_core.simulation.feed import Feed
from hlpairs_core.simulation.feed_settings import FeedSettings
from hlpairs_core.simulation.feed_talk import respond
from hlpairs_core.simulation.market import RecordedHistory

USER = "0x" + "ab" * 20


class Ear:
    """A client that keeps what it is sent."""

    def __init__(self, feed: Feed, address: str = "127.0.0.1") -> None:
        self.address = address
        self.sent_at = 0.0
        self.texts: list[str] = []
        self.dropped: str | None = None
        self._feed = feed
        feed.join(self)

    def transmit(self, text: str) -> None:
        self.texts.append(text)
        self.sent_at = self._feed.clock()

    def drop(self, reason: str) -> None:
        self.dropped = reason
        self._feed.leave(self)

    def say(self, message: Any) -> None:
        respond(self._feed, self, message if isinstance(message, str) else json.dumps(message))

    def subscribe(self, kind: str, **fields: Any) -> None:
        self.say({"method": "subscribe", "subscription": {"type": kind, **fields}})

    def unsubscribe(self, kind: str, **fields: Any) -> None:
        self.say({"method": "unsubscribe", "subscription": {"type": kind, **fields}})

    def heard(self, channel: str | None = None) -> list[Any]:
        """Take out what it was sent: the data of one channel, or all messages; the rest is forgotten."""
        messages = [json.loads(text) for text in self.texts]
        self.texts.clear()
        return messages if channel is None else [item["data"] for item in messages if item["channel"] == channel]


@asynccontextmanager
async def feed_by_hand(
    market: SimulatedMarket, clock: Callable[[], float], settings: FeedSettings | None = None
) -> AsyncIterator[Feed]:
    """A feed whose own task waits for ever after its first block: the test ticks."""

    async def never(_: float) -> None:
        await asyncio.Event().wait()

    feed = Feed(market, settings, clock=clock, sleep=never)
    try:
        yield feed
    finally:
        await feed.close()


def timed(market: SimulatedMarket, start: Any, clock: Callable[[], float], *, speed: float = 1.0) -> SimulatedMarket:
    """The same market with another clock."""
    return replace(market, clock=MarketClock(start, speed, clock))


def with_coins(market: SimulatedMarket, coins: list[int]) -> SimulatedMarket:
    """The same market with only some of its coins, recorded as far as it is made now."""
    bars, funding = market.history.upto(market.clock.time_ms())

    def chosen(table: Any) -> Any:
        arrays = {item.name: getattr(table, item.name) for item in fields(table)}
        return replace(table, **{name: array[:, coins] for name, array in arrays.items() if np.ndim(array) == 2})

    history = RecordedHistory(chosen(bars), chosen(funding))
    return replace(market, coins=tuple(market.coins[coin] for coin in coins), history=history)
