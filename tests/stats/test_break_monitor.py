"""When a pair has left its relation: never seen ahead, rarely cried, found when it is there."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from statsmodels.regression.recursive_ls import RecursiveLS

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import BreakMonitor, break_monitor
from hlpairs_core.stats._monitoring import monitoring_bound, recursive_deviations, recursive_residuals

PATHS = ["cusum", "variance_cusum", "boundary", "rolling_beta", "rolling_beta_low", "rolling_beta_high"]


def pair(seed: int, n_bars: int, *, slope: float = 0.8, tails: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.cumsum(0.01 * rng.standard_t(tails, size=n_bars))
    spread = lfilter([1.0], [1.0, -slope], 0.005 * rng.standard_t(tails, size=n_bars + 200))[200:]
    return 1.0 + 0.7 * x + spread, x


def alarms(found: BreakMonitor) -> list[int]:
    return [bar for bar in (found.cusum_alarm, found.variance_alarm, found.beta_alarm) if bar is not None]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(82, 299), size=st.floats(-5.0, 5.0))
def test_what_comes_later_changes_nothing_that_was_said(seed: int, cut: int, size: float) -> None:
    y, x = pair(seed, 300)
    y[150:] += 0.02
    later = np.arange(300) >= cut
    changed = break_monitor(np.where(later, y * 2 + size, y), np.where(later, x - size, x), fit_bars=80)
    whole, cut_off = break_monitor(y, x, fit_bars=80), break_monitor(y[:cut], x[:cut], fit_bars=80)
    for name in PATHS:
        np.testing.assert_array_equal(getattr(changed, name)[:cut], getattr(whole, name)[:cut])
        np.testing.assert_array_equal(getattr(cut_off, name), getattr(whole, name)[:cut])
    for name in ("cusum_alarm", "variance_alarm", "beta_alarm", "first_alarm"):
        before = getattr(whole, name) if (getattr(whole, name) or cut) < cut else None
        assert getattr(cut_off, name) == before
        assert (getattr(changed, name) == before) or (before is None and getattr(changed, name) >= cut)


@pytest.mark.parametrize("slope", [0.0, 0.8, 0.95])
def test_a_pair_that_keeps_its_relation_is_rarely_suspected(slope: float) -> None:
    cries = [break_monitor(*pair(seed, 900, slope=slope), fit_bars=300).first_alarm for seed in range(150)]
    assert sum(cry is not None for cry in cries) <= 15


def test_fat_tails_are_no_break() -> None:
    cries = [break_monitor(*pair(seed, 900, tails=4), fit_bars=300).first_alarm for seed in range(150)]
    assert sum(cry is not None for cry in cries) <= 16


def test_a_moved_level_a_new_volatility_and_a_new_hedge_ratio_are_found() -> None:
    y, x = pair(1, 900)
    spread = y - 1.0 - 0.7 * x
    after = np.arange(900) >= 500
    moved = break_monitor(y + 0.15 * after, x, fit_bars=300)
    shaken = break_monitor(1.0 + 0.7 * x + spread * np.where(after, 3.0, 1.0), x, fit_bars=300)
    turned = break_monitor(y + 0.5 * after * (x - x[500]), x, fit_bars=300)
    assert 500 <= moved.cusum_alarm < 800
    assert 500 <= shaken.variance_alarm < 560
    assert 500 <= turned.beta_alarm < 700
    for found in (moved, shaken, turned):
        assert found.first_alarm == min(alarms(found))
        assert found.first_cause in ("level", "variance", "beta")
    assert not np.isin(turned.rolling_beta[turned.beta_alarm], [turned.beta])


def test_a_spread_that_stops_reverting_is_found() -> None:
    found = []
    for seed in range(20):
        y, x = pair(seed, 1500, slope=0.5)
        wander = np.cumsum(
            np.where(np.arange(1500) >= 400, 0.005, 0.0) * np.random.default_rng(seed + 99).normal(size=1500)
        )
        found.append(break_monitor(y + wander, x, fit_bars=300).first_alarm)
    assert np.mean([bar is not None and bar >= 400 for bar in found]) >= 0.8


def test_the_errors_are_the_recursive_residuals_of_statsmodels() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=60)
    y = 0.5 + 2.0 * x + rng.normal(size=60)
    expected = RecursiveLS(y, np.column_stack([np.ones(60), x])).fit()
    residuals = expected.resid_recursive[20:]
    own = recursive_residuals(y, x, 20)
    np.testing.assert_allclose(own / own.std(), residuals / residuals.std(), rtol=1e-6)
    first = recursive_deviations(y, 10)[0]
    assert first == pytest.approx((y[10] - y[:10].mean()) / math.sqrt(1.1))


def test_drawn_wiener_processes_cross_the_boundary_as_seldom_as_it_says() -> None:
    rng, per_fit = np.random.default_rng(3), 200
    paths = np.cumsum(rng.normal(size=(600, 40 * per_fit)), axis=1) / math.sqrt(per_fit)
    passed = 1 + np.arange(1, 40 * per_fit + 1) / per_fit
    crossed = (np.abs(paths) > np.sqrt(passed * (monitoring_bound(0.2) ** 2 + np.log(passed)))).any(axis=1)
    # Forty windows are not for ever, and a path looked at now and then misses crossings.
    assert 0.1 < crossed.mean() < 0.2


def test_nothing_is_said_of_the_fit_window() -> None:
    found = break_monitor(*pair(4, 200), fit_bars=100, rolling_bars=40)
    for name in PATHS:
        assert np.isnan(getattr(found, name)[:100]).all()
    assert np.isfinite(found.cusum[100:]).all()
    assert np.isnan(found.rolling_beta[:139]).all()
    assert np.isfinite(found.rolling_beta[139:]).all()
    assert found.beta_low < 0.7 < found.beta_high


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.01, 100.0), shift=st.floats(-20.0, 20.0))
def test_the_unit_of_a_price_changes_no_alarm(seed: int, factor: float, shift: float) -> None:
    y, x = pair(seed, 200)
    before, after = break_monitor(y, x, fit_bars=100), break_monitor(factor * y + shift, x, fit_bars=100)
    np.testing.assert_allclose(after.cusum, before.cusum, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after.variance_cusum, before.variance_cusum, rtol=1e-5, atol=1e-6)
    assert after.beta == pytest.approx(factor * before.beta, rel=1e-6)


def test_a_spread_that_does_not_revert_in_the_fit_window_is_said() -> None:
    walks = np.cumsum(np.random.default_rng(5).normal(size=(2, 200)), axis=1)
    found = break_monitor(*walks, fit_bars=40)
    assert found.reversion_slope == 1.0
    assert "in the fit window the spread does not revert (slope 1.28" in found.reason
    assert np.isfinite(found.cusum[40:]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, x: break_monitor(y, x[:-1], fit_bars=100), "y has 200 bars and x has 199"),
        (lambda y, x: break_monitor(y, x, fit_bars=200), "fit_bars must be from 40 to 199 of 200 bars, got 200"),
        (lambda y, x: break_monitor(y, x, fit_bars=10), "fit_bars must be from 40 .* got 10"),
        (lambda y, x: break_monitor(y, x, fit_bars=100, rolling_bars=5), "rolling_bars must be at least 20, got 5"),
        (
            lambda y, x: break_monitor(y, x, fit_bars=100, false_alarm_rate=0.0),
            "false_alarm_rate must be between 0 and",
        ),
        (lambda y, x: break_monitor(np.where(y == y[7], np.nan, y), x, fit_bars=100), "y has 1 missing.* nan at bar 7"),
        (lambda y, x: break_monitor(y, np.maximum(x, x[:150].max()), fit_bars=100), "the fit window of x is constant"),
        (lambda y, x: break_monitor(2 * x, x, fit_bars=100), "collinear in the fit window"),
        (lambda y, x: break_monitor(2 * x + np.arange(200.0), x, fit_bars=100), "predicted without error"),
    ],
)
def test_what_cannot_be_worked_with_is_refused_by_name_and_value(call, message) -> None:
    y, x = pair(6, 200)
    with pytest.raises(InputError, match=message):
        call(y, x)
