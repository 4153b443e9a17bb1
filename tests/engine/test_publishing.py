"""When answers are published: at once after a move, never too often, never too seldom."""

import asyncio
from itertools import pairwise

import pytest
from engine_stream import ToldStream, quote

from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.ticks import LEAST_SECONDS, MOST_SECONDS, Ticks
from hlpairs_core.engine.waiting import woken
from hlpairs_core.exchange.events import MidsEvent


class Clock:
    """A clock that goes on while somebody sleeps; who sleeps for ever is passed over."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        waker = asyncio.Event()
        self.sleepers.append((self.now + seconds, waker))
        await waker.wait()

    async def run_until(self, end: float) -> None:
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            self.sleepers = [one for one in self.sleepers if not one[1].is_set()]
            due = min((at for at, _ in self.sleepers), default=end)
            if due > end:
                break
            self.now = max(self.now, due)
            for at, waker in self.sleepers:
                if at <= self.now:
                    waker.set()
        self.now = end


class Listener(Hub):
    """Notes when it was told something."""

    def __init__(self, current, clock: Clock) -> None:
        super().__init__(current)
        self.clock, self.times = clock, []

    def publish(self, payload) -> None:
        super().publish(payload)
        self.times.append(round(self.clock.now, 6))


@pytest.fixture
async def published(world):
    """Return a function that runs ticks, with moves at given times, and gives the times of the answers."""
    await world.bars.step()
    coin = world.state.selection.marks.coins[0]
    clock = Clock()
    hub = Listener(world.hub.current, clock)
    ticks = Ticks(
        state=world.state, hub=hub, diary=world.diary, metrics=world.metrics, clock=world.clock, sleep=clock.sleep
    )

    async def forever():
        while True:
            await ticks.step()

    async def run(moves, end):
        running = asyncio.ensure_future(forever())
        for moment, moved in moves:
            await clock.run_until(moment)
            ticks.moved(coin if moved == "shown" else moved)
        await clock.run_until(end)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return hub.times

    return run


async def test_without_a_move_an_answer_is_published_once_a_second(published):
    assert await published([], 3.5) == [pytest.approx(0.9 + number * MOST_SECONDS) for number in range(3)]


async def test_a_move_of_a_shown_pair_is_published_at_once(published):
    assert (await published([(0.35, "shown")], 1.0))[0] == 0.35


async def test_moves_that_follow_are_gathered_into_ten_answers_a_second(published):
    times = await published([(number / 100, "shown") for number in range(1, 301)], 3.0)
    assert len(times) == pytest.approx(30, abs=1)
    assert min(after - before for before, after in pairwise(times)) >= LEAST_SECONDS - 1e-6


async def test_a_move_of_a_coin_that_is_not_shown_is_no_news(published):
    assert await published([(number / 100, "NOPE") for number in range(1, 80)], 0.85) == []


async def test_a_list_of_all_mids_may_have_moved_anything(published):
    assert (await published([(0.2, None)], 0.5))[0] == 0.2


async def test_quotes_from_the_feed_wake_the_publisher(make_world):
    stream = ToldStream()
    world = await make_world(stream=stream)
    await world.bars.step()
    coin = world.state.selection.marks.coins[0]
    for event, news in ((quote(coin, 1, 2, 0), True), (MidsEvent({}, 0), True), (quote("NOPE", 1, 2, 0), False)):
        world.ticks.wake.clear()
        await stream.tell(world.feed, event)
        assert world.ticks.wake.is_set() is news


async def test_waiting_ends_with_the_event_or_the_nap_and_leaves_nothing_behind():
    event, naps = asyncio.Event(), []

    async def nap(seconds):
        naps.append(seconds)

    async def sleep_for_ever(_):
        await asyncio.Event().wait()

    assert await woken(event, 5.0, nap) is False
    assert naps == [5.0]
    event.set()
    assert await woken(event, 5.0, sleep_for_ever) is True
    assert not event.is_set()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
