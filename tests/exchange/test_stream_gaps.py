"""What an interruption costs, through the whole stream: candles from REST, trades from the replay."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_doubles import HOUR_MS, MINUTE_MS, NOON, NOON_MS, Scene, Wire, scene, settle, trade

from hlpairs_core.exceptions import ExchangeUnavailable, RateLimited, UnknownCoin
from hlpairs_core.exchange import CandleEvent, GapEvent, QuoteEvent, Subscription, TradesEvent

MINUTES = Subscription("candle", "BTC", "1m")
HOURS = Subscription("candle", "BTC", "1h")
TRADES = Subscription("trades", "BTC")
QUIET = {"stall_seconds": 36_000.0}


def closed(events: list[Any]) -> list[tuple[int, float, str]]:
    return [
        ((event.time_ms - NOON_MS) // MINUTE_MS, event.volume, event.source)
        for event in events
        if isinstance(event, CandleEvent) and event.is_closed
    ]


async def test_candles_missed_while_the_socket_was_down_come_over_rest_before_newer_ones():
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES)
        play.server.candle("BTC", "1m", t=NOON_MS, v=1.0)
        await play.reader.take()
        play.server.refuses = ConnectionRefusedError("nobody is there")
        play.server.wires[0].drop()
        await play.time.advance(200)
        for index in range(3):
            play.rest.remember("BTC", "1m", NOON_MS + index * MINUTE_MS, volume=10.0 + index)
        play.server.refuses = None
        play.rest.fails = ExchangeUnavailable("no usable answer")
        await play.time.advance(30)
        play.server.candle("BTC", "1m", t=NOON_MS + 3 * MINUTE_MS, v=0.5)
        assert await play.reader.take() == []
        play.rest.fails = None
        await play.time.advance(60)
        *candles, gap = await play.reader.take()
        assert closed(candles) == [(index, 10.0 + index, "fill") for index in range(3)]
        assert [event.is_confirmed for event in candles] == [True, True, True, False]
        assert (candles[-1].is_closed, candles[-1].volume) == (False, 0.5)
        assert (gap.subscription, gap.since, gap.filled) == (MINUTES, NOON, True)
        assert NOON + 230 < gap.until <= NOON + 290
        assert play.stream.status().fills == 3
        assert play.stream.status().filling == 0


async def test_candles_missed_while_the_socket_was_down_come_even_where_nobody_trades_now():
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES)
        play.server.candle("BTC", "1m", t=NOON_MS, v=1.0)
        await play.reader.take()
        play.server.refuses = ConnectionRefusedError("nobody is there")
        play.server.wires[0].drop()
        for index in range(2):
            play.rest.remember("BTC", "1m", NOON_MS + index * MINUTE_MS)
        await play.time.advance(130)
        assert play.rest.asked == []
        play.server.refuses = None
        await play.time.advance(40)
        *candles, gap = await play.reader.take()
        assert closed(candles) == [(0, 1.0, "fill"), (1, 1.0, "fill")]
        assert gap.filled
        await play.time.advance(600)
        assert len(play.rest.asked) == 1


async def test_a_short_interruption_within_one_candle_asks_rest_for_nothing():
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES)
        play.server.candle("BTC", "1m", v=1.0)
        await settle()
        play.server.wires[0].drop()
        await play.time.advance(2)
        play.server.candle("BTC", "1m", v=3.0)
        play.server.candle("BTC", "1m", t=NOON_MS + MINUTE_MS)
        events = await play.reader.take()
        assert closed(events) == [(0, 3.0, "stream")]
        assert [event.filled for event in events if isinstance(event, GapEvent)] == [True]
        assert play.rest.asked == []


async def test_candles_skipped_on_a_socket_that_is_fine_are_fetched_too():
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES)
        play.server.candle("BTC", "1m", v=1.0)
        await play.time.advance(130)
        play.rest.remember("BTC", "1m", NOON_MS + MINUTE_MS, volume=5.0)
        play.server.candle("BTC", "1m", t=NOON_MS + 2 * MINUTE_MS, v=0.1)
        events = await play.reader.take()
        assert closed(events) == [(0, 1.0, "stream"), (1, 5.0, "fill")]
        assert not any(isinstance(event, GapEvent) for event in events)  # perhaps nobody traded


@pytest.mark.parametrize(
    "problem", [ExchangeUnavailable("no usable answer"), RateLimited("still 429"), UnknownCoin("not listed")]
)
async def test_while_rest_does_not_answer_candles_wait_and_other_feeds_go_on(problem: Exception):
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES, Subscription("bbo", "BTC"))
        play.server.candle("BTC", "1m", v=1.0)
        await play.time.advance(130)
        play.rest.remember("BTC", "1m", NOON_MS + MINUTE_MS)
        play.rest.fails = problem
        play.server.candle("BTC", "1m", t=NOON_MS + 2 * MINUTE_MS)
        await play.time.advance(120)
        play.server.quote("BTC")
        events = await play.reader.take()
        assert closed(events) == [(0, 1.0, "stream")]
        assert any(isinstance(event, QuoteEvent) for event in events)
        asked = len(play.rest.asked)
        assert 3 <= asked <= 10  # again, ever less often
        assert play.stream.status().faults["candles not fetched"] == asked
        play.rest.fails = None
        await play.time.advance(130)
        assert closed(await play.reader.take()) == [(1, 1.0, "fill")]


async def test_a_gap_that_rest_cannot_fill_is_told_and_the_feed_goes_on():
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES)
        play.server.candle("BTC", "1m", v=1.0)
        await play.time.advance(200)
        play.server.candle("BTC", "1m", t=NOON_MS + 3 * MINUTE_MS, v=2.0)
        play.rest.remember("BTC", "1m", NOON_MS + MINUTE_MS)
        await play.time.advance(60)
        play.server.candle("BTC", "1m", t=NOON_MS + 4 * MINUTE_MS)
        events = await play.reader.take()
        assert [index for index, _, _ in closed(events)] == [0, 1, 3]
        assert [event.filled for event in events if isinstance(event, GapEvent)] == [False]


async def test_answers_that_lag_behind_are_waited_for():
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES)
        play.server.candle("BTC", "1m", v=1.0)
        await play.time.advance(130)
        play.server.candle("BTC", "1m", t=NOON_MS + 2 * MINUTE_MS)
        await play.time.advance(4)
        assert closed(await play.reader.take()) == [(0, 1.0, "stream")]
        play.rest.remember("BTC", "1m", NOON_MS + MINUTE_MS)
        await play.time.advance(20)
        assert closed(await play.reader.take()) == [(1, 1.0, "fill")]


async def test_an_hour_that_nobody_closed_is_fetched_some_seconds_after_its_end():
    async with scene(**QUIET) as play:
        await play.subscribe(HOURS)
        play.rest.remember("BTC", "1h", NOON_MS, volume=0.0)
        await play.time.advance(3600 + 4)
        assert play.rest.asked == []
        await play.time.advance(3)
        (event,) = await play.reader.take()
        assert (event.time_ms, event.volume, event.is_closed, event.is_confirmed) == (NOON_MS, 0.0, True, True)
        assert play.rest.asked == [("BTC", "1h", NOON_MS, NOON_MS)]


async def test_a_minute_that_nobody_closed_waits_for_the_next_trade():
    async with scene(**QUIET) as play:
        await play.subscribe(MINUTES)
        play.server.candle("BTC", "1m")
        await play.time.advance(600)
        assert play.rest.asked == []


async def test_which_candles_are_fetched_when_the_feed_does_not_close_them_can_be_set():
    async with scene(settle_from="1m", **QUIET) as play:
        await play.subscribe(MINUTES)
        play.rest.remember("BTC", "1m", NOON_MS, volume=0.0)
        await play.time.advance(70)
        assert closed(await play.reader.take()) == [(0, 0.0, "fill")]


async def test_an_hour_closed_by_the_feed_is_checked_and_corrected_where_it_was_pushed_too_early():
    async with scene(**QUIET) as play:
        await play.subscribe(HOURS)
        play.server.candle("BTC", "1h", v=10.0)
        await play.time.advance(3601)
        play.server.candle("BTC", "1h", t=NOON_MS + HOUR_MS, v=0.1)
        first = [event for event in await play.reader.take(CandleEvent) if event.is_closed]
        assert [(event.volume, event.is_confirmed, event.corrects) for event in first] == [(10.0, False, False)]
        play.rest.remember("BTC", "1h", NOON_MS, volume=10.5)
        await play.time.advance(10)
        second = [event for event in await play.reader.take(CandleEvent) if event.is_closed]
        assert [(event.volume, event.is_confirmed, event.corrects) for event in second] == [(10.5, True, True)]


@pytest.mark.parametrize("order", [(HOURS, TRADES), (TRADES, HOURS)], ids=["candles first", "trades first"])
async def test_an_hour_whose_trades_add_up_is_confirmed_without_asking_rest(order: tuple[Subscription, ...]):
    async with scene(**QUIET) as play:
        await play.subscribe(*order)
        play.server.trades("BTC", trade(time=NOON_MS - 5, tid=1))
        play.server.trades("BTC", trade(time=NOON_MS, tid=2, sz=1.5), trade(time=NOON_MS + 1, tid=3, sz=2.0))
        play.server.candle("BTC", "1h", v=3.5)
        await play.time.advance(3601)
        play.server.candle("BTC", "1h", t=NOON_MS + HOUR_MS, v=0.1)
        await play.time.advance(60)
        (event,) = [event for event in await play.reader.take(CandleEvent) if event.is_closed]
        assert event.is_confirmed
        assert play.rest.asked == []


@pytest.mark.parametrize(
    "garbled", ['{"channel":"trades","data":[{"co', {"channel": "trades", "data": [{"coin": "BTC"}]}]
)
async def test_after_a_frame_that_cannot_be_read_an_hour_is_not_confirmed_by_trades_that_add_up(garbled: Any):
    async with scene(**QUIET) as play:
        await play.subscribe(HOURS, TRADES)
        play.server.trades("BTC", trade(time=NOON_MS - 5, tid=1))
        play.server.trades("BTC", trade(time=NOON_MS, tid=2, sz=1.5))
        play.server.candle("BTC", "1h", v=1.5)
        play.server.open[0].receive(garbled)
        await play.time.advance(3601)
        play.rest.remember("BTC", "1h", NOON_MS, volume=3.5)
        play.server.candle("BTC", "1h", t=NOON_MS + HOUR_MS, v=0.1)
        await play.time.advance(60)
        events = [event for event in await play.reader.take(CandleEvent) if event.is_closed]
        assert (events[0].volume, events[0].is_confirmed) == (1.5, False)
        (correction,) = [event for event in events if event.corrects]
        assert (correction.volume, correction.is_confirmed) == (3.5, True)


async def test_candles_fetched_while_the_socket_is_down_do_not_end_the_gap():
    async with scene(now=NOON + 3590, **QUIET) as play:
        await play.subscribe(HOURS)
        play.server.candle("BTC", "1h", v=1.0)
        await settle()
        play.server.refuses = ConnectionRefusedError("nobody is there")
        play.server.wires[0].drop()
        play.rest.remember("BTC", "1h", NOON_MS, volume=2.0)
        await play.time.advance(60)
        events = await play.reader.take()
        assert [event for event in events if isinstance(event, GapEvent)] == []
        assert [event.volume for event in events if event.is_closed] == [2.0]
        play.server.refuses = None
        await play.time.advance(60)
        play.server.candle("BTC", "1h", t=NOON_MS + HOUR_MS, v=0.5)
        (gap,) = await play.reader.take(GapEvent)
        assert gap.filled


def replay(*trades: dict[str, Any]) -> Any:
    def answer(wire: Wire, subscription: Subscription) -> None:
        if subscription == TRADES:
            wire.receive({"channel": "trades", "data": list(trades)})

    return answer


async def test_trades_repeated_after_a_reconnect_are_handed_out_once_and_show_that_none_was_missed():
    async with scene(**QUIET) as play:
        play.server.on_subscribe = replay(trade(tid=1), trade(tid=2))
        await play.subscribe(TRADES)
        play.server.on_subscribe = replay(trade(tid=1), trade(tid=2), trade(tid=3))
        play.server.wires[0].drop()
        await play.time.advance(2)
        events = await play.reader.take()
        assert [[fill.tid for fill in event.trades] for event in events if isinstance(event, TradesEvent)] == [
            [1, 2],
            [3],
        ]
        (gap,) = [event for event in events if isinstance(event, GapEvent)]
        assert gap.filled


async def test_a_replay_that_knows_none_of_the_old_trades_tells_that_some_may_be_missing():
    async with scene(**QUIET) as play:
        play.server.on_subscribe = replay(trade(tid=1))
        await play.subscribe(TRADES)
        play.server.on_subscribe = replay(*(trade(tid=tid, time=NOON_MS + tid) for tid in range(50, 80)))
        play.server.wires[0].drop()
        await play.time.advance(2)
        events = await play.reader.take()
        assert sum(len(event.trades) for event in events if isinstance(event, TradesEvent)) == 31
        assert [event.filled for event in events if isinstance(event, GapEvent)] == [False]


@pytest.mark.parametrize("whose", ["BTC", "anybody"])
async def test_trades_that_cannot_be_read_are_told_and_what_could_be_comes_before(whose: str):
    async with scene("BTC", "ETH", **QUIET) as play:
        await play.subscribe(TRADES, Subscription("trades", "ETH"))
        await play.time.advance(5)
        if whose == "BTC":
            play.server.trades("BTC", trade(tid=1), {**trade(tid=2), "px": []})
        else:
            play.server.trades("BTC", trade(tid=1))
            play.server.wires[0].receive("{")
        trades, *gaps = await play.reader.take()
        assert [fill.tid for fill in trades.trades] == [1]
        assert [gap.subscription.coin for gap in gaps] == (["BTC"] if whose == "BTC" else ["BTC", "ETH"])
        assert {(gap.since, gap.until, gap.filled) for gap in gaps} == {(NOON + 5, NOON + 5, False)}


async def test_a_candle_is_not_confirmed_by_trades_some_of_which_could_not_be_read():
    async with scene(**QUIET) as play:
        await play.subscribe(TRADES, HOURS)
        play.server.trades("BTC", trade(tid=1, time=NOON_MS - 1))
        play.server.candle("BTC", "1h", t=NOON_MS, v=1.0)
        play.server.trades("BTC", trade(tid=2, time=NOON_MS + 1, sz=1.0))
        play.server.trades("BTC", {**trade(tid=3, time=NOON_MS + 2), "sz": "NaN"})
        play.server.trades("BTC", trade(tid=4, time=NOON_MS + HOUR_MS))
        await play.time.advance(3600)
        play.server.candle("BTC", "1h", t=NOON_MS + HOUR_MS, v=1.0)
        (candle,) = [one for one in await play.reader.take(CandleEvent) if one.is_closed]
        assert (candle.volume, candle.is_confirmed) == (1.0, False)


async def test_a_trade_from_the_future_is_left_out_and_may_have_been_one():
    async with scene(**QUIET) as play:
        await play.subscribe(TRADES)
        play.server.trades("BTC", trade(tid=1), trade(tid=2, time=NOON_MS + 24 * HOUR_MS))
        trades, gap = await play.reader.take()
        assert [fill.tid for fill in trades.trades] == [1]
        assert (gap.since, gap.filled) == (gap.until, False)


async def test_a_gap_of_two_interruptions_in_a_row_is_one():
    async with scene(**QUIET) as play:
        await play.subscribe(TRADES)
        play.server.trades("BTC", trade(tid=1))
        await play.time.advance(100)
        play.server.open[0].drop()
        await play.time.advance(5)
        play.server.open[0].drop()
        await play.time.advance(5)
        play.server.trades("BTC", trade(tid=1))
        (gap,) = await play.reader.take(GapEvent)
        assert (gap.since, gap.until) == (NOON + 100, NOON + 110)


async def test_what_was_unsubscribed_has_no_gap_and_begins_anew():
    async with scene(**QUIET) as play:
        await play.subscribe(TRADES, Subscription("bbo", "BTC"), MINUTES)
        play.server.trades("BTC", trade(tid=1))
        play.server.candle("BTC", "1m")
        await settle()
        play.server.refuses = ConnectionRefusedError("nobody is there")
        play.server.wires[0].drop()
        await settle()
        await play.stream.unsubscribe(TRADES, MINUTES)
        play.server.refuses = None
        await play.time.advance(60)
        await play.subscribe(TRADES, MINUTES)
        await play.reader.take()
        play.server.trades("BTC", trade(tid=1))
        play.server.candle("BTC", "1m", t=NOON_MS + MINUTE_MS)
        events = await play.reader.take()
        assert [type(event) for event in events] == [TradesEvent, CandleEvent]


async def test_older_quotes_and_books_do_not_replace_newer_ones():
    books = Subscription("l2Book", "BTC", fast=True)
    async with scene(**QUIET) as play:
        await play.subscribe(Subscription("bbo", "BTC"), books)
        sides = [[{"px": "99.0", "sz": "1.0", "n": 1}], [{"px": "101.0", "sz": "1.0", "n": 1}]]
        for ahead in (5, 3, 5):
            play.server.quote("BTC", time_ms=NOON_MS + ahead)
            play.server.push(books, {"coin": "BTC", "time": NOON_MS + ahead, "levels": sides, "fast": True})
            await settle()
        assert len(await play.reader.take()) == 4
        assert play.stream.status().faults == {"out of order": 2}


async def test_after_a_reconnect_a_quote_of_any_time_is_the_newest():
    async with scene(**QUIET) as play:
        await play.subscribe(Subscription("bbo", "BTC"))
        play.server.quote("BTC", time_ms=NOON_MS + 5)
        play.server.wires[0].drop()
        await play.time.advance(1)
        play.server.quote("BTC", time_ms=NOON_MS + 3)
        assert [quote.time_ms for quote in await play.reader.take(QuoteEvent)] == [
            NOON_MS + 5,
            NOON_MS + 3,
        ]
        assert play.stream.status().faults == {}


# The whole stream against a market that trades, and a wire that is cut.
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(1, 3)),
        st.tuples(st.just("pass"), st.integers(1, 40)),
        st.tuples(st.just("cut"), st.integers(0, 90)),
        st.tuples(st.just("rest"), st.integers(0, 1)),
        st.tuples(st.just("garbage"), st.just(0)),
    ),
    max_size=25,
)


class Market:
    """Trades of one coin: pushed with their candle, repeated on subscribing, remembered by REST."""

    def __init__(self, play: Scene) -> None:
        self.play = play
        self.trades: list[dict[str, Any]] = []
        self.volumes: dict[int, float] = {}
        self.rng = random.Random(3)
        play.server.on_subscribe = self._replay
        play.rest.before_answering = lambda: self._remember(0.0)
        self._remember(0.0)

    def _replay(self, wire: Wire, subscription: Subscription) -> None:
        if subscription == TRADES and self.trades:
            wire.receive({"channel": "trades", "data": self.trades[-30:]})

    def _remember(self, size: float) -> None:
        opened = int(self.play.time.now * 1000) // MINUTE_MS * MINUTE_MS
        for time in range(max(self.volumes, default=opened), opened + 1, MINUTE_MS):
            self.volumes.setdefault(time, 0.0)
        self.volumes[opened] += size
        for time, volume in self.volumes.items():
            self.play.rest.remember("BTC", "1m", time, volume)

    def trade(self, count: int) -> None:
        fresh = [
            trade(tid=len(self.trades) + number, time=int(self.play.time.now * 1000), sz=2.0) for number in range(count)
        ]
        self.trades += fresh
        self._remember(2.0 * count)
        self.play.server.trades("BTC", *fresh)
        opened = max(self.volumes)
        self.play.server.candle("BTC", "1m", t=opened, v=self.volumes[opened], n=len(self.trades))

    async def do(self, move: str, count: int) -> None:
        if move == "trade":
            self.trade(count)
        elif move == "pass":
            await self.play.time.advance(count)
        elif move == "rest":
            self.play.rest.fails = ExchangeUnavailable("no usable answer") if count else None
        elif move == "garbage":
            for wire in self.play.server.open:
                wire.receive('{"channel":"trades","data":[{"coin":"BTC","px":"NaN"}]}')
        else:
            self.play.server.refuses = ConnectionRefusedError("nobody is there")
            for wire in self.play.server.open:
                wire.drop()
            await self.play.time.advance(count)
            self.trade(1)
            self.play.server.refuses = None
            await self.play.time.advance(31)
        await settle()


@given(MOVES)
@settings(max_examples=60, deadline=None)
async def test_whatever_happens_the_reader_gets_every_candle_and_every_trade_exactly_once(moves: list[tuple[str, int]]):
    async with scene(settle_from="1m", **QUIET) as play:
        market = Market(play)
        await play.subscribe(MINUTES, TRADES)
        for move, count in moves:
            await market.do(move, count)
        play.rest.fails = None
        await play.time.advance(660)
        market.trade(1)
        await play.time.advance(120)
        events = await play.reader.take()
        now_ms = play.time.now * 1000
        bars = [event for event in events if isinstance(event, CandleEvent) and event.is_closed]
        first = [event.time_ms for event in bars if not event.corrects]
        assert first == sorted(first) == list(range(NOON_MS, first[-1] + 1, MINUTE_MS))
        assert first[-1] + 2 * MINUTE_MS > now_ms - 10_000
        market._remember(0.0)
        assert {event.time_ms: event.volume for event in bars} == {time: market.volumes[time] for time in first}
        fills = [fill.tid for event in events if isinstance(event, TradesEvent) for fill in event.trades]
        assert len(fills) == len(set(fills))
        gaps = [event for event in events if isinstance(event, GapEvent) and event.subscription == TRADES]
        if all(gap.filled for gap in gaps):
            assert sorted(fills) == [fill["tid"] for fill in market.trades]
