"""The tests of one spread against the other library's, and what they say beyond their tables."""

import math

import numpy as np
import pytest
from arch.unitroot import ADF, KPSS
from statsmodels.tsa.stattools import adfuller

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import adf_test, kpss_test, phillips_perron_test

TESTS = [adf_test, phillips_perron_test, kpss_test]


def walk(seed: int, n_bars: int = 200) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=n_bars))


def noise(seed: int, n_bars: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n_bars)


@pytest.mark.parametrize("lags", [0, 3])
@pytest.mark.parametrize("series", [walk(1), noise(2)])
def test_adf_is_the_other_library_s(series: np.ndarray, lags: int) -> None:
    other, own = ADF(series, lags=lags, trend="c"), adf_test(series, lag_rule=lags)
    assert (own.statistic, own.p_value) == pytest.approx((other.stat, other.pvalue), rel=1e-6)
    assert own.critical_values == pytest.approx({level: other.critical_values[level] for level in ("1%", "5%", "10%")})
    assert own.lags == lags


def test_adf_searches_its_lags_as_asked() -> None:
    series = walk(3)
    for rule in ("aic", "bic"):
        expected = adfuller(series, autolag=rule, maxlag=6, result_object=True)
        found = adf_test(series, lag_rule=rule, max_lag=6)
        assert (found.statistic, found.lags) == (expected.statistic, expected.lags)


def test_kpss_is_the_other_library_s() -> None:
    series = walk(4) * 0.1 + noise(5)
    other, own = KPSS(series, lags=5, trend="c"), kpss_test(series, lags=5)
    assert own.statistic == pytest.approx(other.stat, rel=1e-9)
    # The tables differ: arch simulated its own.
    assert own.critical_values["5%"] == pytest.approx(other.critical_values["5%"], abs=0.01)


def test_phillips_perron_without_lags_is_dickey_fuller() -> None:
    series = walk(6)
    # Without autocovariances all that is left is the divisor of the error variance.
    factor = math.sqrt(1 - 2 / (len(series) - 1))
    assert phillips_perron_test(series, lags=0).statistic * factor == pytest.approx(
        adf_test(series, lag_rule=0).statistic, rel=0.02
    )


def test_beyond_its_table_kpss_gives_a_bound_and_no_warning() -> None:
    low, high, inside = kpss_test(walk(7, 1000)), kpss_test(noise(8)), kpss_test(walk(9) * 0.04 + noise(9))
    assert (low.p_relation, low.p_value) == ("<", 0.01)
    assert (high.p_relation, high.p_value) == (">", 0.1)
    assert inside.p_relation == "="
    assert 0.01 < inside.p_value < 0.1
    assert "p < 0.01" in str(low)


def test_walks_and_noise_are_told_apart() -> None:
    assert adf_test(noise(10)).p_value < 0.001 < 0.05 < adf_test(walk(10)).p_value
    assert phillips_perron_test(noise(10)).p_value < 0.001 < 0.05 < phillips_perron_test(walk(10)).p_value


@pytest.mark.parametrize("test", TESTS)
def test_every_test_says_what_it_is_a_test_of_and_when_not_to_believe_it(test) -> None:
    found = test(noise(11))
    assert found.null
    assert found.null != found.alternative
    assert ("stationary" in found.null) == (test is kpss_test)
    assert "hedge ratio estimated on these bars" in found.caution
    assert ("too large" in found.caution) == (test is kpss_test)
    assert found.null in str(found)
    assert "Null hypothesis" in test.__doc__


def test_an_estimated_hedge_ratio_makes_adf_cry_wolf_as_documented() -> None:
    rng = np.random.default_rng(12)
    p = []
    for _ in range(400):
        y, x = np.cumsum(rng.normal(size=(2, 100)), axis=1)
        p.append(adf_test(y - np.polyval(np.polyfit(x, y, 1), x), lag_rule=0).p_value)
    assert 0.10 < np.mean(np.array(p) < 0.05) < 0.20


def test_an_estimated_hedge_ratio_makes_kpss_refute_too_seldom_as_documented() -> None:
    rng = np.random.default_rng(13)
    p = []
    for _ in range(400):
        x = np.cumsum(rng.normal(size=100))
        y = x + rng.normal(size=100)
        p.append(kpss_test(y - np.polyval(np.polyfit(x, y, 1), x), lags=0).p_value)
    assert np.mean(np.array(p) <= 0.05) < 0.03


@pytest.mark.parametrize("test", [adf_test, phillips_perron_test])
def test_a_series_predicted_without_error_has_no_statistic_and_says_so(test) -> None:
    found = test(np.tile([1.0, -1.0], 20))
    assert math.isnan(found.statistic)
    assert math.isnan(found.p_value)
    assert "singular" in found.reason
    assert "not computed" in str(found)


def test_a_series_that_moves_once_at_the_end_has_no_statistic() -> None:
    found = phillips_perron_test(np.r_[np.zeros(30), 1.0])
    assert math.isnan(found.statistic)
    assert "variance" in found.reason


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.r_[noise(1), np.nan], "the first nan at bar 200"),
        (np.r_[-np.inf, noise(1)], "the first -inf at bar 0"),
        (np.full(30, 2.5), "constant: all 30 values are 2.5"),
        (noise(1, 8), "8 bars: at least 12"),
    ],
)
def test_bad_series_are_refused(test, series, message) -> None:
    with pytest.raises(InputError, match=message):
        test(series)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adf_test(noise(1), lag_rule="hqic"), "lag_rule must be 'aic', 'bic' or a number of lags, got 'hqic'"),
        (lambda: adf_test(noise(1), lag_rule=-1), "lag_rule must be at least 0 and less than half .* got -1"),
        (
            lambda: adf_test(noise(1), lag_rule=2, max_lag=6),
            "max_lag=6 bounds a search, but lag_rule=2 fixes the lags: drop one",
        ),
        (lambda: adf_test(noise(1, 30), lag_rule=14), "augmented Dickey-Fuller test cannot be computed from 30 bars"),
        (lambda: phillips_perron_test(noise(1), lags=500), "lags must be .* less than half of the 200 bars, got 500"),
        (lambda: kpss_test(noise(1), lags=2.5), "lags must be a whole number of lags, got 2.5"),
    ],
)
def test_bad_options_are_refused(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
