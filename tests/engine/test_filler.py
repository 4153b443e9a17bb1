"""The history that no screen waits for, fetched in the background."""

import math

import httpx
import pandas as pd
import pytest

from hlpairs_core.engine.filler import REST_SECONDS, Filler
from hlpairs_core.engine.weights import candles_weight, funding_weight
from hlpairs_core.exchange import WeightBudget

HOUR = pd.Timedelta(hours=1)
NOON = pd.Timestamp("2026-03-01T12:00", tz="UTC")


@pytest.mark.parametrize(("rows", "weight"), [(1, 21), (60, 21), (61, 22), (5000, 104), (9000, 104)])
def test_the_weight_of_candles_is_that_of_the_exchange_s_table(rows, weight):
    assert candles_weight((NOON - (rows - 1) * HOUR, NOON), HOUR) == weight


@pytest.mark.parametrize(("rows", "weight"), [(1, 21), (500, 45), (501, 66), (1000, 90)])
def test_the_weight_of_funding_is_that_of_its_pages(rows, weight):
    assert funding_weight((NOON - (rows - 1) * HOUR, NOON)) == weight


def _one_at_a_time(world):
    """Several at once ask in whatever order their threads come back in."""
    return Filler(
        world.client,
        budget=world.budget,
        history=world.history,
        contexts=world.contexts,
        state=world.state,
        eligible=world.bars.eligible,
        spots=list,
        window_start=world.selector.first_bar,
        at_a_time=1,
        clock=world.clock,
        sleep=world.sleep,
    )


async def test_nothing_is_fetched_before_the_first_screen(world):
    await world.contexts.refresh()
    world.wire.asked.clear()
    await world.filler.step()
    assert world.wire.asked == []
    assert world.source.status()["backfill"]["coins_done"] == 0


async def test_funding_of_the_window_comes_first_then_all_candles_then_all_funding(make_world):
    world = await make_world(n_coins=3)
    await world.bars.step()
    world.wire.asked.clear()
    filler = _one_at_a_time(world)
    world.naps.clear()
    while not world.naps:
        await filler.step()
    kinds = [asked["type"] for asked in world.wire.asked if asked["type"] != "metaAndAssetCtxs"]
    assert kinds == ["fundingHistory"] * 3 + ["candleSnapshot"] * 3 + ["fundingHistory"] * (len(kinds) - 6)
    assert len(world.history.candles.store.read(["BTC"])) == 4999
    assert len(world.history.funding.store.read(["BTC"])) > 4900


async def test_its_progress_is_told(make_world):
    world = await make_world(n_coins=3)
    await world.bars.step()
    seen = []

    def watch(request):
        world.now += 6
        if request["type"] == "candleSnapshot":
            seen.append(world.source.status()["backfill"])

    world.wire.edit = watch
    await world.settle()
    assert {one["stage"] for one in seen} <= {"funding of the window", "candles"}
    assert {(one["coins_done"], one["coins_total"]) for one in seen} == {(0, 3)}
    weights = [one["weight_left"] for one in seen]
    assert min(weights) > 0
    assert seen[-1]["eta_seconds"] > 0
    done = world.source.status()["backfill"]
    assert (done["coins_done"], done["weight_left"], done["eta_seconds"], done["stage"]) == (3, 0, 0.0, None)
    assert done["rows_fetched"] > 3 * (4999 - 168) + 3 * 4900


async def test_a_hole_that_stays_is_asked_for_once_a_bar(make_world):
    world = await make_world(n_coins=3)
    await world.bars.step()
    world.wire.change = lambda request, answer: [] if request["type"] == "fundingHistory" else answer
    await world.settle()
    asked = len(world.wire.asked)
    world.naps.clear()
    await world.filler.step()
    assert len(world.wire.asked) == asked
    assert world.naps
    world.now += 3600
    await world.bars.step()
    await world.filler.step()
    assert len(world.wire.asked) > asked + 3


async def test_what_failed_is_tried_again_after_a_rest_three_times_until_the_next_bar(make_world):
    world = await make_world(n_coins=3)
    await world.bars.step()
    coin = world.bars.eligible()[0]
    world.wire.fault = lambda request: (
        httpx.Response(500) if request["type"] == "fundingHistory" and request["coin"] == coin else None
    )

    async def tries():
        world.wire.asked.clear()
        world.naps.clear()
        while not world.naps:
            await world.filler.step()
        return [one["type"] for one in world.wire.asked if one.get("coin") == coin]

    asked = [await tries()]
    asked.append(await tries())
    for _ in range(3):
        world.now += REST_SECONDS
        asked.append(await tries())
    stages = ["fundingHistory"] * 2  # of the window, and all
    assert asked == [stages, [], stages, stages, []]
    world.wire.fault = lambda _: None
    world.now += 3600
    await world.bars.step()
    assert await tries() != []
    assert world.history.funding.missing(coin, world.state.screened - 100 * HOUR, world.state.screened) == []


async def test_a_bar_that_closes_meanwhile_is_not_kept_waiting(make_world):
    """The backfill leaves what it is about, and goes on with the new bar's funding first."""
    world = await make_world(n_coins=3)
    await world.bars.step()
    filler, fetched = _one_at_a_time(world), []

    def new_bar(request):
        fetched.append((request["type"], world.state.screened))
        if len(fetched) == 4:
            world.state.screened += HOUR

    world.wire.edit = new_bar
    await filler.step()
    first = len(fetched)
    await filler.step()
    assert first < 3 * 3
    assert fetched[first][0] == "fundingHistory"


async def test_a_finite_budget_says_how_much_of_it_is_used(make_world):
    clock = [0.0]
    budget = WeightBudget(1200, clock=lambda: clock[0])
    world = await make_world(n_coins=3, budget=budget)
    await world.bars.step()
    said = world.source.status()["backfill"]
    assert said["weight_per_minute"] == 1200
    assert said["budget_share_used"] == pytest.approx(1 - budget.remaining / 1200)
    assert 0 < said["budget_share_used"] < 1
    clock[0] += 61
    assert world.source.status()["backfill"]["budget_share_used"] == 0
    world.metrics.watch_budget(budget)
    assert world.count("weight_used") == 0
    assert math.isinf((await make_world(n_coins=3, seed=9)).budget.per_minute)
