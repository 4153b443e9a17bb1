"""The half-life: its slope's exact distribution against draws, its bias taken off, and what it says at the edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import half_life
from hlpairs_core.stats._ar1 import UNIT_ROOT, fit_ar1, slope_cdf


def spreads(slope: float, n_bars: int, count: int, seed: int) -> np.ndarray:
    """Autoregressions with a stationary start (a start of 0 for random walks), shape (count, n_bars)."""
    steps = np.random.default_rng(seed).normal(size=(count, n_bars))
    steps[:, 0] *= 1.0 / math.sqrt(1.0 - slope**2) if slope < 1.0 else 0.0
    return lfilter([1.0], [1.0, -slope], steps, axis=1)


def slopes_found(table: np.ndarray) -> np.ndarray:
    lagged = table[:, :-1] - table[:, :-1].mean(axis=1, keepdims=True)
    return (lagged * table[:, 1:]).sum(axis=1) / (lagged**2).sum(axis=1)


@pytest.mark.parametrize("n_bars", [20, 120])
@pytest.mark.parametrize("slope", [-0.3, 0.5, 0.95, 1.0])
def test_the_distribution_of_the_slope_is_that_of_drawn_spreads(slope: float, n_bars: int) -> None:
    count = 20_000
    found = slopes_found(spreads(slope, n_bars, count, seed=1))
    for share in (0.025, 0.25, 0.5, 0.75, 0.975):
        probability = slope_cdf(float(np.quantile(found, share)), min(slope, UNIT_ROOT), n_bars - 1)
        assert probability == pytest.approx(share, abs=4.5 * math.sqrt(share * (1 - share) / count))


def test_the_least_squares_slope_is_that_of_a_plain_regression() -> None:
    spread = spreads(0.9, 150, 1, seed=2)[0] + 7.0
    slope, intercept = np.polyfit(spread[:-1], spread[1:], 1)
    ar1 = fit_ar1(spread)
    assert (ar1.slope, ar1.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    assert half_life(spread, method="least_squares").bars == pytest.approx(-math.log(2) / math.log(slope), rel=1e-9)


def test_kendall_takes_off_the_mean_bias_that_he_found() -> None:
    slope, n_bars = 0.9, 100
    table = spreads(slope, n_bars, 3000, seed=3)
    plain = slopes_found(table)
    kendall = np.array([half_life(spread, method="kendall").slope for spread in table])
    assert plain.mean() - slope == pytest.approx(-(1 + 3 * slope) / (n_bars - 1), abs=0.004)
    assert abs(kendall.mean() - slope) < 0.005


@pytest.mark.parametrize(("slope", "n_bars"), [(0.9, 40), (0.5, 30)])
def test_half_of_the_median_unbiased_half_lives_are_too_long(slope: float, n_bars: int) -> None:
    truth = math.log(0.5) / math.log(slope)
    found = [half_life(spread) for spread in spreads(slope, n_bars, 60, seed=4)]
    too_long = np.mean([one.bars > truth for one in found])
    covered = np.mean([one.low_bars <= truth <= one.high_bars for one in found])
    assert too_long == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(60))
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 60))


def test_a_random_walk_is_not_given_a_half_life_as_often_as_least_squares_gives_one() -> None:
    walks = spreads(1.0, 40, 60, seed=5)
    unbiased = [half_life(walk) for walk in walks]
    plain = [half_life(walk, method="least_squares") for walk in walks]
    assert np.mean([math.isfinite(one.bars) for one in plain]) > 0.85
    assert np.mean([math.isfinite(one.bars) for one in unbiased]) == pytest.approx(0.5, abs=0.26)
    assert np.mean([math.isinf(one.high_bars) for one in unbiased]) > 0.9


def test_what_grows_never_halves_and_says_so() -> None:
    found = half_life(1.05 ** np.arange(50.0))
    assert (found.bars, found.low_bars, found.high_bars) == (math.inf, math.inf, math.inf)
    assert "does not revert" in found.reason


def test_what_turns_round_at_every_bar_has_no_half_life_and_says_so() -> None:
    found = half_life(spreads(-0.8, 60, 1, seed=6)[0])
    assert math.isnan(found.bars)
    assert (found.low_bars, found.high_bars) == (0.0, 0.0)
    assert "reverts within a bar" in found.reason


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shift=st.floats(-100, 100),
    factor=st.floats(0.01, 100),
    method=st.sampled_from(["kendall", "least_squares", "median_unbiased"]),
)
def test_neither_the_unit_nor_the_level_of_a_spread_changes_its_half_life(seed, shift, factor, method) -> None:
    spread = spreads(0.8, 40, 1, seed=seed)[0]
    before, after = half_life(spread, method=method), half_life(factor * spread + shift, method=method, bar_hours=0.25)
    for name in ("slope", "low_slope", "high_slope"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-4, abs=1e-5)
    assert before.low_bars <= before.high_bars
    if math.isfinite(after.bars):
        assert after.bars > 0
        assert after.hours == 0.25 * after.bars


@pytest.mark.parametrize(
    ("spread", "options", "message"),
    [
        (np.zeros(50), {}, "spread is constant: all 50 values are 0"),
        ([0.0] * 30 + [1.0], {}, "constant at 0.0 up to its last bar"),
        ([1.0, np.nan] * 10, {}, "10 missing.* the first nan at bar 1"),
        ([1.0, np.inf] * 10, {}, "the first inf at bar 1"),
        (np.arange(5.0), {}, "5 bars: at least 10"),
        (np.ones((5, 5)), {}, r"one dimension .* shape \(5, 5\)"),
        (["a"] * 20, {}, "spread must be numbers"),
        (np.arange(20.0) ** 2, {"method": "exact"}, "method must be one of .* got 'exact'"),
        (np.arange(20.0) ** 2, {"bar_hours": 0.0}, "bar_hours must be positive and finite, got 0.0"),
        (np.arange(20.0) ** 2, {"bar_hours": math.inf}, "bar_hours must be positive and finite, got inf"),
        (np.arange(20.0) ** 2, {"level": 1.0}, "level must be between 0 and 1, got 1.0"),
    ],
)
def test_what_cannot_be_worked_with_is_refused_by_name_and_value(spread, options, message) -> None:
    with pytest.raises(InputError, match=message):
        half_life(spread, **options)
