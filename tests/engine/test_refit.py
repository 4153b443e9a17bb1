"""The worker process: it may die, and it must not outlive its engine."""

import os
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

import pytest
from engine_processes import gone

from hlpairs_core.engine.refit import Refitter
from hlpairs_core.exceptions import EngineError

OWNER = """
import asyncio, sys
from hlpairs_core.engine.refit import _spawn

if __name__ == "__main__":
    with _spawn() as pool:
        print(pool.submit(__import__("os").getpid).result(), flush=True)
        sys.stdin.read()
"""


class Dying(Executor):
    """An executor whose worker dies at each task."""

    def submit(self, *_, **__):
        future = Future()
        future.set_exception(BrokenProcessPool("a process in the pool was terminated abruptly"))
        return future


class Working(Executor):
    def submit(self, function, *arguments):
        future = Future()
        future.set_result(("the result", 0.1))
        return future


async def test_a_worker_that_dies_is_reported_and_replaced_at_the_next_bar():
    executors = [Dying(), Working()]
    refitter = Refitter(lambda: executors.pop(0))
    with pytest.raises(EngineError, match="a new one takes the next bar"):
        await refitter.run(None)
    assert await refitter.run(None) == ("the result", 0.1)
    assert executors == []
    refitter.close()
    refitter.close()


@pytest.fixture
def owner(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def test_a_worker_ends_with_its_engine_even_after_kill_9(owner):
    worker = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert gone(worker)


def test_ctrl_c_is_left_to_the_engine(owner):
    worker = int(owner.stdout.readline())
    os.kill(worker, signal.SIGINT)
    _, errors = owner.communicate(timeout=30)
    assert owner.returncode == 0
    assert errors == ""
