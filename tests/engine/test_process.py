"""The engine as a user runs it: real processes on loopback."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from engine_processes import CLI, SMALL, children_of, finish, gone, launch

from hlpairs_core.engine import connect, find, start
from hlpairs_core.engine.report import wait_until_ready
from hlpairs_core.exceptions import EngineError, EngineRunning


@pytest.fixture(scope="module")
def engine(exchange, tmp_path_factory) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    folder = tmp_path_factory.mktemp("engine") / "d"
    process = launch("engine", "--market", exchange, "--data", str(folder))
    yield process, process.stdout.readline().strip(), folder
    finish(process)


def test_the_first_line_is_the_url_and_a_second_engine_is_refused_naming_the_first(engine, exchange):
    process, url, folder = engine
    assert httpx.get(url + "/pairs/top", trust_env=False).status_code == 200
    second = launch("engine", "--market", exchange, "--data", str(folder))
    _, errors = second.communicate(timeout=30)
    assert second.returncode == EngineRunning.EXIT_CODE
    assert f"{process.pid}" in errors
    assert url in errors
    assert "Traceback" not in errors


def test_a_screen_asks_the_running_engine_and_prints_json(engine, exchange):
    _, _, folder = engine
    environment = {**os.environ, **SMALL}
    done = subprocess.run(
        [*CLI, "screen", "--data", str(folder), "--json"], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["funnel"]["coins_listed"] == 12
    first = result["candidates"][0]
    total = first["gross_bps"] - first["fee_bps"] - first["slippage_bps"] + first["funding_bps"]
    assert first["net_edge_bps"] == pytest.approx(total, abs=1e-9)
    with connect(folder) as client:
        has_spot = bool(client.top()["carry"])
    assert ("only pairs of perpetuals are screened here" in done.stderr) == has_spot


def test_the_engine_is_found_read_and_stopped_with_its_admin_token_only(engine):
    process, url, folder = engine
    runtime = folder / "engine.json"
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o600
    with connect(folder) as client:
        assert client.url == url
        payload = wait_until_ready(client, note=lambda _: None)
        assert payload["market"]["label"] == "DEMO"
        assert len(client.universe()) == 12
        assert set(client.candles(["BTC"], bars=5)["coin"]) == {"BTC"}
    with pytest.raises(EngineError, match="serves the market"):
        connect(folder, market="mainnet")
    token = json.loads(runtime.read_text())["admin_token"]
    httpx.post(url + "/stop", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert process.wait(20) == 0
    assert not runtime.exists()
    assert find(folder) is None
    assert token not in process.stderr.read()


def test_an_engine_started_for_somebody_ends_with_them_even_after_kill_9(exchange, tmp_path):
    code = (
        "import sys, pathlib; from hlpairs_core.engine import start\n"
        f"engine = start(pathlib.Path({str(tmp_path / 'd')!r}), ['--market', 'demo'], detach=False)\n"
        "engine_pid = engine.pid; print(engine_pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    engine_pid = int(parent.stdout.readline())
    children = children_of(engine_pid, at_least=1)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert gone(engine_pid)
    assert all(gone(pid) for pid in children), "the simulated exchange outlived its engine"


def test_an_engine_killed_without_warning_leaves_no_lock_behind(exchange, tmp_path):
    first = launch("engine", "--market", exchange, "--data", str(tmp_path / "d"))
    first.stdout.readline()
    first.kill()
    first.communicate()
    second = launch("engine", "--market", exchange, "--data", str(tmp_path / "d"))
    assert second.stdout.readline().startswith("http://127.0.0.1:")
    finish(second)


def test_an_engine_that_nobody_reads_stops_by_itself(exchange, tmp_path):
    process = launch("engine", "--market", exchange, "--data", str(tmp_path / "d"), "--idle-minutes", "0.02")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "nobody has read for 0.02 minutes" in errors


def test_an_engine_that_does_not_start_says_why(tmp_path):
    with pytest.raises(EngineError, match=r"did not start .* HLPAIRS_MARKET is 'moon'"):
        start(tmp_path, ["--market", "moon"], detach=True)


def test_backfill_fetches_only_what_is_missing_and_refuses_an_unlisted_coin(exchange, tmp_path):
    command = [*CLI, "backfill", "--market", exchange, "--data", str(tmp_path / "d"), "--bars", "50"]
    done = subprocess.run([*command, "--coins", "BTC,ETH"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "2 coins, 50 bars" in done.stdout
    folder = next((tmp_path / "d").glob("demo-*/candles-1h"))
    held = []
    for _ in range(3):  # a bar may close between two of them, but not two bars
        again = subprocess.run([*command, "--coins", "BTC,ETH"], capture_output=True, text=True, timeout=60)
        assert again.returncode == 0
        held.append(sorted(path.name for path in folder.iterdir()))
    assert held[0] == held[1] or held[1] == held[2]
    wrong = subprocess.run([*command, "--coins", "NOPE"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 1
    assert "lists no coin 'NOPE'" in wrong.stderr
