from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.stats._adf import adf_statistic, select_lag
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._inputs import LagPlan
from hlpairs_core.stats._residual import HedgeFit, ResidualProducts, hedge, residual_products
from hlpairs_core.stats.mackinnon import mackinnon_p

__all__ = ["EngleGrangerArrays", "engle_granger_from_gram"]

# Pairs per step: small enough that their regressions stay in the processor's cache.
_CHUNK = 384
# From here on the residual is rounding noise (statsmodels' rule).
_COLLINEAR = 1.0 - 100.0 * np.sqrt(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class EngleGrangerArrays:
    """Engle-Granger tests of B pairs; every array has shape (B,).

    Attributes
    ----------
    fit : HedgeFit
        The hedge regressions.
    t_stat, p_value : ndarray
        The test; NaN where its regression is singular, ``-inf`` and 0 for collinear pairs.
    lag : ndarray of int
        Lags of the ADF regression; -1 where there is no regression.
    half_life : ndarray
        Half-life of the residual in bars; NaN where it does not revert.
    z_last : ndarray
        Last residual in standard deviations.
    resid_std : ndarray
        Standard deviation of the residual.
    collinear : ndarray of bool
        The residual is rounding noise.
    """

    fit: HedgeFit
    t_stat: FloatArray
    p_value: FloatArray
    lag: IntArray
    half_life: FloatArray
    z_last: FloatArray
    resid_std: FloatArray
    collinear: BoolArray


def engle_granger_from_gram(gram: LaggedGram, y: IntArray, x: IntArray, plan: LagPlan) -> EngleGrangerArrays:
    """Test the pairs ``(y[b], x[b])`` of a panel whose products are known; `engle_granger_pairs` explains."""
    fit = hedge(gram, y, x)
    collinear = fit.r_squared >= _COLLINEAR
    lag = np.full(len(y), plan.max_lag)
    half_life, last = np.empty(len(y)), np.empty(len(y))
    for rows in _chunks(np.arange(len(y))):
        residuals = residual_products(gram, fit.take(rows), gram.max_lag)
        half_life[rows], last[rows] = _half_life(residuals), residuals.last
        if plan.search is not None:
            lag[rows] = select_lag(residuals, plan.search)
    t_stat = _statistics(gram, fit, lag)
    t_stat[collinear] = -np.inf
    half_life[collinear] = np.nan
    resid_std = np.sqrt(fit.ssr / (gram.n_bars - 1))
    z_last = np.divide(last, resid_std, out=np.full(len(y), np.nan), where=~collinear)
    lag[collinear | np.isnan(t_stat)] = -1
    return EngleGrangerArrays(fit, t_stat, mackinnon_p(t_stat), lag, half_life, z_last, resid_std, collinear)


def _statistics(gram: LaggedGram, fit: HedgeFit, lag: IntArray) -> FloatArray:
    statistics = np.empty(len(lag))
    for n_lags in np.unique(lag):
        for rows in _chunks(np.flatnonzero(lag == n_lags)):
            statistics[rows] = adf_statistic(residual_products(gram, fit.take(rows), n_lags), int(n_lags))
    return statistics


def _chunks(rows: IntArray) -> list[IntArray]:
    return [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]


def _half_life(residuals: ResidualProducts) -> FloatArray:
    """Half-life of the AR(1) with intercept, in closed form: the residuals sum to zero."""
    first, last, n_obs = residuals.head[0], residuals.last, residuals.n_bars - 1
    squares = residuals.products_from(0, 0)[0]
    with_level = 0.5 * (last**2 - first**2 - squares) + last * (last - first) / n_obs
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = with_level / (residuals.ssr - last**2 - last**2 / n_obs)
        reverts = (slope > -1.0) & (slope < 0.0)
        return np.where(reverts, -np.log(2.0) / np.log1p(np.where(reverts, slope, np.nan)), np.nan)
