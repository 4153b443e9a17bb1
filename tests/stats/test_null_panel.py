"""Panels in which nothing is cointegrated: what they keep of the coins, and what they must not."""

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from scipy.signal import lfilter
from statsmodels.tsa.stattools import levinson_durbin

from hlpairs_core.stats import engle_granger_pairs
from hlpairs_core.stats._null_panel import autoregressions, fit_null_panel, stationary_rows


def walks_with_memory(n_bars: int, memory: list[float], *, seed: int, common: float = 0.8) -> np.ndarray:
    """Walks whose differences are AR(1) and share a factor."""
    rng = np.random.default_rng(seed)
    shocks = common * rng.normal(size=(n_bars, 1)) + rng.normal(size=(n_bars, len(memory)))
    columns = [lfilter([1.0], [1.0, -phi], shocks[:, coin]) for coin, phi in enumerate(memory)]
    return np.cumsum(np.column_stack(columns), axis=0)


def lag_one(differences: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(column[1:], column[:-1])[0, 1] for column in differences.T])


def test_autoregressions_are_those_of_statsmodels() -> None:
    differences = np.diff(walks_with_memory(400, [0.0, 0.5, -0.3, 0.9], seed=1), axis=0)
    differences -= differences.mean(axis=0)
    coefficients, order = autoregressions(differences, 12)
    for column, phi, p in zip(differences.T, coefficients.T, order, strict=True):
        variances = np.array([column @ column / 400] + [levinson_durbin(column, nlags=k)[0] for k in range(1, 13)])
        criterion = len(column) * np.log(variances) + 2 * np.arange(13)
        criterion[0] = len(column) * np.log(column @ column / len(column))
        assert p == np.argmin(criterion)
        expected = levinson_durbin(column, nlags=int(p))[1] if p else []
        np.testing.assert_allclose(phi[:p], expected, rtol=1e-9)
        assert not phi[p:].any()


def test_rows_come_in_blocks_of_the_length_asked_for_as_from_arch() -> None:
    rng = np.random.default_rng(2)
    rows = stationary_rows(500, 200_000, 8, rng)
    follows = np.mean((rows[1:] - rows[:-1]) % 500 == 1)
    arch = StationaryBootstrap(8, np.arange(500), seed=rng)
    indices = [arch.update_indices() for _ in range(400)]
    expected = np.mean([np.mean((one[1:] - one[:-1]) % 500 == 1) for one in indices])
    # A new block begins with chance 1 / 8, and by chance where the last one would have gone on.
    assert follows == pytest.approx(7 / 8 + 1 / 8 / 500, abs=0.004)
    assert follows == pytest.approx(expected, abs=0.006)
    assert rows.min() == 0
    assert rows.max() == 499
    assert np.bincount(rows).std() / 400 < 0.25


@pytest.mark.parametrize("resampling", ["blocks", "signs"])
def test_coins_keep_their_volatility_memory_and_correlation(resampling) -> None:
    walks = walks_with_memory(2000, [0.0, 0.5, -0.4], seed=3) * [1.0, 5.0, 0.1]
    panel = fit_null_panel(walks, resampling=resampling, block_length=None)
    rng = np.random.default_rng(4)
    simulated = np.concatenate([np.diff(panel.simulate(rng), axis=0) for _ in range(10)])
    real = np.diff(walks, axis=0)
    np.testing.assert_allclose(simulated.std(axis=0), real.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(lag_one(simulated), lag_one(real), atol=0.03)
    np.testing.assert_allclose(np.corrcoef(simulated.T), np.corrcoef(real.T), atol=0.04)


def test_coins_that_are_drawn_one_by_one_lose_their_correlation() -> None:
    walks = walks_with_memory(2000, [0.0, 0.0, 0.0], seed=5)
    panel = fit_null_panel(walks, resampling="independent", block_length=5)
    rng = np.random.default_rng(6)
    simulated = np.concatenate([np.diff(panel.simulate(rng), axis=0) for _ in range(10)])
    np.testing.assert_allclose(np.corrcoef(simulated.T), np.eye(3), atol=0.04)
    np.testing.assert_allclose(simulated.std(axis=0), np.diff(walks, axis=0).std(axis=0), rtol=0.05)


def test_a_drift_is_not_carried_on() -> None:
    walks = walks_with_memory(400, [0.0, 0.2], seed=7) + 3.0 * np.arange(400)[:, None]
    panel = fit_null_panel(walks, resampling="blocks", block_length=4)
    moves = np.array([panel.simulate(np.random.default_rng(seed))[-1] for seed in range(200)])
    assert np.abs(moves.mean(axis=0) / moves.std(axis=0)).max() < 4 / np.sqrt(200)


def test_signs_leave_every_bar_its_size_and_place() -> None:
    walks = np.cumsum(np.random.default_rng(8).normal(size=(300, 2)), axis=0)
    panel = fit_null_panel(walks, resampling="signs", block_length=None)
    panel.order[:] = 0
    steps = np.diff(panel.simulate(np.random.default_rng(9)), axis=0)
    np.testing.assert_allclose(np.abs(steps[-len(panel.residuals) :]), np.abs(panel.residuals), rtol=1e-9)
    assert panel.block_length == 1


def test_memory_of_volatility_makes_longer_blocks() -> None:
    rng = np.random.default_rng(10)
    calm = rng.normal(size=(1000, 5))
    activity = np.exp(lfilter([0.3], [1.0, -0.95], rng.normal(size=(1000, 1)), axis=0))
    lengths = [
        fit_null_panel(np.cumsum(steps, axis=0), resampling="blocks", block_length=None).block_length
        for steps in (calm, calm * activity)
    ]
    assert lengths[0] < 5 < lengths[1] < 100


@pytest.mark.parametrize("resampling", ["blocks", "signs", "independent"])
def test_a_pair_that_is_cointegrated_is_not_so_in_the_null(resampling) -> None:
    """The spread has a half-life of 3 bars, and in the null wanders as two walks without a tie do."""
    rng = np.random.default_rng(11)
    x = np.cumsum(rng.normal(size=400))
    y = x + lfilter([1.0], [1.0, -0.8], rng.normal(size=400))
    walks = np.column_stack([y, x])
    assert engle_granger_pairs(walks, lag_rule=2)["t_stat"][0] < -6
    panel = fit_null_panel(walks, resampling=resampling, block_length=1 if resampling != "signs" else None)
    p = [engle_granger_pairs(panel.simulate(rng), lag_rule=2)["p_value"][0] for _ in range(200)]
    # A share of 5 % of 200 has a standard error of 1.5 %; the coins' own memory was fitted and adds a little.
    assert np.mean(np.array(p) < 0.05) < 0.12
