import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from feed_doubles import USER, timed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from hlpairs_core.simulation import Limits, SimulatedExchange, SimulatedMarket
from hlpairs_core.simulation.feed_settings import FeedLimits, FeedSettings, Pace

START = "2025-09-01T12:34:56.789Z"
QUICK = Pace(block=0.02, candle=0.05, context=0.05, mids=0.05, book=0.05, fast_book=0.05, contexts=0.05, account=0.05)


@asynccontextmanager
async def exchange_of(market: SimulatedMarket, settings: FeedSettings | None = None) -> AsyncIterator[str]:
    """The address of the feed of a running exchange."""
    async with SimulatedExchange(market, feed=settings or FeedSettings(pace=QUICK)) as exchange:
        yield f"ws{(exchange.base_url or '')[4:]}/ws"


async def subscribe(connection: ClientConnection, kind: str, **fields: Any) -> None:
    await connection.send(json.dumps({"method": "subscribe", "subscription": {"type": kind, **fields}}))


async def heard(connection: ClientConnection, channel: str) -> Any:
    """The next message of a channel, whole."""
    async with asyncio.timeout(10):
        while True:
            message = json.loads(await connection.recv())
            if message["channel"] == channel:
                return message


async def ended(connection: ClientConnection) -> ConnectionClosedError:
    """How the server ended a connection."""
    with pytest.raises(ConnectionClosedError) as caught:
        await asyncio.wait_for(drained(connection), 10)
    return caught.value


async def drained(connection: ClientConnection) -> None:
    while True:
        await connection.recv()


def shape(value: Any) -> Any:
    """Keys in their order and types, without values; of a list, its length and first element."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize(
    ("note", "kind", "fields"),
    [
        ("l2Book fast:true, testnet BTC", "l2Book", {"coin": "BTC", "fast": True}),
        ("bbo 201 ms later", "bbo", {"coin": "BTC"}),
        ("trades replay on subscribe (first 2 of 30 fills)", "trades", {"coin": "BTC"}),
    ],
)
async def test_frames_have_the_recorded_keys_types_and_order(
    demo: SimulatedMarket, protocol: Path, note: str, kind: str, fields: dict[str, Any]
) -> None:
    recorded = recorded_frames(protocol)[note]
    async with exchange_of(demo) as url, connect(url) as connection:
        await subscribe(connection, kind, **fields)
        ours = await heard(connection, kind)
    assert shape(ours) == shape(recorded)
    if kind == "l2Book":
        assert [len(side) for side in ours["data"]["levels"]] == [5, 5]
    if kind == "trades":
        assert len(ours["data"]) == 30
        assert {len(trade["hash"]) for trade in ours["data"]} == {len(recorded["data"][0]["hash"])}
        assert {len(user) for trade in ours["data"] for user in trade["users"]} == {42}


async def test_acknowledgements_pongs_and_errors_are_the_recorded_ones(demo: SimulatedMarket, protocol: Path) -> None:
    recorded = recorded_frames(protocol)
    sent = '{"method": "subscribe", "subscription": {"type": "noSuchType", "coin": "BTC"}}'
    async with exchange_of(demo) as url, connect(url) as connection:
        await subscribe(connection, "bbo", coin="BTC")
        assert await heard(connection, "subscriptionResponse") == recorded["ack"]
        await connection.send('{"method":"ping"}')
        assert await heard(connection, "pong") == recorded["pong (no data field)"]
        await connection.send(sent)
        assert await heard(connection, "error") == recorded["unknown subscription type"]


def recorded_frames(protocol: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in (protocol / "ws_frames.jsonl").read_text().splitlines()]
    return {line["_note"]: line["frame"] for line in lines}


async def test_the_handshake_says_which_market_this_is(demo: SimulatedMarket) -> None:
    async with exchange_of(demo) as url, connect(url) as connection:
        assert connection.response is not None
        headers = connection.response.headers
        assert headers["X-Hlpairs-Market"] == "demo"
        assert headers["X-Hlpairs-Market-Name"] == demo.name
        assert headers["X-Hlpairs-Speed"] == "1"
        assert headers["X-Hlpairs-Time"] == str(demo.clock.time_ms())
        assert headers["X-Hlpairs-Synthetic"] == "all"
        assert "Sec-WebSocket-Extensions" not in headers
        assert "Server" not in headers


async def test_other_host_names_and_pages_of_others_are_refused(demo: SimulatedMarket) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with exchange_of(demo) as url, httpx.AsyncClient() as http:
        address = url.replace("ws://", "http://")
        foreign = await http.get(address, headers=upgrade | {"Host": "evil.example"})
        assert (foreign.status_code, foreign.text) == (403, "unknown host evil.example")
        page = await http.get(address, headers=upgrade | {"Origin": "http://evil.example"})
        assert page.status_code == 403
        plain = await http.get(address)
        assert plain.status_code == 400
        assert plain.headers["X-Hlpairs-Market"] == "demo"


async def test_an_unknown_coin_drops_the_connection_and_all_its_subscriptions(demo: SimulatedMarket) -> None:
    async with exchange_of(demo) as url, connect(url) as connection, connect(url) as bystander:
        for each in (connection, bystander):
            await subscribe(each, "l2Book", coin="BTC")
            await heard(each, "l2Book")
        await subscribe(connection, "trades", coin="NOPE")
        closed = await ended(connection)
        assert (closed.rcvd, closed.sent, connection.close_code) == (None, None, 1006)
        await heard(bystander, "l2Book")


async def test_what_was_said_before_a_drop_still_arrives(demo: SimulatedMarket) -> None:
    async with exchange_of(demo) as url, connect(url) as connection:
        await subscribe(connection, "bbo", coin="BTC")
        await subscribe(connection, "bbo", coin="NOPE")
        acknowledged = await heard(connection, "subscriptionResponse")
        assert acknowledged["data"]["subscription"]["coin"] == "BTC"
        await ended(connection)


async def test_a_connection_without_anything_to_hear_is_dropped(demo: SimulatedMarket) -> None:
    async with exchange_of(demo, FeedSettings(pace=QUICK, idle_seconds=0.2)) as url, connect(url) as connection:
        await subscribe(connection, "userEvents", user=USER)
        await heard(connection, "subscriptionResponse")
        assert (await ended(connection)).rcvd is None


async def test_the_greeting_can_be_switched_on(demo: SimulatedMarket) -> None:
    async with exchange_of(demo, FeedSettings(greeting=True)) as url, connect(url) as connection:
        assert await connection.recv() == "Websocket connection established."
        await connection.send('{"method":"ping"}')
        assert await connection.recv() == '{"channel":"pong"}'


async def test_stopping_the_exchange_ends_the_connections_and_it_can_start_again(demo: SimulatedMarket) -> None:
    exchange = SimulatedExchange(demo)
    for _ in range(2):
        base_url = await exchange.start()
        async with connect(f"ws{base_url[4:]}/ws") as connection:
            await subscribe(connection, "bbo", coin="BTC")
            await heard(connection, "bbo")
            await exchange.stop()
            await ended(connection)


async def test_too_many_connections_are_refused_like_too_many_requests(demo: SimulatedMarket) -> None:
    settings = FeedSettings(limits=FeedLimits(connections=2))
    async with exchange_of(demo, settings) as url:
        async with connect(url), connect(url):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url)
            assert refused.value.response.status_code == 429
            assert refused.value.response.body == b"null"
        async with asyncio.timeout(10):
            while True:
                # The server hears of the ends a moment later.
                with contextlib.suppress(InvalidStatus):
                    async with connect(url) as connection:
                        await subscribe(connection, "bbo", coin="BTC")
                        await heard(connection, "bbo")
                    break


async def test_the_limits_of_the_exchange_limit_its_feed(demo: SimulatedMarket) -> None:
    async with SimulatedExchange(demo, limits=Limits()) as exchange, contextlib.AsyncExitStack() as connections:
        url = f"ws{(exchange.base_url or '')[4:]}/ws"
        for _ in range(10):
            await connections.enter_async_context(connect(url))
        with pytest.raises(InvalidStatus):
            await connect(url)


@pytest.mark.parametrize("size", [70_000, 10_000_000])
async def test_a_huge_message_costs_only_its_own_connection(demo: SimulatedMarket, size: int) -> None:
    async with exchange_of(demo) as url, connect(url) as connection, connect(url) as bystander:
        with contextlib.suppress(ConnectionClosedError):
            await connection.send("x" * size)
        await ended(connection)
        await subscribe(bystander, "bbo", coin="BTC")
        await heard(bystander, "bbo")


@pytest.mark.parametrize("message", [b'{"method":"ping"}', b"\xff\xfe"])
async def test_binary_messages_are_read_as_text(demo: SimulatedMarket, message: bytes) -> None:
    async with exchange_of(demo) as url, connect(url) as connection:
        await connection.send(message)
        answer = json.loads(await asyncio.wait_for(connection.recv(), 10))
        assert answer["channel"] == ("pong" if b"ping" in message else "error")


def silent_reader(port: int, subscriptions: list[dict[str, Any]]) -> socket.socket:
    """A connection that subscribes and never reads."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", port))
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    reader.sendall(request.encode())
    for subscription in subscriptions:
        text = json.dumps({"method": "subscribe", "subscription": subscription}).encode()
        reader.sendall(b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text)
    return reader


def read_to_the_end(reader: socket.socket) -> None:
    reader.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        while reader.recv(1 << 20):
            pass
    reader.close()


class Announcement(logging.Handler):
    """Set once somebody logged certain words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.made = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            self.made.set()


async def test_a_slow_reader_is_dropped_and_the_others_are_not(demo: SimulatedMarket) -> None:
    settings = FeedSettings(pace=QUICK, unsent_bytes=200_000)
    logger, announcement = logging.getLogger("hlpairs_core.simulation.feed_socket"), Announcement("reads too slowly")
    logger.addHandler(announcement)
    try:
        async with exchange_of(demo, settings) as url, connect(url) as other:
            await subscribe(other, "bbo", coin="BTC")
            pages = [{"type": "webData2", "user": f"0x{number:040x}"} for number in range(8)]
            port = int(url.rsplit(":", 1)[1].split("/")[0])
            reader = await asyncio.to_thread(silent_reader, port, pages)
            await asyncio.wait_for(announcement.made.wait(), 30)
            await asyncio.to_thread(read_to_the_end, reader)
            await other.send('{"method":"ping"}')
            await heard(other, "pong")
    finally:
        logger.removeHandler(announcement)


async def test_the_feed_keeps_up_with_the_market_over_the_wire(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    """Everything about a coin at once, over a real connection and with the feed's own task."""

    class Wall:
        seconds = 0.0

        def __call__(self) -> float:
            return self.seconds

    wall = Wall()
    market = timed(demo, START, wall, speed=60)
    begin = market.clock.time_ms()
    async with exchange_of(market) as url, connect(url) as connection:
        for kind in ("bbo", "trades"):
            await subscribe(connection, kind, coin="BTC")
        await subscribe(connection, "candle", coin="BTC", interval="1m")
        candles: dict[int, Any] = {}
        trades: list[tuple[int, int]] = []
        quotes = []
        end = begin + 15 * 60_000
        async with asyncio.timeout(30):
            while not candles or max(candles) < end - 60_000:
                wall.seconds = min(wall.seconds + 0.01, 15.0)
                message = json.loads(await connection.recv())
                data = message["data"]
                if message["channel"] == "candle":
                    candles[data["t"]] = data
                elif message["channel"] == "trades":
                    trades += [(trade["time"], trade["tid"]) for trade in data]
                elif message["channel"] == "bbo":
                    quotes.append(data["time"])
                wall.seconds = min(wall.seconds + 0.2, 15.0)
    request = {"coin": "BTC", "interval": "1m", "startTime": begin, "endTime": end}
    rows = ask(market, {"type": "candleSnapshot", "req": request}, end)
    assert [candles[row["t"]] for row in rows[:-1]] == rows[:-1]
    assert len(trades) == len(set(trades))
    assert trades == sorted(trades)
    assert quotes == sorted(quotes)
