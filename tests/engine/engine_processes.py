"""Starts the command line in processes of their own, and watches them end."""

import os
import subprocess
import sys
import time
from pathlib import Path

CLI = [sys.executable, "-m", "hlpairs_core.cli"]
SMALL = {"HLPAIRS_WINDOW": "120", "HLPAIRS_MIN_DAY_NOTIONAL_USD": "0"}


def launch(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CLI, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **SMALL, **environment},
    )


def finish(process: subprocess.Popen[str]) -> str:
    process.terminate()
    _, errors = process.communicate(timeout=20)
    return errors


def gone(pid: int, within: float = 15.0) -> bool:
    """Whether a process ends, a zombie that nobody waits for counted as ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def children_of(pid: int, *, at_least: int) -> list[int]:
    deadline = time.monotonic() + 20
    found: list[int] = []
    while len(found) < at_least and time.monotonic() < deadline:
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        time.sleep(0.02)
    return found
