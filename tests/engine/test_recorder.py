"""Minutes reach the store: those that are over, those that were heard, and within bounds."""

import pandas as pd
import pytest
from engine_stream import ToldStream, quote, trades

from hlpairs_core.engine.recorder import FLUSH_SECONDS, GRACE_SECONDS, WAITING_AT_MOST
from hlpairs_core.engine.state import SILENT_SECONDS
from hlpairs_core.market.minutes import MINUTE_MS

HALF_PAST_TEN = int(pd.Timestamp("2026-03-01T10:30", tz="UTC").timestamp() * 1000)


class Recording:
    """A recorder in a world whose feed speaks when the test says so."""

    def __init__(self, world, stream) -> None:
        self.world, self.stream, self.recorder = world, stream, world.engine.recorder

    async def hear(self, *, minute: float, bid: float = 99.0) -> None:
        """Say a quote and a trade of BTC so many minutes after half past ten."""
        time_ms = HALF_PAST_TEN + int(minute * MINUTE_MS)
        at = self.world.now
        spoken = quote("BTC", bid, bid + 2, at, time_ms), trades("BTC", (time_ms, bid, 0.5), at=at)
        await self.stream.tell(self.world.feed, *spoken)

    async def go_on(self, minutes: float) -> None:
        """Let time pass, in steps in which the feed never falls silent."""
        for _ in range(round(minutes * 60 / 2)):
            self.world.now += 2
            await self.stream.tell(self.world.feed, quote("ETH", 1.0, 2.0, self.world.now, self.market_ms))
            await self.recorder.step()

    @property
    def market_ms(self) -> int:
        return int(self.world.state.market_time(self.world.now).timestamp() * 1000)

    def stored(self) -> pd.DataFrame:
        self.recorder.close()
        frame = self.world.history.minutes.read(["BTC"])
        return frame.assign(minute=(frame["time"].astype("int64") - HALF_PAST_TEN) // MINUTE_MS).set_index("minute")


@pytest.fixture
async def recording(make_world) -> Recording:
    stream = ToldStream()
    world = await make_world(stream=stream)
    await world.contexts.refresh()
    recording = Recording(world, stream)
    await recording.hear(minute=-0.5)
    await recording.recorder.step()
    return recording


async def test_a_minute_is_recorded_once_it_is_over_and_a_moment_has_passed(recording):
    await recording.hear(minute=0.2, bid=100.0)
    await recording.go_on(1)
    assert recording.stored().empty, f"it may still be heard for {GRACE_SECONDS} s"
    await recording.hear(minute=0.9, bid=101.0)
    await recording.go_on(0.1)
    assert recording.stored()["bid"].to_dict() == {0: 101.0}
    assert recording.stored()["trades"].to_dict() == {0: 2.0}


async def test_a_quote_stands_through_quiet_minutes(recording):
    await recording.hear(minute=0.2, bid=100.0)
    await recording.go_on(3.1)
    stored = recording.stored()
    assert stored["bid"].to_dict() == dict.fromkeys(range(3), 100.0)
    assert stored["trades"].to_dict() == {0: 1, 1: 0, 2: 0}


async def test_minutes_in_which_the_feed_was_silent_are_left_out(recording):
    await recording.go_on(1.1)
    recording.world.now += 60 + SILENT_SECONDS
    await recording.recorder.step()
    await recording.go_on(2)
    assert sorted(recording.stored().index) == [0, 3]
    assert recording.stored()["bid"].isna().to_dict() == {0: False, 3: True}, "the quote of before does not stand"


async def test_rows_are_stored_now_and_then(recording):
    store = recording.world.history.minutes.store
    await recording.go_on(FLUSH_SECONDS / 60 - 1)
    assert store.segments == 0
    await recording.go_on(1.1)
    assert store.segments == 1
    assert len(store.read(["BTC"])) == FLUSH_SECONDS / 60 - 1


async def test_a_full_disk_is_told_until_the_rows_are_stored(recording):
    recording.world.disk.full = True
    await recording.go_on(FLUSH_SECONDS / 60 + 0.1)
    (problem,) = recording.world.state.problems.all()
    assert problem["source"] == "minutes"
    assert "4 recorded minutes wait in memory" in problem["text"]
    recording.world.disk.full = False
    await recording.go_on(FLUSH_SECONDS / 60)
    assert recording.world.state.problems.all() == []
    assert len(recording.stored()) == 2 * FLUSH_SECONDS / 60


async def test_what_waits_in_memory_is_bounded_and_what_is_lost_is_told(recording):
    recording.world.disk.full = True
    held = recording.world.history.minutes
    time = pd.date_range("2026-01-01", periods=WAITING_AT_MOST, freq="min", tz="UTC", unit="ms")
    numbers = dict.fromkeys(held.store.read().columns.drop(["coin", "time"]), 1.0)
    held.add(pd.DataFrame({"coin": "OLD", "time": time, **numbers}), [("OLD", time[0], time[-1])])
    await recording.go_on(FLUSH_SECONDS / 60 + 0.1)
    (problem,) = recording.world.state.problems.all()
    assert f"{WAITING_AT_MOST:,} recorded minutes wait in memory; 4 more are lost" in problem["text"]


async def test_a_market_whose_clock_jumps_is_followed_without_making_up_minutes(recording):
    await recording.go_on(1.1)
    recording.world.now += 86_400
    await recording.hear(minute=24 * 60 + 1.5)
    await recording.recorder.step()
    await recording.go_on(2)
    assert len(recording.stored()) < 5
