import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from exchange_doubles import Exchange, client_of, context, universe
from hypothesis import given
from hypothesis import strategies as st
from stream_doubles import MINUTE_MS, NOON, NOON_MS, Rest, Time, candle, scene, settle, trade

from hlpairs_core.exchange import ContextEvent, MarketStamp, MidsEvent, QuoteEvent, Subscription, Trade
from hlpairs_core.exchange.candle_feed import Candle
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.frames import Acknowledged, Data, FrameReader, Refused
from hlpairs_core.exchange.market_time import MarketTime
from hlpairs_core.exchange.subscriptions import from_wire, to_wire

CONTEXT = context()


def read(frame: Any) -> tuple[Any, dict[str, int]]:
    faults = Faults()
    text = frame if isinstance(frame, (str, bytes)) else json.dumps(frame)
    return FrameReader(faults).read(text, received_at=float(NOON)), dict(faults.counts)


def news(channel: str, data: Any) -> tuple[Any, dict[str, int]]:
    return read({"channel": channel, "data": data})


def bbo(**fields: Any) -> dict[str, Any]:
    levels = [{"px": "99.0", "sz": "2.0", "n": 1}, {"px": "101.0", "sz": "3.0", "n": 1}]
    return {"coin": "BTC", "time": NOON_MS, "bbo": levels, **fields}


def book(**fields: Any) -> dict[str, Any]:
    sides = [[{"px": "99.0", "sz": "2.0", "n": 1}], [{"px": "101.0", "sz": "3.0", "n": 1}]]
    return {"coin": "BTC", "time": NOON_MS, "levels": sides, **fields}


def test_every_recorded_frame_is_read_as_it_was_noted(protocol: Path):
    lines = (protocol / "ws_frames.jsonl").read_text().splitlines()
    frames = {entry["_note"]: entry["frame"] for entry in map(json.loads, lines)}
    seen = {}
    for note, frame in frames.items():
        seen[note], faults = read(frame)
        assert faults == {}
    slow, quote, _, trades, ack, pong, refusal = seen.values()
    assert slow.subscription == Subscription("l2Book", "BTC", fast=True)
    assert slow.content.book.bids[0].tolist() == [63460.0, 0.02666]
    assert slow.content.book.asks.shape == (5, 2)
    expected = QuoteEvent("BTC", 1785251522090, 63457.0, 0.00028, 63488.0, 0.01246, NOON)
    assert quote == Data(Subscription("bbo", "BTC"), expected)
    assert trades.subscription == Subscription("trades", "BTC")
    assert trades.content[0] == Trade(1785251456343, 63719.0, 0.00016, True, 447757798903687)
    assert ack == Acknowledged(Subscription("bbo", "BTC"), subscribed=True)
    assert pong is None
    assert refusal.subscription is None
    assert "noSuchType" in refusal.text


def test_the_plain_text_greeting_says_nothing():
    assert read("Websocket connection established.") == (None, {})


def test_a_candle_is_one_object():
    heard, _ = news("candle", candle("BTC", "1m", t=NOON_MS, v=2.5, price=100.5, n=7))
    prices = (100.5, 100.5, 100.5, 100.5)
    assert heard == Data(Subscription("candle", "BTC", "1m"), Candle(NOON_MS, *prices, 2.5, 7))


def test_an_empty_side_is_not_a_number():
    heard, faults = news("bbo", bbo(bbo=[None, {"px": "101.0", "sz": "3.0", "n": 1}]))
    assert math.isnan(heard.content.bid)
    assert math.isnan(heard.content.bid_size)
    assert (heard.content.ask, heard.content.ask_size) == (101.0, 3.0)
    assert faults == {}


async def test_a_context_has_the_number_columns_of_the_rest_answer():
    async with client_of(Exchange(metaAndAssetCtxs=universe("BTC"))) as client:
        columns = (await client.contexts()).select_dtypes("float64")
    heard, _ = news("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
    assert heard.content == ContextEvent("BTC", heard.content.values, NOON)
    assert dict(heard.content.values) == columns.loc["BTC"].to_dict()


def test_what_a_context_says_is_null_is_not_a_number():
    nulls = {**CONTEXT, "premium": None, "midPx": None, "impactPxs": None}
    heard, faults = news("activeAssetCtx", {"coin": "BTC", "ctx": nulls})
    missing = {name for name, value in heard.content.values.items() if math.isnan(value)}
    assert missing == {"premium", "mid_price", "impact_bid", "impact_ask"}
    assert faults == {}


def test_a_spot_context_comes_on_its_own_channel_and_lacks_what_spot_does_not_have():
    context = {key: CONTEXT[key] for key in ("prevDayPx", "dayNtlVlm", "markPx", "midPx", "dayBaseVlm")}
    heard, _ = news("activeSpotAssetCtx", {"coin": "@107", "ctx": {**context, "circulatingSupply": "1.0"}})
    assert heard.subscription == Subscription("activeAssetCtx", "@107")
    assert heard.content.values["mark_price"] == 70736.0
    assert math.isnan(heard.content.values["funding_rate"])


@pytest.mark.parametrize("channel", ["allMids", "activeAssetCtx", "bbo", "trades", "candle", "l2Book"])
@pytest.mark.parametrize("fast", [False, True])
def test_an_echo_is_recognised_whatever_its_order_and_defaults(channel: Any, fast: bool):
    coin, interval = "" if channel == "allMids" else "BTC", "1m" if channel == "candle" else ""
    subscription = Subscription(channel, coin, interval, fast=fast and channel == "l2Book")
    echo = {"nSigFigs": None, "mantissa": None, "fast": None, "dex": "", **to_wire(subscription)}
    assert from_wire(dict(reversed(echo.items()))) == subscription


@pytest.mark.parametrize("word", ["Already subscribed", "Already unsubscribed", "Invalid subscription"])
def test_error_frames_name_the_subscription_they_are_about(word: str):
    heard, _ = news("error", word + ': {"type":"trades","coin":"BTC"}')
    about = Subscription("trades", "BTC")
    assert heard in (
        Acknowledged(about, subscribed=True),
        Acknowledged(about, subscribed=False),
        Refused(about, 'Invalid subscription: {"type":"trades","coin":"BTC"}'),
    )
    assert isinstance(heard, Refused) == word.startswith("Invalid")


UNFIT = {
    "empty": ("", "not JSON"),
    "html": ("<html>502 Bad Gateway</html>", "not JSON"),
    "truncated": ('{"channel":"bbo","data":{"coin":', "not JSON"),
    "duplicate key": ('{"channel":"bbo","channel":"trades","data":[]}', "not JSON"),
    "duplicate key inside": (json.dumps({"channel": "bbo", "data": bbo()}).replace('"n"', '"px"'), "not JSON"),
    "deep nesting": ("[" * 100_000, "not JSON"),
    "deep nesting, closed": ('{"a":' * 5000 + "1" + "}" * 5000, "not JSON"),
    "huge integer": ('{"channel":' + "9" * 5000 + "}", "not JSON"),
    "null": ("null", "not an object"),
    "list": ("[]", "not an object"),
    "number": ("NaN", "not an object"),
    "binary": (b"\x00\xff", "binary frame"),
    "no channel": ("{}", "unknown channel"),
    "channel is a list": ('{"channel":["bbo"]}', "unknown channel"),
    "unknown channel": ('{"channel":"nosuch","data":{}}', "unknown channel"),
    "markup": ('{"channel":"<script>alert(1)</script>"}', "unknown channel"),
    "no data": ('{"channel":"bbo"}', "malformed bbo"),
}


@pytest.mark.parametrize(("text", "kind"), UNFIT.values(), ids=UNFIT.keys())
def test_what_is_no_frame_is_counted_by_kind(text: str | bytes, kind: str):
    assert read(text) == (None, {kind: 1})


BAD_PRICES = ["0", "-1.0", "NaN", "inf", "1e999", "", " 1", "1,5", "0x10", None, 1, 1.5, True, [], {}, "9" * 50]


@pytest.mark.parametrize("price", BAD_PRICES, ids=repr)
def test_a_price_that_is_none_is_refused_on_every_channel(price: Any):
    level = {"px": price, "sz": "1.0", "n": 1}
    frames = {
        "bbo": bbo(bbo=[level, {"px": "101.0", "sz": "3.0", "n": 1}]) if price is not None else bbo(bbo=[{}, None]),
        "trades": [{**trade(), "px": price}],
        "candle": {**candle(), "c": price},
        "l2Book": book(levels=[[level], []]),
        "allMids": {"mids": {"BTC": price}},
    }
    if price is not None:  # null is what the exchange says of a coin without a book
        frames["activeAssetCtx"] = {"coin": "BTC", "ctx": {**CONTEXT, "markPx": price}}
    for channel, data in frames.items():
        assert news(channel, data) == (None, {f"malformed {channel}": 1})


UNFIT_NEWS = {
    "bbo crossed": ("bbo", bbo(bbo=[{"px": "101.0", "sz": "1", "n": 1}, {"px": "101.0", "sz": "1", "n": 1}])),
    "bbo of three": ("bbo", bbo(bbo=[None, None, None])),
    "bbo without coin": ("bbo", bbo(coin=None)),
    "bbo of a coin with control characters": ("bbo", bbo(coin="B\nTC")),
    "bbo of a coin too long": ("bbo", bbo(coin="B" * 65)),
    "bbo in seconds": ("bbo", bbo(time=NOON)),
    "bbo in the year 5138": ("bbo", bbo(time=10**14)),
    "bbo time as text": ("bbo", bbo(time=str(NOON_MS))),
    "bbo time as a fraction": ("bbo", bbo(time=NOON_MS + 0.5)),
    "candle of another length": ("candle", {**candle(), "T": NOON_MS + 2 * MINUTE_MS - 1}),
    "candle off its clock": ("candle", {**candle(), "t": NOON_MS + 1, "T": NOON_MS + MINUTE_MS}),
    "candle of no interval": ("candle", {**candle(), "i": "7m"}),
    "candle of an interval in a list": ("candle", {**candle(), "i": ["1m"]}),
    "candle with the low above": ("candle", {**candle(), "l": "101.0"}),
    "candle with the high below": ("candle", {**candle(), "h": "99.0"}),
    "candle of negative volume": ("candle", {**candle(), "v": "-1.0"}),
    "candle of trades without volume": ("candle", {**candle(), "v": "0.0", "n": 3}),
    "candle of negative count": ("candle", {**candle(), "n": -1}),
    "candle in a list": ("candle", [candle()]),
    "trades as an object": ("trades", trade()),
    "trade without size": ("trades", [{**trade(), "sz": "0.0"}]),
    "trade of no side": ("trades", [{**trade(), "side": "C"}]),
    "trade with a text as id": ("trades", [{**trade(), "tid": "1"}]),
    "book of one side": ("l2Book", book(levels=[[]])),
    "book crossed": ("l2Book", book(levels=[[{"px": "102", "sz": "1"}], [{"px": "101", "sz": "1"}]])),
    "context of lists": ("activeAssetCtx", {"coin": "BTC", "ctx": []}),
    "context without funding": ("activeAssetCtx", {"coin": "BTC", "ctx": {"markPx": "1.0"}}),
    "impact of one price": ("activeAssetCtx", {"coin": "BTC", "ctx": {**CONTEXT, "impactPxs": ["1.0"]}}),
    "mids unwrapped": ("allMids", {"BTC": "1.0"}),
    "ack of nothing": ("subscriptionResponse", {}),
    "ack of another type": ("subscriptionResponse", {"method": "subscribe", "subscription": {"type": "webData3"}}),
    "ack of no method": ("subscriptionResponse", {"method": [], "subscription": {"type": "bbo", "coin": "BTC"}}),
    "error as object": ("error", {}),
}


@pytest.mark.parametrize(("channel", "data"), UNFIT_NEWS.values(), ids=UNFIT_NEWS.keys())
def test_news_of_the_wrong_shape_are_refused(channel: str, data: Any):
    assert news(channel, data) == (None, {f"malformed {channel}": 1})


def test_one_unfit_trade_does_not_cost_the_others():
    heard, faults = news("trades", [trade(tid=1), {**trade(tid=2), "px": "NaN"}, trade("ETH", tid=3), trade(tid=4)])
    assert [fill.tid for fill in heard.content] == [1, 4]
    assert faults == {"malformed trades": 2}


UNFIT_TRADE = {**trade("ETH"), "px": "NaN"}
DOUBTS = {
    "nothing was left out": ({"channel": "trades", "data": [trade()]}, set()),
    "a trade without a price": ({"channel": "trades", "data": [trade("ETH"), UNFIT_TRADE]}, {"ETH"}),
    "a trade of another coin": ({"channel": "trades", "data": [trade("BTC"), trade("ETH")]}, {"BTC", "ETH"}),
    "a trade of nobody knows whom": ({"channel": "trades", "data": [{**trade(), "coin": 7}]}, {""}),
    "no list": ({"channel": "trades", "data": "x"}, {""}),
    "not JSON": ('{"channel":"trades","data":[{"coin":"BT', {""}),
    "a number": ("7", {""}),
    "bytes": (b"trades", {""}),
    "a quote without a price": ({"channel": "bbo", "data": {"coin": "BTC"}}, set()),
    "another channel": ({"channel": "weather", "data": 1}, set()),
}


@pytest.mark.parametrize(("frame", "coins"), DOUBTS.values(), ids=DOUBTS.keys())
def test_it_is_known_whose_trades_may_have_been_in_what_was_left_out(frame: Any, coins: set[str]):
    reader = FrameReader(Faults())
    reader.read(frame if isinstance(frame, (str, bytes)) else json.dumps(frame), received_at=float(NOON))
    assert reader.doubted == coins


def test_one_unfit_mid_does_not_cost_the_others():
    heard, faults = news("allMids", {"mids": {"BTC": "1.5", "ETH": "0.0", "@1": "0.0", "A\x00": "1.0", "#7": "2"}})
    assert heard.content == MidsEvent({"BTC": 1.5, "@1": 0.0, "#7": 2.0}, NOON)
    assert faults == {"malformed allMids": 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(BAD_PRICES[:9]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
SOUND: dict[str, Any] = {
    "bbo": bbo(),
    "trades": [trade(), trade(tid=2)],
    "candle": candle(),
    "l2Book": book(),
    "activeAssetCtx": {"coin": "BTC", "ctx": CONTEXT},
    "allMids": {"mids": {"BTC": "1.5", "ETH": "2.5"}},
    "subscriptionResponse": {"method": "subscribe", "subscription": {"type": "bbo", "coin": "BTC"}},
    "error": 'Invalid subscription {"type":"bbo","coin":"BTC"}',
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def numbers(content: Any) -> list[float]:
    if isinstance(content, QuoteEvent):
        return [content.bid, content.ask, content.bid_size, content.ask_size]
    if isinstance(content, tuple):
        return [number for fill in content for number in (fill.price, fill.size)]
    if isinstance(content, Candle):
        return [content.open, content.high, content.low, content.close]
    if isinstance(content, MidsEvent):
        return [price for coin, price in content.mids.items() if coin in ("BTC", "ETH")]
    if isinstance(content, ContextEvent):
        return [content.values[name] for name in ("mark_price", "oracle_price")]
    return [*content.book.bids.ravel().tolist(), *content.book.asks.ravel().tolist()]


@given(st.data(), st.sampled_from(sorted(SOUND)), JSON)
def test_whatever_replaces_a_part_of_a_frame_no_bad_number_comes_out(data: st.DataObject, channel: str, junk: Any):
    frame = json.loads(json.dumps({"channel": channel, "data": SOUND[channel]}))
    path = data.draw(st.sampled_from([place for place in places(frame) if place]))
    target = frame
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = junk
    heard, _ = read(json.dumps(frame))
    if isinstance(heard, Data):
        # null is allowed where the exchange says null; everything else is finite and positive
        assert all(math.isnan(number) or (math.isfinite(number) and number > 0) for number in numbers(heard.content))


@given(st.text(max_size=200))
def test_no_text_at_all_raises(text: str):
    read(text)


async def test_hostile_frames_leave_the_stream_running_and_each_kind_is_logged_once(caplog: pytest.LogCaptureFixture):
    async with scene() as play:
        await play.stream.subscribe(Subscription("bbo", "BTC"))
        await settle()
        (wire,) = play.server.wires
        for _ in range(3):
            for text, _ in UNFIT.values():
                wire.receive(text)
            for channel, data in UNFIT_NEWS.values():
                wire.receive({"channel": channel, "data": data})
        play.server.quote("BTC")
        assert len(await play.reader.take(QuoteEvent)) == 1
        faults = play.stream.status().faults
        assert sum(faults.values()) == 3 * (len(UNFIT) + len(UNFIT_NEWS))
        assert len([record for record in caplog.records if "the stream met a fault" in record.message]) == len(faults)
        assert len(play.server.wires) == 1


async def test_what_comes_from_the_future_is_left_out_and_the_time_asked_for():
    quotes, trades, minutes = (
        Subscription("bbo", "BTC"),
        Subscription("trades", "BTC"),
        Subscription("candle", "BTC", "1m"),
    )
    books = Subscription("l2Book", "BTC")
    late = NOON_MS + 10 * MINUTE_MS
    async with scene(stall_seconds=3600) as play:
        await play.subscribe(quotes, trades, minutes, books)
        play.server.quote("BTC", time_ms=late)
        play.server.trades("BTC", trade(time=late))
        play.server.candle("BTC", "1m", t=late)
        play.server.push(books, book(time=late))
        (gap,) = await play.reader.take()
        assert (gap.subscription, gap.filled) == (trades, False)
        assert play.stream.status().faults == {"ahead of the market's clock": 4}
        for _ in range(110):
            play.server.quote("BTC", time_ms=late)
            await play.time.advance(1)
        assert play.rest.calls == ["universe", "all_mids", "all_mids"]  # at most once a minute


async def test_a_market_whose_clock_was_set_is_believed_once_it_was_asked():
    async with scene() as play:
        await play.subscribe(Subscription("bbo", "BTC"))
        hours_later = NOON_MS + 60 * 60 * MINUTE_MS
        play.server.quote("BTC", time_ms=hours_later)
        assert await play.reader.take(QuoteEvent) == []
        play.rest.market_is_ahead = 60 * 3600
        await play.time.advance(2)
        play.server.quote("BTC", time_ms=hours_later)
        assert len(await play.reader.take(QuoteEvent)) == 1


def test_in_a_fast_market_time_passes_as_fast():
    time = Time()
    rest = Rest(time)
    market = MarketTime(rest, time)  # type: ignore[arg-type]
    assert market.now_ms() == NOON_MS
    long_ago = pd.Timestamp("2025-01-01T00:00Z")
    rest.stamp = MarketStamp("demo", "demo-60", 60.0, long_ago, float(NOON))
    time.now += 10
    began = long_ago.timestamp() * 1000
    assert market.now_ms() == began + 600_000
    assert market.before_ms(5) == began + 300_000
    assert market.latest_ms() == began + 600_000 + 60 * 300_000


def test_the_rest_double_has_what_the_stream_asks_of_the_client():
    from hlpairs_core.exchange import HyperliquidClient

    for name in ("universe", "all_mids", "l2_book", "candles", "address", "stamp"):
        assert hasattr(HyperliquidClient, name)
        assert name in dir(Rest(Time()))
