"""A stream that says what a test tells it to."""

import asyncio
from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd

from hlpairs_core.exceptions import UnknownCoin
from hlpairs_core.exchange.events import CandleEvent, GapEvent, QuoteEvent, Subscription, Trade, TradesEvent

HOUR_MS = 3_600_000


class ToldStream:
    """Hands out the events that it was given, in order; then it is silent.

    `unknown` are coins that it takes for unlisted.
    """

    def __init__(self) -> None:
        self.held: dict[Subscription, None] = {}
        self.unknown: set[str] = set()
        self.quarantined: dict[Subscription, str] = {}
        self.changes = 0
        self._waiting: deque = deque()
        self._arrived, self._drained = asyncio.Event(), asyncio.Event()

    async def subscribe(self, *subscriptions: Subscription) -> None:
        self.changes += 1
        for one in subscriptions:
            if one.coin in self.unknown:
                raise UnknownCoin(f"the exchange does not list {one.coin!r}")
        self.held.update(dict.fromkeys(subscriptions))

    async def unsubscribe(self, *subscriptions: Subscription) -> None:
        self.changes += 1
        for one in subscriptions:
            del self.held[one]

    def events(self) -> "ToldStream":
        return self

    def __aiter__(self) -> "ToldStream":
        return self

    async def __anext__(self):
        while not self._waiting:
            self._drained.set()
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    async def tell(self, feed, *events) -> None:
        """Let `feed` take these, now where they do not say when; raise what it raises."""
        now = feed._clock()
        self._waiting.extend(replace(one, received_at=now) if _is_undated(one) else one for one in events)
        self._arrived.set()
        self._drained.clear()
        reading, drained = asyncio.ensure_future(feed.read()), asyncio.ensure_future(self._drained.wait())
        await asyncio.wait([reading, drained], return_when=asyncio.FIRST_COMPLETED)
        failed = reading.done()
        for task in (reading, drained):
            task.cancel()
        await asyncio.gather(reading, drained, return_exceptions=True)
        if failed:
            reading.result()

    def status(self) -> SimpleNamespace:
        counts = dict.fromkeys(("sockets_open", "pending", "reconnects", "conflated", "buffered"), 0)
        return SimpleNamespace(
            **counts,
            messages=7,
            subscribed=len(self.held),
            quarantined=self.quarantined,
            faults={},
            last_message_at=3.0,
        )

    def coins(self, channel: str) -> set[str]:
        """The coins whose channel is subscribed to."""
        return {one.coin for one in self.held if one.channel == channel}


def _is_undated(event) -> bool:
    return getattr(event, "received_at", None) == 0.0


def quote(coin: str, bid: float, ask: float, at: float, time_ms: int = 0) -> QuoteEvent:
    return QuoteEvent(coin, time_ms, bid, 1.0, ask, 2.0, at)


def gap(channel: str, coin: str, *, until: float, filled: bool = True, seconds: float = 10.0) -> GapEvent:
    interval = "1h" if channel == "candle" else ""
    return GapEvent(Subscription(channel, coin, interval), until - seconds, until, filled)


def trades(coin: str, *prints: tuple[int, float, float], at: float = 0.0) -> TradesEvent:
    made = tuple(Trade(time, price, size, True, number) for number, (time, price, size) in enumerate(prints))
    return TradesEvent(coin, made, at)


def traded(event: CandleEvent) -> tuple[TradesEvent, TradesEvent]:
    """Trades that make a candle, after one that shows that none before them was missed."""
    start, prices = event.time_ms, (event.open, event.low, event.high, event.close)
    prints = [(start + (number + 1) * HOUR_MS // 5, price, event.volume / 4) for number, price in enumerate(prices)]
    return trades(event.coin, (start - 1, 1.0, 1.0)), trades(event.coin, *prints)


def candle(coin: str, row, at: float, **changes) -> CandleEvent:
    """An event of a candle that REST gave: a row with time, open, high, low, close and volume."""
    values = {name: float(getattr(row, name)) for name in ("open", "high", "low", "close", "volume")}
    said = {
        "interval": "1h", "time_ms": int(row.time.timestamp() * 1000), "trades": None, "is_closed": True,
        "is_confirmed": True, "corrects": False, "source": "stream", **values, **changes,
    }  # fmt: skip
    return CandleEvent(coin=coin, received_at=at, **said)


async def closed_candles(world, bar: pd.Timestamp, coins=None) -> list[CandleEvent]:
    """What the feed says of a closed bar: each coin's candle, as REST gives it, without leaving a trace there."""
    asked = len(world.wire.asked)
    events = []
    for coin in coins or world.contexts.listed():
        frame = await world.client.candles(coin, "1h", bar, bar)
        events += [candle(coin, row, world.now) for row in frame.itertuples()]
    del world.wire.asked[asked:]
    return events
