"""What luck alone would make of a bar is drawn once a day, beside the screens."""

import numpy as np
import pandas as pd
import pytest
from engine_world import START

from hlpairs_core.engine.luck import LuckDraws
from hlpairs_core.exceptions import EngineError

HOUR = pd.Timedelta(hours=1)


async def drawn(world) -> LuckDraws:
    await world.bars.step()
    await world.engine.null_screens.step()
    return world.state.luck


async def test_nothing_is_drawn_before_there_is_an_answer(world):
    await world.engine.null_screens.step()
    assert world.state.luck is None
    assert world.naps


async def test_the_best_test_of_a_bar_is_held_against_null_screens_of_its_window(make_world):
    world = await make_world(n_coins=5)
    draws = await drawn(world)
    world.engine.ticks.publish()
    said, rows = world.hub.current["luck"], world.state.selection.table.rows
    assert said["screens"] == len(draws.best) == 500
    assert (np.diff(draws.best) >= 0).all()
    assert said["t_stat"] == pytest.approx(rows["t_stat"].min())
    assert said["chance"] == pytest.approx((1 + (draws.best <= rows["t_stat"].min()).sum()) / 501)


async def test_they_are_drawn_again_after_a_day_and_not_before(make_world):
    world = await make_world(n_coins=3)
    first = await drawn(world)
    world.now += 23 * 3600
    assert await drawn(world) is first
    world.now += 3600
    second = await drawn(world)
    assert second is not first
    assert second.bar == first.bar + pd.Timedelta(days=1)


def test_luck_is_never_said_to_be_impossible():
    draws = LuckDraws(np.array([-5.0, -4.0, -3.0]), pd.Timestamp("2026-03-01", tz="UTC"))
    assert draws.chance_of(-9.0) == 1 / 4
    assert draws.chance_of(-4.0) == 3 / 4
    assert draws.chance_of(0.0) == 1.0


async def test_a_coin_that_was_silent_when_its_window_began_is_drawn_too(make_world):
    world = await make_world(n_coins=3)
    last = START.floor("h") - HOUR
    silent = int((last - world.settings.window * HOUR).timestamp() * 1000)

    def quiet(request, answer):
        if request["type"] != "candleSnapshot":
            return answer
        return [{**one, "v": "0.0", "n": 0} if one["t"] == silent else one for one in answer]

    world.wire.change = quiet
    draws = await drawn(world)
    assert len(draws.best) == 500


async def test_draws_that_fail_are_noted_once_a_bar_and_the_engine_is_well(make_world):
    world = await make_world(n_coins=3)
    await world.bars.step()

    async def die(work, job):
        raise EngineError("the worker died")

    world.engine.null_screens._worker = type("Dying", (), {"call": staticmethod(die)})()
    await world.engine.null_screens.step()
    world.naps.clear()
    await world.engine.null_screens.step()
    assert world.naps
    (note,) = world.state.problems.all()
    assert note["text"] == "how good luck alone looks is not known yet: the worker died"
    assert not world.state.problems.is_anything_wrong
