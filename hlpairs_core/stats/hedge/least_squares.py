from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.hedge.method import Method
from hlpairs_core.stats.hedge.pair import Pair, whole_number
from hlpairs_core.stats.hedge.result import Fit

__all__ = ["OLS", "ROLLING_OLS"]


def _ols(pair: Pair, *, level: float) -> Fit:
    from statsmodels.regression.linear_model import OLS as OLSModel

    result = OLSModel(pair.y, pair.design).fit()
    intercept, beta = result.params
    return Fit(float(beta), float(intercept), _interval(result, level), {"r_squared": float(result.rsquared)})


def _interval(result: Any, level: float) -> tuple[float, float]:
    low, high = result.conf_int(1.0 - level)[1]
    return float(low), float(high)


OLS = Method(
    _ols,
    assumptions=(
        "All noise is in y and one beta holds throughout. Under cointegration beta converges fast, but is biased in "
        "short samples, upwards or downwards as the spread moves with x or against it; without cointegration it means "
        "nothing, however large the R squared."
    ),
    interval_note=(
        "the usual one of a regression with independent errors. A spread that reverts slowly makes it far too "
        "narrow, and under cointegration its distribution is not standard: take dols or fmols for inference."
    ),
)


def _rolling_ols(pair: Pair, *, level: float, window: int) -> Fit:
    from statsmodels.regression.linear_model import OLS as OLSModel
    from statsmodels.regression.rolling import RollingOLS

    window = whole_number(window, "window", at_least=3)
    if window > len(pair.y):
        raise InputError(f"window={window} is longer than the {len(pair.y)} bars there are")
    moving = pd.Series(pair.x).rolling(window)
    still = (moving.max() == moving.min()).to_numpy()
    if still[-1]:
        raise InputError(f"{pair.x_name} does not move in the last {window} bars: give a longer window")
    # A window that a line fits exactly (prices that stand still) has a likelihood without bound, which is not used.
    with np.errstate(divide="ignore", invalid="ignore"):
        result = RollingOLS(pair.y, pair.design, window=window).fit()
    intercept, beta = np.where(still, np.nan, np.asarray(result.params).T)
    last = OLSModel(pair.y[-window:], pair.design[-window:]).fit()
    return Fit(
        float(beta[-1]),
        float(intercept[-1]),
        _interval(last, level),
        {"window": window},
        beta_path=beta,
        intercept_path=intercept,
    )


ROLLING_OLS = Method(
    _rolling_ols,
    assumptions=(
        "As ols, within each window: beta moves so slowly that a window does not notice, and a bar counts fully "
        "until it drops out. In windows shorter than several half-lives beta chases the spread and hides it. The "
        "path has no value in a window in which x does not move."
    ),
    interval_note="that of ols in the last window, and too narrow for the same reasons.",
)
