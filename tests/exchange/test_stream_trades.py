"""The trades of one coin, without sockets: each once, and whether any are missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_doubles import HOUR_MS, MINUTE_MS, NOON_MS

from hlpairs_core.exchange import Trade
from hlpairs_core.exchange.trade_feed import TradeFeed

REPLAYED = 30


def fill(number: int, *, after_ms: int = 0, size: float = 1.0) -> Trade:
    return Trade(NOON_MS + after_ms, 100.0, size, True, number)


def test_a_trade_that_was_handed_out_is_not_handed_out_again():
    trades = TradeFeed()
    assert trades.take([fill(1), fill(2)]) == [fill(1), fill(2)]
    assert trades.take([fill(2), fill(3)]) == [fill(3)]
    assert trades.take([fill(4), fill(4)]) == [fill(4)]


def test_one_number_at_two_times_is_two_trades():
    trades = TradeFeed()
    assert len(trades.take([fill(1), fill(1, after_ms=1)])) == 2


def test_trades_of_a_frame_come_in_order_of_time():
    first, second, third = (fill(3, after_ms=1), fill(1, after_ms=5), fill(2, after_ms=9))
    assert TradeFeed().take([third, first, second]) == [first, second, third]


def test_what_is_remembered_is_bounded_and_nothing_comes_twice_for_it():
    trades = TradeFeed()
    everything = [fill(number, after_ms=100 * number) for number in range(3000)]
    for trade in everything:
        trades.take([trade])
    assert len(trades._known) == 500
    assert [trade for trade in everything if trades.take([trade])] == []


def test_a_burst_in_one_millisecond_is_remembered_whole():
    trades = TradeFeed()
    burst = [fill(number) for number in range(5000)]
    assert len(trades.take(burst)) == 5000
    assert trades.take(burst) == []


def test_even_a_burst_without_end_does_not_fill_the_memory():
    trades = TradeFeed()
    for start in range(0, 40_000, 1000):
        trades.take([fill(number, after_ms=start // 1000) for number in range(start, start + 1000)])
    assert len(trades._known) == 20_000


def test_a_replay_that_overlaps_shows_that_nothing_was_missed():
    trades = TradeFeed()
    trades.take([fill(number) for number in range(10)])
    trades.interrupt()
    assert trades.overlaps([fill(9), fill(10)])
    assert not trades.overlaps([fill(10), fill(11)])


def hours() -> TradeFeed:
    """A feed whose trades began before noon, summed per hour."""
    trades = TradeFeed()
    trades.count(HOUR_MS)
    trades.take([fill(0, after_ms=-1)])
    return trades


def test_a_candle_is_complete_when_all_its_trades_were_seen_and_add_up_to_its_volume():
    trades = hours()
    trades.take([fill(1, size=0.1), fill(2, after_ms=HOUR_MS - 1, size=0.2), fill(3, after_ms=HOUR_MS, size=9.0)])
    assert trades.is_complete(HOUR_MS, NOON_MS, 0.3)
    assert not trades.is_complete(HOUR_MS, NOON_MS, 0.31)
    assert not trades.is_complete(HOUR_MS, NOON_MS - HOUR_MS, 1.0)  # it began before the trades did
    assert not trades.is_complete(MINUTE_MS, NOON_MS, 0.1)  # nobody asked for minutes


def test_after_an_interruption_only_an_overlap_makes_candles_complete_again():
    trades = hours()
    trades.take([fill(1)])
    trades.interrupt()
    assert not trades.is_complete(HOUR_MS, NOON_MS, 1.0)
    trades.take([fill(1), fill(2)])
    assert trades.is_complete(HOUR_MS, NOON_MS, 2.0)
    trades.interrupt()
    trades.take([fill(7, after_ms=500)])
    assert not trades.is_complete(HOUR_MS, NOON_MS, 3.0)
    trades.take([fill(8, after_ms=HOUR_MS, size=4.0)])
    assert trades.is_complete(HOUR_MS, NOON_MS + HOUR_MS, 4.0)


def test_of_the_oldest_repeated_trade_s_millisecond_others_may_be_missing():
    trades = TradeFeed()
    trades.count(HOUR_MS)
    trades.take([fill(1, after_ms=0)])
    assert not trades.is_complete(HOUR_MS, NOON_MS, 1.0)


def test_sums_begin_when_they_are_asked_for():
    trades = TradeFeed()
    trades.take([fill(1), fill(2, after_ms=10)])
    trades.count(HOUR_MS)
    trades.take([fill(3, after_ms=20)])
    assert not trades.is_complete(HOUR_MS, NOON_MS, 1.0)
    trades.take([fill(4, after_ms=HOUR_MS, size=2.0)])
    assert trades.is_complete(HOUR_MS, NOON_MS + HOUR_MS, 2.0)


def test_few_sums_are_kept():
    trades = TradeFeed()
    trades.count(MINUTE_MS)
    for minute in range(1000):
        trades.take([fill(minute, after_ms=minute * MINUTE_MS)])
    assert len(trades._sums[MINUTE_MS]) <= 5


WIRE = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(0, 2)),
        st.tuples(st.just("repeat"), st.integers(1, 40)),
        st.tuples(st.just("swap"), st.just(0)),
        st.tuples(st.just("cut"), st.integers(0, 60)),
    ),
    max_size=80,
)


@given(WIRE)
def test_whatever_happens_no_trade_comes_twice_and_none_is_lost_unless_it_is_said(steps: list[tuple[str, int]]):
    trades, truth, taken = TradeFeed(), [fill(0)], []
    held: list[Trade] = []
    is_whole = True
    taken += trades.take(truth)

    def happen() -> Trade:
        truth.append(fill(len(truth), after_ms=truth[-1].time - NOON_MS + len(truth) % 3))
        return truth[-1]

    for action, count in steps:
        if action == "trade":
            frame = [happen() for _ in range(count + 1)] + held
            held = []
            taken += trades.take(frame)
        elif action == "swap":
            held.append(happen())
        elif action == "repeat":
            taken += trades.take([trade for trade in truth[-count:] if trade not in held])
        else:  # cut: trades happen unseen, then the exchange repeats the last thirty
            taken += trades.take(held)
            trades.interrupt()
            for _ in range(count):
                happen()
            replay, held = truth[-REPLAYED:], []
            is_whole &= trades.overlaps(replay)
            taken += trades.take(replay)
    taken += trades.take(held)
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(truth)
    if is_whole:
        assert set(taken) == set(truth)


@pytest.mark.parametrize("replays", [True, False])
def test_a_trade_that_is_known_shows_that_none_was_missed_only_where_the_exchange_replays(replays: bool):
    """Of a connection that goes on it may be a frame that came twice."""
    trades = TradeFeed()
    trades.count(HOUR_MS)
    trades.take([fill(0, after_ms=-1)])
    trades.take([fill(1), fill(2)])
    trades.interrupt(replays=replays)
    trades.take([fill(2), fill(3)])
    assert trades.is_complete(HOUR_MS, NOON_MS, 3.0) is replays


@pytest.mark.parametrize("missed", [29, 30, 31])
def test_thirty_missed_trades_are_too_many_to_be_sure(missed: int):
    trades = TradeFeed()
    trades.take([fill(0)])
    trades.interrupt()
    replay = [fill(number) for number in range(1 + missed)][-REPLAYED:]
    assert trades.overlaps(replay) == (missed < 30)
