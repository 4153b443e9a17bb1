"""How good a screen looks by luck."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import NullScreen, engle_granger_pairs, null_screen
from hlpairs_core.stats._null_panel import fit_null_panel

N_SCREENS = 60


def coins(seed: int, n_bars: int = 150, n_coins: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    steps = 0.7 * rng.standard_t(5, size=(n_bars, 1)) + rng.standard_t(5, size=(n_bars, n_coins))
    return pd.DataFrame(0.01 * np.cumsum(steps, axis=0), columns=[f"C{i}" for i in range(n_coins)])


def with_a_planted_pair(seed: int) -> pd.DataFrame:
    """C1 follows C0 with a spread whose half-life is 2 bars."""
    prices = coins(seed, n_bars=300)
    spread = lfilter([1.0], [1.0, -0.7], np.random.default_rng(seed + 1).normal(0, 0.01, 300))
    return prices.assign(C1=prices["C0"] + spread)


def luck_of(prices: object, seed: int = 1, **options) -> NullScreen:
    return null_screen(prices, rng=np.random.default_rng(seed), **{"n_screens": N_SCREENS, **options})


@pytest.fixture(scope="module")
def luck() -> NullScreen:
    return luck_of(coins(3), lag_rule="bic", keep_best=4)


@pytest.fixture(scope="module")
def null_tables(luck: NullScreen) -> list[pd.DataFrame]:
    """The tables of the same null panels, screen by screen, from the recorded seed."""
    panel = fit_null_panel(coins(3).to_numpy(), resampling="blocks", block_length=luck.block_length)
    seeds = [np.random.SeedSequence(luck.seed, spawn_key=(i,)) for i in range(N_SCREENS)]
    return [engle_granger_pairs(panel.simulate(np.random.default_rng(seed)), lag_rule="bic") for seed in seeds]


def test_the_real_screen_is_the_screen(luck: NullScreen) -> None:
    real = engle_granger_pairs(coins(3), lag_rule="bic")
    pd.testing.assert_frame_equal(luck.pairs[["y", "x", "t_stat", "p_value"]], real[["y", "x", "t_stat", "p_value"]])
    assert luck.real_best == real["t_stat"].min()
    assert (luck.n_pairs, luck.n_coins, luck.n_bars, luck.n_screens) == (15, 6, 150, N_SCREENS)


def test_each_null_screen_can_be_run_again_from_the_recorded_seed(luck: NullScreen, null_tables) -> None:
    best = [np.sort(table["t_stat"])[:4] for table in null_tables]
    np.testing.assert_allclose(luck.best, best, rtol=1e-9)
    passing = [[(table["p_value"] < level).sum() for level in (0.05, 0.01, 0.001)] for table in null_tables]
    np.testing.assert_array_equal(luck.passing, passing)


def test_empirical_p_values_count_the_null_screens_that_are_as_good(luck: NullScreen, null_tables) -> None:
    real = luck.pairs["t_stat"].to_numpy()
    null = np.array([table["t_stat"] for table in null_tables])
    np.testing.assert_allclose(luck.pairs["p_null"], (1 + (null <= real).sum(axis=0)) / (1 + N_SCREENS))
    assert luck.p_best == (1 + (null.min(axis=1) <= real.min()).sum()) / (1 + N_SCREENS)
    assert luck.chance_of_best(-20.0) == 1 / (1 + N_SCREENS)
    assert luck.chance_of_best(5.0) == 1.0


def test_family_wise_p_values_are_westfall_and_young_s_step_down(luck: NullScreen, null_tables) -> None:
    """Their algorithm, step by step: from the weakest pair, the smallest null t so far; then made monotone."""
    real = luck.pairs["t_stat"].to_numpy()
    order = sorted(range(15), key=lambda pair: real[pair])
    counts = np.zeros(15)
    for table in null_tables:
        smallest = np.inf
        for pair in reversed(order):
            smallest = min(smallest, table["t_stat"][pair])
            counts[pair] += smallest <= real[pair]
    so_far = 0.0
    for pair in order:
        so_far = max(so_far, (1 + counts[pair]) / (1 + N_SCREENS))
        assert luck.pairs["p_family"][pair] == pytest.approx(so_far)
    assert luck.pairs["p_family"].min() == luck.p_best
    assert (luck.pairs["p_family"] >= luck.pairs["p_null"]).all()


def test_gates_compare_what_passes_with_what_luck_lets_pass(luck: NullScreen) -> None:
    gates = luck.gates
    observed = [(luck.pairs["p_value"] < level).sum() for level in gates["level"]]
    assert gates["observed"].tolist() == observed
    assert gates["nominal"].tolist() == pytest.approx([0.75, 0.15, 0.015])
    np.testing.assert_allclose(gates["expected"], luck.passing.mean(axis=0))
    more = (luck.passing >= observed).sum(axis=0)
    np.testing.assert_allclose(gates["p"], (1 + more) / (1 + N_SCREENS))
    assert (gates["low"] <= gates["high"]).all()


def assert_same(one: NullScreen, other: NullScreen) -> None:
    assert one.seed == other.seed
    np.testing.assert_array_equal(one.best, other.best)
    np.testing.assert_array_equal(one.passing, other.passing)
    pd.testing.assert_frame_equal(one.pairs, other.pairs, check_exact=True)


@pytest.mark.parametrize("resampling", ["blocks", "signs", "independent"])
def test_the_result_depends_on_the_generator_alone(resampling: str) -> None:
    once = luck_of(coins(4), resampling=resampling)
    assert_same(once, luck_of(coins(4), resampling=resampling, chunk_size=7))
    with ThreadPoolExecutor(2) as executor:
        assert_same(once, luck_of(coins(4), resampling=resampling, executor=executor, chunk_size=11))
    assert luck_of(coins(4), seed=2, resampling=resampling).seed != once.seed


class CarriedAway(ThreadPoolExecutor):
    """Sends work and its result the way a process pool does: pickled."""

    def submit(self, work, /, *arguments):
        def there(parcel: bytes) -> bytes:
            task, values = pickle.loads(parcel)
            return pickle.dumps(task(*values))

        sent = super().submit(there, pickle.dumps((work, arguments)))
        return super().submit(lambda: pickle.loads(sent.result()))


def test_work_can_be_sent_to_another_process() -> None:
    with CarriedAway(4) as executor:
        assert_same(luck_of(coins(4)), luck_of(coins(4), executor=executor))


@pytest.mark.parametrize("threads", [0, 2])
def test_progress_is_told_and_can_stop_the_work(threads: int) -> None:
    told = []
    with ThreadPoolExecutor(2) as pool:
        executor = pool if threads else None
        luck_of(coins(5), chunk_size=25, executor=executor, progress=lambda *done: told.append(done))
        assert told[0] == (0, 60)
        assert told[-1] == (60, 60)
        assert len(told) == 4

        def stop(done: int, total: int) -> None:
            if done:
                raise TimeoutError("long enough")

        with pytest.raises(TimeoutError, match="long enough"):
            luck_of(coins(5), chunk_size=1, executor=executor, progress=stop)


def test_both_engines_give_the_same_screens(accelerate: bool) -> None:
    one = luck_of(coins(6), accelerate=accelerate, n_screens=20)
    other = luck_of(coins(6), n_screens=20)
    np.testing.assert_allclose(one.best, other.best, rtol=1e-9)
    np.testing.assert_allclose(one.pairs["p_family"], other.pairs["p_family"])


def test_a_planted_pair_is_beyond_luck_and_the_others_are_not() -> None:
    luck = luck_of(with_a_planted_pair(7), n_screens=199)
    pairs = luck.pairs.set_index(["y", "x"])
    assert luck.p_best <= 0.01
    assert pairs["p_family"].idxmin() == ("C0", "C1")
    # What C1 does to the others, C0 does too, so they are two tests and not one.
    unrelated = pairs[[not {"C0", "C1"} & set(legs) for legs in pairs.index]]
    assert (unrelated["p_family"] > 0.05).all()


def test_luck_alone_is_called_luck_as_often_as_the_level_says() -> None:
    """40 panels without a cointegrated pair: a p of 20 % or less in 20 % of them, within three standard errors."""
    p = [luck_of(coins(seed, n_bars=80, n_coins=4), n_screens=24, lag_rule=1).p_best for seed in range(100, 140)]
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=3 * np.sqrt(0.16 / 40))
    assert np.mean(p) == pytest.approx(0.52, abs=3 * np.sqrt(1 / 12 / 40))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100), shift=st.floats(-20, 20))
def test_units_of_prices_do_not_matter(seed: int, factor: float, shift: float) -> None:
    prices = coins(seed, n_bars=60, n_coins=3)
    one, other = (luck_of(table, n_screens=5) for table in (prices, prices.assign(C1=factor * prices["C1"] + shift)))
    np.testing.assert_allclose(one.best, other.best, rtol=1e-6)
    np.testing.assert_allclose(one.pairs["p_family"], other.pairs["p_family"])


def test_the_better_of_two_tests_is_held_against_the_better_of_two() -> None:
    prices = coins(8)
    one, better = luck_of(prices), luck_of(prices, statistic="better_t")
    turned = engle_granger_pairs(prices, pairs=list(zip(one.pairs["x"], one.pairs["y"], strict=True)))
    np.testing.assert_allclose(better.pairs["t_stat"], np.minimum(one.pairs["t_stat"], turned["t_stat"]))
    assert (better.best[:, 0] <= one.best[:, 0]).all()
    assert better.passing.sum() > one.passing.sum()


def test_a_trend_is_taken_off_the_real_and_the_null_screens() -> None:
    prices = coins(8)
    luck = luck_of(prices, trend="ct", n_screens=20)
    np.testing.assert_allclose(luck.pairs["p_value"], engle_granger_pairs(prices, trend="ct")["p_value"])
    panel = fit_null_panel(prices.to_numpy(), resampling="blocks", block_length=luck.block_length)
    walks = panel.simulate(np.random.default_rng(np.random.SeedSequence(luck.seed, spawn_key=(0,))))
    null = engle_granger_pairs(walks, trend="ct")
    assert luck.best[0, 0] == pytest.approx(null["t_stat"].min(), rel=1e-9)
    assert luck.passing[0, 0] == (null["p_value"] < 0.05).sum()


def test_only_the_pairs_asked_for_are_tried() -> None:
    luck = luck_of(coins(9), pairs=[("C3", "C0"), ("C1", "C2")], keep_best=5)
    assert luck.pairs[["y", "x"]].to_numpy().tolist() == [["C3", "C0"], ["C1", "C2"]]
    assert luck.best.shape == (N_SCREENS, 2)
    assert luck.gates["nominal"][0] == pytest.approx(0.1)


def test_one_asset_twice_is_no_test() -> None:
    prices = coins(10, n_coins=3)
    luck = luck_of(prices.assign(C2=2 * prices["C0"]))
    twin = luck.pairs.set_index(["y", "x"]).loc[("C0", "C2")]
    assert twin.isna().all()
    assert luck.n_pairs == 2
    assert np.isfinite(luck.best).all()
    with pytest.raises(InputError, match="none of the 1 pairs has a test"):
        luck_of(prices.assign(C2=2 * prices["C0"]), pairs=[("C0", "C2")])


def test_settings_are_recorded(luck: NullScreen) -> None:
    assert (luck.resampling, luck.statistic, luck.lag_rule, luck.max_lag) == ("blocks", "t", "bic", 14)
    assert luck.block_length >= 1
    assert luck.order.index.tolist() == [f"C{i}" for i in range(6)]
    assert luck_of(coins(3), block_length=9).block_length == 9


def broken(value: float, bar: int = 17) -> pd.DataFrame:
    prices = coins(11)
    prices.loc[bar, "C2"] = value
    return prices


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        (broken(np.nan), "'C2' is nan at 17: leave"),
        (broken(-np.inf), "has -inf in column 'C2' at 17"),
        (coins(11).assign(C4=3.5), r"'C4' is constant over 150 bars \(3.5 at first\)"),
        (coins(11)[["C3"]], "only 'C3': a pair needs two"),
        (coins(11).iloc[:29], "29 bars: give at least 30"),
        (coins(11).iloc[:30, :1].to_numpy()[:, 0], "two dimensions"),
        (coins(11).iloc[:0], "is empty"),
    ],
    ids=["nan", "infinite", "constant", "alone", "short", "flat", "empty"],
)
def test_prices_that_cannot_be_screened_are_refused_by_name_and_value(prices: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        luck_of(prices)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_screens": 0}, "n_screens is 0"),
        ({"n_screens": 10.5}, "n_screens is 10.5"),
        ({"keep_best": 0}, "keep_best is 0"),
        ({"chunk_size": -1}, "chunk_size is -1"),
        ({"statistic": "F"}, "statistic is 'F'"),
        ({"resampling": "wild"}, "resampling is 'wild'"),
        ({"block_length": 0}, "block_length is 0"),
        ({"block_length": 5, "resampling": "signs"}, "has no blocks"),
        ({"levels": (0.05, 1.5)}, "levels is 1.5"),
        ({"levels": 0.05}, "levels is 0.05: give a sequence"),
        ({"pairs": [("C0", "C9")]}, "'C9', which is not a column"),
        ({"trend": "n"}, "trend"),
        ({"lag_rule": 74}, "too short"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        luck_of(coins(11), **options)


def test_a_seed_is_no_generator() -> None:
    with pytest.raises(InputError, match="rng must be a"):
        null_screen(coins(11), rng=7)
