import asyncio
import math

import pytest
from exchange_doubles import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange import WEIGHTS, WeightBudget


def budget_of(clock: Clock, per_minute: float = 1200) -> WeightBudget:
    return WeightBudget(per_minute, clock=clock, sleep=clock.sleep)


async def test_spending_within_the_limit_never_waits():
    clock = Clock()
    budget = budget_of(clock)
    for _ in range(60):
        await budget.spend(20)
    assert clock.naps == []
    assert budget.remaining == 0


async def test_the_next_request_waits_until_the_window_has_passed():
    clock = Clock()
    budget = budget_of(clock)
    start = clock.now
    await budget.spend(1200)
    await budget.spend(2)
    assert clock.now - start == pytest.approx(60, abs=0.01)


async def test_the_window_slides_rather_than_resetting():
    clock = Clock()
    budget = budget_of(clock)
    await budget.spend(600)
    clock.now += 59
    await budget.spend(600)
    clock.now += 1
    await budget.spend(600)
    assert clock.naps == []
    start = clock.now
    await budget.spend(1)
    assert clock.now - start == pytest.approx(59, abs=0.01)


async def test_callers_are_served_in_the_order_they_came():
    clock = Clock()
    budget = budget_of(clock)
    await budget.spend(1200)
    served: list[int] = []

    async def call(weight: float) -> None:
        await budget.spend(weight)
        served.append(int(weight))

    await asyncio.gather(call(1200), call(2), call(103), call(1))
    assert served == [1200, 2, 103, 1]


async def test_a_cancelled_caller_leaves_its_place_to_the_next():
    clock = Clock()
    budget = budget_of(clock)
    await budget.spend(1200)
    first = asyncio.create_task(budget.spend(1200))
    second = asyncio.create_task(budget.spend(5))
    await asyncio.sleep(0)
    first.cancel()
    charge = await second
    assert charge.weight == 5
    assert first.cancelled()


@pytest.mark.parametrize("weight", [1201, -1, math.nan, math.inf])
async def test_a_weight_that_never_fits_is_refused_at_once(weight: float):
    clock = Clock()
    with pytest.raises(InputError, match="can never be sent: the budget is 1200 a minute"):
        await budget_of(clock).spend(weight)
    assert clock.naps == []


@pytest.mark.parametrize("limit", [0, -5, math.nan])
def test_a_limit_that_is_not_positive_is_refused(limit: float):
    with pytest.raises(InputError, match="per_minute must be a positive number"):
        WeightBudget(limit)


async def test_an_endless_budget_never_waits():
    clock = Clock()
    budget = budget_of(clock, math.inf)
    for _ in range(100):
        budget.settle(await budget.spend(1e6), 2e6)
    assert clock.naps == []
    assert budget.remaining == math.inf


async def test_settling_gives_back_what_was_overestimated():
    clock = Clock()
    budget = budget_of(clock)
    charge = await budget.spend(1200)
    budget.settle(charge, 20)
    assert budget.remaining == 1180
    await budget.spend(1180)
    assert clock.naps == []


async def test_settling_above_the_estimate_makes_the_next_one_wait():
    clock = Clock()
    budget = budget_of(clock)
    budget.settle(await budget.spend(20), 1400)
    assert budget.remaining == 0
    start = clock.now
    await budget.spend(1)
    assert clock.now - start == pytest.approx(60, abs=0.01)


async def test_a_settled_charge_counts_from_its_answer_even_if_that_came_late():
    clock = Clock()
    budget = budget_of(clock)
    charge = await budget.spend(1000)
    clock.now += 90
    budget.settle(charge, 1000)
    assert budget.remaining == 200
    clock.now += 59
    assert budget.remaining == 200
    clock.now += 1
    assert budget.remaining == 1200


async def test_a_sleeper_uses_room_that_settling_makes():
    clock = Clock()
    budget = budget_of(clock)
    charge = await budget.spend(1200)
    start = clock.now
    waiting = asyncio.create_task(budget.spend(500))
    await asyncio.sleep(0)
    budget.settle(charge, 100)
    await waiting
    assert clock.now - start < 5


async def test_a_clock_that_is_set_back_stalls_nobody():
    clock = Clock()
    budget = budget_of(clock)
    await budget.spend(1200)
    clock.now -= 86_400
    start = clock.now
    await budget.spend(1)
    assert clock.now - start == pytest.approx(60, abs=0.01)


call = st.tuples(
    st.floats(0, 40),  # seconds before it asks
    st.floats(0, 1200),  # estimate
    st.floats(0, 1),  # share of it that it really cost
    st.floats(0, 80),  # seconds until its answer
)


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(call, min_size=1, max_size=30))
def test_no_window_of_a_minute_ever_holds_more_than_the_limit(calls: list[tuple[float, float, float, float]]):
    clock = Clock()
    budget = budget_of(clock)
    counted: list[tuple[float, float, float]] = []  # true weight, counted somewhere between sending and answer

    async def run() -> None:
        for gap, estimate, share, latency in calls:
            clock.now += gap
            charge = await budget.spend(estimate)
            sent = clock.now
            clock.now += latency
            budget.settle(charge, estimate * share)
            counted.append((sent, clock.now, estimate * share))

    asyncio.run(run())
    for pick in (0, 1):  # counted at once, or with the answer
        for end in [entry[pick] for entry in counted]:
            window = [entry[2] for entry in counted if end - 60 < entry[pick] <= end]
            assert sum(window) <= 1200 + 1e-6


@settings(max_examples=40, deadline=None)
@given(weights=st.lists(st.floats(0.5, 1200), min_size=1, max_size=40))
def test_concurrent_callers_never_exceed_the_limit_either(weights: list[float]):
    clock = Clock()
    budget = budget_of(clock)
    spent: list[tuple[float, float]] = []

    async def one(weight: float) -> None:
        await budget.spend(weight)
        spent.append((clock.now, weight))

    async def run() -> None:
        await asyncio.gather(*(one(weight) for weight in weights))

    asyncio.run(run())
    assert [weight for _, weight in spent] == weights
    for end, _ in spent:
        assert sum(weight for when, weight in spent if end - 60 < when <= end) <= 1200 + 1e-6


@pytest.mark.parametrize(
    ("kind", "rows", "weight"),
    [
        # The exchange's documented table: 20 + 1 per 60 candles or per 20 payments; a started unit in full.
        ("metaAndAssetCtxs", 0, 20),
        ("allMids", 0, 2),
        ("l2Book", 0, 2),
        ("candleSnapshot", 0, 20),
        ("candleSnapshot", 60, 21),
        ("candleSnapshot", 61, 22),
        ("candleSnapshot", 5000, 104),
        ("fundingHistory", 500, 45),
        ("fundingHistory", 1, 21),
    ],
)
def test_weights_follow_the_documented_table(kind: str, rows: int, weight: int):
    assert WEIGHTS[kind].of(rows) == weight
