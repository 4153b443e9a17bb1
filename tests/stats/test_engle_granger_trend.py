"""`engle_granger_pairs` with a linear trend in step one, against statsmodels, arch and plain least squares."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from arch.data import crude
from arch.unitroot import engle_granger
from statsmodels.tsa.stattools import coint

Screen = Callable[..., pd.DataFrame]


def drifting(n_bars: int, seed: int) -> np.ndarray:
    """Four walks with drift, the first two cointegrated about a line."""
    rng = np.random.default_rng(seed)
    logs = np.cumsum(rng.normal(loc=rng.normal(scale=0.003, size=4), scale=0.01, size=(n_bars, 4)), axis=0)
    logs[:, 1] = 0.7 * logs[:, 0] + 0.002 * np.arange(n_bars) + rng.normal(scale=0.008, size=n_bars)
    return logs + np.array([11.0, -3.0, 0.5, 4.0])


@pytest.mark.parametrize("n_bars", [30, 97, 336])
@pytest.mark.parametrize(("lag_rule", "max_lag"), [("aic", None), ("bic", None), ("aic", 4), (0, None), (3, None)])
def test_statistic_and_p_value_are_those_of_statsmodels(
    screen: Screen, n_bars: int, lag_rule: str | int, max_lag: int | None
) -> None:
    logs = drifting(n_bars, seed=n_bars)
    fixed = isinstance(lag_rule, int)
    options = {"autolag": None if fixed else lag_rule, "maxlag": lag_rule if fixed else max_lag}
    for row in screen(logs, trend="ct", lag_rule=lag_rule, max_lag=max_lag, ordered=True).itertuples():
        t, p, _ = coint(logs[:, row.y], logs[:, row.x], trend="ct", **options)
        assert row.t_stat == pytest.approx(t, rel=0, abs=1e-9)
        assert row.p_value == pytest.approx(p, rel=0, abs=1e-9)


@pytest.mark.parametrize("trend", ["c", "ct"])
def test_crude_oil_has_the_statistic_and_the_cointegrating_vector_of_arch(screen: Screen, trend: str) -> None:
    """arch counts its trend from 1."""
    logs = np.log(crude.load())[["WTI", "Brent"]]
    theirs = engle_granger(logs["WTI"], logs["Brent"], trend=trend, lags=2)
    row = screen(logs, trend=trend, lag_rule=2).iloc[0]
    vector = theirs.cointegrating_vector
    slope = -vector.get("trend", 0.0)
    assert row["t_stat"] == pytest.approx(theirs.stat, abs=1e-9)
    assert row["beta"] == pytest.approx(-vector["Brent"], rel=1e-9)
    assert row["trend_per_bar"] == pytest.approx(slope, rel=1e-9)
    assert row["alpha"] == pytest.approx(-vector["const"] + slope, rel=1e-9)


def test_the_fit_and_the_residual_are_those_of_least_squares(screen: Screen) -> None:
    logs = drifting(200, seed=1)
    for row in screen(logs, trend="ct").itertuples():
        y, x = logs[:, row.y], logs[:, row.x]
        design = np.column_stack([np.ones(200), x, np.arange(200)])
        fit = np.linalg.lstsq(design, y, rcond=None)[0]
        residual = y - design @ fit
        reversion, _ = np.polyfit(residual[:-1], np.diff(residual), 1)
        assert (row.alpha, row.beta, row.trend_per_bar) == pytest.approx(tuple(fit), rel=1e-8)
        assert row.r_squared == pytest.approx(1 - residual.var() / y.var(), abs=1e-10)
        assert row.resid_std == pytest.approx(residual.std(ddof=1), rel=1e-9)
        assert row.z_last == pytest.approx(residual[-1] / residual.std(ddof=1), rel=1e-7)
        assert row.half_life == pytest.approx(-np.log(2) / np.log1p(reversion), rel=1e-7)


def test_without_a_trend_its_slope_is_zero(screen: Screen) -> None:
    assert (screen(drifting(100, seed=2))["trend_per_bar"] == 0.0).all()


def test_lines_added_to_prices_change_nothing_but_the_line(screen: Screen) -> None:
    logs = drifting(150, seed=3)
    tilted = logs + np.outer(np.arange(150), [0.05, -0.03, 0.0, 0.2]) + 7.0
    same = ["beta", "t_stat", "p_value", "half_life", "z_last", "resid_std"]
    before, after = (screen(table, trend="ct") for table in (logs, tilted))
    np.testing.assert_allclose(after[same], before[same], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (0.1 + 1e-3 * np.arange(120), "1 is a straight line over 120 bars"),
        (np.full(120, 3.3), "1 is constant over 120 bars"),
    ],
    ids=["line", "constant"],
)
def test_a_series_without_a_move_of_its_own_has_no_number_but_a_reason(
    screen: Screen, line: np.ndarray, words: str
) -> None:
    logs = drifting(120, seed=4)
    logs[:, 1] = line
    frame = screen(logs, trend="ct", ordered=True)
    affected = (frame["y"] == 1) | (frame["x"] == 1)
    assert (frame.loc[affected, "reason"] == words).all()
    assert frame.loc[affected, ["beta", "t_stat", "p_value"]].isna().all(axis=None)
    assert np.isfinite(frame.loc[~affected, "t_stat"]).all()


def test_unrelated_drifting_walks_pass_as_often_as_the_level_says(screen: Screen) -> None:
    """1,500 independent pairs; a drift of the size of 3.0 standard deviations over the window."""
    rng = np.random.default_rng(20240815)
    pairs = [(leg, leg + 1) for leg in range(0, 60, 2)]
    steps = (rng.normal(loc=3.0 / np.sqrt(300), size=(300, 60)) for _ in range(50))
    p = np.concatenate([screen(np.cumsum(s, axis=0), trend="ct", lag_rule=1, pairs=pairs)["p_value"] for s in steps])
    for level in (0.05, 0.5):
        assert (p < level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / len(p)))
