"""The market's time is not the wall's: it may stop, go back, or belong to another market."""

import pandas as pd
import pytest
from engine_world import START

from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.exceptions import ExchangeError

HOUR = pd.Timedelta(hours=1)


async def test_a_market_that_starts_again_earlier_is_followed_without_its_stored_future(make_world):
    later = await make_world(start=START + 24 * HOUR)
    await later.bars.step()
    later.engine.store_the_rest()
    first = await make_world(start=START)
    await first.bars.step()
    fresh = await make_world(start=START, folder="fresh")
    await fresh.bars.step()
    assert first.hub.current["bar"]["closed_at"] == "2026-03-01T10:00:00.000Z"
    for part in ("verdict", "funnel", "top", "nearest_miss"):
        assert first.hub.current[part] == fresh.hub.current[part]


async def test_a_market_clock_that_goes_back_while_running_is_followed(world):
    await world.bars.step()
    world.market.clock._latest_ms -= 3 * 3_600_000  # as a restarted exchange of the same name would
    world.market.clock.start_ms -= 3 * 3_600_000
    await world.tick()
    await world.bars.step()
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T07:00:00.000Z"
    assert world.count("bars_skipped_total") == 0


async def test_where_a_replay_has_ended_the_last_bar_stays_and_nothing_is_screened_again(world):
    world.market_ends = world.now + 29 * 60  # 10:59 in the market
    await world.tick()
    await world.bars.step()
    selection = world.state.selection
    world.now += 29 * 60
    await world.tick()
    world.now += 90  # no tick since: the estimate has passed 11:00
    await world.settle()
    assert world.state.selection is selection
    assert world.count("bars_total") == 1
    assert min(world.naps) > 0


async def test_an_exchange_that_became_another_market_is_neither_stored_nor_shown(world, make_world):
    await world.tick()
    await world.bars.step()
    before = world.history.candles.read().copy()
    mids = world.mids
    other = await make_world(seed=8)
    world.wire.address = other.client.address
    world.now += 3600
    await world.tick()
    assert world.mids == mids
    (problem,) = world.hub.current["problems"]
    assert "is now the market demo-v2-seed8-12, not demo-v2-seed7-12: restart the engine" in problem["text"]
    with pytest.raises(ExchangeError, match="is now the market demo-v2-seed8-12"):
        await world.bars.step()
    last = world.state.selection.result.bar_time
    failed = await Ingest(world.client, world.history).candles(["BTC"], last + HOUR, last + HOUR)
    assert "nothing is stored" in failed["BTC"]
    pd.testing.assert_frame_equal(world.history.candles.read(), before)


async def test_a_wall_clock_that_is_set_back_makes_neither_silence_nor_age(world):
    await world.tick()
    world.state.feed_at = world.now
    world.now -= 86_400
    asked = len(world.wire.asked)
    await world.tick()
    assert len(world.wire.asked) == asked, "the stream spoke a moment ago: nothing is polled"
    assert world.source.health()["message_age_seconds"] == 0


async def test_a_bar_that_the_exchange_does_not_have_yet_is_waited_for(world):
    def late(request):
        if request["type"] == "candleSnapshot":
            request["req"]["endTime"] -= 3_600_000

    world.wire.edit = late
    with pytest.raises(ExchangeError, match="no candle yet of the bar that closed at 2026-03-01 10:00"):
        await world.bars.step()
    assert world.state.selection is None
    world.wire.edit = lambda _: None
    await world.bars.step()
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T10:00:00.000Z"
