"""How the table of each screen gets from the worker to the disk."""

import asyncio
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.kept_screens import WAITING_AT_MOST, KeptScreens, screen_table
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.refit import ScreenJob, screen_bar
from hlpairs_core.exceptions import StoreNotWritable
from hlpairs_core.market import MarketState
from hlpairs_core.screening import GATES, ScreenSettings
from hlpairs_core.store import ScreenHistory, Screens
from hlpairs_core.store.pair_rows import NUMBERS


class FillingScreens(Screens):
    """A screen history on a disk that has no room while `full` is True."""

    full = False

    def add(self, table, *, final):
        if self.full:
            raise StoreNotWritable("cannot write: disk is full")
        return super().add(table, final=final)


@pytest.fixture
def screens(tmp_path):
    opened = FillingScreens(tmp_path / "screens.sqlite", lambda: 1_000.0)
    yield opened
    opened.close()


@pytest.fixture
def problems():
    return Problems(lambda: 1_000.0)


@pytest.fixture
def kept(screens, problems):
    return KeptScreens(screens, problems, sleep=lambda _: asyncio.sleep(0))


@pytest.fixture(scope="module")
def job():
    """What the worker needs to screen twelve random walks."""
    n_bars, n_coins, rng = 150, 12, np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (n_bars, n_coins)), axis=0))
    time = pd.date_range("2025-01-01", periods=n_bars, freq="h", tz="UTC").as_unit("ms")
    coins = [f"C{number}" for number in range(n_coins)]
    frame = pd.DataFrame({"coin": np.repeat(coins, n_bars), "time": np.tile(time, n_coins), "volume": 1e6})
    candles = frame.assign(**dict.fromkeys(("open", "high", "low", "close"), close.T.ravel()))
    contexts = {"max_leverage": 10, "is_delisted": False, "funding_rate": 0.0, "day_notional_usd": 1e8}
    closed_at = time[-1] + pd.Timedelta(hours=1)
    market = MarketState(closed_at, pd.DataFrame(contexts, index=pd.Index(coins, name="coin")), {}, {})
    return ScreenJob(candles, pd.DataFrame(), closed_at, ScreenSettings(window=120), CostModel(), market, best=10**6)


@pytest.fixture(scope="module")
def result(job):
    return screen_bar(job).result


def test_the_table_of_a_screen_has_each_pair_s_numbers_and_failed_gates(result):
    table = screen_table(result)
    assert len(table.rows) == result.funnel.pairs_dependent == 66
    for row, pair in zip(table.rows, result.candidates.itertuples(), strict=True):
        assert (table.coins[row["y"]], table.coins[row["x"]]) == (pair.y, pair.x)
        assert [gate for place, gate in enumerate(GATES) if row["failed"] >> place & 1] == list(pair.gates_failed)
        numbers = np.array([getattr(pair, name) for name in NUMBERS])
        np.testing.assert_allclose([row[name] for name in NUMBERS], numbers, rtol=1e-7)
    assert table.closed_ms / 1000 == result.closed_at.timestamp()
    assert (table.n_pairs, table.verdict) == (66, result.verdict.text)
    assert table.asked["settings"]["window"] == result.settings.window


def test_the_worker_sends_numbers_of_all_pairs_and_words_of_few(job, result):
    few = screen_bar(replace(job, best=5))
    best = result.candidates.head(5)
    miss = result.nearest_miss
    lead = result.candidates[(result.candidates["y"] == miss.y) & (result.candidates["x"] == miss.x)] if miss else best
    expected = pd.concat([best, lead]).loc[lambda frame: ~frame.index.duplicated()].reset_index(drop=True)
    pd.testing.assert_frame_equal(few.result.candidates, expected)
    assert len(few.table.rows) == 66
    assert len(pickle.dumps(few.table)) < 66 * 60 + 3000


async def test_each_bar_s_answer_is_stored_and_its_final_one_replaces_the_provisional_one(kept, screens, result):
    table, history = screen_table(result), ScreenHistory(screens.path)
    kept.add(table, final=False)
    await kept.step()
    assert history.screens()["is_final"].tolist() == [False]
    kept.add(table, final=False)
    kept.add(table, final=True)
    assert kept.waiting == 1
    await kept.step()
    assert history.screens()["is_final"].tolist() == [True]
    assert kept.waiting == 0


async def test_without_a_table_nothing_is_written(kept, screens):
    await kept.step()
    assert ScreenHistory(screens.path).screens().empty


async def test_tables_wait_for_room_and_the_page_says_so(kept, screens, problems, result):
    screens.full = True
    kept.add(screen_table(result), final=True)
    await kept.step()
    (problem,) = problems.all()
    assert problem["source"] == "screens"
    assert "disk is full. The page goes on; tables of screens that wait in memory: 1" in problem["text"]
    screens.full = False
    await kept.step()
    assert problems.all() == []
    assert len(ScreenHistory(screens.path).screens()) == 1


async def test_of_more_than_two_days_the_oldest_are_lost_and_counted(kept, screens, problems, result):
    screens.full, table = True, screen_table(result)
    for bar in range(WAITING_AT_MOST + 3):
        kept.add(replace(table, closed_ms=table.closed_ms + bar), final=True)
    await kept.step()
    assert problems.all()[0]["text"].endswith(f"wait in memory: {WAITING_AT_MOST}, 3 are lost")
    screens.full = False
    await kept.step()
    stored = ScreenHistory(screens.path).screens()["closed_at"]
    assert len(stored) == WAITING_AT_MOST
    assert (stored.iloc[0] - result.closed_at) / pd.Timedelta("1ms") == 3


async def test_a_history_that_was_set_aside_is_reported(screens, problems, result):
    screens.close()
    screens.path.write_bytes(b"no database" * 1000)
    kept = KeptScreens(screens, problems, sleep=lambda _: asyncio.sleep(0))
    kept.add(screen_table(result), final=True)
    await kept.step()
    (problem,) = problems.all()
    assert "cannot be read as a screen history" in problem["text"]
    assert len(ScreenHistory(screens.path).screens()) == 1


async def test_a_screen_without_any_pair_has_an_empty_table(make_world):
    world = await make_world(n_coins=4, dependence="inverse", rho_min=1.0)
    await world.bars.step()
    await world.kept_screens.step()
    assert len(world.state.selection.table.rows) == 0
    assert ScreenHistory(world.screens.path).screens()["n_tests"].tolist() == [0]
