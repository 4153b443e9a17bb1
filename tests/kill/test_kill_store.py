"""Everything is there that was reported stored by a process that was killed with -9, and nothing half-written."""

import os
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bar_writer
import pytest
from bar_writer import COINS, MODES, StoreChecker, append_bars, open_stores
from killing import kill_at_random, kill_repeatedly

from hlpairs_core.store import Screens
from hlpairs_core.store.database import connect

SOAK = float(os.environ.get("HLPAIRS_SOAK", "0"))
LONGEST_SECONDS = 1.0


def kill_writers(folder: Path, kills: int, seed: int) -> Counter[str]:
    """Kill by turns a process that backfills and one that lives, in one folder."""
    folder.mkdir()
    checker = StoreChecker(folder)

    def command(number: int) -> list[str]:
        return [sys.executable, bar_writer.__file__, str(folder), MODES[number % len(MODES)]]

    kill_repeatedly(command, checker, kills=kills, rng=random.Random(seed), longest=LONGEST_SECONDS)
    return checker.counts


def test_what_was_reported_stored_outlives_ten_kills(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        counts = sum(pool.map(lambda seed: kill_writers(tmp_path / str(seed), 5, seed), range(2)), Counter())
    assert counts["block"] > 0
    assert counts["verdict"] > 0
    assert counts["screen"] > 0
    assert counts["came"] > 0


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="a long run: `make soak`")
def test_what_was_reported_stored_outlives_a_hundred_kills(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        counts = sum(pool.map(lambda seed: kill_writers(tmp_path / str(seed), 10, seed), range(10)), Counter())
    print(f"100 kills: {dict(counts)}, none lost")
    assert counts["temporary_files_left"] > 0, "no kill came while a file was being written"


def test_the_checker_notices_what_is_lost_changed_or_there_in_part(tmp_path: Path) -> None:
    def checked(name: str, *said: str) -> StoreChecker:
        checker = StoreChecker(tmp_path / name)
        for line in said:
            checker.heard(line)
        return checker

    append_bars(open_stores(tmp_path / "whole")["candles"], range(len(COINS)), range(3))
    checked("whole", "begun", "stored candles 0 0", "stored candles 2 0").check()
    with pytest.raises(AssertionError, match=r"1 of 2 are lost: \[\('candles', 3, 0\)\]"):
        checked("whole", "stored candles 0 0", "stored candles 3 0").check()

    append_bars(open_stores(tmp_path / "part")["candles"], range(len(COINS) - 1), range(1))
    with pytest.raises(AssertionError, match="a bar has some of its coins"):
        checked("part").check()
    append_bars(open_stores(tmp_path / "block")["candles"], range(19), range(-50, -1))
    with pytest.raises(AssertionError, match="a block is there in part"):
        checked("block").check()

    store = open_stores(tmp_path / "changed")["candles"]
    append_bars(store, range(len(COINS)), range(1))
    store.append(store.read().assign(close=0.5), [])
    with pytest.raises(AssertionError, match="a number is not what was written"):
        checked("changed").check()

    screens = Screens(tmp_path / "screens" / "screens.sqlite")
    screens.add(bar_writer._table(0, final=False), final=False)
    checked("screens", "stored provisional 0 0").check()
    with pytest.raises(AssertionError, match=r"1 of 1 are lost: \[\('screen', 0, 0\)\]"):
        checked("screens", "stored screen 0 0").check()
    screens.close()
    database = connect(screens.path)
    database.execute("DELETE FROM pairs WHERE coin = 3")
    database.close()
    with pytest.raises(AssertionError, match="a screen is there in part"):
        checked("screens").check()


@pytest.mark.parametrize(
    ("program", "said"),
    [("print(1)", "ended by itself"), ("import sys; sys.exit('no room')", "exit 1.*no room")],
)
def test_a_process_that_ends_by_itself_is_no_kill(program: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        kill_at_random([sys.executable, "-c", program], random.Random(0), longest=30.0)


def test_lines_count_once_they_are_whole() -> None:
    program = "import time; print('one'); print('two'); print('half', end='', flush=True); time.sleep(60)"
    assert kill_at_random([sys.executable, "-c", program], random.Random(0), longest=0.5) == ["one", "two"]
