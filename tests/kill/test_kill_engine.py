"""Everything that the engine reported stored is there after kill -9, in the middle of a backfill and of live bars."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import engine_teller
import pandas as pd
import pytest
from killing import kill_repeatedly

from hlpairs_core.exchange import HyperliquidClient
from hlpairs_core.store import CandleStore, FundingStore, Journal, MinuteStore, ScreenHistory

SOAK = float(os.environ.get("HLPAIRS_SOAK", "0"))
MARKET = "demo-v2-seed7-24"
# Bars of an hour in six seconds.
EXCHANGE = ("simulate", "--port", "0", "--coins", "24", "--speed", "600", "--with-parent")
# A cold start is killed while it fills its folder; what has its history is killed among live bars.
FILLING_SECONDS = 8.0
LIVING_SECONDS = 25.0


class EngineChecker:
    """Knows what an engine reported stored in its data folder, and looks whether it is there.

    Attributes
    ----------
    counts : collections.Counter
        Rows and verdicts that were reported, by where, and what was there besides.
    """

    def __init__(self, data: Path) -> None:
        self.counts: Counter[str] = Counter()
        self.folder = data / MARKET
        self._reported: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)

    def heard(self, line: str) -> None:
        """Take note of a line that the engine wrote before it was killed."""
        if line.startswith("http"):
            return
        where, rest = line.split(" ", 1)
        coin, times = rest.rsplit(" [", 1)
        known = self._reported[where]
        for time in json.loads(f"[{times}"):
            known.add((coin, time))
            self.counts[where] += 1

    def check(self) -> None:
        """Open what the engine left.

        Raises
        ------
        AssertionError
            If something that was reported is missing, or a file was damaged.
        """
        self.counts["temporary_files_left"] += sum(1 for _ in self.folder.rglob("*.tmp"))
        for where, reported in self._reported.items():
            there = {"verdict": self._verdicts, "screen": self._screens}.get(where, partial(self._rows, where))()
            lost = reported - there
            assert not lost, f"{len(lost)} of {len(reported)} in {where} are lost: {sorted(lost)[:5]}"
            self.counts[f"{where} stored before it was said"] += len(there - reported)
            self._reported[where] |= there  # it was read: now it must stay

    def _rows(self, where: str) -> set[tuple[str, int]]:
        stores = {"candles-1h": lambda: CandleStore(self.folder, "1h")}
        stores |= {"funding": lambda: FundingStore(self.folder), "minutes": lambda: MinuteStore(self.folder)}
        store = stores[where]()
        rows = store.read()
        assert store.problems == (), store.problems
        times = rows["time"].dt.as_unit("ms").astype("int64")
        return {(json.dumps(coin), time) for coin, time in zip(rows["coin"].astype("str"), times.tolist(), strict=True)}

    def _verdicts(self) -> set[tuple[str, int]]:
        journal = Journal(self.folder / "journal.sqlite")
        entries = journal.verdicts()
        assert journal.problems == (), journal.problems
        journal.close()
        return {("-", entry["bar_ms"]) for entry in entries}

    def _screens(self) -> set[tuple[str, int]]:
        history = ScreenHistory(self.folder / "screens.sqlite")
        said = history.screens()
        for screen in said[said["n_tests"] > 0].itertuples():
            assert len(history.table(screen.closed_at)) == screen.n_tests, "a screen is there in part"
        return {("-", closed_ms) for closed_ms in said["closed_at"].dt.as_unit("ms").astype("int64").tolist()}


@pytest.fixture
def exchange() -> Iterator[str]:
    command = [sys.executable, "-m", "hlpairs_core.cli", *EXCHANGE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(30)


def kill_engines(url: str, data: Path, *, filling: int, living: int = 0, seed: int) -> Counter[str]:
    """Kill an engine again and again in one data folder, and compare what it leaves with what the exchange says."""
    checker, rng = EngineChecker(data), random.Random(seed)

    def command(_number: int) -> list[str]:
        return [sys.executable, engine_teller.__file__, "--market", url, "--data", str(data)]

    kill_repeatedly(command, checker, kills=filling, rng=rng, longest=FILLING_SECONDS)
    kill_repeatedly(command, checker, kills=living, rng=rng, longest=LIVING_SECONDS)
    asyncio.run(compare_with_exchange(url, checker.folder))
    return checker.counts


async def compare_with_exchange(url: str, folder: Path) -> None:
    """No candle that is held differs from what the exchange answers."""
    held = CandleStore(folder, "1h").read()
    async with HyperliquidClient(url) as client:
        for coin, rows in held.groupby("coin", observed=True):
            said = await client.candles(coin, "1h", rows["time"].min(), rows["time"].max())
            both = rows.merge(said.assign(coin=coin), on="time", suffixes=("", "_said"))
            assert len(both), f"the exchange knows none of the {len(rows)} candles of {coin}"
            for name in ("open", "high", "low", "close", "volume"):
                assert (both[name] == both[f"{name}_said"]).all(), f"{name} of {coin}"


def test_what_the_engine_reported_stored_outlives_six_kills(exchange: str, tmp_path: Path) -> None:
    def three(seed: int) -> Counter[str]:
        return kill_engines(exchange, tmp_path / str(seed), filling=3, seed=seed)

    with ThreadPoolExecutor(2) as pool:
        counts = sum(pool.map(three, range(2)), Counter())
    assert counts["candles-1h"] > 0


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="a long run: `make soak`")
def test_what_the_engine_reported_stored_outlives_a_hundred_kills(exchange: str, tmp_path: Path) -> None:
    def ten(seed: int) -> Counter[str]:
        return kill_engines(exchange, tmp_path / str(seed), filling=5, living=5, seed=seed)

    with ThreadPoolExecutor(2) as pool:
        counts = sum(pool.map(ten, range(10)), Counter())
    print(f"100 kills: {dict(counts)}, none lost")
    assert min(counts[what] for what in ("candles-1h", "funding", "verdict", "screen")) > 0


def test_the_checker_notices_what_is_lost(tmp_path: Path) -> None:
    times = pd.to_datetime([3_600_000, 7_200_000], unit="ms", utc=True).as_unit("ms")
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
    CandleStore(tmp_path / MARKET, "1h").append(pd.DataFrame({"coin": "../a b [", "time": times, **numbers}), [])
    checker = EngineChecker(tmp_path)
    checker.heard("http://127.0.0.1:1")
    checker.heard('candles-1h "../a b [" [3600000, 7200000]')
    checker.check()
    checker.heard('candles-1h "../a b [" [10800000]')
    with pytest.raises(AssertionError, match=r"1 of 3 in candles-1h are lost: .*10800000"):
        checker.check()
