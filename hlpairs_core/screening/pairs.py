"""From eligible coins to tested pairs: orientation, dependence, cointegration."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["DependentPairs", "PairTests", "cointegration_tests", "dependent_pairs", "orient_pairs"]


@dataclass(frozen=True, eq=False)
class DependentPairs:
    """The pairs of a fit window that pass the dependence filter: those that are tested.

    Attributes
    ----------
    n_pairs : int
        Pairs of eligible coins, before the filter.
    y, x : ndarray of int, shape (n_kept,)
        Positions in the panel.
    correlation : ndarray, shape (n_kept,)
        Of their log returns.
    """

    n_pairs: int
    y: IntArray
    x: IntArray
    correlation: FloatArray


@dataclass(frozen=True, eq=False)
class PairTests:
    """Every pair of a fit window that passed the dependence filter, tested.

    Attributes
    ----------
    n_pairs : int
        Pairs of eligible coins, before the dependence filter.
    expected_by_luck : float
        How many of the pairs with a p pass its gate when none is cointegrated.
    table : DataFrame
        One row a tested pair: ``y, x`` (positions in the panel), ``alpha, beta, r_squared, sigma, p_value,
        q_value, t_stat, lag, half_life_hours, correlation, reason``. A pair that could not be judged has a
        `reason` instead of p, q, t and σ.
    """

    n_pairs: int
    expected_by_luck: float
    table: pd.DataFrame


def orient_pairs(coins: tuple[str, ...], volume: FloatArray) -> tuple[IntArray, IntArray]:
    """Say which coin of every pair is y (explained) and which is x (the hedge).

    x is the coin with the larger volume; of two with equal volumes the first by name. The rule must not look
    at the test: taking the better of both orientations tests twice, which makes false pairs up to two thirds
    more frequent (`docs/statistics.md`), while volume is no function of the two price paths, so that the test
    keeps its size.

    Parameters
    ----------
    coins : tuple of str
        Names, n of them.
    volume : ndarray, shape (n,)
        Median notional of a bar in the fit window (USD).

    Returns
    -------
    y, x : ndarray of int, shape (n (n - 1) / 2,)
        Positions in `coins`.
    """
    by_volume = np.array(sorted(range(len(coins)), key=lambda i: (-volume[i], coins[i])), dtype=np.int64)
    first, second = np.triu_indices(len(coins), k=1)
    return by_volume[second], by_volume[first]


def cointegration_tests(window: Panel, settings: ScreenSettings) -> PairTests:
    """Test the pairs of a fit window for cointegration.

    Null hypothesis of each test: the pair is **not** cointegrated. No pair is tested twice, and none is left
    out but for the dependence filter. One asset twice is no discovery: such a pair counts neither among the
    tests nor for the q-values of the others.

    Parameters
    ----------
    window : Panel
        The fit window's bars, eligible coins only: the signal bar is not among them.
    settings : ScreenSettings
        Dependence filter and lag rule.
    """
    # scipy is loaded by the first screen, not by whoever imports this package to mark its result.
    from hlpairs_core.stats import benjamini_yekutieli, engle_granger_pairs, expected_false_positives

    pairs = dependent_pairs(window, settings)
    tests = engle_granger_pairs(
        np.log(window.close),
        lag_rule=settings.lag_rule,
        max_lag=settings.max_lag,
        pairs=list(zip(pairs.y.tolist(), pairs.x.tolist(), strict=True)),
    )
    tests.loc[tests["reason"] != "", ["t_stat", "p_value", "resid_std"]] = np.nan
    tests["half_life_hours"] = tests["half_life"] * settings.bar_hours
    tests["correlation"] = pairs.correlation
    tests["q_value"] = benjamini_yekutieli(tests["p_value"].to_numpy())
    n_tests = int(tests["p_value"].notna().sum())
    return PairTests(
        n_pairs=pairs.n_pairs,
        expected_by_luck=expected_false_positives(n_tests, settings.p_max),
        table=tests.rename(columns={"resid_std": "sigma"}),
    )


def dependent_pairs(window: Panel, settings: ScreenSettings) -> DependentPairs:
    """Orient all pairs of a fit window and keep those that pass the dependence filter."""
    from hlpairs_core.stats import dependence

    y, x = orient_pairs(window.coins, np.median(window.notional, axis=0))
    returns = np.diff(np.log(window.close), axis=0)
    rho = dependence(returns, method=settings.dependence_method)[y, x]
    kept = _dependent(rho, settings)
    return DependentPairs(len(y), y[kept], x[kept], rho[kept])


def _dependent(rho: FloatArray, settings: ScreenSettings) -> BoolArray:
    if settings.dependence == "inverse":
        return np.asarray(rho <= -settings.rho_min)
    if settings.dependence == "positive":
        return np.asarray(rho >= settings.rho_min)
    return np.asarray(np.abs(rho) >= settings.rho_min)
