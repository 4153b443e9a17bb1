"""The candles of one coin, without sockets: what is handed out, and when REST has to be asked."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_doubles import MINUTE_MS, NOON_MS

from hlpairs_core.exchange import CandleEvent, Subscription
from hlpairs_core.exchange.candle_feed import Candle, CandleFeed

STEP = MINUTE_MS


def feed(
    *, settles: bool = False, is_complete: Callable[[int, float], bool] = lambda time, volume: False
) -> CandleFeed:
    return CandleFeed(
        Subscription("candle", "BTC", "1m"),
        step_ms=STEP,
        closed_ms=NOON_MS - STEP,
        is_complete=is_complete,
        settles=settles,
    )


def bar(index: int, volume: float = 1.0, price: float = 100.0, trades: int | None = 1) -> Candle:
    return Candle(NOON_MS + index * STEP, price, price, price, price, volume, trades)


def fetched(index: int, volume: float = 1.0, price: float = 100.0) -> Candle:
    return bar(index, volume, price, trades=None)


def shown(events: list[CandleEvent]) -> list[Any]:
    """Index, volume and kind of each event."""
    rows: list[Any] = []
    for event in events:
        kind = "open" if not event.is_closed else "corrects" if event.corrects else "closed"
        rows.append(((event.time_ms - NOON_MS) // STEP, event.volume, kind))
    return rows


def test_a_candle_is_closed_once_a_later_one_is_seen():
    minutes = feed()
    assert shown(minutes.take(bar(0, 1.0), 0.0)) == [(0, 1.0, "open")]
    assert shown(minutes.take(bar(0, 2.0), 0.0)) == [(0, 2.0, "open")]
    assert shown(minutes.take(bar(1, 0.5), 0.0)) == [(0, 2.0, "closed"), (1, 0.5, "open")]


def test_events_carry_what_the_frame_said():
    minutes = feed()
    minutes.take(Candle(NOON_MS, 1.0, 4.0, 0.5, 2.0, 7.5, 12), 5.0)
    closed, _ = minutes.take(bar(1), 9.0)
    assert closed == CandleEvent(
        coin="BTC",
        interval="1m",
        time_ms=NOON_MS,
        open=1.0,
        high=4.0,
        low=0.5,
        close=2.0,
        volume=7.5,
        trades=12,
        is_closed=True,
        is_confirmed=False,
        corrects=False,
        source="stream",
        received_at=9.0,
    )


def test_repeated_and_older_frames_of_the_open_candle_are_dropped():
    minutes = feed()
    minutes.take(bar(0, 2.0), 0.0)
    assert minutes.take(bar(0, 2.0), 0.0) == []
    assert minutes.take(bar(0, 1.0), 0.0) == []
    assert shown(minutes.take(bar(1), 0.0))[0] == (0, 2.0, "closed")


def test_a_late_frame_corrects_a_closed_candle_unless_it_is_older_or_the_same():
    minutes = feed()
    minutes.take(bar(0, 2.0), 0.0)
    minutes.take(bar(1), 0.0)
    assert minutes.take(bar(0, 2.0), 0.0) == []
    assert minutes.take(bar(0, 1.0), 0.0) == []
    assert shown(minutes.take(bar(0, 3.0), 0.0)) == [(0, 3.0, "corrects")]
    assert minutes.take(bar(0, 3.0), 0.0) == []


def test_frames_of_candles_that_were_over_before_the_subscription_say_nothing():
    minutes = feed()
    assert minutes.take(bar(-1), 0.0) == []
    assert minutes.take(bar(-1, 5.0), 0.0) == []
    assert shown(minutes.take(bar(0), 0.0)) == [(0, 1.0, "open")]


def test_missed_candles_are_wanted_and_later_ones_wait_for_them():
    minutes = feed()
    minutes.take(bar(0), 0.0)
    assert minutes.wanted(0) is None
    assert shown(minutes.take(bar(3), 0.0)) == [(0, 1.0, "closed")]
    assert minutes.wanted(0) == (NOON_MS + STEP, NOON_MS + 2 * STEP)
    assert minutes.take(bar(4), 0.0) == []
    events = minutes.fill([fetched(1), fetched(2)], 0.0)
    assert shown(events) == [(1, 1.0, "closed"), (2, 1.0, "closed"), (3, 1.0, "closed"), (4, 1.0, "open")]
    assert [event.source for event in events] == ["fill", "fill", "stream", "stream"]
    assert [event.is_confirmed for event in events] == [True, True, False, False]
    assert minutes.wanted(0) is None


def test_after_an_interruption_the_same_open_candle_goes_on_without_rest():
    minutes = feed()
    minutes.take(bar(0, 1.0), 0.0)
    minutes.interrupt()
    minutes.resume()
    assert minutes.wanted(NOON_MS + STEP / 2) is None
    assert shown(minutes.take(bar(0, 2.0), 0.0)) == [(0, 2.0, "open")]
    assert shown(minutes.take(bar(1), 0.0))[0] == (0, 2.0, "closed")


def test_a_candle_whose_end_was_not_seen_is_wanted_and_its_values_are_rests():
    minutes = feed()
    minutes.take(bar(0, 1.0), 0.0)
    minutes.interrupt()
    assert minutes.take(bar(1), 0.0) == []
    assert minutes.wanted(0) == (NOON_MS, NOON_MS)
    events = minutes.fill([fetched(0, 7.0)], 0.0)
    assert shown(events) == [(0, 7.0, "closed"), (1, 1.0, "open")]
    assert not minutes.has_hole


def test_a_repeated_frame_does_not_make_up_for_the_end_of_its_candle():
    minutes = feed()
    minutes.take(bar(0, 1.0), 0.0)
    minutes.interrupt()
    minutes.take(bar(1), 0.0)
    assert minutes.take(bar(0, 1.0), 0.0) == []
    assert minutes.wanted(0) == (NOON_MS, NOON_MS)


def test_a_frame_that_restates_a_candle_after_an_interruption_counts_even_with_less_volume():
    minutes = feed()
    minutes.take(bar(0, 5.0), 0.0)
    minutes.interrupt()
    assert shown(minutes.take(bar(0, 2.0), 0.0)) == [(0, 2.0, "open")]


def test_once_it_is_back_what_ended_meanwhile_is_wanted_even_before_a_frame_comes():
    minutes = feed()
    minutes.take(bar(0), 0.0)
    minutes.interrupt()
    assert minutes.wanted(NOON_MS + 2.5 * STEP) is None
    minutes.resume()
    assert minutes.wanted(NOON_MS + 2.5 * STEP) == (NOON_MS, NOON_MS + STEP)
    assert shown(minutes.fill([fetched(0), fetched(1)], 0.0)) == [(0, 1.0, "closed"), (1, 1.0, "closed")]
    assert minutes.wanted(NOON_MS + 9.5 * STEP) is None


def test_a_feed_that_settles_wants_what_nobody_traded():
    hours = feed(settles=True)
    assert hours.wanted(NOON_MS + 0.9 * STEP) is None
    assert hours.wanted(NOON_MS + STEP) == (NOON_MS, NOON_MS)
    assert shown(hours.fill([fetched(0, 0.0)], 0.0)) == [(0, 0.0, "closed")]
    assert hours.wanted(NOON_MS + 3 * STEP) == (NOON_MS + STEP, NOON_MS + 2 * STEP)


@pytest.mark.parametrize(("rest", "expected"), [(2.0, []), (2.5, [(0, 2.5, "corrects")])])
def test_a_feed_that_settles_checks_what_it_could_not_confirm(rest: float, expected: list[Any]):
    hours = feed(settles=True)
    hours.take(bar(0, 2.0), 0.0)
    hours.take(bar(1), 0.0)
    assert hours.wanted(NOON_MS + STEP) == (NOON_MS, NOON_MS)
    events = hours.fill([fetched(0, rest)], 0.0)
    assert shown(events)[:-1] == expected
    assert all(event.is_confirmed for event in events if event.corrects)
    assert hours.wanted(NOON_MS + STEP) is None


def test_what_the_trades_confirm_is_not_asked_for():
    hours = feed(settles=True, is_complete=lambda time, volume: volume == 2.0)
    hours.take(bar(0, 2.0), 0.0)
    closed, _ = hours.take(bar(1, 1.0), 0.0)
    assert closed.is_confirmed
    assert hours.wanted(NOON_MS + STEP) is None
    closed, _ = hours.take(bar(2, 1.0), 0.0)
    assert not closed.is_confirmed
    assert hours.wanted(NOON_MS + 2 * STEP) == (NOON_MS + STEP, NOON_MS + STEP)


def test_trades_that_come_after_the_close_can_still_confirm_it():
    seen: set[float] = set()
    hours = feed(settles=True, is_complete=lambda time, volume: volume in seen)
    hours.take(bar(0, 2.0), 0.0)
    hours.take(bar(1), 0.0)
    assert hours.wanted(NOON_MS + STEP) is not None
    seen.add(2.0)
    assert hours.wanted(NOON_MS + STEP) is None


def test_what_was_handed_out_long_ago_is_not_checked_any_more():
    hours = feed(settles=True)
    for index in range(101):
        hours.take(bar(index), 0.0)
    assert hours.wanted(NOON_MS + 101 * STEP) == (NOON_MS + 68 * STEP, NOON_MS + 100 * STEP)


def test_what_rest_does_not_have_either_is_passed_over_in_the_end():
    minutes = feed()
    minutes.take(bar(0), 0.0)
    minutes.interrupt()
    minutes.take(bar(3), 0.0)
    minutes.take(bar(4), 0.0)
    assert minutes.fill([], 0.0) == []
    assert shown(minutes.give_up(0.0)) == [(0, 1.0, "closed"), (3, 1.0, "closed"), (4, 1.0, "open")]
    assert minutes.has_hole
    assert minutes.wanted(0) is None


def test_a_hole_in_what_rest_gives_is_passed_over_and_told():
    minutes = feed()
    minutes.take(bar(0), 0.0)
    minutes.take(bar(4), 0.0)
    assert shown(minutes.fill([fetched(1), fetched(3)], 0.0)) == [
        (1, 1.0, "closed"),
        (3, 1.0, "closed"),
        (4, 1.0, "open"),
    ]
    assert minutes.has_hole


def test_weeks_begin_where_the_exchange_begins_them():
    minutes = feed()
    shifted = Candle(NOON_MS + 17, 1.0, 1.0, 1.0, 1.0, 1.0, 1)
    later = Candle(NOON_MS + 17 + STEP, 1.0, 1.0, 1.0, 1.0, 1.0, 1)
    assert [event.is_closed for event in minutes.take(shifted, 0.0)] == [False]
    assert [event.is_closed for event in minutes.take(later, 0.0)] == [True, False]
    assert minutes.take(bar(5), 0.0) == []  # off the clock that the first one set


# What a market does to one coin's candles, in the order in which the feed hears of it.
STEPS = st.one_of(
    st.tuples(st.just("trade"), st.integers(1, 5)),
    st.tuples(st.just("time"), st.integers(1, 4)),
    st.just(("interrupt", 0)),
    st.just(("resume", 0)),
    st.tuples(st.just("lose"), st.just(0)),
    st.tuples(st.just("repeat"), st.integers(0, 30)),
    st.tuples(st.just("swap"), st.just(0)),
    st.just(("rest", 0)),
)


class Model:
    """The truth, and a wire that loses frames when it is cut, repeats them and swaps neighbours.

    Trades happen in quarters of a minute; each pushes a frame of its candle's whole state so far.
    """

    def __init__(self, *, settles: bool) -> None:
        self.feed = feed(settles=settles)
        self.quarter = 0
        self.truth: dict[int, float] = {}
        self.is_cut = False
        self.wire: list[Candle] = []
        self.past: list[Candle] = []
        self.held: Candle | None = None
        self.events: list[CandleEvent] = []

    @property
    def now_ms(self) -> float:
        return NOON_MS + self.quarter * STEP / 4

    def do(self, action: str, count: int) -> None:
        getattr(self, action)(count)

    def trade(self, size: int) -> None:
        index = self.quarter // 4
        self.truth[index] = self.truth.get(index, 0.0) + size
        if not self.is_cut:
            self.deliver(bar(index, self.truth[index]))

    def deliver(self, frame: Candle) -> None:
        self.past.append(frame)
        held, self.held = self.held, None
        for candle in (frame, held):
            if candle is not None:
                self.events += self.feed.take(candle, 0.0)

    def time(self, quarters: int) -> None:
        for _ in range(quarters):
            self.quarter += 1
            if self.quarter % 4 == 0:
                self.truth.setdefault(self.quarter // 4 - 1, 0.0)

    def interrupt(self, _: int) -> None:
        if not self.is_cut:
            self.is_cut, self.held = True, None
            self.feed.interrupt()

    def resume(self, _: int) -> None:
        if self.is_cut:
            self.is_cut = False
            self.feed.resume()

    def lose(self, _: int) -> None:
        """A trade whose frame cannot be read, on a socket that is fine."""
        index = self.quarter // 4
        self.truth[index] = self.truth.get(index, 0.0) + 1

    def repeat(self, back: int) -> None:
        if self.past and not self.is_cut:
            self.deliver(self.past[max(0, len(self.past) - 1 - back)])

    def swap(self, _: int) -> None:
        """The next frame overtakes this one."""
        if not self.is_cut:
            index = self.quarter // 4
            self.truth[index] = self.truth.get(index, 0.0) + 1
            self.held = bar(index, self.truth[index])

    def rest(self, _: int) -> None:
        wanted = self.feed.wanted(self.now_ms)
        if wanted is not None:
            first, last = ((time - NOON_MS) // STEP for time in wanted)
            over = self.quarter // 4
            answer = [
                fetched(index, self.truth.get(index, 0.0)) for index in range(max(0, first), min(last, over - 1) + 1)
            ]
            self.events += self.feed.fill(answer, 0.0)

    def finish(self) -> None:
        """Let a quiet, sound minute pass, and REST answer."""
        self.resume(0)
        self.time(4)
        self.trade(1)
        self.time(4)
        self.trade(1)
        self.rest(0)
        self.rest(0)


@given(st.lists(STEPS, max_size=60), st.booleans())
@settings(max_examples=400)
def test_whatever_happens_each_closed_candle_is_handed_out_once_in_order(steps: list[tuple[str, int]], settles: bool):
    model = Model(settles=settles)
    for action, count in steps:
        model.do(action, count)
    model.finish()
    closed = [event for event in model.events if event.is_closed and not event.corrects]
    last = model.quarter // 4 - 1
    assert [(event.time_ms - NOON_MS) // STEP for event in closed] == list(range(last + 1))
    for event in closed:
        assert event.volume <= model.truth[(event.time_ms - NOON_MS) // STEP]


@given(st.lists(STEPS, max_size=60))
@settings(max_examples=400)
def test_once_rest_has_settled_them_the_values_of_closed_candles_are_the_true_ones(steps: list[tuple[str, int]]):
    model = Model(settles=True)
    for action, count in steps:
        model.do(action, count)
    model.finish()
    values: dict[int, float] = {}
    for event in model.events:
        if event.is_closed:
            values[(event.time_ms - NOON_MS) // STEP] = event.volume
    assert values == {index: volume for index, volume in model.truth.items() if index < model.quarter // 4}


@given(st.lists(STEPS, max_size=60), st.booleans())
def test_what_is_handed_out_as_confirmed_is_true_and_never_corrected(steps: list[tuple[str, int]], settles: bool):
    model = Model(settles=settles)
    for action, count in steps:
        model.do(action, count)
    model.finish()
    for event in model.events:
        if event.is_confirmed:
            assert event.volume == model.truth[(event.time_ms - NOON_MS) // STEP]
