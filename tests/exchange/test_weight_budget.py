import asyncio
import math
from typing import Any

import pytest
from exchange_doubles import Clock

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange import WEIGHTS, WeightBudget


def budget_of(clock: Clock, per_minute: float = 1200, **options: Any) -> WeightBudget:
    """Return a budget that reserves nothing: what is reserved is tested with the priorities."""
    return WeightBudget(per_minute, clock=clock, sleep=clock.sleep, **{"urgent_share": 0} | options)


async def pay(budget: WeightBudget, weight: float, true: float | None = None) -> None:
    """Spend, and settle at once."""
    budget.settle(await budget.spend(weight), weight if true is None else true)


async def test_spending_within_the_limit_never_waits():
    clock = Clock()
    budget = budget_of(clock)
    for _ in range(60):
        await pay(budget, 20)
    assert clock.naps == []
    assert budget.remaining == 0


async def test_the_next_request_waits_until_the_window_has_passed():
    clock = Clock()
    budget = budget_of(clock)
    start = clock.now
    await pay(budget, 1200)
    await pay(budget, 2)
    assert clock.now - start == pytest.approx(60, abs=0.01)


async def test_the_window_slides_rather_than_resetting():
    clock = Clock()
    budget = budget_of(clock)
    await pay(budget, 600)
    clock.now += 59
    await pay(budget, 600)
    clock.now += 1
    await pay(budget, 600)
    assert clock.naps == []
    start = clock.now
    await pay(budget, 1)
    assert clock.now - start == pytest.approx(59, abs=0.01)


async def test_callers_are_served_in_the_order_they_came():
    clock = Clock()
    budget = budget_of(clock)
    await pay(budget, 1200)
    served: list[int] = []

    async def call(weight: float) -> None:
        await pay(budget, weight)
        served.append(int(weight))

    await asyncio.gather(call(1200), call(2), call(103), call(1))
    assert served == [1200, 2, 103, 1]


async def test_a_cancelled_caller_leaves_its_place_to_the_next():
    clock = Clock()
    budget = budget_of(clock)
    await pay(budget, 1200)
    first = asyncio.create_task(budget.spend(1200))
    second = asyncio.create_task(budget.spend(5))
    await asyncio.sleep(0)
    first.cancel()
    charge = await second
    assert charge.weight == 5
    assert first.cancelled()


@pytest.mark.parametrize(
    ("limit", "weight"), [(1200, 1201), (1200, -1), (1200, math.nan), (1200, math.inf), (math.inf, math.inf)]
)
async def test_a_weight_that_never_fits_is_refused_at_once(limit: float, weight: float):
    clock = Clock()
    with pytest.raises(InputError, match=f"can never be sent: the budget is {limit} a minute"):
        await budget_of(clock, limit).spend(weight)
    assert clock.naps == []


@pytest.mark.parametrize("limit", [0, -5, math.nan])
def test_a_limit_that_is_not_positive_is_refused(limit: float):
    with pytest.raises(InputError, match="per_minute must be a positive number"):
        WeightBudget(limit)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("urgent_share", -0.1),
        ("urgent_share", 0.6),
        ("urgent_share", math.nan),
        ("in_flight", 2),
        ("in_flight", math.nan),
    ],
)
def test_an_option_out_of_range_is_refused(option: str, value: float):
    with pytest.raises(InputError, match=f"{option} must"):
        WeightBudget(**{option: value})


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
    await pay(budget, 1180)
    assert clock.naps == []


async def test_settling_above_the_estimate_makes_the_next_one_wait():
    clock = Clock()
    budget = budget_of(clock)
    await pay(budget, 20, true=1400)
    assert budget.remaining == 0
    start = clock.now
    await pay(budget, 1)
    assert clock.now - start == pytest.approx(60, abs=0.01)


async def test_a_charge_counts_until_it_is_settled_and_a_minute_more():
    clock = Clock()
    budget = budget_of(clock)
    charge = await budget.spend(1000)
    clock.now += 90
    assert budget.remaining == 200
    budget.settle(charge, 1000)
    assert budget.remaining == 200
    clock.now += 59
    assert budget.remaining == 200
    clock.now += 1
    assert budget.remaining == 1200


async def test_one_that_waits_uses_room_that_settling_makes():
    clock = Clock()
    budget = budget_of(clock)
    charge = await budget.spend(1200)
    start = clock.now
    waiting = asyncio.create_task(budget.spend(500))
    await asyncio.sleep(0)
    budget.settle(charge, 100)
    await waiting
    assert clock.now == start


async def test_settling_twice_counts_once():
    budget = budget_of(Clock())
    charge = await budget.spend(100)
    budget.settle(charge, 20)
    budget.settle(charge, 20)
    assert budget.remaining == 1180


async def test_a_clock_that_is_set_back_stalls_nobody():
    clock = Clock()
    budget = budget_of(clock)
    await pay(budget, 1200)
    clock.now -= 86_400
    start = clock.now
    await pay(budget, 1)
    assert clock.now - start == pytest.approx(60, abs=0.01)


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
