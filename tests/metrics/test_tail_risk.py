import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics import MeanAndTail, mean_and_tail, tail_risk

OUTCOMES = arrays(np.float64, st.integers(4, 80), elements=st.floats(-1e4, 1e4).map(lambda value: round(value, 3)))


def test_the_worst_five_of_a_hundred_are_averaged() -> None:
    values = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    found = tail_risk(values)
    assert found.value_at_risk == 5.0
    assert found.expected_shortfall == 3.0


def test_a_bar_on_the_edge_of_the_tail_counts_in_part() -> None:
    """5 % of 30 are one and a half bars: ``(1 + 2 / 2) / 1.5``."""
    found = tail_risk(np.arange(1.0, 31.0))
    assert found.value_at_risk == 2.0
    assert found.expected_shortfall == pytest.approx(2.0 / 1.5)


def test_fewer_than_twenty_outcomes_have_their_single_worst_as_tail() -> None:
    assert mean_and_tail([3.0, -7.0, 1.0]).worst_mean == -7.0


def test_the_tail_of_many_normal_bars_is_the_normal_tail() -> None:
    values = np.random.default_rng(2).normal(0.3, 2.0, size=400_000)
    z = stats.norm.ppf(0.05)
    shortfall = 0.3 - 2.0 * stats.norm.pdf(z) / 0.05
    for method in ("historical", "cornish_fisher"):
        found = tail_risk(values, method=method)
        assert found.value_at_risk == pytest.approx(0.3 + 2.0 * z, abs=0.02)
        assert found.expected_shortfall == pytest.approx(shortfall, abs=0.03)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1])
def test_cornish_fisher_s_shortfall_is_the_mean_of_its_quantiles(level: float) -> None:
    """Integrated numerically over the tail, with the moments of scipy."""
    values = np.random.default_rng(8).gamma(8.0, size=4_000)
    s, k = stats.skew(values), stats.kurtosis(values)

    def quantile(p: float) -> float:
        z = stats.norm.ppf(p)
        shape = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
        return values.mean() + values.std(ddof=1) * shape

    found = tail_risk(values, method="cornish_fisher", level=level)
    assert found.value_at_risk == pytest.approx(quantile(level), rel=1e-12)
    mean, _ = integrate.quad(quantile, 1e-300, level, limit=500)
    assert found.expected_shortfall == pytest.approx(mean / level, rel=1e-6)
    # A gamma distribution is skewed, and the expansion follows it where the normal tail does not.
    exact = stats.gamma(8.0).ppf(level)
    assert abs(found.value_at_risk - exact) < 0.3 * abs(8.0 + math.sqrt(8.0) * stats.norm.ppf(level) - exact)


def test_cornish_fisher_says_where_it_cannot_be_used() -> None:
    found = tail_risk(np.r_[np.zeros(300), 50.0], method="cornish_fisher")
    assert math.isnan(found.value_at_risk)
    assert math.isnan(found.expected_shortfall)
    # One in 301: (1 - 2 p) / sqrt(p q) and 1 / (p q) - 6.
    assert "skewness 17.26 and excess kurtosis 296.00" in found.reason


def test_the_filtered_tail_is_that_of_arch_s_residuals_at_its_forecast() -> None:
    from arch import arch_model

    values = garch_path(np.random.default_rng(5), 2_000, last=4.0)
    fit = arch_model(values, mean="Constant", vol="GARCH", rescale=False).fit(disp="off")
    forecast = fit.forecast(horizon=1)
    tail = np.sort(fit.std_resid)[:100]
    sd, mean = math.sqrt(forecast.variance.iloc[-1, 0]), fit.params["mu"]
    found = tail_risk(values, method="garch")
    assert found.value_at_risk == pytest.approx(mean + sd * tail[-1], rel=1e-3)
    assert found.expected_shortfall == pytest.approx(mean + sd * tail.mean(), rel=1e-3)


def test_the_filtered_tail_widens_after_a_shock_and_the_historical_one_hardly() -> None:
    calm = garch_path(np.random.default_rng(5), 2_000, last=0.2)
    shaken = garch_path(np.random.default_rng(5), 2_000, last=12.0)
    ratios = {
        method: tail_risk(shaken, method=method).value_at_risk / tail_risk(calm, method=method).value_at_risk
        for method in ("historical", "garch")
    }
    assert ratios["historical"] == pytest.approx(1.0, abs=0.03)
    assert ratios["garch"] > 2.0


def garch_path(rng: np.random.Generator, n_bars: int, *, last: float) -> np.ndarray:
    """Bars of a GARCH(1, 1), the last one a shock of a chosen size."""
    shocks = rng.standard_normal(n_bars)
    values, variance = np.empty(n_bars), 1.0
    for bar in range(n_bars):
        values[bar] = math.sqrt(variance) * shocks[bar]
        variance = 0.05 + 0.15 * values[bar] ** 2 + 0.8 * variance
    values[-1] = -last
    return values


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.arange(100.0), "needs 250 bars, there are 100"),
        (np.zeros(300), "all returns are the same"),
        (np.r_[np.zeros(400), np.arange(1.0, 200.0)], "400 of 599 bars are flat"),
    ],
)
def test_the_filtered_tail_says_why_there_is_none(values, said: str) -> None:
    found = tail_risk(values, method="garch")
    assert math.isnan(found.expected_shortfall)
    assert said in found.reason


@given(values=OUTCOMES, level=st.floats(0.001, 0.499), scale=st.floats(1e-2, 1e2), shift=st.floats(-1e3, 1e3))
def test_tails_follow_the_unit_and_the_level_of_the_returns(values, level, scale, shift) -> None:
    found, moved = tail_risk(values, level=level), tail_risk(values * scale + shift, level=level)
    assert moved.value_at_risk == pytest.approx(found.value_at_risk * scale + shift, rel=1e-9, abs=1e-6)
    assert moved.expected_shortfall == pytest.approx(found.expected_shortfall * scale + shift, rel=1e-9, abs=1e-6)


@given(values=OUTCOMES, level=st.floats(0.001, 0.499))
def test_the_shortfall_is_between_the_worst_bar_and_the_value_at_risk(values, level: float) -> None:
    found = tail_risk(values, level=level)
    assert values.min() - 1e-9 <= found.expected_shortfall <= found.value_at_risk <= np.quantile(values, 0.5) + 1e-9


@given(values=OUTCOMES, n_flat=st.integers(1, 50))
def test_flat_bars_never_deepen_a_tail_of_losses(values, n_flat: int) -> None:
    before, after = mean_and_tail(values), mean_and_tail(np.concatenate([values, np.zeros(n_flat)]))
    assert after.worst_mean >= min(before.worst_mean, 0.0) - 1e-9


@given(values=OUTCOMES)
def test_a_mean_is_never_written_without_its_worst_five_percent(values) -> None:
    found = mean_and_tail(values)
    for text in (str(found), repr(found), f"{found}", f"{found:>60}"):
        assert "(worst 5 %: " in text


@pytest.mark.parametrize(
    ("mean", "worst", "words"),
    [(1.0, math.nan, "a mean needs its worst mean"), (math.nan, 1.0, "worst mean"), (1.0, 2.0, "above the mean")],
)
def test_a_mean_cannot_be_had_without_its_worst(mean: float, worst: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        MeanAndTail(mean, worst, 0.05, 100)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "gut feeling"}, "method is 'gut feeling'"),
        ({"level": 0.0}, "level is 0.0"),
        ({"level": 0.6}, "level is 0.6"),
    ],
)
def test_an_impossible_tail_is_refused(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tail_risk(np.arange(50.0), **options)


def test_four_bars_are_the_least() -> None:
    with pytest.raises(InputError, match="3 bars: at least 4"):
        tail_risk([1.0, 2.0, 3.0])
