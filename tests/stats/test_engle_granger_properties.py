"""What must not change an Engle-Granger test, and how often it cries wolf."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from hlpairs_core.stats import engle_granger_pairs

Screen = Callable[..., pd.DataFrame]
SEEDS = st.integers(0, 2**32 - 1)
RULES = st.sampled_from(["aic", "bic", 0, 3])
TRENDS = st.sampled_from(["c", "ct"])
TESTED = ["r_squared", "t_stat", "p_value", "half_life", "z_last"]


def panel(seed: int, n_bars: int = 90, n_coins: int = 4) -> pd.DataFrame:
    steps = np.random.default_rng(seed).standard_t(4, size=(n_bars, n_coins))
    return pd.DataFrame(0.01 * np.cumsum(steps, axis=0), columns=[f"C{i}" for i in range(n_coins)])


def assert_same(one: pd.DataFrame, other: pd.DataFrame, columns: list[str]) -> None:
    np.testing.assert_allclose(one[columns], other[columns], rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(one["lag"], other["lag"])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, rule=RULES, trend=TRENDS, shift=st.floats(-20, 20))
def test_the_unit_of_a_price_changes_only_the_intercept(
    screen: Screen, seed: int, rule: str | int, trend: str, shift: float
) -> None:
    prices = panel(seed)
    moved = prices.assign(C0=prices["C0"] + shift)
    before, after = (screen(table, lag_rule=rule, trend=trend, pairs=[("C0", "C1")]) for table in (prices, moved))
    assert_same(before, after, [*TESTED, "beta", "resid_std"])
    np.testing.assert_allclose(after["alpha"] - before["alpha"], shift, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, rule=RULES, trend=TRENDS, factor=st.floats(0.01, 100), sign=st.sampled_from([-1, 1]))
def test_scaling_x_changes_only_the_hedge_ratio(
    screen: Screen, seed: int, rule: str | int, trend: str, factor: float, sign: int
) -> None:
    prices = panel(seed)
    scaled = prices.assign(C1=prices["C1"] * factor * sign)
    before, after = (screen(table, lag_rule=rule, trend=trend, pairs=[("C0", "C1")]) for table in (prices, scaled))
    assert_same(before, after, [*TESTED, "resid_std", "alpha"])
    np.testing.assert_allclose(after["beta"] * factor * sign, before["beta"], rtol=1e-8)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, rule=RULES, trend=TRENDS)
def test_turning_y_upside_down_turns_only_the_signs(screen: Screen, seed: int, rule: str | int, trend: str) -> None:
    prices = panel(seed)
    before, after = (
        screen(table, lag_rule=rule, trend=trend, pairs=[("C0", "C1")])
        for table in (prices, prices.assign(C0=-prices["C0"]))
    )
    assert_same(before, after, ["t_stat", "p_value", "half_life", "resid_std"])
    turned = ["alpha", "beta", "z_last"]
    np.testing.assert_allclose(after[turned], -before[turned], rtol=1e-8, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, rule=RULES, trend=TRENDS, order=st.permutations(range(5)))
def test_other_columns_and_their_order_change_nothing(
    screen: Screen, seed: int, rule: str | int, trend: str, order: list[int]
) -> None:
    prices = panel(seed, n_coins=5)
    shuffled = prices.iloc[:, order]
    pairs = [("C0", "C1"), ("C1", "C0")]
    alone = screen(prices[["C0", "C1"]], lag_rule=rule, trend=trend, pairs=pairs)
    among = screen(shuffled, lag_rule=rule, trend=trend)
    among = pd.concat([among, screen(shuffled.iloc[:, ::-1], lag_rule=rule, trend=trend)])
    among = among.set_index(["y", "x"]).loc[pairs].reset_index()
    assert_same(alone, among, [*TESTED, "alpha", "beta", "resid_std"])


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, rule=RULES, trend=TRENDS, first=st.integers(0, 30), last=st.integers(60, 89))
def test_a_coin_listed_late_or_delisted_early_changes_no_pair_of_the_others(
    screen: Screen, seed: int, rule: str | int, trend: str, first: int, last: int
) -> None:
    prices = panel(seed)
    short = prices.assign(C3=prices["C3"].loc[first:last])
    before, after = (screen(table, lag_rule=rule, trend=trend) for table in (prices, short))
    others = (before["y"] != "C3") & (before["x"] != "C3")
    pd.testing.assert_frame_equal(before[others], after[others], rtol=1e-9)
    assert (after.loc[~others, "n_obs"] == last - first + 1).all()


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, rule=RULES)
def test_the_hedge_ratios_of_both_orientations_have_the_product_r_squared(
    screen: Screen, seed: int, rule: str | int
) -> None:
    """The two regressions explain the same share; their residuals, and so their tests, are two."""
    frame = screen(panel(seed), lag_rule=rule, ordered=True)
    one, other = frame.iloc[0::2].reset_index(drop=True), frame.iloc[1::2].reset_index(drop=True)
    np.testing.assert_array_equal(one[["y", "x"]], other[["x", "y"]])
    np.testing.assert_allclose(one["r_squared"], other["r_squared"], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(one["beta"] * other["beta"], one["r_squared"], rtol=1e-7, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, rule=RULES, trend=TRENDS)
def test_swapping_two_columns_swaps_the_orientation(screen: Screen, seed: int, rule: str | int, trend: str) -> None:
    prices = panel(seed, n_coins=2)
    forth, back = (screen(table, lag_rule=rule, trend=trend, ordered=True) for table in (prices, prices.iloc[:, ::-1]))
    assert_same(forth, back.iloc[::-1].reset_index(drop=True), [*TESTED, "alpha", "beta", "resid_std"])


def test_pairs_do_not_depend_on_how_many_are_tested_at_once(screen: Screen) -> None:
    prices = panel(seed=1, n_bars=150, n_coins=45)
    together = screen(prices)
    assert len(together) == 990
    for rows in (slice(0, 5), slice(380, 390), slice(985, 990)):
        some = together.iloc[rows]
        again = screen(prices, pairs=list(zip(some["y"], some["x"], strict=True)))
        assert_same(some, again, TESTED)


@pytest.fixture(scope="module")
def unrelated() -> pd.DataFrame:
    """Tests of 3,000 independent pairs of independent random walks."""
    rng = np.random.default_rng(20240814)
    pairs = [(leg, leg + 1) for leg in range(0, 60, 2)]
    tests = [
        engle_granger_pairs(np.cumsum(rng.normal(size=(500, 60)), axis=0), lag_rule=1, pairs=pairs) for _ in range(100)
    ]
    return pd.concat(tests, ignore_index=True)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.10, 0.50])
def test_unrelated_walks_are_called_cointegrated_as_often_as_the_level_says(
    unrelated: pd.DataFrame, level: float
) -> None:
    rate = (unrelated["p_value"] < level).mean()
    assert rate == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / len(unrelated)))


@pytest.mark.parametrize(("critical", "size"), [(-3.43035, 0.0391), (-2.86154, 0.1469), (-2.56677, 0.2504)])
def test_critical_values_of_a_plain_adf_test_would_be_far_too_generous(
    unrelated: pd.DataFrame, critical: float, size: float
) -> None:
    """Sizes computed from MacKinnon's distribution of the residual-based statistic."""
    rate = (unrelated["t_stat"] < critical).mean()
    assert rate == pytest.approx(size, abs=4 * np.sqrt(size * (1 - size) / len(unrelated)))


def test_pairs_with_a_common_stochastic_trend_are_found() -> None:
    """Their spread is an AR(1) with coefficient 0.8, whose half-life is ln 2 / -ln 0.8 = 3.1 bars."""
    rng = np.random.default_rng(99)
    trend = np.cumsum(rng.normal(size=(1000, 40)), axis=0)
    spread = lfilter([1.0], [1.0, -0.8], rng.normal(size=trend.shape), axis=0)
    tests = engle_granger_pairs(np.hstack([trend + spread, trend]), pairs=[(leg, leg + 40) for leg in range(40)])
    assert (tests["p_value"] < 0.01).all()
    assert tests["half_life"].median() == pytest.approx(3.1, abs=0.3)
