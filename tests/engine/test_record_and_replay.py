"""A session that was recorded on a market gives the same verdicts, bar for bar, when it is played back."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from engine_processes import finish, launch

COINS, BARS = 12, 3
# Market seconds per second: a bar of an hour takes six.
SPEED = 600
# What follows the newest mids and not the closed bar.
MOVING = {"zscore", "hold_hours", "gross_bps", "funding_bps", "net_edge_bps", "net_edge_usd", "mark_state", "sparkline"}
DEADLINE_SECONDS = 90.0


def verdicts(data: Path) -> dict[int, dict[str, Any]]:
    """Return the final verdict of each bar (its close, milliseconds since 1970) in the one market of a data folder."""
    for path in data.glob("*/journal.sqlite"):
        # Only a look: the engine is at work there.
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database, suppress(sqlite3.OperationalError):
            rows = database.execute("SELECT bar_ms, payload FROM verdicts ORDER BY id").fetchall()
            return {bar_ms: json.loads(payload) for bar_ms, payload in rows}
    return {}


def until_verdicts(data: Path, bars: int) -> dict[int, dict[str, Any]]:
    """Wait for the verdicts of so many bars."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        there = verdicts(data)
        if len(there) >= bars:
            return there
        time.sleep(0.1)
    raise AssertionError(f"waited for the verdicts of {bars} bars and have {sorted(verdicts(data))}")


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, dict[int, dict[str, Any]]]:
    market = launch("simulate", "--port", "0", "--coins", str(COINS), "--speed", str(SPEED), "--with-parent")
    url = market.stdout.readline().strip()
    session, data = tmp_path / "session", tmp_path / "first"
    recorder = launch("record", "--market", url, "--data", str(data), str(session))
    try:
        recorder.stdout.readline()
        until_verdicts(data, BARS)
    finally:
        finish(recorder)
        finish(market)
    return session, verdicts(data)


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


def said(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what was said when a bar had closed: of its pair and each runner-up, and in words."""
    rows = [payload["top"] or payload["nearest_miss"], *payload["runners_up"]]
    fixed = [{name: value for name, value in row.items() if name not in MOVING} for row in rows if row is not None]
    return {"pairs": fixed, "verdict": payload["verdict"], "funnel": payload["funnel"], "bar": payload["bar"]["time"]}


def test_a_recorded_session_played_back_gives_the_same_verdicts_bar_for_bar(recorded, replayed: Path) -> None:
    _, first = recorded
    second = until_verdicts(replayed, len(first))
    assert list(second) == list(first)
    for bar, payload in first.items():
        assert len(said(payload)["pairs"]) == 11
        assert said(second[bar]) == said(payload), f"the bar that closed at {bar}"
