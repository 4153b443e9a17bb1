"""Features of candidates, against statsmodels and plain loops."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from hlpairs_core.backtest import walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, day_notional_usd
from hlpairs_core.screening.features import half_life_bounds, signal_age
from hlpairs_core.stats import reversion_pairs

WINDOW = 80
SETTINGS = ScreenSettings(window=WINDOW, min_day_notional_usd=0.0, horizon_hours=6.0)
COSTS = CostModel(assumed_funding_per_hour=1e-5)


@pytest.fixture(scope="module")
def history(messy_market: Callable[..., Panel]) -> Panel:
    return messy_market(160, 12, seed=6)


@pytest.fixture(scope="module")
def rows(history: Panel) -> pd.DataFrame:
    found = walk_forward(history, settings=SETTINGS, costs=COSTS, every=9).rows
    assert len(found) > 20
    return found


def logs_of(history: Panel, row: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Log closes of both legs: the fit window and, last, the signal bar."""
    bar = int(history.time.get_loc(row.signal_time)) - 1
    both = (history.log_close[bar - WINDOW : bar + 1, history.coins.index(leg)] for leg in (row.y, row.x))
    return tuple(both)  # type: ignore[return-value]


def test_the_interval_of_the_half_life_is_that_of_the_regression(history: Panel, rows: pd.DataFrame) -> None:
    open_ended = 0
    for row in rows.itertuples():
        y, x = logs_of(history, row)
        spread = (y - row.alpha - row.beta * x)[:-1]
        fit = sm.OLS(np.diff(spread), sm.add_constant(spread[:-1])).fit()
        assert -np.log(2) / np.log1p(fit.params[1]) == pytest.approx(row.half_life_hours, rel=1e-6)
        low, high = fit.params[1] + 1.6448536 * fit.bse[1] * np.array([-1, 1])
        assert row.half_life_low == pytest.approx(-np.log(2) / np.log1p(low), rel=1e-6)
        np.testing.assert_allclose(row.half_life_high, -np.log(2) / np.log1p(high) if high < 0 else np.nan, rtol=1e-5)
        open_ended += np.isnan(row.half_life_high)
    assert open_ended < len(rows)


def test_a_spread_that_may_not_revert_has_no_upper_bound() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=(1, 200)), axis=1)
    low, high = half_life_bounds(walk)
    assert low[0] > 0
    assert np.isnan(high[0])


def test_a_spread_that_swings_from_bar_to_bar_has_a_lower_bound_of_0() -> None:
    swings = np.tile([1.0, -1.0], 50) + np.random.default_rng(3).normal(0, 0.05, 100)
    low, _ = half_life_bounds(swings[None])
    assert low[0] == 0.0


def test_the_drift_of_beta_is_the_difference_of_two_regressions(history: Panel, rows: pd.DataFrame) -> None:
    half = WINDOW // 2
    for row in rows.itertuples():
        y, x = (series[:-1] for series in logs_of(history, row))
        early, late = (sm.OLS(y[part], sm.add_constant(x[part])).fit() for part in (slice(half), slice(half, None)))
        error = np.hypot(early.bse[1], late.bse[1])
        assert row.beta_drift == pytest.approx((late.params[1] - early.params[1]) / error, rel=1e-6)


def test_crossings_are_those_of_the_reversion_table(history: Panel, rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        y, x = (series[:-1] for series in logs_of(history, row))
        assert row.crossings == reversion_pairs(np.column_stack([y, x]), pairs=[(0, 1)])["crossings"].iloc[0]


def test_volatilities_are_standard_deviations_of_moves(history: Panel, rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        y, x = (series[:-1] for series in logs_of(history, row))
        assert row.vol_y_bps == pytest.approx(1e4 * np.diff(y).std(ddof=1))
        assert row.vol_x_bps == pytest.approx(1e4 * np.diff(x).std(ddof=1))
        spread = 1e4 * np.diff(y - row.beta * x).std(ddof=1) / (1 + abs(row.beta))
        assert row.spread_vol_bps == pytest.approx(spread)


def test_liquidity_and_funding_are_those_known_at_the_signal(history: Panel, rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        known = history.until(row.signal_time)
        volume = dict(zip(known.coins, day_notional_usd(known), strict=True))
        assert row.day_notional_y_usd == pytest.approx(volume[row.y])
        assert row.day_notional_x_usd == pytest.approx(volume[row.x])
        last_day = known.funding[-24:, known.coins.index(row.x)]
        assert row.funding_x_per_hour == pytest.approx(np.nanmean(last_day))


def test_market_betas_are_slopes_on_the_mean_return_of_eligible_coins(history: Panel, rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        bar = int(history.time.get_loc(row.signal_time)) - 1
        window = history.log_close[bar - WINDOW : bar + 1]
        share = history.traded[bar - WINDOW : bar + 1].mean(axis=0)
        returns = np.diff(window[:-1], axis=0)[:, np.isfinite(window).all(axis=0) & (share >= 0.9)]
        fit = sm.OLS(np.diff(logs_of(history, row)[0][:-1]), sm.add_constant(returns.mean(axis=1))).fit()
        assert row.market_beta_y == pytest.approx(fit.params[1], rel=1e-9)


def test_the_age_of_a_signal_counts_from_its_last_crossing_of_the_entry(history: Panel, rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        y, x = logs_of(history, row)
        z = np.sign(row.zscore) * (y - row.alpha - row.beta * x) / row.sigma
        crossed = [t for t in range(1, len(z)) if z[t - 1] < SETTINGS.z_in <= z[t]]
        np.testing.assert_equal(row.signal_age_bars, len(z) - 1 - crossed[-1] if crossed else np.nan)
    assert rows["signal_age_bars"].eq(0).any()
    assert rows["signal_age_bars"].gt(0).any()


@pytest.mark.parametrize(
    ("ahead", "age"),
    [("0001", 0), ("0111", 2), ("1011", 1), ("0100", 2), ("1111", np.nan), ("0000", np.nan)],
)
def test_the_age_of_hand_made_signals(ahead: str, age: float) -> None:
    np.testing.assert_equal(signal_age(np.array([[one == "1" for one in ahead]]))[0], age)
