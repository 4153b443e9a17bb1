import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from hlpairs_core.simulation import SimulatedExchange, SimulatedMarket, synthetic_market
from hlpairs_core.simulation.faults import Fault, Faults
from hlpairs_core.simulation.feed_settings import FeedSettings, Pace

START = "2025-09-01T12:34:56.789Z"
QUICK = FeedSettings(pace=Pace(block=0.02, candle=0.02, context=0.02, mids=0.02, book=0.02, fast_book=0.02))
MIDS = {"type": "allMids"}
META = {"type": "metaAndAssetCtxs"}


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return synthetic_market(seed=7, n_coins=20, start=START, speed=60.0)


@pytest.fixture
async def faults(market: SimulatedMarket) -> Faults:
    return Faults()


@pytest.fixture
async def exchange(market: SimulatedMarket, faults: Faults) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(market, feed=QUICK, faults=faults) as running:
        yield running


@pytest.fixture
async def http(exchange: SimulatedExchange) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=exchange.base_url or "", timeout=5.0) as client:
        yield client


@pytest.fixture
async def feed(exchange: SimulatedExchange) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws{(exchange.base_url or '')[4:]}/ws", max_size=None) as connection:
        yield connection


async def subscribe(feed: ClientConnection, kind: str = "allMids", **fields: Any) -> None:
    await feed.send(json.dumps({"method": "subscribe", "subscription": {"type": kind, **fields}}))
    await frame(feed, "subscriptionResponse")


async def frame(feed: ClientConnection, channel: str) -> Any:
    async with asyncio.timeout(5):
        while True:
            message = json.loads(await feed.recv())
            if message["channel"] == channel:
                return message.get("data")


async def universe(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    meta, contexts = (await http.post("/info", json=META)).json()
    assert len(meta["universe"]) == len(contexts)
    return meta["universe"]


async def test_a_refused_connection_is_closed_without_an_answer_and_only_as_long_as_it_lasts(http, faults) -> None:
    faults.start(Fault("refuse"))
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post("/info", json=MIDS)
    faults.clear()
    assert (await http.post("/info", json=MIDS)).status_code == 200


async def test_a_stalled_request_gets_no_answer_until_the_fault_is_over(http, faults) -> None:
    faults.start(Fault("stall"))
    with pytest.raises(httpx.ReadTimeout):
        await http.post("/info", json=MIDS, timeout=0.3)
    faults.clear()
    faults.start(Fault("stall", seconds=0.3))
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post("/info", json=MIDS)
    assert (await http.post("/info", json=MIDS)).status_code == 200


async def test_a_slow_answer_comes_late_and_whole(http, faults) -> None:
    faults.start(Fault("slow", amount=0.3))
    started = asyncio.get_running_loop().time()
    assert "BTC" in (await http.post("/info", json=MIDS)).json()
    assert asyncio.get_running_loop().time() - started >= 0.3


async def test_a_cut_answer_ends_in_the_middle(http, faults) -> None:
    faults.start(Fault("cut"))
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without complete|peer closed"):
        await http.post("/info", json=META)


async def test_a_truncated_answer_is_no_json(http, faults) -> None:
    faults.start(Fault("truncate"))
    reply = await http.post("/info", json=META)
    with pytest.raises(ValueError, match=r"delimiter|Unterminated|Expecting"):
        reply.json()


async def test_a_page_a_refusal_and_a_flood_come_in_place_of_the_answer(http, faults) -> None:
    faults.start(Fault("html"))
    reply = await http.post("/info", json=MIDS)
    assert (reply.status_code, reply.headers["Content-Type"]) == (502, "text/html")
    faults.clear()
    faults.start(Fault("limited"))
    reply = await http.post("/info", json=MIDS)
    assert (reply.status_code, reply.text) == (429, "null")
    faults.clear()
    faults.start(Fault("huge", amount=300_000))
    assert len((await http.post("/info", json=MIDS)).content) > 300_000


@pytest.mark.parametrize(("kind", "bad"), [("types", list), ("nan", "NaN"), ("zero", "0")])
async def test_numbers_are_spoiled_here_and_there(http, faults, kind: str, bad: object) -> None:
    faults.start(Fault(kind, only="allMids"))
    values = list((await http.post("/info", json=MIDS)).json().values())
    struck = [value for value in values if value == bad or (isinstance(value, list) and bad is list)]
    assert 0 < len(struck) < len(values)
    assert (await http.post("/info", json=META)).json()[1][0]["markPx"] not in ("NaN", "0")


async def test_the_universe_is_emptied_shrunk_and_reordered(http, faults) -> None:
    before = [entry["name"] for entry in await universe(http)]
    for kind, expected in (("empty", []), ("shrink", before[: len(before) // 2]), ("reorder", before[::-1])):
        faults.clear()
        faults.start(Fault(kind))
        assert [entry["name"] for entry in await universe(http)] == expected


async def test_an_unlisted_coin_is_nowhere_until_it_is_listed(http, faults, feed) -> None:
    last = (await universe(http))[-1]["name"]
    faults.start(Fault("unlisted", coin=last))
    assert last not in [entry["name"] for entry in await universe(http)]
    assert last not in (await http.post("/info", json=MIDS)).json()
    assert (await http.post("/info", json={"type": "l2Book", "coin": last})).json() is None
    await feed.send(json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": last}}))
    with pytest.raises(ConnectionClosedError):
        await asyncio.wait_for(feed.recv(), 5)
    faults.clear()
    assert (await universe(http))[-1]["name"] == last


async def test_a_delisted_coin_keeps_its_place_and_falls_silent(http, faults, feed) -> None:
    await subscribe(feed, "activeAssetCtx", coin="BTC")
    await frame(feed, "activeAssetCtx")
    faults.start(Fault("delisted", coin="BTC"))
    entries = await universe(http)
    assert entries[0]["name"] == "BTC"
    assert entries[0]["isDelisted"] is True
    await feed.send('{"method":"ping"}')
    async with asyncio.timeout(5):
        while json.loads(await feed.recv())["channel"] != "pong":
            pass
    await subscribe(feed, "allMids")
    async with asyncio.timeout(5):
        assert json.loads(await feed.recv())["channel"] == "allMids"


async def test_a_skewed_clock_says_a_later_time_than_its_data_have(http, faults) -> None:
    plain = int((await http.post("/info", json=MIDS)).headers["X-Hlpairs-Time"])
    faults.start(Fault("skew", amount=3600.0))
    skewed = int((await http.post("/info", json=MIDS)).headers["X-Hlpairs-Time"])
    assert 3_600_000 <= skewed - plain < 3_600_000 + 600_000


async def test_a_feed_can_refuse_and_drop_its_connections(exchange, faults, feed) -> None:
    faults.start(Fault("feed-refuse"))
    with pytest.raises(InvalidStatus, match="502"):
        await connect(f"ws{(exchange.base_url or '')[4:]}/ws")
    faults.start(Fault("feed-drop"))
    with pytest.raises(ConnectionClosedError):
        await asyncio.wait_for(feed.recv(), 5)


async def test_a_stalled_feed_says_nothing_and_a_mute_one_answers_pings(faults, feed) -> None:
    await subscribe(feed)
    faults.start(Fault("feed-mute"))
    await feed.send('{"method":"ping"}')
    assert await frame(feed, "pong") is None
    faults.clear()
    faults.start(Fault("feed-stall"))
    await feed.send('{"method":"ping"}')
    faults_over = asyncio.get_running_loop().call_later(0.3, faults.clear)
    assert await frame(feed, "allMids")
    assert faults_over.when() <= asyncio.get_running_loop().time()


async def test_split_messages_arrive_whole(faults, feed) -> None:
    faults.start(Fault("feed-split"))
    await subscribe(feed)
    assert "BTC" in (await frame(feed, "allMids"))["mids"]


async def test_slow_messages_arrive_late(faults, feed) -> None:
    await subscribe(feed)
    faults.start(Fault("feed-slow", amount=0.3))
    started = asyncio.get_running_loop().time()
    await feed.send('{"method":"ping"}')
    await frame(feed, "pong")
    assert asyncio.get_running_loop().time() - started >= 0.3


async def test_truncated_and_huge_and_unknown_messages_go_out(faults, feed) -> None:
    await subscribe(feed)
    faults.start(Fault("feed-truncate"))
    async with asyncio.timeout(5):
        while True:
            try:
                json.loads(await feed.recv())
            except ValueError:
                break
    faults.clear()
    faults.start(Fault("feed-unknown"))
    assert await frame(feed, "weather")
    faults.clear()
    faults.start(Fault("feed-huge", amount=200_000))
    async with asyncio.timeout(5):
        while len(await feed.recv()) < 200_000:
            pass


@pytest.mark.parametrize(("kind", "bad"), [("feed-types", list), ("feed-nan", "NaN"), ("feed-zero", "0")])
async def test_numbers_of_the_feed_are_spoiled(faults, feed, kind: str, bad: object) -> None:
    faults.start(Fault(kind))
    await subscribe(feed)
    values = list((await frame(feed, "allMids"))["mids"].values())
    assert any(value == bad or (bad is list and isinstance(value, list)) for value in values)


async def test_messages_come_twice_and_out_of_order(faults, feed) -> None:
    await subscribe(feed, "bbo", coin="BTC")
    faults.start(Fault("feed-duplicate"))
    texts: list[str] = []
    async with asyncio.timeout(10):
        while len(set(texts)) == len(texts):
            texts.append(await feed.recv())
    faults.clear()
    faults.start(Fault("feed-reorder"))
    times: list[int] = []
    async with asyncio.timeout(10):
        while times == sorted(times):
            times.append((await frame(feed, "bbo"))["time"])


async def test_a_killer_takes_the_connection_down_and_others_do_not(faults, feed) -> None:
    faults.start(Fault("feed-kill", coin="ETH"))
    await subscribe(feed, "bbo", coin="BTC")
    await feed.send(json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": "ETH"}}))
    with pytest.raises(ConnectionClosedError):
        await frame(feed, "none")


async def test_faults_are_begun_listed_and_ended_over_http(http, faults) -> None:
    reply = await http.post("/faults", json={"kind": "slow", "seconds": 60.0, "amount": 0.0})
    assert reply.json() == [{"kind": "slow", "seconds": 60.0, "only": "", "coin": "", "share": 1.0, "amount": 0.0}]
    assert (await http.get("/faults")).json() == reply.json()
    assert (await http.delete("/faults")).json() == []
    for wrong in (
        {"kind": "gremlins"},
        {"seconds": 1},
        {"kind": "slow", "colour": 1},
        {"kind": "slow", "seconds": "x"},
    ):
        assert (await http.post("/faults", json=wrong)).status_code == 422


async def test_an_exchange_without_faults_has_no_switch_for_them(market) -> None:
    async with SimulatedExchange(market) as exchange, httpx.AsyncClient(base_url=exchange.base_url or "") as http:
        assert (await http.get("/faults")).status_code == 404
