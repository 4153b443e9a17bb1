import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from feed_doubles import USER, Ear, feed_by_hand, timed

from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.feed import Feed
from hlpairs_core.simulation.feed_accounts import ACCOUNT_KINDS
from hlpairs_core.simulation.feed_block import Block
from hlpairs_core.simulation.feed_posts import post_answer
from hlpairs_core.simulation.feed_requests import Post
from hlpairs_core.simulation.feed_settings import FeedLimits, FeedSettings
from hlpairs_core.simulation.limits import Limits, WeightMeter

START = "2025-09-01T12:34:56.789Z"


def users(count: int) -> list[str]:
    return [f"0x{number:040x}" for number in range(count)]


async def test_the_acknowledgement_comes_before_the_first_data(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        ear.subscribe("bbo", coin="BTC")
        assert [item["channel"] for item in ear.heard()] == ["subscriptionResponse", "bbo"]


async def test_subscribing_twice_is_an_error_and_sends_nothing_twice(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall, speed=60), wall) as feed:
        ear = Ear(feed)
        ear.subscribe("l2Book", coin="SOL")
        ear.heard()
        ear.subscribe("l2Book", coin="SOL", nSigFigs=None)
        # As seen on the exchange.
        assert ear.heard() == [
            {
                "channel": "error",
                "data": "Already subscribed: "
                '{"type":"l2Book","coin":"SOL","nSigFigs":null,"mantissa":null,"fast":false}',
            }
        ]
        wall.seconds += 5
        feed.tick()
        assert len(ear.heard("l2Book")) == 1


async def test_nothing_comes_after_unsubscribing(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall, speed=60), wall) as feed:
        ear, other = Ear(feed), Ear(feed)
        for each in (ear, other):
            each.subscribe("bbo", coin="BTC")
            each.heard()
        ear.unsubscribe("bbo", coin="BTC")
        assert ear.heard() == [
            {
                "channel": "subscriptionResponse",
                "data": {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}},
            }
        ]
        wall.seconds += 1
        feed.tick()
        assert ear.heard() == []
        assert other.heard("bbo")
        ear.unsubscribe("bbo", coin="BTC")
        assert ear.heard() == [{"channel": "error", "data": 'Already unsubscribed: {"type":"bbo","coin":"BTC"}'}]
        ear.unsubscribe("bbo", coin="NOPE")
        assert ear.heard("error") == ['Already unsubscribed: {"type":"bbo","coin":"NOPE"}']


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "trades", "coin": "NOPE"},
        {"kind": "bbo", "coin": "btc"},
        {"kind": "bbo", "coin": ""},
        {"kind": "bbo", "coin": "\ud800"},
        {"kind": "l2Book", "coin": "../../etc/passwd"},
        {"kind": "l2Book", "coin": "BTC", "nSigFigs": 6},
        {"kind": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
    ],
    ids=str,
)
async def test_a_book_or_tape_that_does_not_exist_costs_the_connection_without_a_word(
    demo: SimulatedMarket, wall: Any, fields: dict[str, Any]
) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear, bystander = Ear(feed), Ear(feed)
        bystander.subscribe("bbo", coin="BTC")
        ear.subscribe(**fields)
        assert ear.dropped is not None
        assert ear.texts == []
        assert bystander.dropped is None
        assert feed.connections("127.0.0.1") == 1


@pytest.mark.parametrize(
    ("fields", "echo"),
    [
        ({"kind": "candle", "coin": "NOPE", "interval": "1m"}, '{"type":"candle","interval":"1m","coin":"NOPE"}'),
        ({"kind": "candle", "coin": "BTC", "interval": "7m"}, '{"type":"candle","interval":"7m","coin":"BTC"}'),
        ({"kind": "activeAssetCtx", "coin": "NOTACOIN"}, '{"type":"activeAssetCtx","coin":"NOTACOIN"}'),
        ({"kind": "activeAssetCtx", "coin": "<b>"}, '{"type":"activeAssetCtx","coin":"<b>"}'),
        ({"kind": "allMids", "dex": "nope"}, '{"type":"allMids","dex":"nope"}'),
        ({"kind": "assetCtxs", "dex": "nope"}, '{"type":"assetCtxs","dex":"nope"}'),
        (
            {"kind": "activeAssetData", "coin": "NOPE", "user": USER},
            f'{{"type":"activeAssetData","user":"{USER}","coin":"NOPE"}}',
        ),
        (
            {"kind": "clearinghouseState", "user": USER, "dex": "nope"},
            f'{{"type":"clearinghouseState","user":"{USER}","dex":"nope"}}',
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
async def test_other_things_that_do_not_exist_are_refused_in_words(
    demo: SimulatedMarket, wall: Any, fields: dict[str, Any], echo: str
) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        ear.subscribe(**fields)
        assert ear.heard() == [{"channel": "error", "data": f"Invalid subscription {echo}"}]
        assert ear.dropped is None
        # It was not subscribed: it can be refused again, and unsubscribing finds nothing.
        ear.subscribe(**fields)
        assert ear.heard("error") == [f"Invalid subscription {echo}"]


@pytest.mark.parametrize(
    "text", ["", "hello", '{"method": "subscribe", "subscription": {"type": "noSuchType"}}', "[1]"]
)
async def test_what_cannot_be_read_is_repeated_as_it_was_sent(demo: SimulatedMarket, wall: Any, text: str) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        ear.say(text)
        refusal = f"Error parsing JSON into valid websocket request: {text}"
        assert ear.heard() == [{"channel": "error", "data": refusal}]


async def test_a_ping_is_answered_with_a_pong_that_has_no_data(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        ear.say({"method": "ping"})
        assert ear.texts == ['{"channel":"pong"}']


async def test_posts_are_answered_with_the_next_block(demo: SimulatedMarket, wall: Any, ask: Any) -> None:
    market = timed(demo, START, wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        requests = [{"type": "l2Book", "coin": "BTC"}, {"type": "l2Book", "coin": "NOPE"}, {"type": "allMids"}]
        for number, request in enumerate(requests):
            ear.say({"method": "post", "id": number, "request": {"type": "info", "payload": request}})
        assert ear.heard() == []
        wall.seconds += 0.1
        feed.tick()
        answers = ear.heard("post")
        assert [answer["id"] for answer in answers] == [0, 1, 2]
        for answer, request in zip(answers, requests, strict=True):
            payload = {"type": request["type"], "data": ask(market, request)}
            assert answer["response"] == {"type": "info", "payload": payload}
        assert answers[1]["response"]["payload"]["data"] is None


async def test_posts_fail_the_way_the_exchange_lets_them(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        signature = {"r": "0x1", "s": "0x2", "v": 27}
        order = {"action": {"type": "order"}, "nonce": 1, "signature": signature}
        action = {"method": "post", "id": 7, "request": {"type": "action", "payload": order}}
        unknown = {"method": "post", "id": 8, "request": {"type": "info", "payload": {"type": "bogusInfoType"}}}
        strange = {"method": "post", "id": 9, "request": {"type": "info", "payload": None}}
        candles = {"type": "candleSnapshot", "req": {"coin": "NOPE", "interval": "1h", "startTime": 0, "endTime": 1}}
        failing = {"method": "post", "id": 10, "request": {"type": "info", "payload": candles}}
        for message in (action, unknown, strange, failing):
            ear.say(message)
        feed.tick()
        refused, first, second, failed = ear.heard()
        assert refused["data"]["id"] == 7
        assert refused["data"]["response"]["type"] == "action"
        assert refused["data"]["response"]["payload"]["status"] == "err"
        for item, message in ((first, unknown), (second, strange)):
            reason = "Error parsing JSON into valid websocket request: "
            assert item == {"channel": "error", "data": reason + json.dumps(message)}
        assert failed["data"] == {"id": 10, "response": {"type": "error", "payload": "500 Internal Server Error"}}


async def test_posts_weigh_what_they_weigh_over_rest(demo: SimulatedMarket, wall: Any) -> None:
    weights = WeightMeter(Limits(weight_per_minute=45), wall)
    feed = Feed(timed(demo, START, wall), weights=weights, clock=wall)
    ear = Ear(feed)
    for number, payload in enumerate([{"type": "meta"}, {"type": "meta"}, {"type": "meta"}, {"type": "allMids"}]):
        ear.say({"method": "post", "id": number, "request": {"type": "info", "payload": payload}})
    feed.tick()
    answers = [answer["response"] for answer in ear.heard("post")]
    assert [answer["type"] for answer in answers] == ["info", "info", "error", "info"]
    assert answers[2]["payload"] == "429 Too Many Requests"
    assert weights.used("127.0.0.1") == 42
    await feed.close()


def test_a_post_that_meets_a_defect_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    block: Any = Block(None)  # type: ignore[arg-type]
    post = Post(5, "info", {"type": "meta"}, "the whole message")
    answer = json.loads(post_answer(block, post, WeightMeter(), "127.0.0.1"))["data"]
    assert answer == {"id": 5, "response": {"type": "error", "payload": "500 Internal Server Error"}}
    assert "a post request failed: the whole message" in caplog.text


async def test_a_post_of_somebody_who_left_is_forgotten(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear, other = Ear(feed), Ear(feed)
        for each in (ear, other):
            each.say({"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": "allMids"}}})
        feed.leave(ear)
        feed.tick()
        assert ear.texts == []
        assert len(other.heard("post")) == 1


@pytest.mark.parametrize("kind", sorted(ACCOUNT_KINDS))
async def test_every_account_is_empty_and_says_so_in_the_shape_of_the_exchange(
    demo: SimulatedMarket, wall: Any, kind: str
) -> None:
    silent = {"notification", "orderUpdates", "userEvents"}
    extra = {"coin": "BTC"} if kind == "activeAssetData" else {}
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        ear.subscribe(kind, user=USER.upper().replace("0X", "0x"), **extra)
        acknowledged, *data = ear.heard()
        assert acknowledged["data"]["subscription"]["user"] == USER
        assert [item["channel"] for item in data] == ([] if kind in silent else [kind])
        if data:
            state = data[0]["data"]
            assert (state["userState"] if kind == "webData3" else state)["user"] == USER
            assert state.get("isSnapshot", True) is True


async def test_states_of_an_account_have_the_keys_of_the_exchange(demo: SimulatedMarket, wall: Any) -> None:
    """Keys as in recorded frames of an account without positions (2026-07 and 2026-08)."""
    margin = ["accountValue", "totalNtlPos", "totalRawUsd", "totalMarginUsed"]
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        for kind in (
            "clearinghouseState",
            "openOrders",
            "spotState",
            "webData2",
            "webData3",
            "allDexsClearinghouseState",
        ):
            ear.subscribe(kind, user=USER)
        ear.subscribe("activeAssetData", user=USER, coin="BTC")
        heard = {item["channel"]: item["data"] for item in ear.heard()}
    state = heard["clearinghouseState"]["clearinghouseState"]
    assert list(heard["clearinghouseState"]) == ["dex", "user", "clearinghouseState"]
    assert list(state) == [
        "marginSummary",
        "crossMarginSummary",
        "crossMaintenanceMarginUsed",
        "withdrawable",
        "assetPositions",
        "time",
    ]
    assert list(state["marginSummary"]) == list(state["crossMarginSummary"]) == margin
    assert heard["openOrders"] == {"dex": "", "user": USER, "orders": []}
    assert heard["spotState"] == {"user": USER, "spotState": {"balances": []}}
    assert heard["allDexsClearinghouseState"]["clearinghouseStates"][0] == ["", state]
    assert list(heard["activeAssetData"]) == [
        "user",
        "coin",
        "leverage",
        "maxTradeSzs",
        "availableToTrade",
        "markPx",
    ]
    assert heard["activeAssetData"]["leverage"] == {"type": "cross", "value": 40}
    assert list(heard["webData3"]) == ["userState", "perpDexStates"]
    assert len(heard["webData2"]["meta"]["universe"]) == len(heard["webData2"]["assetCtxs"])


async def test_a_connection_that_was_sent_nothing_for_a_minute_is_dropped(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        quiet, pinging, busy = Ear(feed), Ear(feed), Ear(feed)
        busy.subscribe("allMids")
        for _ in range(599):
            wall.seconds += 0.1
            feed.tick()
            if round(wall.seconds * 10) % 300 == 0:
                pinging.say({"method": "ping"})
        assert quiet.dropped is None
        wall.seconds += 0.2
        feed.tick()
        assert quiet.dropped == "nothing to send for 60 seconds"
        assert pinging.dropped is busy.dropped is None


async def test_what_the_client_sends_does_not_keep_a_connection(demo: SimulatedMarket, wall: Any) -> None:
    """The clock counts what the server sends: silent subscriptions are acknowledged once and then dropped."""
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        ear = Ear(feed)
        ear.subscribe("orderUpdates", user=USER)
        wall.seconds += 60
        feed.tick()
        assert ear.dropped is not None


def limited(**limits: int) -> FeedSettings:
    return FeedSettings(limits=FeedLimits(**limits))


async def test_more_subscriptions_than_allowed_are_refused_over_all_connections_of_an_address(
    demo: SimulatedMarket, wall: Any
) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall, limited(subscriptions=3)) as feed:
        one, two, elsewhere = Ear(feed), Ear(feed), Ear(feed, "127.0.0.2")
        for ear, coin in ((one, "BTC"), (one, "ETH"), (two, "BTC"), (two, "ETH"), (elsewhere, "BTC")):
            ear.subscribe("bbo", coin=coin)
        assert one.heard("error") == elsewhere.heard("error") == []
        assert two.heard("error") == ["Cannot subscribe to more than 3 channels."]
        one.unsubscribe("bbo", coin="BTC")
        two.subscribe("bbo", coin="ETH")
        assert two.heard("error") == []


async def test_more_accounts_than_allowed_are_refused(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall, limited(users=2)) as feed:
        one, two = Ear(feed), Ear(feed)
        first, second, third = users(3)
        for ear, user, kind in (
            (one, first, "userFills"),
            (two, second, "userFills"),
            (two, second, "userFundings"),
            (two, third, "userFills"),
        ):
            ear.subscribe(kind, user=user)
        assert one.heard("error") == []
        assert two.heard("error") == ["Cannot track more than 15 total users."]
        two.subscribe("bbo", coin="BTC")
        assert two.heard("error") == []
        feed.leave(one)
        two.subscribe("userFills", user=third)
        assert two.heard("error") == []


async def test_beyond_the_message_rate_only_pings_are_answered(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall, limited(messages_per_minute=5)) as feed:
        one, two = Ear(feed), Ear(feed)
        for coin in ("BTC", "ETH", "SOL"):
            one.subscribe("bbo", coin=coin)
        for _ in range(2):
            two.say({"method": "ping"})
        one.heard()
        two.heard()
        for message in (
            {"method": "subscribe", "subscription": {"type": "bbo", "coin": "LTC"}},
            {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}},
            "nonsense",
        ):
            one.say(message)
        assert one.heard() == []
        two.say({"method": "ping"})
        assert two.heard() == [{"channel": "pong"}]
        wall.seconds += 60
        one.subscribe("bbo", coin="LTC")
        assert one.heard("subscriptionResponse")


async def test_more_posts_than_allowed_at_a_time_are_refused(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall, limited(posts=2)) as feed:
        ear = Ear(feed)
        for number in range(3):
            ear.say({"method": "post", "id": number, "request": {"type": "info", "payload": {"type": "allMids"}}})
        assert ear.heard("error") == ["too many pending post requests id=2"]
        feed.tick()
        assert [answer["id"] for answer in ear.heard("post")] == [0, 1]


async def test_without_limits_everything_is_allowed(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall) as feed:
        assert all(feed.meter.connects("127.0.0.1", connected=count) for count in range(100))
        ear = Ear(feed)
        for user in users(30):
            ear.subscribe("userFills", user=user)
        for _ in range(2500):
            ear.say({"method": "ping"})
        assert ear.heard("error") == []


async def test_connections_are_counted_at_a_time_and_by_the_minute(demo: SimulatedMarket, wall: Any) -> None:
    async with feed_by_hand(timed(demo, START, wall), wall, limited()) as feed:
        assert not feed.meter.connects("127.0.0.1", connected=10)
        assert [feed.meter.connects("127.0.0.1", connected=0) for _ in range(31)] == [True] * 30 + [False]
        assert feed.meter.connects("127.0.0.2", connected=0)
        wall.seconds += 60
        assert feed.meter.connects("127.0.0.1", connected=9)


class BrokenHistory:
    def upto(self, _: int) -> Any:
        raise ZeroDivisionError("a defect")


async def test_a_feed_that_fails_drops_everybody_and_says_so(
    demo: SimulatedMarket, wall: Any, caplog: pytest.LogCaptureFixture
) -> None:
    market = replace(timed(demo, START, wall), history=BrokenHistory())
    async with feed_by_hand(market, wall) as feed:
        ears = [Ear(feed), Ear(feed)]
        await asyncio.sleep(0)
        assert [ear.dropped for ear in ears] == ["the feed failed"] * 2
        assert "the feed of the simulated exchange failed" in caplog.text
