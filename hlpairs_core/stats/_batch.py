from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.stats._adf import adf_statistic, lag_weight, reversion_slope, select_lag
from hlpairs_core.stats._compile import use_numba
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._inputs import LagPlan
from hlpairs_core.stats._residual import HedgeFit, hedge, residual_products
from hlpairs_core.stats.mackinnon import mackinnon_p

__all__ = ["COLLINEAR", "EngleGrangerArrays", "engle_granger_from_gram"]

# Pairs per step: small enough that their regressions stay in the processor's cache.
_CHUNK = 384
# From here on the residual is rounding noise (statsmodels' rule).
COLLINEAR = 1.0 - 100.0 * np.sqrt(np.finfo(float).eps)
# Lag, t-statistic, slope of the AR(1) and last residual of every pair.
_Steps: TypeAlias = tuple[IntArray, FloatArray, FloatArray, FloatArray]


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


def engle_granger_from_gram(
    gram: LaggedGram, y: IntArray, x: IntArray, plan: LagPlan, *, accelerate: bool | None = None
) -> EngleGrangerArrays:
    """Test the pairs ``(y[b], x[b])`` of a panel whose products are known; `engle_granger_pairs` explains."""
    fit = hedge(gram, y, x)
    collinear = fit.r_squared >= COLLINEAR
    lag, t_stat, slope, last = (_compiled if use_numba(accelerate) else _vectorised)(gram, fit, plan)
    t_stat[collinear] = -np.inf
    half_life = np.where(collinear, np.nan, _half_life(slope))
    resid_std = np.sqrt(fit.ssr / (gram.n_bars - 1))
    z_last = np.divide(last, resid_std, out=np.full(len(y), np.nan), where=~collinear)
    lag[collinear | np.isnan(t_stat)] = -1
    p_value = mackinnon_p(t_stat, trend=gram.trend)
    return EngleGrangerArrays(fit, t_stat, p_value, lag, half_life, z_last, resid_std, collinear)


def _half_life(slope: FloatArray) -> FloatArray:
    reverts = (slope > -1.0) & (slope < 0.0)
    with np.errstate(divide="ignore"):
        return np.where(reverts, -np.log(2.0) / np.log1p(np.where(reverts, slope, np.nan)), np.nan)


def _compiled(gram: LaggedGram, fit: HedgeFit, plan: LagPlan) -> _Steps:
    from hlpairs_core.stats._kernels import adf_of_residuals

    weight = 0.0 if plan.search is None else lag_weight(plan.search, gram.n_bars - 1 - plan.max_lag)
    tail = gram.tail[-(gram.max_lag + 2) :]
    ends = (gram.lagged, gram.head, tail, gram.n_bars)
    return adf_of_residuals(*ends, fit.y, fit.x, fit.beta, fit.ssr, plan.max_lag, weight)


def _vectorised(gram: LaggedGram, fit: HedgeFit, plan: LagPlan) -> _Steps:
    n_pairs = len(fit.y)
    lag = np.full(n_pairs, plan.max_lag)
    slope, last, t_stat = np.empty(n_pairs), np.empty(n_pairs), np.empty(n_pairs)
    for rows in _chunks(np.arange(n_pairs)):
        residuals = residual_products(gram, fit.take(rows), gram.max_lag)
        slope[rows], last[rows] = reversion_slope(residuals), residuals.last
        if plan.search is not None:
            lag[rows] = select_lag(residuals, plan.search)
    for n_lags in np.unique(lag):
        for rows in _chunks(np.flatnonzero(lag == n_lags)):
            t_stat[rows] = adf_statistic(residual_products(gram, fit.take(rows), n_lags), int(n_lags))
    return lag, t_stat, slope, last


def _chunks(rows: IntArray) -> list[IntArray]:
    return [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
