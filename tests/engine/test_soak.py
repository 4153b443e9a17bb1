"""A long run without faults: `make soak`. HLPAIRS_SOAK says for how many minutes, at most 30."""

import os
import re
import time
from pathlib import Path

import httpx
import pytest
from engine_processes import finish, launch

from hlpairs_core.store import CandleStore, Journal

MINUTES = min(30.0, float(os.environ.get("HLPAIRS_SOAK", "0")))

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not MINUTES, reason="a long run: `make soak` (HLPAIRS_SOAK = minutes)"),
]


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def metric(url: str, name: str) -> float:
    text = httpx.get(url + "/metrics", trust_env=False).text
    return float(re.search(rf"^{name} (\S+)$", text, flags=re.MULTILINE)[1])


def test_the_engine_keeps_up_loses_nothing_and_does_not_grow(tmp_path):
    simulator = launch("simulate", "--coins", "60", "--speed", "600")
    exchange = simulator.stdout.readline().strip()
    engine = launch("engine", "--market", exchange, "--data", str(tmp_path / "d"))
    url = engine.stdout.readline().strip()
    settled, troubles = 0.0, []
    ends = time.monotonic() + MINUTES * 60
    while time.monotonic() < ends:
        time.sleep(5)  # a sampling period, not a wait for something to happen
        health = httpx.get(url + "/health", trust_env=False).json()
        troubles += [problem["text"] for problem in health["problems"]]
        if not settled and time.monotonic() > ends - MINUTES * 30:
            settled = resident_mb(engine.pid)
    bars = metric(url, "hlpairs_bars_total")
    grown = resident_mb(engine.pid) - settled
    finish(engine)
    finish(simulator)
    folder = next((tmp_path / "d").glob("demo-*"))
    journal = Journal(folder / "journal.sqlite")
    verdicts = {entry["bar_ms"] for entry in journal.verdicts()}
    journal.close()
    bitcoin = CandleStore(folder, "1h").read(["BTC"])
    assert troubles == []
    assert len(verdicts) == bars
    assert bars > MINUTES * 60 / 6 * 0.9
    assert bitcoin["time"].diff().dropna().nunique() == 1, "a hole in the stored candles"
    assert grown < 50, f"{grown:.0f} MB more in the second half"
