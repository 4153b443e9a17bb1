import math

import numpy as np
import pytest
from scipy.signal import lfilter

from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics import bootstrap_interval, superior_ability


def mean(values: np.ndarray) -> float:
    return float(values.mean())


def ar1(rng: np.random.Generator, shape: tuple[int, int], phi: float) -> np.ndarray:
    """Stationary from the first bar on."""
    shocks = rng.standard_normal(shape)
    shocks[:, 0] /= math.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], shocks, axis=1)


def test_intervals_of_dependent_bars_hold_the_truth_about_as_often_as_they_say() -> None:
    """600 bars with an autocorrelation of 0.5, 120 times. Drawing single bars would hold it far too rarely."""
    paths = ar1(np.random.default_rng(1), (120, 600), 0.5)
    rng = np.random.default_rng(2)
    held = {None: 0, 1: 0}
    for path in paths:
        for block_length in held:
            found = bootstrap_interval(path, mean, rng=rng, n_resamples=200, block_length=block_length)
            held[block_length] += found.low <= 0.0 <= found.high
    assert 0.80 < held[None] / 120 < 0.97
    assert held[1] / 120 < 0.78


def test_an_interval_of_independent_bars_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(1.0, 2.0, size=4_000)
    found = bootstrap_interval(values, mean, rng=np.random.default_rng(4), block_length=1, n_resamples=4_000)
    half = 1.645 * values.std() / math.sqrt(4_000)
    assert found.estimate == values.mean()
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half), abs=0.1 * half)


def test_it_is_that_of_arch() -> None:
    from arch.bootstrap import StationaryBootstrap, optimal_block_length

    values = ar1(np.random.default_rng(5), (1, 500), 0.6)[0]
    found = bootstrap_interval(values, np.median, rng=np.random.default_rng(6), confidence=0.8)
    length = math.ceil(optimal_block_length(values)["stationary"].iloc[0])
    peer = StationaryBootstrap(length, values, seed=np.random.default_rng(6))
    assert found.block_length == length > 3
    low, high = peer.conf_int(np.median, 1000, method="percentile", size=0.8).ravel()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    values = np.random.default_rng(7).normal(size=100)
    one, same, other = (bootstrap_interval(values, mean, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_an_interval_follows_the_unit() -> None:
    values = np.random.default_rng(8).normal(size=200)
    one, scaled = (bootstrap_interval(v, mean, rng=np.random.default_rng(1)) for v in (values, 1e4 * values))
    assert (scaled.low, scaled.high) == pytest.approx((1e4 * one.low, 1e4 * one.high))


def test_a_number_that_some_draws_lack_has_no_interval_but_a_reason() -> None:
    values = np.r_[np.zeros(99), 1.0]
    found = bootstrap_interval(values, lambda v: 1.0 if v.any() else math.nan, rng=np.random.default_rng(1))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert "does not exist in" in found.reason
    assert "of 1000 draws" in found.reason


def test_flat_bars_have_an_interval_of_no_width() -> None:
    found = bootstrap_interval(np.zeros(50), mean, rng=np.random.default_rng(1))
    assert (found.low, found.high, found.block_length) == (0.0, 0.0, 1)


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (np.arange(19.0), {}, "19 bars: at least 20"),
        (np.r_[np.arange(30.0), math.inf], {}, "first inf at bar 30"),
        (np.arange(30.0), {"confidence": 1.0}, "confidence is 1.0"),
        (np.arange(30.0), {"n_resamples": 10}, "n_resamples is 10"),
        (np.arange(30.0), {"block_length": 30}, "block_length is 30"),
    ],
)
def test_an_impossible_interval_is_refused(values, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        bootstrap_interval(values, mean, rng=np.random.default_rng(1), **options)


@pytest.mark.parametrize("studentise", [False, True])
def test_the_best_of_tries_without_skill_passes_no_more_often_than_the_level(studentise: bool) -> None:
    """Ten tries of very different size, 60 times."""
    data, rng = np.random.default_rng(9), np.random.default_rng(10)
    size = np.logspace(0, 2, 10)
    options = {"studentise": studentise, "n_resamples": 100, "block_length": 1}
    p = [superior_ability(size * data.normal(size=(120, 10)), rng=rng, **options).p_value for _ in range(60)]
    assert np.mean(np.array(p) <= 0.1) <= 0.1 + 4 * math.sqrt(0.1 * 0.9 / 60)
    assert np.mean(np.array(p) <= 0.5) >= 0.25


def test_losses_that_have_not_come_yet_pass_for_skill_where_they_are_studentised_away() -> None:
    """Small gains in every bar; nine of ten tries have seen a large loss or two, and one has not yet."""
    rng = np.random.default_rng(18)
    table = rng.normal(1.0, 1.0, size=(200, 10))
    table[rng.integers(0, 200, size=14), np.arange(14) % 9] = -199.0
    plain, studentised = (superior_ability(table, rng=rng, studentise=choice).p_value for choice in (False, True))
    assert studentised < 0.01
    assert plain > 0.1


def test_skill_is_found_beside_a_wild_try_without_any() -> None:
    """Which the test that is not studentised does not see."""
    table = np.random.default_rng(11).normal(size=(800, 3)) * [1.0, 1.0, 100.0]
    table[:, 1] += 0.2
    found = superior_ability(table, rng=np.random.default_rng(12), studentise=True, block_length=2)
    assert found.p_value < 0.01
    assert found.best == 1
    assert found.p_lower <= found.p_value <= found.p_upper
    plain = superior_ability(table, rng=np.random.default_rng(12), block_length=2)
    assert plain.p_value > 0.1


def test_without_studentising_it_is_arch_s_own_test() -> None:
    from arch.bootstrap import SPA

    table = np.random.default_rng(13).normal(0.03, [1.0, 2.0, 4.0, 8.0], size=(500, 4))
    rng, same = np.random.default_rng(14), np.random.default_rng(14)
    found = superior_ability(table, rng=rng, block_length=3)
    peer = SPA(np.zeros(500), -table, block_size=3, nested=True, seed=same)
    peer.compute()
    p = (1 + 1000 * peer.pvalues[["lower", "consistent", "upper"]]) / 1001
    assert (found.p_lower, found.p_value, found.p_upper) == pytest.approx(tuple(p))
    assert found.best == table.mean(axis=0).argmax()


def test_tries_of_one_size_are_judged_alike_either_way() -> None:
    table = np.random.default_rng(13).normal(0.0, 1.0, size=(500, 4))
    table = 0.04 + (table - table.mean(axis=0)) / table.std(axis=0)
    either = [
        superior_ability(table, rng=np.random.default_rng(14), studentise=choice, block_length=1).p_value
        for choice in (True, False)
    ]
    assert either[0] == pytest.approx(either[1], abs=0.03)
    assert 0.1 < either[0] < 0.9


def test_a_benchmark_is_what_must_be_beaten() -> None:
    rng = np.random.default_rng(16)
    market = rng.normal(0.5, 1.0, size=600)
    tries = market[:, None] + rng.normal(0.0, 0.5, size=(600, 3))
    assert superior_ability(tries, rng=rng).p_value < 0.01
    assert superior_ability(tries, benchmark=market + 0.1, rng=rng).p_value > 0.1


def test_the_standard_errors_are_those_of_arch() -> None:
    from arch.bootstrap import SPA

    from hlpairs_core.metrics.superior_ability import _standard_errors

    table = ar1(np.random.default_rng(17), (3, 400), 0.4).T
    peer = SPA(np.zeros(400), -table, block_size=6)
    peer._compute_variance()
    np.testing.assert_allclose(_standard_errors(table, 6), np.sqrt(peer._loss_diff_var / 400), rtol=1e-9)


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (np.c_[np.arange(30.0), np.zeros(30)], {}, "try 1 differs from the benchmark by 0.0 in every bar"),
        (np.ones((10, 2)), {}, "10 bars: at least 20"),
        (np.ones((30, 2)), {"benchmark": np.ones(29)}, "benchmark has 29 bars and returns have 30"),
        (np.c_[np.arange(30.0)], {"block_length": 0}, "block_length is 0"),
    ],
)
def test_an_impossible_comparison_is_refused(table, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        superior_ability(table, rng=np.random.default_rng(1), **options)
