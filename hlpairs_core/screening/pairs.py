"""From eligible coins to tested pairs: orientation, dependence, cointegration."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray, StrArray
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening.settings import ScreenSettings

if TYPE_CHECKING:
    from hlpairs_core.stats._answer import Answer

__all__ = [
    "DependentPairs",
    "PairTests",
    "cointegration_tests",
    "dependent_pairs",
    "filtered_pairs",
    "judged_tests",
    "orient_pairs",
]


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


@dataclass(frozen=True, eq=False, kw_only=True)
class PairTests:
    """Every pair of a fit window that passed the dependence filter, tested; arrays have shape (n_tested,).

    Attributes
    ----------
    n_pairs : int
        Pairs of eligible coins, before the dependence filter.
    n_tests : int
        Pairs with a p: a pair that could not be judged has a `reason` instead of p, q, t and σ.
    y, x : ndarray of int
        Positions in the panel.
    alpha, beta, r_squared, sigma : ndarray
        The hedge regression and the standard deviation of its residuals.
    p_value, q_value, t_stat : ndarray
        The test.
    lag : ndarray of int
        Lags of its regression; -1 where there is none.
    half_life_hours, correlation : ndarray
        Of the residuals, and of the log returns.
    reason : ndarray of str
        Why a pair could not be judged, else "".
    """

    n_pairs: int
    n_tests: int
    y: IntArray
    x: IntArray
    alpha: FloatArray
    beta: FloatArray
    r_squared: FloatArray
    sigma: FloatArray
    p_value: FloatArray
    q_value: FloatArray
    t_stat: FloatArray
    lag: IntArray
    half_life_hours: FloatArray
    correlation: FloatArray
    reason: StrArray

    def take(self, rows: IntArray) -> "PairTests":
        """Return some of the tested pairs."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ARRAYS})

    @property
    def table(self) -> pd.DataFrame:
        """The arrays as columns; `lag` is missing where there is none."""
        columns = {name: getattr(self, name) for name in _ARRAYS}
        return pd.DataFrame(columns | {"lag": pd.arrays.IntegerArray(np.maximum(self.lag, 0), self.lag < 0)})


_ARRAYS = tuple(field.name for field in fields(PairTests) if field.name not in ("n_pairs", "n_tests"))


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
    from hlpairs_core.stats._inputs import read_log_prices
    from hlpairs_core.stats.engle_granger import answer_pairs

    pairs = dependent_pairs(window, settings)
    tests = answer_pairs(
        read_log_prices(np.log(window.close)), pairs.y, pairs.x, lag_rule=settings.lag_rule, max_lag=settings.max_lag
    )
    return judged_tests(pairs, tests, settings)


def judged_tests(pairs: DependentPairs, tests: "Answer", settings: ScreenSettings) -> PairTests:
    """Put the tests of all dependent pairs together, with their q-values and in hours."""
    from hlpairs_core.stats import benjamini_yekutieli

    reason, found = np.array(tests.reason, dtype=object), tests.floats
    judged = reason == ""
    t_stat, p_value, sigma = (np.where(judged, found[name], np.nan) for name in ("t_stat", "p_value", "resid_std"))
    return PairTests(
        n_pairs=pairs.n_pairs,
        n_tests=int(np.sum(~np.isnan(p_value))),
        y=tests.y,
        x=tests.x,
        alpha=found["alpha"],
        beta=found["beta"],
        r_squared=found["r_squared"],
        sigma=sigma,
        p_value=p_value,
        q_value=benjamini_yekutieli(p_value),
        t_stat=t_stat,
        lag=tests.lag,
        half_life_hours=found["half_life"] * settings.bar_hours,
        correlation=pairs.correlation,
        reason=reason,
    )


def dependent_pairs(window: Panel, settings: ScreenSettings) -> DependentPairs:
    """Orient all pairs of a fit window and keep those that pass the dependence filter."""
    from hlpairs_core.stats import dependence

    returns = np.diff(np.log(window.close), axis=0)
    return filtered_pairs(window, settings, dependence(returns, method=settings.dependence_method))


def filtered_pairs(window: Panel, settings: ScreenSettings, correlation: FloatArray) -> DependentPairs:
    """Do so with the correlations of all coins, shape (n_coins, n_coins), at hand."""
    y, x = orient_pairs(window.coins, np.median(window.notional, axis=0))
    rho = correlation[y, x]
    kept = _dependent(rho, settings)
    return DependentPairs(len(y), y[kept], x[kept], rho[kept])


def _dependent(rho: FloatArray, settings: ScreenSettings) -> BoolArray:
    if settings.dependence == "inverse":
        return np.asarray(rho <= -settings.rho_min)
    if settings.dependence == "positive":
        return np.asarray(rho >= settings.rho_min)
    return np.asarray(np.abs(rho) >= settings.rho_min)
