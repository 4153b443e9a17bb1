"""A session that was recorded on a market gives the same verdicts, bar for bar, when it is played back."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from engine_processes import finish, launch

# A minute, and on a busy machine a book or context may still be another's: see docs/performance.md.
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not os.environ.get("HLPAIRS_SOAK"), reason="a long run: `make soak`"),
]

COINS, BARS = 12, 4
# Market seconds per second: a bar of an hour takes six.
SPEED = 600
# What the closed candles alone decide.
FIT = ("side_y", "side_x", "beta", "signal_zscore", "p_value", "correlation", "half_life_hours", "fee_bps")
# What follows from the books and contexts that the engine had.
COSTS = ("y", "x", "qualifies", "slippage_bps", "slippage_source", "funding_bps_per_hour", "signal_net_edge_bps")
COSTS += ("capacity_usd", "notional_y_usd", "notional_x_usd", "misses")
DEADLINE_SECONDS = 90.0


def verdicts(data: Path) -> dict[int, dict[str, Any]]:
    """Return the final verdict of each bar (its close, milliseconds since 1970) in the one market of a data folder."""
    for path in data.glob("*/journal.sqlite"):
        # Only a look: the engine is at work there.
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database, suppress(sqlite3.OperationalError):
            rows = database.execute("SELECT bar_ms, payload FROM verdicts ORDER BY id").fetchall()
            return {bar_ms: json.loads(payload) for bar_ms, payload in rows}
    return {}


def until_verdicts(data: Path, bars: set[int] | int) -> dict[int, dict[str, Any]]:
    """Wait for so many verdicts, or for those of these bars."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        there = verdicts(data)
        if len(there) >= bars if isinstance(bars, int) else bars <= there.keys():
            return there
        time.sleep(0.2)
    raise AssertionError(f"waited for {bars} and have {sorted(verdicts(data))}")


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, dict[int, dict[str, Any]]]:
    market = launch("simulate", "--port", "0", "--coins", str(COINS), "--speed", str(SPEED), "--with-parent")
    url = market.stdout.readline().strip()
    session, data = tmp_path / "session", tmp_path / "first"
    recorder = launch("record", "--market", url, "--data", str(data), str(session))
    try:
        recorder.stdout.readline()
        there = until_verdicts(data, BARS)
    finally:
        finish(recorder)
        finish(market)
    return session, there


@pytest.fixture
def replayed(recorded, tmp_path: Path) -> Iterator[Path]:
    market = launch("simulate", "--port", "0", "--replay", str(recorded[0]), "--with-parent")
    engine = launch("engine", "--market", market.stdout.readline().strip(), "--data", str(tmp_path / "second"))
    try:
        assert engine.stdout.readline().startswith("http://127.0.0.1:")
        yield tmp_path / "second"
    finally:
        finish(engine)
        finish(market)


def said(payload: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return what a verdict says of its pair and of each runner-up."""
    rows = [payload["top"] or payload["nearest_miss"], *payload["runners_up"]]
    return {f"{row['y']} {row['x']}": {name: row[name] for name in names} for row in rows if row is not None}


def test_a_recorded_session_played_back_gives_the_same_verdicts_bar_for_bar(recorded, replayed: Path) -> None:
    _, first = recorded
    second = until_verdicts(replayed, set(first))
    differ = []
    for bar, payload in sorted(first.items()):
        fit, again = said(payload, FIT), said(second[bar], FIT)
        both = fit.keys() & again.keys()
        assert len(both) >= len(fit) - 2, f"the bar that closed at {bar}"
        assert {pair: fit[pair] for pair in both} == {pair: again[pair] for pair in both}
        if list(said(payload, COSTS).items()) != list(said(second[bar], COSTS).items()):
            differ.append(bar)
    # An engine that has to wait for a processor asks for the contexts of a bar a bar later, in either run.
    assert len(differ) <= 1, f"{len(differ)} of {len(first)} bars were priced differently: {differ}"
