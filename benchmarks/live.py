"""Processes of the command line that a benchmark watches: an exchange and an engine of their own."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Usage", "get", "metrics", "running"]

CLI = ("-m", "hlpairs_core.cli")
START_SECONDS = 60.0


@contextmanager
def running(*arguments: str, log: Path, settings: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """Run ``python ARGUMENTS`` meanwhile; yield the URL that is its first line, and its process id.

    Parameters
    ----------
    log : pathlib.Path
        Where its log goes.
    settings : mapping of str to str, optional
        Of its environment, beside ours.
    """
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(settings or {})},
        )
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url.startswith("http"):
                raise RuntimeError(f"{arguments} did not start: {log.read_text()[-2000:]}")
            yield url, process.pid
        finally:
            process.terminate()
            process.communicate(timeout=START_SECONDS)


def get(url: str) -> Any:
    """Return the JSON at a URL."""
    return json.loads(_text(url))


def metrics(url: str) -> dict[str, float]:
    """Return an engine's plain metrics by name."""
    lines = (line.split() for line in _text(f"{url}/metrics").splitlines() if line.startswith("hlpairs_"))
    return {name: float(value) for name, value in lines if "{" not in name}


def _text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as reply:
        return str(reply.read().decode())


@dataclass(frozen=True)
class Usage:
    """What a process and its children have used.

    Attributes
    ----------
    at : float
        When (seconds of a monotonic clock).
    own_cpu, all_cpu : float
        Seconds of processor time: of the process, and of its living children too.
    own_mib, all_mib : float
        Resident memory now, likewise; pages that they share count for each.
    """

    at: float
    own_cpu: float
    all_cpu: float
    own_mib: float
    all_mib: float

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """Measure now."""
        process = psutil.Process(pid)
        every = [_used(one) for one in (process, *process.children(recursive=True))]
        cpu, mib = (sum(column) for column in zip(*every, strict=True))
        return cls(time.monotonic(), every[0][0], cpu, every[0][1], mib)


def _used(process: psutil.Process) -> tuple[float, float]:
    try:
        cpu = process.cpu_times()
        return cpu.user + cpu.system, process.memory_info().rss / 2**20
    except psutil.NoSuchProcess:
        return 0.0, 0.0
