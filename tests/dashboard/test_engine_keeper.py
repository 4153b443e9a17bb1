import asyncio

from hlpairs_core.dashboard.keeper import EngineKeeper
from hlpairs_core.engine import RunningEngine
from hlpairs_core.exceptions import EngineError


class Process:
    """A process that has ended with `code` after `life` seconds of the clock."""

    def __init__(self, clock, code, life):
        self.clock, self.code, self.life = clock, code, life
        self.stdin = None

    def wait(self, _timeout=None):
        self.clock.now += self.life
        return self.code

    def terminate(self):
        self.clock.stopped += 1


class Clock:
    now = 0.0
    stopped = 0

    def __call__(self):
        return self.now


def engine(process):
    return RunningEngine("http://127.0.0.1:1", "token", "demo", 1, process)


async def no_pause(_seconds):
    await asyncio.sleep(0)


async def test_an_engine_that_ends_is_started_again_until_it_keeps_ending_at_once():
    clock, notes, started = Clock(), [], []

    def restart():
        started.append(clock.now)
        return engine(Process(clock, 1, 100 if len(started) < 3 else 1))

    keeper = EngineKeeper(engine(Process(clock, -9, 500)), restart, note=notes.append, clock=clock, sleep=no_pause)
    await keeper.watch()
    assert notes[0] == "the engine ended unexpectedly (exit -9): starting it again"
    assert notes[-1] == "the engine keeps ending (exit 1): see engine.log in the data folder"
    assert len(started) == 5  # two that lived, three that did not, and none after that


async def test_a_restart_that_fails_is_said_and_ends_the_watch():
    clock, notes = Clock(), []

    def restart():
        raise EngineError("the engine did not start (exit 1)")

    await EngineKeeper(engine(Process(clock, 1, 100)), restart, note=notes.append, clock=clock, sleep=no_pause).watch()
    assert notes[-1] == "the engine did not start (exit 1)"


async def test_an_engine_that_is_not_ours_is_neither_watched_nor_stopped():
    notes = []
    keeper = EngineKeeper(engine(None), lambda: engine(None), note=notes.append)
    await keeper.watch()
    keeper.stop()
    assert notes == []


def test_stopping_ends_the_engine_that_runs_now():
    clock = Clock()
    keeper = EngineKeeper(engine(Process(clock, 0, 0)), lambda: engine(None), note=print)
    keeper.stop()
    assert clock.stopped == 1
