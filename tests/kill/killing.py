"""kill -9 at random moments, of any process that says on its standard output what it has stored."""

import os
import random
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

START_SECONDS = 60.0


class Checker(Protocol):
    """Knows what was reported stored, and looks whether it is there."""

    def heard(self, line: str) -> None:
        """Take note of a line that the process wrote before it was killed."""

    def check(self) -> None:
        """Open what the process left; raise `AssertionError` where something is lost or half-written."""


def kill_repeatedly(
    command: Callable[[int], Sequence[str]], checker: Checker, *, kills: int, rng: random.Random, longest: float
) -> None:
    """Start, kill, look, and start again on what is left.

    Parameters
    ----------
    command : callable
        Gets the number of the kill, returns what to start. Its first line says that it has begun.
    longest : float
        Seconds after its first line within which a process is killed.
    """
    for number in range(kills):
        for line in kill_at_random(command(number), rng, longest=longest):
            checker.heard(line)
        checker.check()


def kill_at_random(command: Sequence[str], rng: random.Random, *, longest: float) -> list[str]:
    """Start a command, wait for its first line, kill it and its children at a random moment; return its whole lines.

    Raises
    ------
    AssertionError
        If it ends before it is killed, or says nothing for a minute.
    """
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
        assert process.stdout is not None
        with process.stdout as said:
            first = _until_killed(process, said.readline, START_SECONDS)
            lines = _until_killed(process, said.readlines, rng.uniform(0, longest))
        code = process.wait()
        errors.seek(0)
        assert code == -signal.SIGKILL, f"{command} ended by itself (exit {code}): {errors.read()[-2000:]}"
        assert first, f"{command} said nothing for {START_SECONDS:.0f} s: {errors.read()[-2000:]}"
    return [line.rstrip("\n") for line in (first, *lines) if line.endswith("\n")]


def _until_killed(process, read, seconds: float):
    """Read while a timer runs that kills the process."""
    timer = threading.Timer(seconds, _kill, [process])
    timer.start()
    said = read()
    timer.cancel()
    timer.join()
    return said


def _kill(process: subprocess.Popen) -> None:
    if process.returncode is None:  # nobody has waited for it, so that its id is still its own
        os.killpg(process.pid, signal.SIGKILL)
