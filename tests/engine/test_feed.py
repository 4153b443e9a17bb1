"""The engine on the exchange's stream."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from engine_stream import ToldStream, candle, closed_candles, gap, quote, traded

from hlpairs_core.engine.gatherer import FEED_SECONDS
from hlpairs_core.engine.state import SILENT_SECONDS
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange.events import BookEvent, ContextEvent, MidsEvent, QuarantineEvent, Subscription

HOUR = pd.Timedelta(hours=1)
NINE, TEN = (pd.Timestamp(f"2026-03-01T{hour}:00", tz="UTC") for hour in ("09", "10"))


@pytest.fixture
def stream() -> ToldStream:
    return ToldStream()


@pytest.fixture
async def world(make_world, stream):
    world = await make_world(stream=stream)
    await world.contexts.refresh()
    return world


async def after_the_first_bar(world):
    await world.bars.step()
    world.now += 3600
    world.wire.asked.clear()


def lead(world):
    return world.hub.current["top"] or world.hub.current["nearest_miss"]


async def test_every_coin_is_subscribed_to_and_the_books_are_recorded(world, stream):
    await world.feed.follow()
    listed = set(world.contexts.listed())
    assert len(listed) == 12
    assert {channel: stream.coins(channel) for channel in ("bbo", "candle", "activeAssetCtx", "trades", "l2Book")} == (
        dict.fromkeys(("bbo", "candle", "activeAssetCtx", "trades", "l2Book"), listed)
    )
    assert {one.interval for one in stream.held if one.channel == "candle"} == {"1h"}
    assert Subscription("allMids") in stream.held
    changes = stream.changes
    await world.contexts.refresh()
    await world.feed.follow()
    assert stream.changes == changes, "what is held is not asked for again"


async def test_without_recording_only_the_books_of_the_best_pairs_are_wanted(make_world, stream):
    world = await make_world(stream=stream, record=False)
    await world.bars.step()
    await world.feed.follow()
    assert stream.coins("l2Book") == set(world.state.shortlist)
    world.state.shortlist = ("BTC",)
    await world.feed.follow()
    assert stream.coins("l2Book") == {"BTC"}


async def test_a_listing_and_a_delisting_while_running_are_followed(world, stream):
    def change(delisted):
        def change(request, answer):
            if request["type"] == "metaAndAssetCtxs":
                next(coin for coin in answer[0]["universe"] if coin["name"] == delisted)["isDelisted"] = True
            return answer

        return change

    world.wire.change = change("ETH")
    await world.contexts.refresh()
    await world.feed.follow()
    assert "ETH" not in stream.coins("bbo")
    world.wire.change = change("BTC")
    await world.contexts.refresh()
    await world.feed.follow()
    for channel in ("bbo", "candle", "activeAssetCtx", "trades", "l2Book"):
        assert stream.coins(channel) == set(world.contexts.listed())
        assert "ETH" in stream.coins(channel)
        assert "BTC" not in stream.coins(channel)


async def test_an_empty_universe_for_a_minute_ends_no_subscription(world, stream):
    await world.feed.follow()
    held = dict(stream.held)
    world.wire.change = lambda request, answer: [{"universe": []}, []] if "meta" in request["type"] else answer
    await world.contexts.refresh()
    await world.feed.follow()
    assert stream.held == held


async def test_a_coin_that_the_stream_takes_for_unlisted_keeps_no_other_out(world, stream):
    stream.unknown = {"ETH"}
    await world.feed.follow()
    assert stream.coins("trades") == set(world.contexts.listed()) - {"ETH"}
    assert any("bbo of ETH is left out" in problem["text"] for problem in world.state.problems.all())


async def test_quotes_and_contexts_are_known_at_once_and_marks_follow(world, stream):
    await world.bars.step()
    row = lead(world)
    y, x = row["y"], row["x"]
    one = world.state.selection.result.candidate(y, x)
    await stream.tell(
        world.feed,
        MidsEvent({y: 1.0, x: 1.0}, world.now),
        quote(y, 99.0, 101.0, world.now),
        quote(x, 9.0, 11.0, world.now),
        ContextEvent(y, {"mark_price": 100.25, "funding_rate": 2e-5}, world.now),
    )
    await world.ticks.step()
    z = (math.log(100) - one.alpha - one.beta * math.log(10) - one.mean) / one.sigma
    assert lead(world)["zscore"] == pytest.approx(z, rel=1e-12)
    assert lead(world)["sparkline"]["z"][-1] == pytest.approx(z, abs=1e-4)
    tick = world.state.ticks.tick(y, world.now)
    assert (tick.bid, tick.ask, tick.mark_price, tick.funding_rate) == (99.0, 101.0, 100.25, 2e-5)
    assert world.hub.current["message_age_seconds"] == 0.0


async def test_what_the_contexts_said_tags_a_tick_until_the_feed_says_more(world):
    tick = world.state.ticks.tick("BTC", world.now)
    said = world.contexts.frame.loc["BTC"]
    assert (tick.mark_price, tick.funding_rate) == (said["mark_price"], said["funding_rate"])


async def test_at_a_close_no_candle_is_asked_for_that_the_feed_has_brought(world, stream):
    await after_the_first_bar(world)
    expected = await closed_candles(world, TEN)
    await stream.tell(world.feed, *expected)
    await world.bars.step()
    assert world.wire.candles_asked() == []
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T11:00:00.000Z"
    assert world.state.selection.is_final
    stored = world.history.candles.read(None, TEN, TEN).set_index("coin")["close"].to_dict()
    assert stored == {one.coin: one.close for one in expected}


@pytest.mark.parametrize("lack", ["nothing was said", "it is not confirmed", "it was doubted"])
async def test_only_the_candles_that_the_feed_cannot_vouch_for_are_asked_for(world, stream, lack):
    await after_the_first_bar(world)
    events = {event.coin: event for event in await closed_candles(world, TEN)}
    right = events["ETH"]
    del events["ETH"]
    await stream.tell(world.feed, *events.values())
    (row,) = (await world.client.candles("ETH", "1h", TEN, TEN)).itertuples()
    world.wire.asked.clear()
    if lack == "it is not confirmed":
        await stream.tell(world.feed, candle("ETH", row, world.now, close=row.open, is_confirmed=False))
    elif lack == "it was doubted":
        wrong = candle("ETH", row, world.now, close=row.open)
        await stream.tell(world.feed, wrong, gap("candle", "ETH", until=world.now - 3000, filled=False))
    await world.bars.step()
    assert [asked["coin"] for asked in world.wire.candles_asked()] == ["ETH"]
    assert world.history.candles.read(["ETH"], TEN, TEN)["close"].tolist() == [right.close]
    assert world.state.selection.is_final


async def test_where_all_trades_were_seen_they_say_what_the_candle_is_until_the_exchange_does(world, stream):
    await after_the_first_bar(world)
    events = {event.coin: event for event in await closed_candles(world, TEN)}
    for event in events.values():
        pushed_last = replace(event, volume=event.volume / 2, close=event.open, is_confirmed=False)
        heard = quote(event.coin, 1.0, 2.0, world.now, world.market_ms)
        await stream.tell(world.feed, *traded(event), pushed_last, heard)
    await world.bars.step()
    assert world.wire.candles_asked() == []
    assert world.state.selection.coins_unconfirmed == 12
    await world.settle()
    assert world.state.selection.is_final
    assert world.count("bars_compared_total") == 0
    world.pass_hour()
    await stream.tell(world.feed, *(quote(coin, 1.0, 2.0, world.now, world.market_ms) for coin in events))
    await world.bars.step()
    assert (world.count("bars_compared_total"), world.count("bars_mismatched_total")) == (12, 0)


@pytest.mark.parametrize("lack", ["one was missed", "the feed saw more", "there was none", "the feed is silent"])
async def test_where_trades_do_not_tell_the_exchange_is_asked(world, stream, lack):
    await after_the_first_bar(world)
    events = {event.coin: event for event in await closed_candles(world, TEN)}
    event = events.pop("ETH")
    before, inside = traded(event)
    if lack != "the feed is silent":
        await stream.tell(world.feed, quote("ETH", 1.0, 2.0, world.now, world.market_ms))
    if lack == "one was missed":
        await stream.tell(world.feed, before, gap("trades", "ETH", until=world.now, filled=False), inside)
    elif lack == "the feed saw more":
        more = replace(event, volume=event.volume * 1.001, is_confirmed=False)
        await stream.tell(world.feed, before, inside, more)
    elif lack == "there was none":
        await stream.tell(world.feed, before)
    else:
        await stream.tell(world.feed, before, inside)
    await stream.tell(world.feed, *events.values())
    await world.bars.step()
    assert [asked["coin"] for asked in world.wire.candles_asked()] == ["ETH"]


async def test_a_candle_in_progress_is_given_a_moment_to_close_and_then_asked_for(world, stream):
    await after_the_first_bar(world)
    closed = await closed_candles(world, TEN)
    (row,) = (await world.client.candles("ETH", "1h", TEN, TEN)).itertuples()
    world.wire.asked.clear()
    progress = candle("ETH", row, world.now, is_closed=False, is_confirmed=False)
    await stream.tell(world.feed, *(one for one in closed if one.coin != "ETH"), progress)
    world.naps.clear()
    await world.bars.step()
    assert sum(world.naps) == pytest.approx(FEED_SECONDS)
    assert [asked["coin"] for asked in world.wire.candles_asked()] == ["ETH"]


async def test_a_correction_replaces_what_was_stored(world, stream):
    await after_the_first_bar(world)
    events = await closed_candles(world, TEN)
    await stream.tell(world.feed, *events)
    await world.bars.step()
    (row,) = (await world.client.candles("BTC", "1h", TEN, TEN)).itertuples()
    await stream.tell(world.feed, candle("BTC", row, world.now, close=row.low, corrects=True))
    await world.bars.step()
    assert world.history.candles.read(["BTC"], TEN, TEN)["close"].tolist() == [row.low]


async def test_a_late_candle_of_the_feed_is_screened_with_the_others(world, stream):
    await after_the_first_bar(world)
    events = {event.coin: event for event in await closed_candles(world, TEN)}
    late = events.pop("ETH")
    world.wire.edit = lambda request: request["type"] == "candleSnapshot" and request["req"].update(endTime=0)
    await stream.tell(world.feed, *events.values())
    await world.bars.step()
    assert not world.state.selection.is_final
    assert "Provisional: the history of 11 of 12" in world.hub.current["verdict"]["text"]
    await stream.tell(world.feed, late)
    await world.bars.step()
    assert world.state.selection.is_final
    assert world.state.selection.coins_loaded == 12


async def test_an_interruption_that_was_not_filled_makes_what_is_stored_count_as_missing(world, stream):
    await world.bars.step()
    assert world.history.candles.missing("ETH", NINE, NINE) == []
    half_past_nine = world.now - 3600
    await stream.tell(world.feed, gap("candle", "ETH", until=half_past_nine, filled=True))
    assert world.history.candles.missing("ETH", NINE, NINE) == []
    await stream.tell(world.feed, gap("candle", "ETH", until=half_past_nine, filled=False))
    assert world.history.candles.missing("ETH", NINE, NINE) == [(NINE, NINE)]
    assert world.history.candles.missing("BTC", NINE, NINE) == []


async def test_a_quote_from_before_an_interruption_is_not_taken_for_the_present_one(world, stream):
    await stream.tell(world.feed, MidsEvent({"BTC": 7.0}, world.now), quote("BTC", 99.0, 101.0, world.now))
    assert world.mids["BTC"] == 100.0
    await stream.tell(world.feed, gap("bbo", "BTC", until=world.now + 1))
    assert world.mids["BTC"] == 7.0


async def test_a_quarantined_coin_is_told_once_and_its_candles_are_asked_for(world, stream):
    await after_the_first_bar(world)
    out = QuarantineEvent(Subscription("candle", "ETH", "1h"), "the server drops the connection", world.now)
    events = [event for event in await closed_candles(world, TEN) if event.coin != "ETH"]
    (row,) = (await world.client.candles("ETH", "1h", TEN, TEN)).itertuples()
    world.wire.asked.clear()
    progress = candle("ETH", row, world.now, is_closed=False, is_confirmed=False)
    await stream.tell(world.feed, progress, out, out, *events)
    world.naps.clear()
    await world.bars.step()
    assert [asked["coin"] for asked in world.wire.candles_asked()] == ["ETH"]
    assert world.naps == [], "nothing is waited for that will not come"
    told = [problem["text"] for problem in world.state.problems.all()]
    assert told == ["candle of ETH is left out of the stream: the server drops the connection"]


async def test_a_candle_that_proves_wrong_is_asked_for_where_its_correction_is_not_sure_either(world, stream):
    await after_the_first_bar(world)
    events = await closed_candles(world, TEN)
    (row,) = (await world.client.candles("BTC", "1h", TEN, TEN)).itertuples()
    early = candle("BTC", row, world.now, close=row.low, volume=row.volume / 2)
    await stream.tell(world.feed, early, *(event for event in events if event.coin != "BTC"))
    await world.bars.step()
    later = candle("BTC", row, world.now, close=row.high, is_confirmed=False, corrects=True)
    await stream.tell(world.feed, later)
    world.now += 3600
    await world.bars.step()
    assert world.history.candles.read(["BTC"], TEN, TEN)["close"].tolist() == [row.close]


async def test_after_a_loss_of_many_subscriptions_the_market_is_asked_for_once(world, stream):
    await after_the_first_bar(world)
    lost = world.now
    world.now += 10
    world.wire.asked.clear()
    await stream.tell(world.feed, *(gap("bbo", coin, until=lost + 5) for coin in world.contexts.listed()))
    assert [asked["type"] for asked in world.wire.asked] == ["allMids"]


async def test_a_market_that_came_back_as_another_one_is_not_taken(world, stream, make_world):
    await stream.tell(world.feed, quote("BTC", 99.0, 101.0, world.now))
    other = await make_world(seed=8)
    world.wire.address = other.client.address
    world.now += 10
    with pytest.raises(ExchangeError, match="is now the market demo-v2-seed8-12"):
        await stream.tell(world.feed, gap("trades", "ETH", until=world.now), quote("BTC", 1.0, 2.0, world.now))
    with pytest.raises(ExchangeError, match="is now the market demo-v2-seed8-12"):
        await stream.tell(world.feed)
    assert world.state.ticks.tick("BTC", world.now).bid == 99.0
    world.wire.address = None
    await stream.tell(world.feed)
    assert world.state.ticks.tick("BTC", world.now).bid == 1.0


async def test_where_the_stream_is_silent_quotes_come_by_polling_and_it_is_said_so(world, stream):
    await stream.tell(world.feed, quote("BTC", 99.0, 101.0, world.now))
    world.wire.asked.clear()
    await world.polls.step()
    assert world.wire.asked == []
    assert world.source.health()["stream_connected"] is True
    world.now += SILENT_SECONDS
    await world.tick()
    assert [asked["type"] for asked in world.wire.asked] == ["allMids"]
    (problem,) = world.hub.current["problems"]
    assert problem["text"].endswith("quotes by polling, once a second")
    assert "has been silent since" in problem["text"]
    assert world.hub.current["message_age_seconds"] == 0
    world.now += SILENT_SECONDS
    assert world.source.health()["stream_connected"] is False
    await stream.tell(world.feed, quote("BTC", 99.0, 101.0, world.now))
    await world.tick()
    assert world.hub.current["problems"] == []


async def test_a_stream_that_never_spoke_is_given_a_moment_before_that_is_a_problem(world):
    await world.tick()
    assert world.hub.current["problems"] == []
    world.now += 2 * SILENT_SECONDS
    await world.tick()
    assert [problem["source"] for problem in world.hub.current["problems"]] == ["stream"]
    assert "has said nothing yet" in world.hub.current["problems"][0]["text"]


async def books_before(world, close: pd.Timestamp, seconds: float, coins=None) -> list[BookEvent]:
    """What the feed brought so long before a bar closed."""
    books = [await world.client.l2_book(coin) for coin in coins or world.contexts.listed()]
    time = close - pd.Timedelta(seconds=seconds)
    return [BookEvent(replace(book, time=time), False, world.now) for book in books]


def books_asked(world) -> list[str]:
    return [asked["coin"] for asked in world.wire.asked if asked["type"] == "l2Book"]


async def test_books_of_the_feed_price_the_pairs_and_are_not_asked_for(world, stream):
    await stream.tell(world.feed, *await books_before(world, TEN, 3))
    world.wire.asked.clear()
    await world.bars.step()
    assert books_asked(world) == []
    assert set(world.selector.books) == set(world.contexts.listed())
    assert lead(world)["slippage_source"] == "book"


async def test_books_that_are_old_too_short_or_of_after_the_close_are_asked_for(world, stream):
    (old,) = await books_before(world, TEN, 60, ["BTC"])
    (short,) = await books_before(world, TEN, 3, ["ETH"])
    (late,) = await books_before(world, TEN, -3, ["SOL"])
    await stream.tell(world.feed, old, replace(short, fast=True), late)
    world.wire.asked.clear()
    await world.bars.step()
    assert set(books_asked(world)) == set(world.state.shortlist)
    assert {"BTC", "ETH", "SOL"} <= set(world.state.shortlist)


async def test_a_bar_that_is_screened_again_is_priced_from_the_same_books(world):
    await world.bars.step()
    books = dict(world.selector.books)
    assert books
    world.wire.asked.clear()
    await world.selector.select(world.contexts.listed(), NINE, wanted=12, final=True)
    assert books_asked(world) == []
    assert world.selector.books == books


async def test_the_status_says_how_the_stream_is(world, stream):
    await world.feed.follow()
    stream.quarantined = {Subscription("bbo", "ETH"): "refused"}
    await world.feed.follow()
    said = world.source.status()["stream"]
    assert said["subscribed"] == 61
    assert said["quarantined"] == {"bbo ETH": "refused"}
    assert world.count("stream_subscribed") == 61
    assert world.count("stream_quarantined") == 1
    assert world.count("stream_messages") == 7
