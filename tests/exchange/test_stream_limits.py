import asyncio
import itertools
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_doubles import Time, settle

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange import StreamLimits, Subscription
from hlpairs_core.exchange.limits import Quota, SteadyClock
from hlpairs_core.exchange.pending import Pending
from hlpairs_core.exchange.pulse import Pulse, Pulses


@pytest.mark.parametrize("name", [field.name for field in fields(StreamLimits)])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "10"])
def test_a_limit_that_is_no_positive_integer_is_refused(name: str, value: object):
    with pytest.raises(InputError, match=f"{name} must be"):
        StreamLimits(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["connections", "subscriptions"])
def test_one_of_what_is_needed_twice_is_refused(name: str):
    with pytest.raises(InputError, match=f"{name} must be 2 or more, got 1"):
        StreamLimits(**{name: 1})


def test_by_default_the_exchange_s_limits_are_kept():
    limits = StreamLimits()
    assert (limits.connections, limits.connections_per_minute) == (10, 30)
    assert (limits.subscriptions, limits.messages_per_minute) == (1000, 2000)
    assert limits.capacity == 999


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1]), st.floats(0, 30)), max_size=60), st.integers(1, 20))
async def test_no_minute_holds_more_than_the_quota(steps: list[tuple[float, float]], most: int):
    time = Time()
    quota, taken = Quota(most, clock=time, sleep=time.sleep), []

    async def take(spare: float) -> None:
        await quota.take(spare=spare)
        taken.append(time.now)

    tasks = []
    for spare, pause in steps:
        tasks.append(asyncio.create_task(take(spare)))
        await time.advance(pause)
    await time.advance(61.0 * (len(steps) // max(1, int(most * 0.9)) + 2))
    assert len(taken) == len(steps)
    assert all(sum(start <= at < start + 60 for at in taken) <= most for start in taken)
    await asyncio.gather(*tasks)


async def test_what_is_spared_is_left_to_those_who_spare_nothing():
    time = Time()
    quota = Quota(10, clock=time, sleep=time.sleep)
    eager = [asyncio.create_task(quota.take(spare=0.2)) for _ in range(10)]
    await settle()
    assert sum(task.done() for task in eager) == 8
    await quota.take()
    await quota.take()
    late = asyncio.create_task(quota.take())
    await settle()
    assert not late.done()
    await time.advance(62)
    await asyncio.gather(late, *eager)


def test_of_a_clock_only_the_forward_steps_count():
    readings = iter([100.0, 101.0, 50.0, 51.5, 51.5])
    steady = SteadyClock(lambda: next(readings))
    assert [steady() for _ in range(4)] == [101.0, 101.0, 102.5, 102.5]


def test_what_is_never_acknowledged_is_asked_for_ever_less_often():
    pending, feed = Pending(), Subscription("bbo", "BTC")
    pending.sent(feed, 0.0)
    sent = [0]
    for second in range(4000):
        pending.expire(float(second))
        for subscription in pending.due(float(second)):
            pending.sent(subscription, float(second))
            sent.append(second)
    waits = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert waits == [21, 41, 81, 161, 321, 601, 601, 601, 601, 601]
    assert feed in pending
    assert pending.settle(feed)
    assert feed not in pending
    assert not pending.settle(feed)


def test_a_pulse_stalls_after_the_least_silence_or_five_times_the_longest_so_far():
    pulse = Pulse(0.0)
    pulse.beat(2.0)
    assert not pulse.alarms_at(17.0, least=15.0)
    assert pulse.alarms_at(17.1, least=15.0)
    pulse.beat(22.0)
    assert not pulse.alarms_at(122.0, least=15.0)
    assert pulse.alarms_at(122.1, least=15.0)


def test_what_was_slow_long_ago_is_forgotten():
    pulse = Pulse(0.0)
    pulse.beat(100.0)
    for second in range(101, 3101):
        pulse.beat(float(second))
    assert pulse.alarms_at(3100.0 + 31, least=30.0)


def test_each_alarm_doubles_the_patience_up_to_an_hour_until_there_are_news():
    pulses, feed = Pulses(), Subscription("bbo", "BTC")
    pulses.acknowledged(feed, 0.0)
    alarms = [second for second in range(30_000) if pulses.silent([feed], float(second), least=30.0, since=0.0)]
    assert alarms[:4] == [31, 92, 213, 454]
    assert alarms[-1] - alarms[-2] == 3601
    assert pulses.stalled == [feed]
    pulses.beat(feed, 30_000.0)
    assert pulses.stalled == []


def test_silence_before_reading_began_again_does_not_count():
    assert not Pulse(0.0).alarms_at(100.0, least=30.0, since=90.0)
    assert Pulse(0.0).alarms_at(100.0, least=30.0)


def test_trades_and_candles_are_judged_by_all_coins_of_the_socket():
    pulses = Pulses()
    busy, idle = Subscription("trades", "BTC"), Subscription("trades", "PURR")
    for feed in (busy, idle):
        pulses.acknowledged(feed, 0.0)
    assert pulses.silent([busy, idle], 1000.0, least=30.0, since=0.0) == []
    for second in range(100):
        pulses.beat(busy, float(second))
    assert pulses.silent([busy, idle], 110.0, least=30.0, since=0.0) == []
    assert [feed for feed, _ in pulses.silent([busy, idle], 130.0, least=30.0, since=0.0)] == [busy, idle]


def test_a_feed_that_was_let_go_raises_no_alarm():
    pulses, feed = Pulses(), Subscription("bbo", "BTC")
    pulses.acknowledged(feed, 0.0)
    pulses.forget(feed, left=[])
    assert pulses.silent([], 1000.0, least=30.0, since=0.0) == []
