"""Numbers of the Kalman filter over all pairs against statsmodels' state space filter and closed forms."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from statsmodels.regression.recursive_ls import RecursiveLS
from statsmodels.tsa.statespace.mlemodel import MLEModel

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import kalman_pairs, kalman_paths
from hlpairs_core.stats._kalman_model import KalmanModel, final_states
from hlpairs_core.stats._kalman_numpy import filter_bars

NOISE = {"observation_noise": 1e-4, "level_noise": 3e-6, "beta_noise": 2e-5}
SEEDS = st.integers(0, 2**32 - 1)


WITHOUT_NUMBA = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")


@pytest.fixture(params=[False, pytest.param(True, marks=WITHOUT_NUMBA)], ids=["numpy", "numba"])
def compiled(request: pytest.FixtureRequest) -> bool:
    return request.param


def prices(n_bars: int = 300, n_series: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(0.01 * rng.standard_t(4, size=(n_bars, n_series)), axis=0) + rng.uniform(-9.0, 11.0, n_series)


def state_space(y: np.ndarray, x: np.ndarray, observation: float, level: float, beta: float):
    """statsmodels' filter of the same model, with its exact diffuse start."""
    model = MLEModel(y, k_states=2, initialization="diffuse")
    model["design"] = np.stack([np.ones_like(x), x - x[0]])[None]
    model["transition"] = model["selection"] = np.eye(2)
    model["state_cov"] = np.diag([level, beta])
    model["obs_cov", 0, 0] = observation
    return model.ssm.filter()


def generalised_least_squares(
    y: np.ndarray, x: np.ndarray, observation: float, level: float, beta: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The last state given all bars, its covariance and the diffuse likelihood, from one regression.

    Seen from the last state, the error of bar t is its own noise less ``z_t`` times all later steps.
    """
    z = np.column_stack([np.ones_like(x), x - x[0]])
    now = np.arange(len(y))
    steps_after_both = len(y) - 1 - np.maximum.outer(now, now)
    omega = observation * np.eye(len(y)) + (z @ np.diag([level, beta]) @ z.T) * steps_after_both
    weighted = np.linalg.solve(omega, np.column_stack([z, y]))
    information = z.T @ weighted[:, :2]
    state = np.linalg.solve(information, z.T @ weighted[:, 2])
    error = y - z @ state
    determinants = np.linalg.slogdet(omega)[1] + np.linalg.slogdet(information)[1]
    distance = error @ np.linalg.solve(omega, error)
    return state, np.linalg.inv(information), -0.5 * (len(y) * np.log(2 * np.pi) + determinants + distance)


def test_every_pair_has_the_state_and_likelihood_of_statsmodels(compiled: bool) -> None:
    logs = prices(2016, 4)
    table = kalman_pairs(logs, **NOISE, compiled=compiled)
    assert len(table) == 6
    for row in table.itertuples():
        y, x = logs[:, row.y], logs[:, row.x]
        expected = state_space(y, x, *NOISE.values())
        level, beta = expected.filtered_state[:, -1]
        assert row.beta == pytest.approx(beta, rel=1e-9)
        assert row.alpha == pytest.approx(level - beta * x[0], rel=1e-9)
        to_alpha = np.array([1.0, -x[0]])
        covariance = expected.filtered_state_cov[:, :, -1]
        assert row.beta_var == pytest.approx(covariance[1, 1], rel=1e-9)
        assert row.alpha_var == pytest.approx(to_alpha @ covariance @ to_alpha, rel=1e-9)
        assert row.innovation == pytest.approx(expected.forecasts_error[0, -1], rel=1e-9)
        deviation = np.sqrt(expected.forecasts_error_cov[0, 0, -1])
        assert row.innovation_z == pytest.approx(expected.forecasts_error[0, -1] / deviation, rel=1e-9)
        assert row.log_likelihood == pytest.approx(expected.llf, rel=1e-9)
        assert row.reason == ""


def test_noises_of_its_own_for_each_pair_give_the_numbers_of_statsmodels(compiled: bool) -> None:
    logs, rng = prices(400, 5, seed=1), np.random.default_rng(2)
    noises = 10.0 ** rng.uniform(-6, -3, size=(3, 10))
    table = kalman_pairs(logs, **dict(zip(NOISE, noises, strict=True)), compiled=compiled)
    for row, noise in zip(table.itertuples(), noises.T, strict=True):
        expected = state_space(logs[:, row.y], logs[:, row.x], *noise)
        assert row.beta == pytest.approx(expected.filtered_state[1, -1], rel=1e-9)
        assert row.log_likelihood == pytest.approx(expected.llf, rel=1e-9)


def test_the_whole_path_is_that_of_statsmodels() -> None:
    logs = pd.DataFrame(prices(250, 3, seed=3), columns=["A", "B", "C"])
    paths = kalman_paths(logs, pairs=[("C", "A"), ("A", "B")], **NOISE)
    for y, x in [("C", "A"), ("A", "B")]:
        expected = state_space(logs[y].to_numpy(), logs[x].to_numpy(), *NOISE.values())
        level, beta = expected.filtered_state
        after = slice(1, None)
        np.testing.assert_allclose(paths.beta[y, x][after], beta[after], rtol=1e-9)
        np.testing.assert_allclose(paths.alpha[y, x][after], (level - beta * logs[x].iloc[0])[after], rtol=1e-9)
        np.testing.assert_allclose(
            paths.beta_std[y, x][after] ** 2, expected.filtered_state_cov[1, 1, after], rtol=1e-9
        )
        z = expected.forecasts_error[0, 2:] / np.sqrt(expected.forecasts_error_cov[0, 0, 2:])
        np.testing.assert_allclose(paths.innovation_z[y, x][2:], z, rtol=1e-7)
        assert np.isnan(paths.beta[y, x].iloc[0])
        assert paths.innovation_z[y, x].iloc[:2].isna().all()


@pytest.mark.parametrize("still", [0, 1, 7])
def test_the_last_state_is_the_generalised_least_squares_estimate(still: int, compiled: bool) -> None:
    """Also where x does not move at first, so that nothing is known of beta."""
    logs = prices(80, 2, seed=4)
    logs[: still + 1, 1] = logs[0, 1]
    row = kalman_pairs(logs, **NOISE, compiled=compiled).iloc[0]
    state, covariance, likelihood = generalised_least_squares(logs[:, 0], logs[:, 1], *NOISE.values())
    assert row["beta"] == pytest.approx(state[1], rel=1e-9)
    assert row["alpha"] == pytest.approx(state[0] - state[1] * logs[0, 1], rel=1e-9)
    assert row["beta_var"] == pytest.approx(covariance[1, 1], rel=1e-9)
    assert row["log_likelihood"] == pytest.approx(likelihood, rel=1e-9)


def test_coefficients_that_never_move_are_those_of_recursive_least_squares(compiled: bool) -> None:
    logs = prices(200, 2, seed=5)
    y, x = logs.T
    row = kalman_pairs(logs, observation_noise=0.01, level_noise=0, beta_noise=0, compiled=compiled).iloc[0]
    recursive = RecursiveLS(y, np.column_stack([np.ones_like(x), x])).fit()
    slope, intercept = np.polyfit(x, y, 1)
    assert (row["beta"], row["alpha"]) == (pytest.approx(slope, rel=1e-9), pytest.approx(intercept, rel=1e-9))
    assert row["beta_var"] == pytest.approx(0.01 / np.sum((x - x.mean()) ** 2), rel=1e-9)
    assert row["innovation_z"] == pytest.approx(recursive.resid_recursive[-1] / 0.1, rel=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_maximum_likelihood_comes_within_a_few_tenths_of_what_an_optimiser_finds(seed: int, compiled: bool) -> None:
    rng = np.random.default_rng(seed)
    x = np.cumsum(0.01 * rng.normal(size=200)) + 3.0
    beta = 0.8 + np.cumsum(0.01 * rng.normal(size=200))
    y = 1.0 + np.cumsum(0.001 * rng.normal(size=200)) + beta * (x - x[0]) + 0.003 * rng.normal(size=200)
    row = kalman_pairs(np.column_stack([y, x]), compiled=compiled).iloc[0]

    def loss(log_noises: np.ndarray) -> float:
        return -state_space(y, x, *np.exp(log_noises)).llf

    starts = ([-11.0, -14.0, -9.0], [-11.0, -18.0, -12.0])
    best = min(minimize(loss, start, method="Nelder-Mead", options={"maxfev": 150}).fun for start in starts)
    assert row["log_likelihood"] > -best - 0.3
    at_estimate = state_space(y, x, row["observation_noise"], row["level_noise"], row["beta_noise"]).llf
    assert row["log_likelihood"] == pytest.approx(at_estimate, rel=1e-9)


def test_maximum_likelihood_finds_that_nothing_moves(compiled: bool) -> None:
    rng = np.random.default_rng(1)
    x = np.cumsum(0.01 * rng.normal(size=500))
    y = 2.0 + 0.7 * x + 0.004 * rng.normal(size=500)
    row = kalman_pairs(np.column_stack([y, x]), compiled=compiled).iloc[0]
    slope, intercept = np.polyfit(x, y, 1)
    assert row["beta"] == pytest.approx(slope, abs=1e-3)
    assert row["observation_noise"] == pytest.approx(np.var(y - intercept - slope * x, ddof=2), rel=0.01)
    assert row["level_noise"] < 1e-4 * row["observation_noise"]


def long_model(first_move: float) -> KalmanModel:
    """One pair over 10,000 bars with four sets of ratios, from coefficients that stand still to ones that jump."""
    logs = prices(10_000, 2, seed=6)
    logs[1, 1] = logs[0, 1] + first_move
    ratios = np.array([0.0, 1e-8, 1e-3, 1e2])
    y, x = np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.int64)
    return KalmanModel.of(logs - logs[0], y, x, ratios, 100.0 * ratios)


@pytest.mark.parametrize("first_move", [1e-2, 1e-9])
def test_the_covariance_is_positive_at_each_of_ten_thousand_bars(first_move: float) -> None:
    bars = filter_bars(long_model(first_move))
    next(bars)
    for bar in bars:
        assert (bar.level_var > 0.0).all()
        assert (bar.level_var * bar.beta_var > bar.cross_var**2).all()


@pytest.mark.parametrize("first_move", [1e-2, 1e-9])
def test_ten_thousand_bars_without_a_step_are_one_regression_to_the_last_digits(
    first_move: float, compiled: bool
) -> None:
    model = long_model(first_move)
    last = final_states(model, compiled=compiled)
    y, x = model.moves.T
    assert (last.level_var * last.beta_var > last.cross_var**2).all()
    assert last.beta[0] == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-8)
    assert last.beta_var[0] == pytest.approx(1.0 / (np.var(x) * len(x)), rel=1e-8)


def test_a_first_move_of_almost_nothing_does_no_lasting_harm(compiled: bool) -> None:
    """Its beta is noise with a standard deviation of 1e7, which the next bars must wash out."""
    logs = prices(80, 2, seed=7)
    logs[1, 1] = logs[0, 1] + 1e-9
    row = kalman_pairs(logs, **NOISE, compiled=compiled).iloc[0]
    without = np.delete(logs, 1, axis=0)
    state, covariance, _ = generalised_least_squares(logs[:, 0], logs[:, 1], *NOISE.values())
    assert row["beta"] == pytest.approx(state[1], rel=1e-6)
    assert row["beta_var"] == pytest.approx(covariance[1, 1], rel=1e-6)
    assert row["beta"] != pytest.approx(kalman_pairs(without, **NOISE).loc[0, "beta"], rel=1e-9)


def test_compiled_and_plain_loops_agree_on_pairs_of_every_order_and_any_gaps_between_them() -> None:
    pytest.importorskip("numba")
    logs = prices(120, 12, seed=8)
    rng = np.random.default_rng(9)
    pairs = [(int(a), int(b)) for a, b in rng.permutation([(a, b) for a in range(12) for b in range(12) if a != b])]
    for noise in (NOISE, {}):
        plain, fast = (kalman_pairs(logs, pairs=pairs, **noise, compiled=way) for way in (False, True))
        assert list(zip(plain["y"], plain["x"], strict=True)) == pairs
        pd.testing.assert_frame_equal(plain, fast, rtol=1e-9)


def test_a_pair_does_not_depend_on_what_else_is_filtered(compiled: bool) -> None:
    logs = prices(90, 40, seed=10)
    together = kalman_pairs(logs, **NOISE, compiled=compiled)
    for row in (0, 390, 779):
        pair = [(together.loc[row, "y"], together.loc[row, "x"])] * 2
        alone = kalman_pairs(logs, pairs=pair, **NOISE, compiled=compiled)
        for again in (0, 1):
            pd.testing.assert_series_equal(alone.loc[again], together.loc[row], check_names=False, rtol=1e-10)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, shift=st.floats(-15, 15))
def test_the_units_of_the_prices_change_only_alpha(seed: int, shift: float) -> None:
    logs = prices(60, 2, seed)
    for move in (np.array([shift, 0.0]), np.array([0.0, shift])):
        one, other = (kalman_pairs(table, **NOISE, compiled=False).iloc[0] for table in (logs, logs + move))
        same = ["beta", "beta_var", "innovation_z", "log_likelihood"]
        np.testing.assert_allclose(one[same].astype(float), other[same].astype(float), rtol=1e-7)
        expected = one["alpha"] + move[0] - one["beta"] * move[1]
        assert other["alpha"] == pytest.approx(expected, rel=1e-7, abs=1e-7)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, cut=st.integers(10, 59))
def test_no_bar_knows_a_later_one(seed: int, cut: int) -> None:
    logs = prices(60, 2, seed)
    whole, part = (kalman_paths(table, pairs=[(0, 1)], **NOISE) for table in (logs, logs[:cut]))
    for name in ("alpha", "beta", "beta_std", "innovation_z"):
        pd.testing.assert_frame_equal(getattr(whole, name).iloc[:cut], getattr(part, name), rtol=1e-12)


@pytest.mark.parametrize("noise", [NOISE, {}], ids=["given", "estimated"])
def test_a_series_with_a_gap_leaves_only_its_own_pairs_without_numbers(noise: dict, compiled: bool) -> None:
    logs = pd.DataFrame(prices(60, 4, seed=11), columns=list("ABCD"))
    expected = kalman_pairs(logs[["A", "C"]], **noise, compiled=compiled).iloc[0]
    logs.loc[30, "B"], logs["D"] = np.nan, 5.0
    table = kalman_pairs(logs, **noise, compiled=compiled).set_index(["y", "x"])
    assert table.loc[("A", "B"), "reason"] == "B has 1 missing or infinite of 60 values"
    assert table.loc[("A", "D"), "reason"] == "D is constant over 60 bars"
    assert table.loc[("B", "D"), "reason"] == "B has 1 missing or infinite of 60 values; D is constant over 60 bars"
    broken = table[table["reason"] != ""]
    assert len(broken) == 5
    assert broken.drop(columns="reason").isna().all(axis=None)
    pd.testing.assert_series_equal(table.loc[("A", "C")], expected.drop(["y", "x"]), check_names=False, rtol=1e-12)


def test_a_table_without_one_usable_pair_is_all_reasons(compiled: bool) -> None:
    logs = np.column_stack([np.full(20, np.nan), prices(20, 1)])
    for noise in (NOISE, {}):
        table = kalman_pairs(logs, **noise, compiled=compiled)
        assert table["reason"].tolist() == ["0 has 20 missing or infinite of 20 values"]


def test_one_asset_twice_has_a_reason_where_its_noise_would_have_to_be_estimated(compiled: bool) -> None:
    x = prices(100, 1, seed=12)[:, 0]
    logs = np.column_stack([x + 1.5, x])
    row = kalman_pairs(logs, compiled=compiled).iloc[0]
    assert row["reason"] == "the series are collinear: one asset twice"
    assert np.isnan(row["beta"])
    assert kalman_pairs(logs, **NOISE, compiled=compiled).loc[0, "beta"] == pytest.approx(1.0, abs=1e-9)


def test_a_beta_that_only_the_last_bar_has_given_predicted_nothing(compiled: bool) -> None:
    logs = prices(20, 2, seed=13)
    logs[:-1, 1] = 4.0
    row = kalman_pairs(logs, **NOISE, compiled=compiled).iloc[0]
    assert np.isfinite(row["beta"])
    assert np.isnan(row["innovation_z"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation_noise": 1e-4}, "level_noise is missing"),
        ({**NOISE, "beta_noise": -1.0}, r"beta_noise must be a variance: finite and not negative, got -1\.0"),
        ({**NOISE, "level_noise": np.nan}, "level_noise must be a variance: finite and not negative, got nan"),
        ({**NOISE, "level_noise": [1.0, 2.0]}, r"level_noise must be one variance or 6.*shape \(2,\)"),
        ({**NOISE, "level_noise": "much"}, "level_noise must be a variance"),
        ({**NOISE, "observation_noise": 0.0}, "observation_noise must be positive"),
        ({"pairs": [(0, 9)]}, "names 9, which is not a column"),
        ({"pairs": [(1, 1)]}, "pairs a series with itself"),
    ],
)
def test_what_cannot_be_worked_with_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        kalman_pairs(prices(50), **arguments)


@pytest.mark.skipif(importlib.util.find_spec("numba") is not None, reason="numba is installed")
def test_compiled_loops_need_numba() -> None:
    with pytest.raises(InputError, match="compiled=True needs numba, which is not installed"):
        kalman_pairs(prices(50), **NOISE, compiled=True)


def test_a_window_that_is_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="9 bars are too short for a Kalman filter: give at least 10"):
        kalman_pairs(prices(9))


def test_the_path_of_a_series_with_a_gap_is_refused() -> None:
    logs = prices(50)
    logs[3, 2] = np.inf
    with pytest.raises(InputError, match="2 has 1 missing or infinite of 50 values; leave out its pairs"):
        kalman_paths(logs, pairs=[(0, 1), (0, 2)], **NOISE)


@pytest.mark.parametrize("wobble", [4e-16, -4e-16, 1e-200])
def test_a_first_move_within_the_rounding_of_a_price_is_none(wobble: float, compiled: bool) -> None:
    logs = prices(60, 2, seed=14)
    logs[0, 1] = 3.0 if abs(wobble) > 1e-100 else 0.0
    logs[1, 1] = logs[0, 1] + wobble
    still = logs.copy()
    still[1, 1] = logs[0, 1]
    one, other = (kalman_pairs(table, **NOISE, compiled=compiled) for table in (logs, still))
    assert (logs != still).any()
    pd.testing.assert_frame_equal(one, other, rtol=1e-12)
