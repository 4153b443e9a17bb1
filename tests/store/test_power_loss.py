"""What returned from `append` is there after the power went at any step, and nothing half-written is read."""

import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from power_loss import Forgetful, Machine, PowerCut

from hlpairs_core.store import CandleStore, RuntimeFile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the model asks /proc which file is flushed")

START = pd.Timestamp("2025-01-01T00:00Z")
COINS = ("A", "../B", "C")


def hour(n: int) -> pd.Timestamp:
    return START + pd.Timedelta(hours=n)


def bar(n: int, value: float) -> pd.DataFrame:
    """One hour of all coins."""
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), value)
    return pd.DataFrame({"coin": COINS, "time": pd.DatetimeIndex([hour(n)] * len(COINS)).as_unit("ms")}).assign(
        **numbers
    )


class Session:
    """Appends bars and merges until the power goes; knows what was reported stored."""

    def __init__(self) -> None:
        self.stored: dict[int, float] = {}
        self.under_way: tuple[int, float] | None = None

    def work(self, folder: Path, files: Machine, actions: list[int | None]) -> None:
        store = CandleStore(folder, "1h", files=files)
        for action in actions:
            if action is None:
                store.compact()
            else:
                self.under_way = (action, max(self.stored.values(), default=0.0) + 1)
                store.append(bar(*self.under_way), [(coin, hour(action), hour(action)) for coin in COINS])
                self.stored[action] = self.under_way[1]
                self.under_way = None

    def check(self, folder: Path) -> None:
        """Compare with what is on the disk; a bar that was under way may be there whole, or not at all."""
        store = CandleStore(folder, "1h")
        rows = store.read()
        found = {round((time - START) / hour_long): part for time, part in rows.groupby("time")}
        if self.under_way is not None and self.under_way[0] in found:
            number, value = self.under_way
            if (found[number]["close"] == value).all():
                self.stored[number] = value
        assert {number: part["close"].tolist() for number, part in found.items()} == {
            number: [value] * len(COINS) for number, value in self.stored.items()
        }
        for coin in COINS:
            gaps = store.missing(coin, hour(0), hour(30))
            assert not any(first <= hour(number) <= last for number in self.stored for first, last in gaps)
            assert sum((last - first) // hour_long + 1 for first, last in gaps) == 31 - len(self.stored)
        self.under_way = None


hour_long = pd.Timedelta(hours=1)
ACTIONS = st.lists(st.one_of(st.integers(0, 30), st.none()), min_size=1, max_size=8)


def lose_power(
    rounds: list[tuple[list[int | None], int]], seed: int, machine: Callable[[Path, int], Machine] = Machine
) -> None:
    """Work until a step that never happens, look at what is left of the disk, and go on from there."""
    rng, session = random.Random(seed), Session()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "0")
        root.mkdir()
        for number, (actions, cut_at) in enumerate(rounds, start=1):
            files = machine(root.resolve(), cut_at)
            with suppress(PowerCut):
                session.work(root.resolve() / "market", files, actions)
            after = Path(name, str(number))
            files.after_power_is_back(after, rng)
            session.check(after / "market")
            root = after


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 40)), min_size=1, max_size=3), st.integers(0, 2**32))
def test_every_bar_that_was_reported_stored_outlives_power_cuts(
    rounds: list[tuple[list[int | None], int]], seed: int
) -> None:
    lose_power(rounds, seed)


@pytest.mark.parametrize("forgets", ["folders", "files"])
def test_the_model_notices_a_program_that_does_not_flush(forgets: str) -> None:
    """Otherwise the test above would pass whatever the store did."""

    def failures() -> int:
        failed = 0
        for seed in range(20):
            try:
                lose_power([([1, 2, None, 3], 40)], seed, lambda root, cut: Forgetful(root, cut, forgets=forgets))
            except AssertionError:
                failed += 1
        return failed

    assert failures() > 10


def test_how_to_reach_the_engine_is_the_old_text_or_the_new_one_after_a_power_cut(tmp_path: Path) -> None:
    for cut_at in range(8):
        root = tmp_path / str(cut_at)
        root.mkdir()
        RuntimeFile(root / "engine.json").write({"port": 1})
        files = Machine(root, cut_at)
        try:
            RuntimeFile(root / "engine.json", files=files).write({"port": 2})
            said = [{"port": 2}]
        except PowerCut:
            said = [{"port": 1}, {"port": 2}]
        after = tmp_path / f"after {cut_at}"
        files.after_power_is_back(after, random.Random(cut_at))
        assert RuntimeFile(after / "engine.json").read() in said
