"""Two processes that write: the lock refuses the second, and where nobody asks for it nothing is lost or mixed."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from hlpairs_core.store import CandleStore

BARS = 40

WRITER = """
import sys
from pathlib import Path
import pandas as pd
from hlpairs_core.store import CandleStore, FolderLock

folder, coin, bars, locked = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "locked"
if locked:
    FolderLock(folder, "engine").acquire()
print("begun", flush=True)
sys.stdin.readline()
store = CandleStore(folder / "demo", "1h")
start = pd.Timestamp("2025-01-01T00:00Z").as_unit("ms")
for bar in range(bars):
    time = start + pd.Timedelta(hours=bar)
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), float(ord(coin) * 1000 + bar))
    store.append(pd.DataFrame({"coin": [coin], "time": [time], **numbers}), [(coin, time, time)])
    if bar % 5 == 4:
        store.compact()
"""


def start(folder: Path, coin: str, locked: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), coin, str(BARS), locked]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes)


def test_the_second_process_is_refused_before_it_writes(tmp_path: Path) -> None:
    first = start(tmp_path, "A", "locked")
    assert first.stdout is not None
    assert first.stdout.readline() == "begun\n"
    _, refused = start(tmp_path, "B", "locked").communicate("go\n", timeout=60)
    assert f"EngineRunning: {tmp_path} already has its engine: process {first.pid}" in refused
    assert first.communicate("go\n", timeout=60)[1] == ""
    assert set(CandleStore(tmp_path / "demo", "1h").read()["coin"]) == {"A"}


@pytest.mark.parametrize("coins", ["AB", "AA"], ids=["of different rows", "of the same rows"])
def test_without_the_lock_every_row_of_both_is_stored_and_none_is_mixed(tmp_path: Path, coins: str) -> None:
    processes = [start(tmp_path, coin, "not locked") for coin in coins]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        errors = process.communicate(timeout=120)[1]
        assert (process.returncode, errors) == (0, "")
    store = CandleStore(tmp_path / "demo", "1h")
    rows = store.read()
    assert {coin: len(part) for coin, part in rows.groupby("coin", observed=True)} == dict.fromkeys(coins, BARS)
    bars = (rows["time"] - pd.Timestamp("2025-01-01T00:00Z")) // pd.Timedelta(hours=1)
    expected = rows["coin"].astype(str).map(ord) * 1000 + bars
    for name in ("open", "high", "low", "close", "volume"):
        assert (rows[name] == expected).all()
    assert store.problems == ()
    last = rows["time"].max()
    assert all(store.missing(coin, rows["time"].min(), last) == [] for coin in coins)
