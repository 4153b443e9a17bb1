"""A clock with many sleepers, and an exchange in memory: its WebSocket, its REST answers, its trades."""

import asyncio
import heapq
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pandas as pd

from hlpairs_core.exceptions import UnknownCoin
from hlpairs_core.exchange import Event, HyperliquidStream, MarketStamp, StreamLimits, Subscription
from hlpairs_core.exchange.payloads import utc_ms
from hlpairs_core.exchange.universe import Asset, Universe

NOON = 1_767_268_800  # 2026-01-01T12:00:00Z
NOON_MS = NOON * 1000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


async def settle() -> None:
    """Let everything that can run, run."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    for _ in range(100_000):
        await asyncio.sleep(0)
        if not ready:
            return
    raise AssertionError("something runs for ever")


class Time:
    """Seconds since 1970 that pass only in `advance`; then sleepers wake in order."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            moment = self._sleepers[0][0]
            self.now = max(self.now, moment)
            while self._sleepers and self._sleepers[0][0] <= moment:
                future = heapq.heappop(self._sleepers)[2]
                if not future.done():
                    future.set_result(None)
            await settle()
        self.now = end
        await settle()


class Wire:
    """The stream's end of one connection to the `Server`."""

    def __init__(self, server: "Server", number: int) -> None:
        self.number = number
        self.server = server
        self.subscribed: dict[Subscription, None] = {}
        self.sent: list[dict[str, Any]] = []
        self.is_open = True
        self._incoming: asyncio.Queue[str | bytes | Exception] = asyncio.Queue()

    async def recv(self) -> str | bytes:
        message = await self._incoming.get()
        if isinstance(message, Exception):
            self._incoming.put_nowait(message)
            raise message
        return message

    async def send(self, message: str, /) -> None:
        if not self.is_open:
            raise ConnectionResetError("sent to a closed connection")
        self.sent.append(json.loads(message))
        self.server.hear(self, self.sent[-1])

    async def close(self) -> None:
        self.is_open = False
        self.subscribed.clear()

    def receive(self, message: Any) -> None:
        if self.is_open:
            self._incoming.put_nowait(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def drop(self, error: Exception | None = None) -> None:
        """End the connection as the exchange does: without a word."""
        self.is_open = False
        self.subscribed.clear()
        self._incoming.put_nowait(error or ConnectionResetError("1006"))

    @property
    def waiting(self) -> int:
        return self._incoming.qsize()

    def asked(self, method: str = "subscribe") -> list[Subscription]:
        return [named(sent["subscription"]) for sent in self.sent if sent["method"] == method]


class Server:
    """The exchange's WebSocket, in memory; its attributes are its moods.

    Attributes
    ----------
    killers : coins whose subscription ends the connection
    refused : coins whose subscription is answered by an error frame
    unheard : subscriptions that are neither acknowledged nor served
    is_mute : whether it answers nothing at all
    refuses : raised when somebody connects
    drops_all : whether every subscription ends the connection
    """

    def __init__(self, time: Time) -> None:
        self.time = time
        self.wires: list[Wire] = []
        self.opened_at: list[float] = []
        self.urls: list[str] = []
        self.heard_at: list[float] = []
        self.killers: set[str] = set()
        self.refused: set[str] = set()
        self.unheard: set[Subscription] = set()
        self.is_mute = False
        self.drops_all = False
        self.refuses: Exception | None = None
        self.on_subscribe: Callable[[Wire, Subscription], None] = lambda wire, subscription: None

    async def connect(self, url: str) -> Wire:
        self.opened_at.append(self.time.now)
        self.urls.append(url)
        if self.refuses is not None:
            raise self.refuses
        wire = Wire(self, len(self.wires))
        self.wires.append(wire)
        wire.receive("Websocket connection established.")
        return wire

    @property
    def open(self) -> list[Wire]:
        return [wire for wire in self.wires if wire.is_open]

    @property
    def subscribed(self) -> set[Subscription]:
        return {subscription for wire in self.open for subscription in wire.subscribed}

    def hear(self, wire: Wire, message: dict[str, Any]) -> None:
        self.heard_at.append(self.time.now)
        if self.is_mute:
            return
        if message["method"] == "ping":
            wire.receive({"channel": "pong"})
            return
        echo, subscription = message["subscription"], named(message["subscription"])
        if message["method"] == "unsubscribe":
            wire.subscribed.pop(subscription, None)
        elif subscription in self.unheard:
            return
        elif self.drops_all or subscription.coin in self.killers:
            wire.drop()
            return
        elif subscription.coin in self.refused:
            wire.receive({"channel": "error", "data": f"Invalid subscription {json.dumps(echo)}"})
            return
        # As the exchange does: keys in another order, defaults filled in.
        echo = {"nSigFigs": None, "mantissa": None, **dict(reversed(echo.items()))} if "fast" in echo else echo
        wire.receive({"channel": "subscriptionResponse", "data": {"subscription": echo, "method": message["method"]}})
        if message["method"] == "subscribe":
            wire.subscribed[subscription] = None
            self.on_subscribe(wire, subscription)

    def push(self, subscription: Subscription, data: Any) -> None:
        for wire in self.open:
            if subscription in wire.subscribed:
                wire.receive({"channel": subscription.channel, "data": data})

    def quote(self, coin: str, bid: float = 99.0, ask: float = 101.0, time_ms: int | None = None) -> None:
        levels = [{"px": str(price), "sz": "1.0", "n": 1} for price in (bid, ask)]
        time_ms = int(self.time.now * 1000) if time_ms is None else time_ms
        self.push(Subscription("bbo", coin), {"coin": coin, "time": time_ms, "bbo": levels})

    def candle(self, coin: str, interval: str, **fields: Any) -> None:
        self.push(Subscription("candle", coin, interval), candle(coin, interval, **fields))

    def trades(self, coin: str, *trades: dict[str, Any]) -> None:
        self.push(Subscription("trades", coin), list(trades))


class Rest:
    """Stands in for `HyperliquidClient`: what the stream asks of it, and no more."""

    def __init__(self, time: Time, *coins: str) -> None:
        self.address = "http://127.0.0.1:3001"
        self.time = time
        self.coins = list(coins)
        self.delisted: set[str] = set()
        self.history: dict[tuple[str, str], dict[int, tuple[float, ...]]] = {}
        self.asked: list[tuple[str, str, int, int]] = []
        self.calls: list[str] = []
        self.fails: Exception | None = None
        self.market_is_ahead = 0.0
        self.before_answering: Callable[[], None] = lambda: None
        self.stamp: MarketStamp | None = None

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        self.before_answering()
        if self.fails is not None:
            raise self.fails
        now = utc_ms([int((self.time.now + self.market_is_ahead) * 1000)])[0]
        self.stamp = MarketStamp("unverified", "memory", 1.0, now, self.time.now)

    async def universe(self) -> Universe:
        self._answer("universe")
        assets = (Asset(coin, 2, 10, only_isolated=False, is_delisted=coin in self.delisted) for coin in self.coins)
        return Universe("", 0, tuple(assets), None)

    async def all_mids(self) -> dict[str, float]:
        self._answer("all_mids")
        return {"BTC": 1.0, "@107": 2.0, "PURR/USDC": 3.0}

    async def l2_book(self, coin: str) -> None:
        self._answer("l2_book")
        if coin != "xyz:TSLA":
            raise UnknownCoin(f"the exchange does not list {coin!r}")

    async def candles(self, coin: str, interval: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        first, last = (int(time.timestamp() * 1000) for time in (start, end))
        self.asked.append((coin, interval, first, last))
        await asyncio.sleep(0)
        self._answer("candles")
        step = STEPS[interval]
        known = self.history.get((coin, interval), {})
        times = [t for t in sorted(known) if first <= t <= last and t + step <= self.time.now * 1000]
        rows = [known[t] for t in times]
        frame = pd.DataFrame(rows, columns=["open", "high", "low", "close", "volume"], dtype=float)
        frame.insert(0, "time", utc_ms(times))
        return frame

    def remember(self, coin: str, interval: str, time_ms: int, volume: float = 1.0, price: float = 100.0) -> None:
        self.history.setdefault((coin, interval), {})[time_ms] = (price, price, price, price, volume)


STEPS = {"1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "1h": HOUR_MS, "1d": 24 * HOUR_MS}


def named(echo: dict[str, Any]) -> Subscription:
    return Subscription(echo["type"], echo.get("coin", ""), echo.get("interval", ""), fast=bool(echo.get("fast")))


def candle(
    coin: str = "BTC", interval: str = "1m", *, t: int = NOON_MS, v: float = 1.0, price: float = 100.0, n: int = 1
) -> dict[str, Any]:
    prices = dict.fromkeys("ohlc", str(price))
    return {"t": t, "T": t + STEPS[interval] - 1, "s": coin, "i": interval, **prices, "v": str(v), "n": n}


def trade(
    coin: str = "BTC", *, time: int = NOON_MS, tid: int = 1, px: float = 100.0, sz: float = 1.0
) -> dict[str, Any]:
    numbers = {"px": str(px), "sz": str(sz), "time": time, "tid": tid}
    return {"coin": coin, "side": "B", "hash": "0x00", "users": ["0x0", "0x0"], **numbers}


class Reader:
    """Reads a stream in the background; `take` hands over what came since."""

    def __init__(self, stream: HyperliquidStream) -> None:
        self.events: list[Event] = []
        self._task = asyncio.create_task(self._read(stream))

    async def _read(self, stream: HyperliquidStream) -> None:
        async for event in stream.events():
            self.events.append(event)

    async def take(self, kind: type | None = None) -> list[Any]:
        await settle()
        taken, self.events = self.events, []
        return [event for event in taken if kind is None or isinstance(event, kind)]

    async def end(self) -> None:
        await self._task


class Scene:
    """A stream, all it talks to, and a reader."""

    def __init__(self, *coins: str, now: float = NOON) -> None:
        self.time = Time(now)
        self.server = Server(self.time)
        self.rest = Rest(self.time, *(coins or ("BTC", "ETH", "SOL")))
        self.stream: HyperliquidStream
        self.reader: Reader

    async def subscribe(self, *subscriptions: Subscription) -> None:
        await self.stream.subscribe(*subscriptions)
        await settle()


@asynccontextmanager
async def scene(*coins: str, reads: bool = True, **options: Any) -> AsyncIterator[Scene]:
    play = Scene(*coins, now=options.pop("now", NOON))
    options.setdefault("limits", StreamLimits())
    stream = HyperliquidStream(
        play.rest,  # type: ignore[arg-type]
        connect=play.server.connect,
        clock=play.time,
        sleep=play.time.sleep,
        rng=random.Random(7),
        **options,
    )
    async with stream:
        play.stream = stream
        if reads:
            play.reader = Reader(stream)
        yield play
    if reads:
        await play.reader.end()
