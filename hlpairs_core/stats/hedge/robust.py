from __future__ import annotations

import warnings

import numpy as np

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.hedge.method import Method
from hlpairs_core.stats.hedge.pair import Pair
from hlpairs_core.stats.hedge.result import Fit

__all__ = ["HUBER", "THEIL_SEN"]

# Beyond, the slopes of all pairs of bars take more than two gigabytes.
_MOST_BARS = 10_000


def _huber(pair: Pair, *, level: float, threshold: float = 1.345) -> Fit:
    from statsmodels.robust.norms import HuberT
    from statsmodels.robust.robust_linear_model import RLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    if not (isinstance(threshold, int | float) and np.isfinite(threshold) and threshold > 0):
        raise InputError(f"threshold must be a positive number of standard deviations, got {threshold!r}")
    pair.refuse_one_asset_twice("huber")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            result = RLM(pair.y, pair.design, M=HuberT(t=float(threshold))).fit()
        except ConvergenceWarning:
            raise InputError(
                f"most bars of {pair.y_name} and {pair.x_name} lie on one line exactly: method 'huber' has no scale "
                "by which to tell outliers; do prices stand still?"
            ) from None
    intercept, beta = result.params
    low, high = result.conf_int(1.0 - level)[1]
    return Fit(float(beta), float(intercept), (float(low), float(high)), {"scale": float(result.scale)})


HUBER = Method(
    _huber,
    assumptions=(
        "As ols, but spreads beyond 1.345 (option threshold) robust standard deviations count linearly: single bad "
        "prices do little harm. A long excursion of the spread is no outlier, and an outlying x is not tamed."
    ),
    interval_note="asymptotic, for independent errors: too narrow for a spread that reverts slowly, as that of ols.",
)


def _theil_sen(pair: Pair, *, level: float) -> Fit:
    from scipy.stats import theilslopes

    if len(pair.x) > _MOST_BARS:
        raise InputError(f"{len(pair.x)} bars are too many for all their pairs: give at most {_MOST_BARS}")
    # With many ties Sen's variance can be negative: then there is no interval.
    with np.errstate(invalid="ignore"):
        result = theilslopes(pair.y, pair.x, alpha=level, method="joint")
    low, high = float(result.low_slope), float(result.high_slope)
    return Fit(float(result.slope), float(result.intercept), (low, high) if np.isfinite([low, high]).all() else None)


THEIL_SEN = Method(
    _theil_sen,
    assumptions=(
        "The median slope of all pairs of bars: up to 29 % of the bars may be wrong, in either leg. Takes for "
        "granted that the noise is independent of x; memory grows with the square of the bars."
    ),
    interval_note=(
        "Sen's, from the ranks of independent errors: far too narrow for a spread that reverts slowly, as that of ols. "
        "None where prices are tied too often for it."
    ),
)
