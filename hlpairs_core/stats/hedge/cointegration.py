from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.hedge.method import Method
from hlpairs_core.stats.hedge.pair import Pair, whole_number
from hlpairs_core.stats.hedge.result import Fit

__all__ = ["DOLS", "FMOLS", "JOHANSEN"]


def _johansen(pair: Pair, *, level: float, lags: int = 1) -> Fit:  # noqa: ARG001 - it has no interval
    from statsmodels.tsa.vector_ar.vecm import coint_johansen

    lags = whole_number(lags, "lags", at_least=0)
    _refuse_short(pair, "johansen", 3 * lags + 10)
    pair.refuse_one_asset_twice("johansen")
    result = coint_johansen(np.column_stack([pair.y, pair.x]), det_order=0, k_ar_diff=lags)
    on_y, on_x = result.evec[:, 0]
    if on_y == 0.0:
        raise InputError(f"the cointegrating vector leaves {pair.y_name} out: there is no hedge ratio for it")
    beta = float(-on_x / on_y)
    params = {
        "trace_statistic": float(result.lr1[0]),
        "trace_critical_95": float(result.cvt[0, 1]),
        "eigenvalue": float(result.eig[0]),
    }
    return Fit(beta, float(np.mean(pair.y - beta * pair.x)), None, params)


JOHANSEN = Method(
    _johansen,
    assumptions=(
        "A vector error correction model with a constant and `lags` (option, default 1) lagged differences, normal "
        "noise, and one cointegrating relation; check params: a trace statistic below its critical value is no "
        "evidence of one, and beta is then arbitrary, now and then absurd. Swapping y and x inverts beta. alpha is "
        "the mean of y - beta x."
    ),
    interval_note="none: the estimator comes without one.",
)


def _dols(pair: Pair, *, level: float, leads: int | None = None, lags: int | None = None) -> Fit:
    from arch.unitroot.cointegration import DynamicOLS
    from statsmodels.tools.sm_exceptions import SingularMatrixWarning

    leads = None if leads is None else whole_number(leads, "leads", at_least=0)
    lags = None if lags is None else whole_number(lags, "lags", at_least=0)
    _refuse_short(pair, "dols", 30 + 3 * ((leads or 0) + (lags or 0)))
    pair.refuse_one_asset_twice("dols")
    y, x = _named(pair)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SingularMatrixWarning)
        result = DynamicOLS(y, x, trend="c", leads=leads, lags=lags).fit()
    return _with_normal_interval(result, level, {"leads": float(result.leads), "lags": float(result.lags)})


DOLS = Method(
    _dols,
    assumptions=(
        "The pair is cointegrated with one beta. Leads and lags of x's changes (options leads and lags, by default as "
        "many as BIC wants) take out what the spread has to do with them; slow reversion beyond them remains."
    ),
    interval_note=(
        "asymptotically normal under cointegration, with a long-run variance of the spread; too narrow where the "
        "sample holds few half-lives, and void without cointegration."
    ),
)


def _fmols(pair: Pair, *, level: float) -> Fit:
    from arch.unitroot.cointegration import FullyModifiedOLS

    _refuse_short(pair, "fmols", 30)
    pair.refuse_one_asset_twice("fmols")
    y, x = _named(pair)
    return _with_normal_interval(FullyModifiedOLS(y, x, trend="c").fit(), level, {})


FMOLS = Method(
    _fmols,
    assumptions=(
        "The pair is cointegrated with one beta. Long-run covariances correct for what the spread has to do with x; "
        "they are hard to estimate where the spread reverts slowly, and the correction is then weak."
    ),
    interval_note=DOLS.interval_note,
)


def _named(pair: Pair) -> tuple[pd.Series, pd.DataFrame]:
    return pd.Series(pair.y, name="y"), pd.DataFrame({"x": pair.x})


def _with_normal_interval(result: Any, level: float, params: dict[str, float]) -> Fit:
    beta, error = float(result.params["x"]), float(result.std_errors["x"])
    reach = float(ndtri(0.5 + 0.5 * level)) * error
    params = {**params, "std_error": error, "long_run_variance": float(result.long_run_variance)}
    return Fit(beta, float(result.params["const"]), (beta - reach, beta + reach), params)


def _refuse_short(pair: Pair, method: str, fewest: int) -> None:
    if len(pair.y) < fewest:
        raise InputError(f"{len(pair.y)} bars are too short for method {method!r}: give at least {fewest}")
