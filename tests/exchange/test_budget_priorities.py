"""Who goes first, what is kept for whom, and that the limit holds whoever comes when."""

import asyncio
import itertools
import random
from dataclasses import dataclass
from typing import Any

import pytest
from exchange_doubles import Clock, in_virtual_time, virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.exchange import Priority, WeightBudget

URGENT, NORMAL, BACKGROUND = Priority


@dataclass
class Call:
    """A request: its estimate is spent, it takes `latency`, then its true weight is settled."""

    weight: float
    priority: Priority = NORMAL
    after: float = 0.0
    latency: float = 0.0
    share: float = 1.0
    asked: float = 0.0
    sent: float = 0.0
    answered: float = 0.0

    async def run(self, budget: WeightBudget) -> None:
        await asyncio.sleep(self.after)
        self.asked = virtual_time()
        charge = await budget.spend(self.weight, self.priority)
        self.sent = virtual_time()
        await asyncio.sleep(self.latency)
        self.answered = virtual_time()
        budget.settle(charge, self.weight * self.share)

    @property
    def waited(self) -> float:
        return self.sent - self.asked


def run(*calls: Call, **options: Any) -> list[Call]:
    """Run calls against one budget in virtual time; return them in the order they were sent."""

    async def main() -> None:
        budget = WeightBudget(clock=virtual_time, **options)
        await asyncio.gather(*(call.run(budget) for call in calls))

    in_virtual_time(main)
    return sorted(calls, key=lambda call: call.sent)


def fullest_minute(calls: list[Call]) -> float:
    """Return the most weight in any minute, counted when it was sent or when it was answered."""
    weights = [call.weight * call.share for call in calls]
    return max(
        sum(weight for weight, when in zip(weights, times, strict=True) if end - 60 + 1e-6 < when <= end)
        for times in ([call.sent for call in calls], [call.answered for call in calls])
        for end in times
    )


def test_urgent_goes_before_normal_and_normal_before_background():
    full = Call(1200)
    waiting = [Call(600 + k, priority, after=1) for k, priority in enumerate([BACKGROUND, NORMAL, URGENT])]
    assert run(full, *waiting, urgent_share=0) == [full, *reversed(waiting)]


def test_within_a_priority_they_go_in_the_order_they_came():
    full = Call(1200)
    calls = [Call(250, priority, after=1 + k / 10) for k in range(8) for priority in Priority]
    ordered = run(full, *calls, urgent_share=0)[1:]
    for priority in Priority:
        asked = [call.asked for call in ordered if call.priority is priority]
        assert asked == sorted(asked)


@pytest.mark.parametrize("priority", [URGENT, NORMAL])
def test_what_somebody_waits_for_is_not_passed_by_smaller_requests(priority: Priority):
    large, small = Call(700, priority, after=1), Call(2, priority, after=2)
    lower = Call(2, Priority(priority + 1), after=2)
    run(Call(600), large, small, lower, urgent_share=0)
    assert large.sent == pytest.approx(60, abs=0.01)
    assert min(small.sent, lower.sent) >= large.sent


def test_in_the_background_smaller_requests_use_the_room_that_a_larger_one_cannot_but_not_for_long():
    small = [Call(20, BACKGROUND, after=k) for k in range(600)]
    large = Call(700, BACKGROUND, after=100)
    run(large, *small, urgent_share=0)
    passed = [call for call in small if large.asked < call.sent < large.sent]
    assert 55 < len(passed) <= 60
    assert 160 < large.sent < 200  # a minute later, once there is room for it


def test_a_large_background_request_that_waits_does_not_hold_up_an_urgent_one():
    burst = [Call(104, BACKGROUND) for _ in range(40)]
    urgent = Call(2, URGENT, after=5)
    run(*burst, urgent)
    assert urgent.waited == 0


def test_small_requests_that_keep_coming_do_not_starve_a_large_one_of_their_priority():
    small = [Call(20, after=k / 3, latency=0.1) for k in range(900)]  # as much as the limit, for five minutes
    large = Call(1000, after=10)
    run(*small, large)
    assert large.waited <= 61


def test_background_gets_nearly_the_whole_limit_when_nothing_else_comes():
    calls = run(*(Call(20, BACKGROUND, latency=0.2) for _ in range(2000)))
    in_minutes = [
        sum(call.weight for call in calls if k <= (call.sent - calls[0].sent) / 60 < k + 1) for k in range(20)
    ]
    assert in_minutes[0] == 1080  # urgent ones may come any moment
    assert min(in_minutes[1:]) == 1180


def test_background_is_not_starved_by_urgent_requests_within_their_share():
    ticks = [Call(2, URGENT, after=k) for k in range(600)]
    background = [Call(20, BACKGROUND, latency=0.2) for _ in range(2000)]
    run(*ticks, *background)
    done = sum(call.weight for call in background if call.answered < ticks[-1].asked)
    assert done >= 0.87 * 1200 * 10


@pytest.mark.parametrize("seed", range(5))
def test_urgent_requests_within_their_share_hardly_wait(seed: int):
    # A hundred a minute, of the 120 kept for them; all else asks for far more than there is.
    rng = random.Random(seed)
    ticks = [Call(2, URGENT, after=1 + k * 2.4 + rng.random(), latency=rng.random() / 2) for k in range(200)]
    books = [Call(2, URGENT, after=1 + k * 2.4 + rng.random(), latency=rng.random() / 2) for k in range(200)]
    others = [
        Call(
            rng.choice([20, 45, 104]),
            rng.choice([NORMAL, BACKGROUND]),
            after=rng.random() * 100,
            latency=rng.random() * 5,
        )
        for _ in range(400)
    ]
    calls = run(*ticks, *books, *others)
    assert max(call.waited for call in ticks + books) < 0.5  # for the one place that is kept for them
    assert fullest_minute(calls) <= 1200


@pytest.mark.parametrize("weight", [20, 104])
def test_urgent_requests_that_start_anew_find_room_soon(weight: float):
    background = [Call(weight, BACKGROUND, latency=0.2) for _ in range(int(6000 / weight))]
    ticks = [Call(2, URGENT, after=200 + k) for k in range(100)]
    run(*background, *ticks)
    assert max(call.waited for call in ticks[:5]) == 0
    assert max(call.waited for call in ticks) < 8


def test_background_is_spread_over_the_minute_at_its_true_weight():
    calls = run(*(Call(104, BACKGROUND, latency=0.2, share=0.2) for _ in range(45)))
    times = [call.sent for call in calls]
    assert times[-1] - times[0] == pytest.approx(44 * 20.8 / 1200 * 60 / 1.05, abs=0.3)
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 6


def test_background_that_had_nothing_to_do_does_not_catch_up_for_it():
    _, *late = run(Call(20, BACKGROUND), *(Call(20, BACKGROUND, after=500) for _ in range(54)))
    assert late[-1].sent - late[0].sent == pytest.approx(53 * 20 / 1200 * 60 / 1.05, rel=0.01)


def test_what_is_larger_than_the_share_of_the_others_goes_alone():
    first, large = Call(20), Call(1200, after=1)
    run(first, large)
    assert large.waited == pytest.approx(59, abs=0.01)


def test_an_urgent_request_never_waits_for_slow_answers_to_others():
    slow = [Call(20, priority, latency=55) for priority in (NORMAL, BACKGROUND) for _ in range(20)]
    urgent = [Call(2, URGENT, after=1 + k, latency=0.5) for k in range(50)]
    run(*slow, *urgent)
    assert max(call.waited for call in urgent) == 0


def test_a_normal_request_never_waits_for_slow_answers_to_background_ones():
    slow = [Call(20, BACKGROUND, latency=55) for _ in range(20)]
    normal = [Call(20, after=1 + k, latency=0.5) for k in range(20)]
    run(*slow, *normal)
    assert max(call.waited for call in normal) == 0


def test_a_pause_holds_everybody():
    async def main() -> None:
        budget = WeightBudget(clock=virtual_time)
        budget.pause(7)
        budget.pause(3)
        calls = [Call(2, priority) for priority in Priority]
        await asyncio.gather(*(call.run(budget) for call in calls))
        assert [call.waited for call in calls] == [pytest.approx(7)] * 3

    in_virtual_time(main)


async def test_a_sleep_that_fails_fails_those_who_wait():
    async def broken(seconds: float) -> None:
        raise OSError("no timer")

    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=broken)
    budget.settle(await budget.spend(1200), 1200)
    with pytest.raises(OSError, match="no timer"):
        await asyncio.gather(budget.spend(1), budget.spend(2))


async def test_nothing_is_left_running_when_those_who_wait_give_up():
    budget = WeightBudget()
    budget.settle(await budget.spend(1200), 1200)
    waiting = [asyncio.create_task(budget.spend(20, priority)) for priority in Priority]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_one_cancelled_in_the_moment_it_may_go_gives_its_place_and_weight_back():
    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=clock.sleep, in_flight=3)
    charges = [await budget.spend(20, URGENT) for _ in range(3)]
    waiting = asyncio.create_task(budget.spend(20, URGENT))
    await asyncio.sleep(0)
    budget.settle(charges[0], 20)  # lets it go
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert budget.remaining == 1200 - 60
    assert (await budget.spend(20, URGENT)).weight == 20


calls_of_any_kind = st.lists(
    st.builds(
        Call,
        weight=st.sampled_from([2, 20, 45, 104, 500, 1200]) | st.floats(0, 1200),
        priority=st.sampled_from(Priority),
        after=st.floats(0, 200),
        latency=st.floats(0, 100),
        share=st.floats(0, 1),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(calls=calls_of_any_kind, urgent_share=st.floats(0, 0.5), in_flight=st.integers(3, 10))
def test_no_minute_ever_holds_more_than_the_limit_and_everybody_goes(
    calls: list[Call], urgent_share: float, in_flight: int
):
    run(*calls, urgent_share=urgent_share, in_flight=in_flight)
    assert fullest_minute(calls) <= 1200 + 1e-6
    for call in calls:
        under_way = [other for other in calls if other.sent <= call.sent < other.answered]
        assert len(under_way) <= in_flight
    # Nobody of a lower priority passes one who waits; of its own, only a smaller one in the background.
    for call in calls:
        passed_by = [other for other in calls if call.asked < other.asked <= other.sent < call.sent]
        assert all(other.priority <= call.priority for other in passed_by)
        equals = [other for other in passed_by if other.priority is call.priority]
        assert not equals or (call.priority is BACKGROUND and all(other.weight < call.weight for other in equals))
