"""Variance ratios, Hurst exponents and crossings of spreads, against arch and plain loops."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest
from arch.unitroot import VarianceRatio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import reversion_pairs

Describe = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def describe(accelerate: bool) -> Describe:
    """`reversion_pairs`, on NumPy and on Numba."""
    return partial(reversion_pairs, accelerate=accelerate)


def prices(n_bars: int = 150, coins: str = "ABCD", seed: int = 4) -> pd.DataFrame:
    steps = np.random.default_rng(seed).standard_t(4, size=(n_bars, len(coins)))
    return pd.DataFrame(10.0 + 0.01 * np.cumsum(steps, axis=0), columns=list(coins))


def plain_residual(y: pd.Series, x: pd.Series) -> np.ndarray:
    slope, intercept = np.polyfit(x, y, 1)
    return (y - intercept - slope * x).to_numpy()


def spreads(table: pd.DataFrame, frame: pd.DataFrame) -> list[np.ndarray]:
    return [plain_residual(table[y], table[x]) for y, x in zip(frame["y"], frame["x"], strict=True)]


@pytest.mark.parametrize("n_bars", [20, 150, 671])
def test_variance_ratios_are_those_of_arch(describe: Describe, n_bars: int) -> None:
    table = prices(n_bars)
    frame = describe(table, q=(2, 5, 16))
    for q in (2, 5, 16):
        expected = [VarianceRatio(spread, lags=q).vr for spread in spreads(table, frame)]
        np.testing.assert_allclose(frame[f"variance_ratio_{q}"], expected, rtol=1e-9)


@pytest.mark.parametrize("n_bars", [20, 150, 671])
def test_crossings_are_those_of_a_plain_loop(describe: Describe, n_bars: int) -> None:
    table = prices(n_bars)
    frame = describe(table)
    expected = [int((spread[1:] * spread[:-1] < 0).sum()) for spread in spreads(table, frame)]
    assert frame["crossings"].tolist() == expected
    assert len(set(expected)) > 1


def test_the_hurst_exponent_is_the_slope_of_a_plain_regression(describe: Describe) -> None:
    table, spans = prices(), [1, 3, 7, 20]
    frame = describe(table, q=spans[1:])
    for spread, hurst in zip(spreads(table, frame), frame["hurst"], strict=True):
        sizes = [np.sqrt(np.mean((spread[span:] - spread[:-span]) ** 2)) for span in spans]
        assert hurst == pytest.approx(np.polyfit(np.log(spans), np.log(sizes), 1)[0], rel=1e-9)


def test_many_pairs_are_counted_alike_however_they_fall_into_steps(describe: Describe) -> None:
    steps = np.random.default_rng(1).normal(size=(900, 40))
    table = pd.DataFrame(np.cumsum(steps, axis=0))
    together = describe(table)
    assert len(together) == 780
    for row in (0, 54, 55, 56, 779):
        some = together.iloc[[row]].reset_index(drop=True)
        alone = describe(table, pairs=[(some["y"][0], some["x"][0])])
        pd.testing.assert_frame_equal(some, alone, rtol=1e-9)


def test_a_spread_that_hops_from_side_to_side_crosses_at_every_bar(describe: Describe) -> None:
    x = np.sin(np.arange(100))
    hops = np.tile([1.0, -1.0], 50)
    frame = describe(np.column_stack([0.5 * x + 100.0 * hops, x]), q=[2])
    assert frame["crossings"].tolist() == [99]
    assert frame["variance_ratio_2"][0] == pytest.approx(0.0, abs=1e-3)
    assert frame["hurst"][0] < -0.5


def test_a_walk_has_a_ratio_of_one_and_a_reverting_spread_the_one_of_its_autocorrelation(describe: Describe) -> None:
    """A move over q bars of an AR(1) with coefficient a has the variance 2 (1 - a ** q) / (1 - a ** 2)."""
    rng = np.random.default_rng(11)
    x = np.cumsum(rng.normal(size=(20_000, 1)), axis=0)
    noise = rng.normal(size=len(x))
    walk, reverting = np.cumsum(noise), lfilter([1.0], [1.0, -0.8], noise)
    frame = describe(np.column_stack([walk, reverting, 1000 * x]), q=[2, 8], pairs=[(0, 2), (1, 2)])
    np.testing.assert_allclose(frame.loc[0, ["variance_ratio_2", "variance_ratio_8"]].astype(float), 1.0, atol=0.08)
    assert frame["hurst"][0] == pytest.approx(0.5, abs=0.03)
    for q in (2, 8):
        expected = (1 - 0.8**q) / (q * (1 - 0.8))
        assert frame[f"variance_ratio_{q}"][1] == pytest.approx(expected, rel=0.05)
    assert frame["hurst"][1] < 0.35


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-20, 20), factor=st.floats(0.01, 100))
def test_units_and_the_order_of_columns_change_nothing(seed: int, shift: float, factor: float) -> None:
    table = prices(80, "AB", seed)
    moved = pd.DataFrame({"B": table["B"] * factor, "C": 1.0, "A": table["A"] + shift})
    before, after = (reversion_pairs(one, pairs=[("A", "B")]) for one in (table, moved))
    pd.testing.assert_frame_equal(before, after, rtol=1e-7)


def test_a_series_that_says_nothing_leaves_nan_and_a_reason_and_spoils_no_other_pair(describe: Describe) -> None:
    table = prices().assign(B=7.0)
    table.loc[3, "C"] = np.nan
    frame = describe(table)
    told = frame.set_index(["y", "x"])["reason"]
    assert told["A", "B"] == "B is constant over 150 bars"
    assert told["A", "C"] == "C has 1 missing of 150 values, the first at 3"
    assert told["A", "D"] == ""
    numbers = ["crossings", "hurst", "variance_ratio_2", "variance_ratio_16"]
    assert frame.loc[frame["reason"] != "", numbers].isna().all(axis=None)
    alone = describe(table[["A", "D"]])
    pd.testing.assert_frame_equal(frame[frame["reason"] == ""].reset_index(drop=True), alone, rtol=1e-9)


def test_series_that_were_listed_at_different_times_are_described_on_their_common_bars(describe: Describe) -> None:
    table = prices()
    table.loc[:49, "C"] = np.nan
    table.loc[120:, "B"] = np.nan
    table.loc[:132, "D"] = np.nan
    frame = describe(table).set_index(["y", "x"])
    for y, x, rows in [("A", "B", slice(0, 119)), ("B", "C", slice(50, 119)), ("A", "C", slice(50, 149))]:
        alone = describe(table.loc[rows, [y, x]].reset_index(drop=True)).iloc[0, 2:]
        pd.testing.assert_series_equal(frame.loc[(y, x)], alone, rtol=1e-9, check_names=False)
    assert frame.loc[("A", "D"), "reason"] == "A and D have 17 bars in common: the longest q needs 18"
    assert frame["n_obs"].tolist() == [120, 100, 17, 70, 0, 17]


def test_no_pair_that_can_be_judged_still_gives_a_table(describe: Describe) -> None:
    frame = describe(pd.DataFrame({"A": [1.0] * 30, "B": [2.0] * 30}))
    assert frame["reason"].tolist() == ["A is constant over 30 bars; B is constant over 30 bars"]
    assert frame["crossings"].isna().all()


def test_one_asset_twice_has_no_spread_to_describe(describe: Describe) -> None:
    table = prices(coins="A")
    frame = describe(table.assign(B=2.0 * table["A"]))
    assert frame["reason"].tolist() == ["the series are collinear: one asset twice"]
    assert frame[["crossings", "hurst", "variance_ratio_2"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("q", "words"),
    [
        ([], "one or more different numbers"),
        ([2, 2], "different numbers of bars, got \\[2, 2\\]"),
        ([1], "from 2 to 148"),
        ([149], "from 2 to 148, two less than the 150 bars, got \\[149\\]"),
        ([2.5], "whole numbers of bars, got \\[2.5\\]"),
        (4, "whole numbers of bars, got 4"),
    ],
)
def test_a_span_that_does_not_fit_is_refused(q: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        reversion_pairs(prices(), q=q)
