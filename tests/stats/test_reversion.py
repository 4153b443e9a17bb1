"""Hurst exponent, variance ratio, crossings and all measures of reversion in one."""

import dataclasses
import math

import numpy as np
import pytest
from arch.data import crude
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import (
    OrnsteinUhlenbeck,
    half_life,
    hurst_exponent,
    reversion,
    variance_ratio,
    zero_crossings,
)


def walk(seed: int, n_bars: int = 500) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=n_bars))


def reverting(seed: int, n_bars: int = 500, theta: float = 0.2) -> np.ndarray:
    process = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=theta, sigma_per_sqrt_hour=1.0)
    return process.draw(n_bars, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("method", ["structure", "dfa"])
def test_a_random_walk_has_a_hurst_exponent_of_a_half_on_average(method: str) -> None:
    found = [hurst_exponent(walk(seed), method=method) for seed in range(100)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.025)


@pytest.mark.parametrize("method", ["structure", "dfa"])
def test_fractional_brownian_motion_has_the_exponent_it_was_made_with(method: str) -> None:
    """Drawn from its exact covariance ``(s**2H + t**2H - |t - s|**2H) / 2``."""
    exponent, time = 0.3, np.arange(1.0, 401.0)
    power = time ** (2 * exponent)
    covariance = 0.5 * (power[:, None] + power - np.abs(time[:, None] - time) ** (2 * exponent))
    draws = np.linalg.cholesky(covariance) @ np.random.default_rng(1).normal(size=(400, 60))
    found = [hurst_exponent(path, method=method) for path in draws.T]
    assert np.mean(found) == pytest.approx(exponent, abs=0.04)


def test_a_spread_seen_for_much_longer_than_its_half_life_has_an_exponent_near_zero() -> None:
    found = hurst_exponent(reverting(2, n_bars=4000, theta=1.0), shortest_bars=10, longest_bars=400)
    assert found == pytest.approx(0.0, abs=0.05)


def test_the_structure_function_is_that_of_a_straight_line() -> None:
    assert hurst_exponent(3.0 * np.arange(100.0)) == pytest.approx(1.0)


def test_a_spread_that_comes_back_to_the_same_values_has_no_exponent() -> None:
    assert math.isnan(hurst_exponent(np.tile([0.0, 1.0, 0.0, -1.0], 25)))


@pytest.mark.parametrize(("horizon", "expected"), [(2, 1.2638950858204874), (5, 1.4214775641309743), (12, 1.1628206)])
def test_the_variance_ratio_of_brent_is_the_published_one(horizon: int, expected: float) -> None:
    """Monthly log prices shipped with arch; expected values from arch 8.0."""
    found = variance_ratio(np.log(crude.load())["Brent"], horizon_bars=horizon)
    assert found.ratio == pytest.approx(expected, rel=1e-6)
    assert found.horizon_bars == horizon


def test_the_variance_ratio_of_an_autoregression_is_its_formula() -> None:
    slope = math.exp(-0.2)
    found = variance_ratio(reverting(3, n_bars=100_000), horizon_bars=10)
    assert found.ratio == pytest.approx((1 - slope**10) / (10 * (1 - slope)), rel=0.02)
    assert found.test.statistic < found.test.critical_values["1%"] * -1
    assert found.test.p_value < 1e-6
    assert "random walk" in found.test.null


def test_random_walks_are_refused_as_often_as_the_variance_ratio_says() -> None:
    p = np.array([variance_ratio(walk(seed)).test.p_value for seed in range(300)])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.045)


def test_a_straight_line_has_no_variance_ratio_and_says_so() -> None:
    found = variance_ratio(np.arange(40.0))
    assert math.isnan(found.ratio)
    assert math.isnan(found.test.p_value)
    assert "singular" in found.test.reason


def test_crossings_are_counted_by_hand() -> None:
    found = zero_crossings([1.0, -1.0, 0.0, -1.0, 2.0, 0.0, 3.0, -5.0], level=0.0, bar_hours=0.5)
    assert (found.count, found.level) == (3, 0.0)
    assert (found.mean_bars_between, found.mean_hours_between) == pytest.approx((7 / 3, 7 / 6))
    assert zero_crossings([1.0, 2.0], level=0.0).mean_bars_between == math.inf


def test_an_autoregression_crosses_its_mean_as_often_as_rice_says() -> None:
    """Neighbours of a Gaussian series with correlation b have opposite signs with probability arccos(b) / pi."""
    found = zero_crossings(reverting(4, n_bars=100_000))
    assert found.mean_bars_between == pytest.approx(math.pi / math.acos(math.exp(-0.2)), rel=0.03)


def test_all_measures_are_those_of_their_own_functions() -> None:
    spread = reverting(5, n_bars=200)
    found = reversion(spread, bar_hours=0.25, horizon_bars=5)
    assert found.half_life == half_life(spread, bar_hours=0.25)
    assert found.hurst_dfa == hurst_exponent(spread, method="dfa")
    assert found.variance_ratio == variance_ratio(spread, horizon_bars=5)
    assert found.zero_crossings == zero_crossings(spread, bar_hours=0.25)
    assert found.ornstein_uhlenbeck.half_life_hours == pytest.approx(
        0.25 * half_life(spread, method="least_squares").bars
    )
    assert found.reverts
    assert not reversion(walk(6, n_bars=100)).reverts


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_no_measure_of_shape_depends_on_the_unit_or_the_level(seed: int, factor: float, shift: float) -> None:
    spread = reverting(seed, n_bars=60)
    one, other = (reversion(series, half_life_method="kendall") for series in (spread, factor * spread + shift))
    for name in ("hurst_structure", "hurst_dfa"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-6)
    assert other.variance_ratio.ratio == pytest.approx(one.variance_ratio.ratio, rel=1e-6)
    assert other.zero_crossings.count == one.zero_crossings.count


def test_a_result_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        reversion(reverting(7, n_bars=40), half_life_method="kendall").n_bars = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reversion(np.arange(10.0)), "10 bars: at least 40"),
        (lambda: hurst_exponent(walk(1), method="rs"), "method must be 'structure' or 'dfa', got 'rs'"),
        (lambda: hurst_exponent(walk(1), shortest_bars=10, longest_bars=11), "from 10 to 11 bars do not suit 500"),
        (lambda: hurst_exponent(walk(1), longest_bars=400), "from 1 to 400 bars do not suit 500"),
        (lambda: variance_ratio(walk(1), horizon_bars=1), "horizon_bars must be .* at least 2 bars, got 1"),
        (lambda: variance_ratio(walk(1, 30), horizon_bars=20), "30 bars: at least 40"),
        (lambda: zero_crossings(walk(1), level=math.nan), "level must be finite, got nan"),
        (lambda: zero_crossings([2.0, 2.0, 2.0]), "constant: all 3 values are 2.0"),
        (lambda: reversion(walk(1), bar_hours=-1.0), "bar_hours must be positive and finite, got -1.0"),
    ],
)
def test_what_cannot_be_worked_with_is_refused_by_name_and_value(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
