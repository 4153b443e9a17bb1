"""The maximum-likelihood fit against a numerical maximiser, its intervals against profiles, and draws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2, norm

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import OrnsteinUhlenbeck, fit_ornstein_uhlenbeck

PROCESS = OrnsteinUhlenbeck(mu=0.3, theta_per_hour=0.12, sigma_per_sqrt_hour=0.02)


def draw(seed: int, n_bars: int = 300, bar_hours: float = 0.5) -> np.ndarray:
    return PROCESS.draw(n_bars, rng=np.random.default_rng(seed), bar_hours=bar_hours)


def log_likelihood(parameters: tuple[float, float, float], path: np.ndarray, bar_hours: float) -> float:
    """Of the transitions, as a textbook writes it."""
    mu, theta, sigma = parameters
    mean = mu + (path[:-1] - mu) * math.exp(-theta * bar_hours)
    variance = sigma**2 * (1 - math.exp(-2 * theta * bar_hours)) / (2 * theta)
    return float(norm.logpdf(path[1:], mean, math.sqrt(variance)).sum())


def test_no_numerical_search_finds_more_likely_parameters() -> None:
    path = draw(1)
    fit = fit_ornstein_uhlenbeck(path, bar_hours=0.5)

    def loss(logs: np.ndarray) -> float:
        return -log_likelihood((logs[0], math.exp(logs[1]), math.exp(logs[2])), path, 0.5)

    best = minimize(loss, [0.2, math.log(0.3), math.log(0.05)], method="Nelder-Mead", options={"maxiter": 4000})
    expected = (best.x[0], math.exp(best.x[1]), math.exp(best.x[2]))
    assert (fit.mu, fit.theta_per_hour, fit.sigma_per_sqrt_hour) == pytest.approx(expected, rel=1e-3)
    own = log_likelihood((fit.mu, fit.theta_per_hour, fit.sigma_per_sqrt_hour), path, 0.5)
    assert own == pytest.approx(fit.log_likelihood, rel=1e-9)
    assert own >= -best.fun - 1e-9


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("name", ["theta", "mu"])
def test_the_likelihood_at_an_end_of_an_interval_is_what_the_level_allows(name: str, end: int) -> None:
    path = draw(2)
    fit = fit_ornstein_uhlenbeck(path, bar_hours=0.5, level=0.9)
    fixed = {"theta": fit.theta_interval_per_hour, "mu": fit.mu_interval}[name][end]

    def loss(rest: np.ndarray) -> float:
        pair = (rest[0], fixed) if name == "theta" else (fixed, math.exp(rest[0]))
        return -log_likelihood((*pair, math.exp(rest[1])), path, 0.5)

    start = [fit.mu if name == "theta" else math.log(fit.theta_per_hour), math.log(fit.sigma_per_sqrt_hour)]
    profile = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert 2 * (fit.log_likelihood + profile.fun) == pytest.approx(chi2.ppf(0.9, 1), abs=1e-4)


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng, count = np.random.default_rng(3), 400
    held = np.zeros(3)
    for _ in range(count):
        fit = fit_ornstein_uhlenbeck(PROCESS.draw(800, rng=rng))
        intervals = (fit.mu_interval, fit.theta_interval_per_hour, fit.sigma_interval_per_sqrt_hour)
        truth = (PROCESS.mu, PROCESS.theta_per_hour, PROCESS.sigma_per_sqrt_hour)
        held += [low <= value <= high for value, (low, high) in zip(truth, intervals, strict=True)]
    assert held / count == pytest.approx(0.95, abs=0.035)


def test_the_speed_comes_out_too_fast_by_four_over_the_time_seen() -> None:
    rng, hours = np.random.default_rng(4), 400
    found = [fit_ornstein_uhlenbeck(PROCESS.draw(hours, rng=rng)).theta_per_hour for _ in range(2000)]
    assert np.mean(found) - PROCESS.theta_per_hour == pytest.approx(4 / hours, rel=0.35)


def test_a_random_walk_may_never_revert_to_any_level() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=200))
    fit = fit_ornstein_uhlenbeck(walk)
    assert fit.theta_interval_per_hour[0] == 0.0
    assert fit.half_life_interval_hours[1] == math.inf
    assert fit.mu_interval == (-math.inf, math.inf)


def test_what_grows_has_no_process_and_an_endless_half_life() -> None:
    fit = fit_ornstein_uhlenbeck(1.05 ** np.arange(60.0) + 1e-3 * np.random.default_rng(6).normal(size=60))
    assert fit.process is None
    assert (fit.theta_per_hour, fit.half_life_hours) == (0.0, math.inf)
    assert fit.half_life_interval_hours == (math.inf, math.inf)
    assert math.isnan(fit.mu)
    assert "does not revert" in fit.reason


def test_what_reverts_within_a_bar_has_no_process_and_no_half_life() -> None:
    fit = fit_ornstein_uhlenbeck(np.tile([1.0, -1.0], 20) + 0.1 * np.random.default_rng(7).normal(size=40))
    assert fit.process is None
    assert math.isnan(fit.half_life_hours)
    assert fit.half_life_interval_hours == (0.0, 0.0)
    assert "reverts within a bar" in fit.reason


def test_what_decays_without_noise_has_no_process() -> None:
    fit = fit_ornstein_uhlenbeck(0.9 ** np.arange(40.0))
    assert fit.process is None
    assert "no noise: every bar is 0.9000 times" in fit.reason


def test_draws_have_the_moments_of_the_process_whatever_the_bar() -> None:
    for bar_hours in (0.1, 5.0):
        path = draw(8, n_bars=200_000, bar_hours=bar_hours)
        decay = np.corrcoef(path[:-1], path[1:])[0, 1]
        assert path.std() == pytest.approx(PROCESS.stationary_std, rel=0.05)
        assert decay == pytest.approx(math.exp(-0.12 * bar_hours), abs=0.005)
    assert PROCESS.draw(3, rng=np.random.default_rng(0), start=5.0)[0] == pytest.approx(5.0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_a_factor_scales_mu_and_sigma_and_a_shift_moves_mu_alone(seed: int, factor: float, shift: float) -> None:
    path = draw(seed, n_bars=80) - 0.3
    before, after = fit_ornstein_uhlenbeck(path), fit_ornstein_uhlenbeck(factor * path + shift)
    assert after.theta_per_hour == pytest.approx(before.theta_per_hour, rel=1e-6)
    assert after.half_life_interval_hours == pytest.approx(before.half_life_interval_hours, rel=1e-5)
    assert after.sigma_per_sqrt_hour == pytest.approx(factor * before.sigma_per_sqrt_hour, rel=1e-6)
    assert after.mu - shift == pytest.approx(factor * before.mu, rel=1e-5, abs=1e-6 * factor + 1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bar_hours=st.floats(0.01, 100))
def test_the_length_of_a_bar_scales_the_clock(seed: int, bar_hours: float) -> None:
    path = draw(seed, n_bars=80)
    before, after = fit_ornstein_uhlenbeck(path), fit_ornstein_uhlenbeck(path, bar_hours=bar_hours)
    assert after.theta_per_hour * bar_hours == pytest.approx(before.theta_per_hour, rel=1e-9)
    assert after.sigma_per_sqrt_hour * math.sqrt(bar_hours) == pytest.approx(before.sigma_per_sqrt_hour, rel=1e-9)
    assert after.mu == before.mu


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((math.nan, 1.0, 1.0), "mu must be finite, got nan"),
        ((0.0, 0.0, 1.0), "theta_per_hour must be positive and finite, got 0.0"),
        ((0.0, 1.0, -2.0), "sigma_per_sqrt_hour must be positive and finite, got -2.0"),
    ],
)
def test_a_process_needs_a_level_a_speed_and_a_volatility(parameters, message) -> None:
    with pytest.raises(InputError, match=message):
        OrnsteinUhlenbeck(*parameters)


def test_a_bar_of_no_length_is_refused() -> None:
    with pytest.raises(InputError, match=r"bar_hours must be positive and finite, got -1.0"):
        fit_ornstein_uhlenbeck(draw(9), bar_hours=-1.0)
