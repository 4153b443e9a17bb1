"""A bar is screened at once with candles that are guessed, and again where the exchange says otherwise."""

from dataclasses import replace

import pandas as pd
import pytest
from engine_stream import HOUR_MS, ToldStream, closed_candles, gap, quote, traded, trades

from hlpairs_core.engine.bars import ASK_SECONDS, LATE_SECONDS, MANY_COINS
from hlpairs_core.engine.feed import QUIET_SECONDS
from hlpairs_core.exceptions import EngineError
from hlpairs_core.exchange.events import ContextEvent
from hlpairs_core.store import CandleStore

HOUR = pd.Timedelta(hours=1)
TEN = pd.Timestamp("2026-03-01T10:00", tz="UTC")
UNCONFIRMED = "candles of {} of 12 coins are not confirmed by the exchange."


@pytest.fixture
def stream() -> ToldStream:
    return ToldStream()


async def guess(world, stream, events, **wrong):
    """Let the feed say nothing but the trades of these candles, and that the bar is over."""
    for event in events:
        said = replace(event, **wrong) if event.coin == "ETH" else event
        await stream.tell(world.feed, *traded(said), quote(event.coin, 1.0, 2.0, world.now, world.market_ms))


@pytest.fixture
async def closing(make_world, stream):
    """A world whose second bar has closed, and the candles of it."""
    world = await make_world(stream=stream)
    await world.bars.step()
    world.now += 3600
    events = await closed_candles(world, TEN)
    world.wire.asked.clear()
    return world, stream, events


def verdict(world) -> str:
    world.ticks.publish()
    return world.hub.current["verdict"]["text"]


async def finish(world, steps=5):
    for _ in range(steps):
        if not world.state.selection.is_final:
            await world.bars.step()


async def test_a_bar_is_screened_before_the_exchange_was_asked_and_says_so_and_no_guess_is_stored(closing):
    world, stream, events = closing
    await guess(world, stream, events)
    await world.bars.step()
    assert world.wire.candles_asked() == []
    selection = world.state.selection
    assert (selection.result.bar_time, selection.is_final, selection.coins_loaded) == (TEN, False, 12)
    assert "Provisional: the " + UNCONFIRMED.format(12) in verdict(world)
    assert world.diary.waiting == 1, "of the first bar: what may still change is not kept for ever"
    world.engine.store_the_rest()
    assert world.history.candles.read(None, TEN, TEN).empty
    assert CandleStore(world.market_folder, "1h").read(None, TEN, TEN).empty
    assert world.history.candles.missing("BTC", TEN, TEN) == [(TEN, TEN)]


async def test_a_guess_that_was_right_makes_the_answer_final_without_another_screen(closing):
    world, stream, events = closing
    await guess(world, stream, events)
    await world.bars.step()
    result = world.state.selection.result
    await finish(world)
    assert {asked["startTime"] for asked in world.wire.candles_asked()} == {events[0].time_ms}, "one bar of each"
    assert len(world.wire.candles_asked()) == 12
    assert world.state.selection.is_final
    assert world.state.selection.result is result
    assert "confirmed" not in verdict(world)
    assert world.diary.waiting == 2
    stored = world.history.candles.read(None, TEN, TEN).set_index("coin")["close"].to_dict()
    assert stored == {event.coin: event.close for event in events}


async def test_a_guess_that_was_wrong_is_replaced_and_the_bar_screened_again(closing, make_world):
    world, stream, events = closing
    (eth,) = (event for event in events if event.coin == "ETH")
    await guess(world, stream, events, close=eth.low)
    await world.bars.step()
    first = world.state.selection.result
    await finish(world)
    assert world.state.selection.is_final
    other = await make_world(folder="other")
    other.now += 3600
    await other.bars.step()
    for one in ("ETH", "BTC"):
        assert world.history.candles.read([one], TEN, TEN)["close"].tolist() == (
            other.history.candles.read([one], TEN, TEN)["close"].tolist()
        )
    said, expected = world.state.selection.result, other.state.selection.result
    pd.testing.assert_frame_equal(said.candidates[["y", "x", "beta"]], expected.candidates[["y", "x", "beta"]])
    assert not first.candidates.equals(said.candidates)
    assert [entry["bar_ms"] for entry in world.journal.verdicts()] == []
    assert world.diary.waiting == 2, "one for each bar"


async def test_a_wrong_guess_is_not_forgotten_when_the_screen_after_it_fails(closing):
    world, stream, events = closing
    (eth,) = (event for event in events if event.coin == "ETH")
    await guess(world, stream, events, close=eth.low)
    await world.bars.step()
    first, select = world.state.selection.result, world.selector.select
    world.selector.select = failing(select, times=1)
    with pytest.raises(EngineError):
        await finish(world)
    assert not world.state.selection.is_final
    await finish(world)
    assert world.state.selection.is_final
    assert not first.candidates.equals(world.state.selection.result.candidates)


async def test_an_answer_on_the_way_is_not_taken_for_final_when_the_screen_after_it_fails(make_world):
    world = await make_world(n_coins=35)
    select = world.selector.select
    world.selector.select = failing(select, times=1, after=1)
    with pytest.raises(EngineError):
        await world.bars.step()
    assert world.state.selection.coins_loaded == 30
    await world.bars.step()
    assert world.state.selection.coins_loaded == world.state.selection.coins_wanted > 30
    assert world.diary.waiting == 1


def failing(select, *, times: int, after: int = 0):
    """Return a way to screen that fails so often, after it has worked so often."""
    fails = iter([False] * after + [True] * times)

    async def try_to(*arguments, **options):
        if next(fails, False):
            raise EngineError("the worker died")
        await select(*arguments, **options)

    return try_to


async def test_the_feed_may_confirm_before_the_exchange_was_asked(closing):
    """Those that trade least are asked for first: the others are the likelier to be confirmed meanwhile."""
    world, stream, events = closing
    await guess(world, stream, events)
    await world.bars.step()
    liquid = world.bars.eligible()[:4]
    await stream.tell(world.feed, *(event for event in events if event.coin in liquid))
    await finish(world)
    asked = [one["coin"] for one in world.wire.candles_asked()]
    assert set(asked) == set(world.bars.eligible()) - set(liquid)
    assert asked[0] == world.bars.eligible()[-1]
    assert world.state.selection.is_final


async def test_what_the_exchange_does_not_confirm_in_time_is_said_with_the_answer(closing):
    world, stream, events = closing
    await guess(world, stream, events)
    world.wire.edit = lambda request: request["type"] == "candleSnapshot" and request["req"].update(endTime=0)
    await world.bars.step()
    asked = []
    for _ in range(4):
        await world.bars.step()
        asked.append(len(world.wire.candles_asked()))
        world.now += ASK_SECONDS / 2
    assert asked == [12, 12, 24, 24], "again, but not without a rest"
    assert not world.state.selection.is_final
    world.now += LATE_SECONDS
    await world.bars.step()
    selection = world.state.selection
    assert (selection.is_final, selection.coins_unconfirmed, world.diary.waiting) == (True, 12, 2)
    assert " The " + UNCONFIRMED.format(12) in verdict(world)
    (problem,) = (one["text"] for one in world.state.problems.all() if one["source"] == "candles")
    assert problem.startswith("the bar that closed at 2026-03-01 11:00 rests on candles of 12 of 12 coins (")
    assert problem.endswith(") that the exchange has not confirmed")


async def test_the_next_bar_is_screened_over_what_is_still_unconfirmed_and_waits_for_nothing(closing):
    world, stream, events = closing
    await guess(world, stream, events)
    await world.bars.step()
    world.pass_hour()
    await stream.tell(world.feed, *await closed_candles(world, TEN + HOUR))
    world.wire.asked.clear()
    await world.bars.step()
    assert world.wire.candles_asked() == []
    assert world.state.selection.result.bar_time == TEN + HOUR
    assert world.state.selection.coins_unconfirmed == 12
    await finish(world)
    assert world.state.selection.is_final
    assert len(world.wire.candles_asked()) == 12


async def test_after_a_start_in_the_middle_of_a_bar_its_candles_are_guessed_too(closing):
    """Trades are not known from its beginning, but the feed's candle has them all."""
    world, stream, events = closing
    for event in events:
        middle = event.time_ms + HOUR_MS // 2
        pushed = replace(event, volume=event.volume / 2, close=event.open, is_closed=False, is_confirmed=False)
        prints = [(middle, event.open, 1e-9), (middle + 1, event.close, 1e-9)]
        await stream.tell(world.feed, trades(event.coin, *prints), pushed)
        await stream.tell(world.feed, quote(event.coin, 1.0, 2.0, world.now, world.market_ms))
    await world.bars.step()
    assert world.wire.candles_asked() == []
    assert world.state.selection.coins_loaded == 12
    await finish(world)
    assert world.state.selection.is_final


async def test_what_the_exchange_says_without_a_time_is_as_old_as_what_it_says_of_other_coins(closing):
    world, stream, events = closing
    (eth,) = (event for event in events if event.coin == "ETH")
    context = ContextEvent("ETH", {"mark_price": 1.0, "funding_rate": 0.0}, world.now)
    await stream.tell(world.feed, *traded(eth), context)
    assert world.closes.reached("ETH") < eth.time_ms + HOUR_MS, "a trade inside the bar was the last that had a time"
    await guess(world, stream, [event for event in events if event.coin != "ETH"])
    await stream.tell(world.feed, context)
    await world.bars.step()
    assert world.wire.candles_asked() == []
    assert world.state.selection.coins_unconfirmed == 12


@pytest.mark.parametrize("said", ["nothing", "an old quote", "a quote of the last moment"])
async def test_a_feed_that_is_late_vouches_for_no_candle(closing, said):
    """What counts is when the exchange said it, not when it came."""
    world, stream, events = closing
    await guess(world, stream, [event for event in events if event.coin != "ETH"])
    (eth,) = (event for event in events if event.coin == "ETH")
    await stream.tell(world.feed, *traded(eth))
    times = {"an old quote": eth.time_ms + HOUR_MS - 1000, "a quote of the last moment": eth.time_ms + HOUR_MS + 1}
    if said in times:
        await stream.tell(world.feed, quote("ETH", 1.0, 2.0, world.now, times[said]))
    await world.bars.step()
    assert [asked["coin"] for asked in world.wire.candles_asked()] == ["ETH"]
    assert world.state.selection.coins_unconfirmed == 11


async def test_a_feed_that_falls_behind_is_given_a_moment(closing):
    world, stream, events = closing
    await guess(world, stream, events)
    await stream.tell(world.feed, quote("ETH", 1.0, 2.0, world.now, events[0].time_ms + HOUR_MS - 100))
    world.naps.clear()
    await world.bars.step()
    assert sum(world.naps) == pytest.approx(2.0)


async def test_trades_that_could_not_be_read_vouch_for_nothing_and_are_no_other_market(closing):
    world, stream, events = closing
    await guess(world, stream, events)
    await stream.tell(world.feed, gap("trades", "ETH", until=world.now, filled=False, seconds=0.0))
    assert world.wire.asked == [], "the connection is the same"
    await world.bars.step()
    assert [asked["coin"] for asked in world.wire.candles_asked()] == ["ETH"]


async def test_many_coins_are_asked_for_some_at_a_time(make_world, stream):
    world = await make_world(stream=stream, n_coins=40)
    await world.bars.step()
    world.now += 3600
    events = await closed_candles(world, TEN)
    world.wire.asked.clear()
    await guess(world, stream, events)
    await world.bars.step()
    count = len(world.bars.eligible())
    assert len(world.wire.candles_asked()) == 0
    seen = []
    while not world.state.selection.is_final:
        await world.bars.step()
        seen.append((len(world.wire.candles_asked()), world.state.selection.coins_unconfirmed))
    assert seen[0] == (MANY_COINS, count - MANY_COINS)
    assert seen[-1] == (count, 0)


@pytest.mark.parametrize("seconds", [1.0, 3.0])
async def test_after_a_silence_of_the_whole_stream_its_word_is_not_taken_for_the_bar_that_ended_in_it(
    make_world, stream, seconds
):
    """Trades and candles may both be lacking the same end, and agree."""
    world = await make_world(stream=stream)
    await world.bars.step()
    world.now += 30 * 60 - seconds / 2
    await stream.tell(world.feed, quote("BTC", 1.0, 2.0, world.now, world.market_ms))
    world.now += seconds
    events = await closed_candles(world, TEN)
    await guess(world, stream, events)
    await stream.tell(world.feed, *events)
    world.wire.asked.clear()
    await world.bars.step()
    assert world.state.selection.coins_unconfirmed == (0 if seconds < QUIET_SECONDS else 12)
    await finish(world)
    assert world.state.selection.is_final
