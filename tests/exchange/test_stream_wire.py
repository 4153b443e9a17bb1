"""The stream over real sockets on loopback, against a server made of the library `websockets`."""

import asyncio
import contextlib
import http
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from exchange_doubles import Exchange, universe
from httpx import MockTransport
from stream_doubles import NOON_MS
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from hlpairs_core.exchange import (
    GapEvent,
    HyperliquidClient,
    HyperliquidStream,
    QuoteEvent,
    StreamLimits,
    Subscription,
    TradesEvent,
)

BBO = Subscription("bbo", "BTC")
TRADES = Subscription("trades", "BTC")
Answer = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


async def acknowledge(socket: ServerConnection, message: dict[str, Any]) -> None:
    """Answer as the exchange does."""
    if message["method"] == "ping":
        await socket.send('{"channel":"pong"}')
    else:
        await socket.send(json.dumps({"channel": "subscriptionResponse", "data": message}))


class Venue:
    """A WebSocket server; `refuses` answers handshakes with a page instead."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sockets: list[ServerConnection] = []
        self.refuses: Callable[[], Response | None] = lambda: None
        self.handshakes = 0
        self.paths: list[str] = []
        self.url = ""

    async def talk(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        await socket.send("Websocket connection established.")
        with contextlib.suppress(Exception):
            async for text in socket:
                await self.answer(socket, json.loads(text))

    def greet(self, socket: ServerConnection, request: Request) -> Response | None:
        self.handshakes += 1
        self.paths.append(request.path)
        return self.refuses()


@asynccontextmanager
async def venue(answer: Answer = acknowledge) -> AsyncIterator[Venue]:
    place = Venue(answer)
    async with serve(place.talk, "127.0.0.1", 0, process_request=place.greet, close_timeout=0.2) as server:
        place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield place


@asynccontextmanager
async def stream_of(place: Venue, **options: Any) -> AsyncIterator[HyperliquidStream]:
    exchange = Exchange(meta=universe("BTC", "ETH")[0])
    async with (
        HyperliquidClient(place.url, transport=MockTransport(exchange)) as client,
        HyperliquidStream(client, **options) as stream,
    ):
        yield stream


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for happens at both ends of a socket
            await asyncio.sleep(0.01)


def quote(time_ms: int = NOON_MS) -> str:
    levels = [{"px": "99.0", "sz": "1.0", "n": 1}, {"px": "101.0", "sz": "1.0", "n": 1}]
    return json.dumps({"channel": "bbo", "data": {"coin": "BTC", "time": time_ms, "bbo": levels}})


async def test_quotes_come_over_a_real_socket_at_the_address_of_the_client():
    async with venue() as place, stream_of(place) as stream:
        await stream.subscribe(BBO)
        await until(lambda: stream.status().subscribed == 1)
        await place.sockets[0].send(quote())
        event = await anext(stream.events())
        assert isinstance(event, QuoteEvent)
        assert (event.bid, event.ask) == (99.0, 101.0)
        assert place.paths == ["/ws"]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011])
async def test_whatever_the_close_code_the_socket_is_replaced(code: int):
    async with venue() as place, stream_of(place) as stream:
        await stream.subscribe(BBO)
        await until(lambda: stream.status().subscribed == 1)
        if code == 1006:
            place.sockets[0].transport.abort()
        else:
            await place.sockets[0].close(code)
        await until(lambda: len(place.sockets) == 2 and stream.status().subscribed == 1)
        await place.sockets[1].send(quote())
        events = stream.events()
        assert isinstance(await anext(events), QuoteEvent)
        assert isinstance(await anext(events), GapEvent)


@pytest.mark.parametrize("status", [200, 302, 403, 429, 502])
async def test_pages_instead_of_a_handshake_are_contained(status: int):
    async with venue() as place, stream_of(place) as stream:
        answers = [status, status]

        def refuse() -> Response | None:
            if not answers:
                return None
            return Response(answers.pop(), http.HTTPStatus(status).phrase, headers(), b"<html>no</html>")

        place.refuses = refuse
        await stream.subscribe(BBO)
        await until(lambda: stream.status().subscribed == 1)
        assert place.handshakes == 3


def headers() -> Any:
    from websockets.datastructures import Headers

    return Headers({"Location": "ws://127.0.0.1:9/elsewhere", "Content-Type": "text/html"})


async def test_a_port_where_nobody_listens_is_contained():
    async with venue() as place:
        pass
    async with stream_of(place) as stream:
        await stream.subscribe(BBO)
        await asyncio.sleep(0)
        assert stream.status().subscribed == 0
        assert stream.status().pending == 1


async def test_a_message_of_ten_megabytes_closes_the_socket_and_no_more():
    async with venue() as place, stream_of(place) as stream:
        await stream.subscribe(BBO)
        await until(lambda: stream.status().subscribed == 1)
        with contextlib.suppress(Exception):
            await place.sockets[0].send("x" * 10_000_000)
        await until(lambda: len(place.sockets) == 2 and stream.status().subscribed == 1)
        assert stream.status().faults == {"message too large": 1}
        assert stream.status().quarantined == {}


async def test_a_coin_that_aborts_real_connections_is_left_out():
    async def kill(socket: ServerConnection, message: dict[str, Any]) -> None:
        if message.get("subscription", {}).get("coin") == "ETH":
            socket.transport.abort()
        else:
            await acknowledge(socket, message)

    async with venue(kill) as place, stream_of(place) as stream:
        bad = Subscription("bbo", "ETH")
        await stream.subscribe(BBO, bad, TRADES)
        await until(lambda: list(stream.status().quarantined) == [bad] and stream.status().subscribed == 2)


async def test_a_reader_that_does_not_read_stops_the_sender_and_loses_no_trade():
    trades, sent = 1500, []

    async def flood(socket: ServerConnection, message: dict[str, Any]) -> None:
        await acknowledge(socket, message)
        padding = "0x" + "0" * 20_000
        for number in range(trades):
            fill = {"coin": "BTC", "side": "B", "px": "1.0", "sz": "1.0", "time": NOON_MS + number, "tid": number}
            await socket.send(json.dumps({"channel": "trades", "data": [{**fill, "hash": padding}]}))
            sent.append(number)

    limits = StreamLimits(buffered=100)
    async with venue(flood) as place, stream_of(place, limits=limits) as stream:
        await stream.subscribe(TRADES)
        await until(lambda: stream.status().is_paused)
        for _ in range(20):  # the kernel's buffers fill up, and then the sender waits
            before = len(sent)
            await asyncio.sleep(0.05)
            if len(sent) == before:
                break
        assert len(sent) < trades
        assert stream.status().buffered <= 101
        received = []
        async for event in stream.events():
            assert isinstance(event, TradesEvent)
            received += [fill.tid for fill in event.trades]
            if len(received) == trades:
                break
        assert received == list(range(trades))


async def test_closing_leaves_no_task_and_no_socket():
    before = asyncio.all_tasks()
    async with venue() as place:
        async with stream_of(place) as stream:
            await stream.subscribe(BBO, TRADES)
            await until(lambda: stream.status().subscribed == 2)
            mine = asyncio.all_tasks() - before
            assert len(mine) > 5
        await until(lambda: all(socket.close_code is not None for socket in place.sockets))
    assert asyncio.all_tasks() == before


async def test_a_stream_that_is_closed_while_it_connects_leaves_nothing_behind():
    reached, before = asyncio.Event(), asyncio.all_tasks()

    async def never(url: str) -> Any:
        reached.set()
        await asyncio.Event().wait()

    async with venue() as place, stream_of(place, connect=never) as stream:
        await stream.subscribe(BBO)
        await reached.wait()
    assert asyncio.all_tasks() == before
