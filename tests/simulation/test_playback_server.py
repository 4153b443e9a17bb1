import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from hlpairs_core.session import SessionWriter, read_session
from hlpairs_core.simulation import Playback, PlaybackExchange

MIDS = {"type": "allMids"}
BBO = {"type": "bbo", "coin": "BTC"}


class Wall:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def exchange(tmp_path: Path, wall: Wall) -> AsyncIterator[PlaybackExchange]:
    writer = SessionWriter(tmp_path / "s", address="http://127.0.0.1:1", started_at=999.0)
    for at, status, reply in ((1000.0, 200, b'{"BTC":"1.0"}'), (1020.0, 429, b"null"), (1040.0, None, b"")):
        headers = {"x-hlpairs-time": "1746057600000", "x-hlpairs-speed": "1"}
        writer.answered(MIDS, sent_at=at, received_at=at, status=status, headers=headers, reply=reply)
    writer.opened(1, at=1001.0)
    writer.sent(1, json.dumps({"method": "subscribe", "subscription": BBO}), at=1001.0)
    writer.received(1, json.dumps({"channel": "subscriptionResponse", "data": {}}), at=1001.1)
    writer.received(1, json.dumps({"channel": "bbo", "data": {"coin": "BTC", "n": 1}}), at=1002.0)
    writer.received(1, "{ what?", at=1003.0)
    writer.closed(1, "1006", at=1010.0)
    writer.received(2, json.dumps({"channel": "bbo", "data": {"coin": "ETH", "n": 2}}), at=1050.0)
    writer.close()
    async with PlaybackExchange(Playback(read_session(tmp_path / "s"), clock=wall), step_seconds=60.0) as running:
        yield running


@pytest.fixture
def client(exchange: PlaybackExchange) -> Iterator[httpx.AsyncClient]:
    return httpx.AsyncClient(base_url=exchange.base_url or "")


async def go_on(exchange: PlaybackExchange, wall: Wall, seconds: float) -> None:
    """Let time pass once the clients have read what they were sent: until then the session stands still."""
    while exchange.is_unread:  # noqa: ASYNC110 - what is waited for happens at both ends of a socket
        await asyncio.sleep(0.01)
    wall.now += seconds


async def test_answers_come_back_as_they_came_refusals_and_silence_too(exchange, client, wall) -> None:
    async with client as http:
        reply = await http.post("/info", json=MIDS)
        assert reply.json() == {"BTC": "1.0"}
        assert reply.headers["X-Hlpairs-Market"] == "replay"
        assert reply.headers["X-Hlpairs-Market-Name"] == "replay-session-999000"
        assert "X-Hlpairs-Synthetic" not in reply.headers
        wall.now += 20.0
        reply = await http.post("/info", json=MIDS)
        assert (reply.status_code, reply.text) == (429, "null")
        wall.now += 20.0
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post("/info", json=MIDS)


@pytest.mark.parametrize("body", ["", "[]", "null", '{"type":"l2Book","coin":"BTC"}', "[" * 20_000])
async def test_what_the_session_does_not_hold_is_refused(exchange, client, body: str) -> None:
    async with client as http:
        reply = await http.post("/info", content=body)
        assert reply.status_code == 422
        assert reply.text == "Failed to deserialize the JSON body into the target type"


async def test_a_subscriber_gets_its_frames_when_they_came_and_is_cut_off_when_the_recorded_one_was(
    exchange, client, wall
) -> None:
    async with client as http, connect(f"ws{(exchange.base_url or '')[4:]}/ws") as feed, asyncio.timeout(10):
        await http.post("/info", json=MIDS)
        await feed.send(json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": "XRP"}}))
        assert "Invalid subscription" in json.loads(await feed.recv())["data"]
        await feed.send(json.dumps({"method": "subscribe", "subscription": BBO}))
        echo = {"method": "subscribe", "subscription": BBO}
        assert json.loads(await feed.recv()) == {"channel": "subscriptionResponse", "data": echo}
        await feed.send('{"method":"ping"}')
        assert json.loads(await feed.recv()) == {"channel": "pong"}
        await feed.send("nonsense")
        assert "Error parsing JSON" in json.loads(await feed.recv())["data"]
        await go_on(exchange, wall, 3.5)
        assert json.loads(await feed.recv())["data"] == {"coin": "BTC", "n": 1}
        assert await feed.recv() == "{ what?"
        await go_on(exchange, wall, 10.0)
        with pytest.raises(ConnectionClosedError):
            await feed.recv()


async def test_who_comes_late_gets_what_came_within_the_last_seconds(exchange, client, wall) -> None:
    url = f"ws{(exchange.base_url or '')[4:]}/ws"
    async with client as http, connect(url) as early, asyncio.timeout(10):
        await http.post("/info", json=MIDS)
        await early.send(json.dumps({"method": "subscribe", "subscription": BBO}))
        await early.recv()
        wall.now += 3.5
        await early.recv()
        async with connect(url) as late:
            await late.send(json.dumps({"method": "subscribe", "subscription": BBO}))
            await late.recv()
            assert json.loads(await late.recv())["data"] == {"coin": "BTC", "n": 1}
            await late.send(json.dumps({"method": "unsubscribe", "subscription": BBO}))
            assert json.loads(await late.recv())["data"]["method"] == "unsubscribe"


CONTEXTS = {"type": "metaAndAssetCtxs"}
T0 = 1_746_057_600_000  # a full hour


@pytest.fixture
async def closing(tmp_path: Path, wall: Wall) -> AsyncIterator[PlaybackExchange]:
    """A session in which a bar closes 60 seconds after the start, and the engine asks for contexts then."""
    writer = SessionWriter(tmp_path / "s", address="http://127.0.0.1:1", started_at=999.0)
    for at in (1000.0, 1061.0):
        headers = {"x-hlpairs-time": str(T0 - 60_000 + int(1000 * (at - 1000))), "x-hlpairs-speed": "1"}
        reply = json.dumps(at).encode()
        writer.answered(CONTEXTS, sent_at=at, received_at=at, status=200, headers=headers, reply=reply)
    writer.opened(1, at=1001.0)
    writer.sent(1, json.dumps({"method": "subscribe", "subscription": BBO}), at=1001.0)
    for at in (1060.9, 1061.1):
        writer.received(1, json.dumps({"channel": "bbo", "data": {"coin": "BTC", "n": at}}), at=at)
    writer.close()
    async with PlaybackExchange(Playback(read_session(tmp_path / "s"), clock=wall), step_seconds=60.0) as running:
        yield running


async def test_contexts_that_are_asked_for_too_early_come_behind_the_frames_that_came_before_them(
    closing, wall
) -> None:
    url = f"ws{(closing.base_url or '')[4:]}/ws"
    http = httpx.AsyncClient(base_url=closing.base_url or "")
    async with http, connect(url) as feed, asyncio.timeout(20):
        assert (await http.post("/info", json=CONTEXTS)).json() == 1000.0
        await feed.send(json.dumps({"method": "subscribe", "subscription": BBO}))
        await feed.recv()
        await go_on(closing, wall, 58.0)
        asked = asyncio.ensure_future(http.post("/info", json=CONTEXTS))
        await asyncio.sleep(0.3)
        assert not asked.done()
        await go_on(closing, wall, 60.0)
        reply = await asked
        assert (reply.json(), reply.headers["X-Hlpairs-Time"]) == (1061.0, str(T0 + 1000))
        assert json.loads(await feed.recv())["data"]["n"] == 1060.9
        wall.now += 0.5
        assert json.loads(await feed.recv())["data"]["n"] == 1061.1
