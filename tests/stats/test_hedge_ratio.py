"""Each hedge ratio against the library it comes from, a closed form, or a search by brute force."""

import doctest
import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arch.data import crude
from arch.unitroot.cointegration import DynamicOLS, FullyModifiedOLS
from scipy.optimize import minimize_scalar
from scipy.stats import linregress, pearsonr, theilslopes
from statsmodels.api import OLS, RLM, add_constant
from statsmodels.regression.rolling import RollingOLS
from statsmodels.robust.norms import HuberT
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.vector_ar.vecm import VECM, coint_johansen

from hlpairs_core import hedge_ratio, kalman_pairs
from hlpairs_core.stats import half_life as half_life_of
from hlpairs_core.stats.hedge.ratio import METHODS

OPTIONS = {"rolling_ols": {"window": 200}, "dols": {"leads": 1, "lags": 2}}


@pytest.fixture(scope="module")
def oil() -> pd.DataFrame:
    """Monthly WTI and Brent, shipped with arch."""
    return np.log(crude.load())[["WTI", "Brent"]]


def cointegrated(n_bars: int, seed: int, beta: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """A spread that reverts with coefficient 0.8, on top of a random walk."""
    rng = np.random.default_rng(seed)
    x = 4.0 + np.cumsum(0.01 * rng.normal(size=n_bars))
    spread = np.zeros(n_bars)
    for bar in range(1, n_bars):
        spread[bar] = 0.8 * spread[bar - 1] + 0.004 * rng.normal()
    return 1.0 + beta * x + spread, x


def test_ols_is_a_linear_regression(oil: pd.DataFrame) -> None:
    found = hedge_ratio(oil["WTI"], oil["Brent"], method="ols", level=0.9)
    expected = linregress(oil["Brent"], oil["WTI"])
    assert found.beta == pytest.approx(expected.slope, rel=1e-10)
    assert found.alpha == pytest.approx(expected.intercept, rel=1e-10)
    assert found.params["r_squared"] == pytest.approx(expected.rvalue**2, rel=1e-10)
    fit = OLS(oil["WTI"], add_constant(oil["Brent"])).fit()
    assert found.interval == pytest.approx(tuple(fit.conf_int(0.1).loc["Brent"]), rel=1e-8)
    pd.testing.assert_series_equal(found.residuals, fit.resid, check_names=False, rtol=1e-9, atol=1e-12)


@pytest.mark.recordings
def test_crude_oil_has_the_worked_numbers(oil: pd.DataFrame, shared: Path) -> None:
    worked = json.loads((shared / "reference" / "worked-numbers.json").read_text())["crude"]["value"]
    y, x = oil["WTI"], oil["Brent"]
    ols = hedge_ratio(y, x)
    assert [ols.beta, ols.alpha] == pytest.approx(worked["ols"], rel=1e-6)
    assert hedge_ratio(y, x, method="tls").beta == pytest.approx(worked["tls"], rel=1e-6)
    for count, beta in worked["dols"].items():
        found = hedge_ratio(y, x, method="dols", leads=int(count), lags=int(count))
        assert found.beta == pytest.approx(beta, abs=5e-7)
    johansen = hedge_ratio(y, x, method="johansen", lags=1)
    assert johansen.params["trace_statistic"] == pytest.approx(worked["johansen"][0], rel=1e-6)


def test_rolling_ols_is_a_regression_over_each_window(oil: pd.DataFrame) -> None:
    y, x = oil["WTI"], oil["Brent"]
    found = hedge_ratio(y, x, method="rolling_ols", window=60)
    expected = RollingOLS(y, add_constant(x), window=60).fit()
    np.testing.assert_allclose(found.path, expected.params["Brent"], rtol=1e-7)
    np.testing.assert_allclose(found.alpha_path, expected.params["const"], rtol=1e-7, atol=1e-9)
    last = OLS(y[-60:], add_constant(x[-60:])).fit()
    assert found.beta == pytest.approx(last.params["Brent"], rel=1e-9)
    assert found.interval == pytest.approx(tuple(last.conf_int().loc["Brent"]), rel=1e-8)
    assert found.path.isna().sum() == 59


def test_a_window_in_which_x_stands_still_has_no_beta() -> None:
    y, x = cointegrated(60, seed=1)
    x[20:32] = x[20]
    found = hedge_ratio(y, x, method="rolling_ols", window=10)
    assert found.path.index[found.path.isna()].tolist() == [*range(9), 29, 30, 31]


def test_tls_is_the_first_principal_axis(oil: pd.DataFrame) -> None:
    found = hedge_ratio(oil["WTI"], oil["Brent"], method="tls")
    centred = oil - oil.mean()
    across, along = np.linalg.svd(centred.to_numpy())[2][0]
    assert found.beta == pytest.approx(across / along, rel=1e-9)
    mean = oil.mean()
    assert found.alpha == pytest.approx(mean["WTI"] - found.beta * mean["Brent"], rel=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_the_ends_of_the_interval_of_tls_are_just_not_rejected(level: float) -> None:
    """With the true slope, what is along the line and what is across it are uncorrelated: a test to be inverted."""
    rng = np.random.default_rng(3)
    x = 3.0 * rng.normal(size=40)
    y, x = -1.5 * x + rng.normal(size=40), x + rng.normal(size=40)
    found = hedge_ratio(y, x, method="tls", level=level)
    for end in found.interval:
        assert pearsonr(y - end * x, x + end * y).pvalue == pytest.approx(1.0 - level, rel=1e-6)
    assert found.interval[0] < found.beta < found.interval[1]


def test_tls_has_no_interval_where_a_vertical_line_cannot_be_excluded() -> None:
    rng = np.random.default_rng(4)
    found = hedge_ratio(rng.normal(size=30), rng.normal(size=30), method="tls")
    assert found.interval is None
    assert "no interval" in found.summary()


def test_huber_is_the_robust_regression_of_statsmodels(oil: pd.DataFrame) -> None:
    for options, norm in (({}, HuberT()), ({"threshold": 2.0}, HuberT(2.0))):
        found = hedge_ratio(oil["WTI"], oil["Brent"], method="huber", **options)
        expected = RLM(oil["WTI"], add_constant(oil["Brent"]), M=norm).fit()
        assert found.beta == pytest.approx(expected.params["Brent"], rel=1e-6)
        assert found.alpha == pytest.approx(expected.params["const"], rel=1e-6)
        assert found.interval == pytest.approx(tuple(expected.conf_int().loc["Brent"]), rel=1e-6)


def test_theil_sen_is_the_median_of_all_slopes(oil: pd.DataFrame) -> None:
    y, x = oil["WTI"].to_numpy(), oil["Brent"].to_numpy()
    found = hedge_ratio(y, x, method="theil_sen", level=0.9)
    first, second = np.triu_indices(len(y), 1)
    rise, run = y[first] - y[second], x[first] - x[second]
    assert found.beta == pytest.approx(np.median(rise[run != 0] / run[run != 0]), rel=1e-9)
    assert found.alpha == pytest.approx(np.median(y - found.beta * x), rel=1e-9)
    expected = theilslopes(y, x, alpha=0.9)
    assert found.interval == pytest.approx((expected.low_slope, expected.high_slope), rel=1e-9)


@pytest.mark.parametrize("method", ["huber", "theil_sen"])
def test_one_bar_in_twenty_that_is_wrong_moves_a_robust_method_less_than_least_squares(method: str) -> None:
    y, x = cointegrated(400, seed=5)
    wrong = np.random.default_rng(5).choice(400, 20, replace=False)
    y[wrong] += 0.5 * (x[wrong] > np.median(x))
    robust, plain = (hedge_ratio(y, x, method=one).beta for one in (method, "ols"))
    assert abs(robust - 0.8) < 0.3 * abs(plain - 0.8)


def test_johansen_is_the_first_vector_of_statsmodels(oil: pd.DataFrame) -> None:
    found = hedge_ratio(oil["WTI"], oil["Brent"], method="johansen", lags=2)
    expected = VECM(oil.to_numpy(), k_ar_diff=2, coint_rank=1, deterministic="co").fit()
    assert found.beta == pytest.approx(-expected.beta[1, 0] / expected.beta[0, 0], rel=1e-6)
    test = coint_johansen(oil, 0, 2)
    assert found.params["trace_statistic"] == pytest.approx(test.lr1[0], rel=1e-9)
    assert found.params["trace_critical_95"] == test.cvt[0, 1]
    assert found.residuals.mean() == pytest.approx(0.0, abs=1e-12)
    assert found.interval is None


def test_dols_and_fmols_are_those_of_arch(oil: pd.DataFrame) -> None:
    y, x = oil["WTI"], oil[["Brent"]]
    cases = [
        ("dols", {"leads": 2, "lags": 1}, DynamicOLS(y, x, leads=2, lags=1)),
        ("fmols", {}, FullyModifiedOLS(y, x)),
    ]
    for method, options, model in cases:
        found = hedge_ratio(y, x["Brent"], method=method, **options)
        expected = model.fit()
        assert found.beta == pytest.approx(expected.params["Brent"], rel=1e-8)
        assert found.alpha == pytest.approx(expected.params["const"], rel=1e-7)
        reach = 1.959963984540054 * expected.std_errors["Brent"]
        assert found.interval == pytest.approx((found.beta - reach, found.beta + reach), rel=1e-6)


def test_dols_leaves_the_numbers_of_leads_and_lags_to_bic() -> None:
    y, x = cointegrated(80, seed=6)
    expected = DynamicOLS(pd.Series(y), pd.DataFrame({"x": x}), method="bic").fit()
    found = hedge_ratio(y, x, method="dols")
    assert (found.params["leads"], found.params["lags"]) == (expected.leads, expected.lags)
    assert found.beta == pytest.approx(expected.params["x"], rel=1e-6)


def half_life(spread: np.ndarray) -> float:
    coefficient = AutoReg(spread, 1).fit().params[1]
    return -np.log(2.0) / np.log(coefficient) if 0 < coefficient < 1 else np.inf


@pytest.mark.parametrize("seed", range(4))
def test_no_other_beta_has_a_shorter_half_life(seed: int) -> None:
    y, x = cointegrated(150, seed)
    found = hedge_ratio(y, x, method="min_half_life")
    assert found.params["half_life"] == pytest.approx(half_life(y - found.beta * x), rel=1e-6)
    grid = np.concatenate([np.linspace(-3, 3, 241), np.linspace(-100, 100, 41)])
    assert min(half_life(y - beta * x) for beta in grid) >= found.params["half_life"] * (1 - 1e-9)
    near = minimize_scalar(
        lambda beta: half_life(y - beta * x), bounds=(found.beta - 0.1, found.beta + 0.1), options={"xatol": 1e-9}
    )
    assert found.beta == pytest.approx(near.x, abs=1e-5)


@pytest.mark.parametrize(("bounds", "expected"), [((0.9, 2.0), 0.9), ((-1.0, 0.5), 0.5)])
def test_bounds_that_exclude_the_fastest_spread_give_the_better_end(
    bounds: tuple[float, float], expected: float
) -> None:
    y, x = cointegrated(300, seed=2)
    found = hedge_ratio(y, x, method="min_half_life", bounds=bounds)
    assert found.beta == expected
    assert found.params["half_life"] == pytest.approx(half_life(y - expected * x), rel=1e-6)


def test_a_fastest_spread_that_reverts_within_a_bar_has_no_half_life_and_beta_is_not_unique() -> None:
    rng = np.random.default_rng(11)
    x, noise = np.cumsum(0.01 * rng.normal(size=201)), rng.normal(size=201)
    y = 0.8 * x + 0.01 * (noise - np.r_[0.0, 0.9 * noise[:-1]])
    found = hedge_ratio(y, x, method="min_half_life")
    coefficient = AutoReg(found.residuals.to_numpy(), 1).fit().params[1]
    assert coefficient < 0
    assert found.params["ar_coefficient"] == pytest.approx(coefficient, abs=0.01)
    assert np.isnan(found.params["half_life"])
    for beta in (found.beta - 0.02, found.beta, found.beta + 0.02):
        spread = half_life_of(y - beta * x, method="least_squares")
        assert np.isnan(spread.bars)
        assert spread.reason.startswith("it reverts within a bar")
    assert "NaN where it reverts within a bar" in found.assumptions


def test_a_fastest_spread_that_runs_away_has_an_infinite_half_life() -> None:
    x = np.cumsum(0.01 * np.random.default_rng(12).normal(size=200))
    y = 1.02 ** np.arange(200)
    found = hedge_ratio(y, x, method="min_half_life", bounds=(-0.01, 0.01))
    assert AutoReg(found.residuals.to_numpy(), 1).fit().params[1] > 1
    assert found.params["half_life"] == half_life_of(found.residuals, method="least_squares").bars == np.inf
    assert "inf where even the fastest spread does not revert" in found.assumptions


def test_kalman_is_the_filter_of_all_pairs() -> None:
    y, x = cointegrated(150, seed=7)
    noise = {"observation_noise": 2e-5, "level_noise": 1e-6, "beta_noise": 1e-6}
    found = hedge_ratio(y, x, method="kalman", **noise)
    row = kalman_pairs(np.column_stack([y, x]), **noise, compiled=False).iloc[0]
    assert [found.beta, found.alpha] == pytest.approx([row["beta"], row["alpha"]], rel=1e-10)
    reach = 1.959963984540054 * np.sqrt(row["beta_var"])
    assert found.interval == pytest.approx((found.beta - reach, found.beta + reach), rel=1e-9)
    assert found.innovations.iloc[-1] == pytest.approx(row["innovation"], rel=1e-9)
    assert found.params == pytest.approx({**noise, "log_likelihood": row["log_likelihood"]}, rel=1e-12)


def test_kalman_estimates_no_less_likely_noises_than_the_search_over_all_pairs() -> None:
    y, x = cointegrated(150, seed=8)
    found = hedge_ratio(y, x, method="kalman")
    row = kalman_pairs(np.column_stack([y, x]), compiled=False).iloc[0]
    assert found.params["log_likelihood"] >= row["log_likelihood"]


@pytest.mark.parametrize("method", ["kalman", "rolling_ols"])
def test_the_innovation_is_what_the_bar_before_did_not_know(method: str) -> None:
    y, x = cointegrated(250, seed=9)
    found = hedge_ratio(y, x, method=method, **OPTIONS.get(method, {}))
    expected = y[1:] - found.alpha_path.to_numpy()[:-1] - found.path.to_numpy()[:-1] * x[1:]
    np.testing.assert_allclose(found.innovations[1:], expected, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found.residuals, y - found.alpha_path - found.path * x, rtol=1e-7, atol=1e-12)
    assert (found.beta, found.alpha) == (found.path.iloc[-1], pytest.approx(found.alpha_path.iloc[-1], rel=1e-12))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_ratio_of_a_cointegrated_pair_and_says_what_it_assumes(method: str) -> None:
    y, x = cointegrated(400, seed=10)
    hours = pd.date_range("2025-01-01", periods=400, freq="h")
    found = hedge_ratio(pd.Series(y, hours), pd.Series(x, hours), method=method, **OPTIONS.get(method, {}))
    assert found.beta == pytest.approx(0.8, abs=0.1)
    assert found.method == method
    assert found.n_obs == 400
    assert found.residuals.index.equals(hours)
    text = repr(found)
    assert f"{found.beta:.6g}" in text
    assert all(word in text for word in found.assumptions.split())
    assert found.interval_note.split()[0] in text


def test_the_examples_run() -> None:
    for name in ("stats.hedge.ratio", "stats.kalman"):
        assert doctest.testmod(import_module(f"hlpairs_core.{name}")).failed == 0
