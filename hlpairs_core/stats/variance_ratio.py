from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._spread import read_spread
from hlpairs_core.stats.hypothesis_test import LEVELS, Found, HypothesisTest, perform

__all__ = ["VarianceRatio", "variance_ratio"]

# Two-sided.
_CRITICAL = dict(zip(LEVELS, norm.isf([0.005, 0.025, 0.05]).tolist(), strict=True))


@dataclass(frozen=True)
class VarianceRatio:
    """Variance of changes over several bars against that of as many changes over one bar.

    Attributes
    ----------
    ratio : float
        1 for a random walk, less for a spread that reverts, more for one that trends. NaN where `test` has a
        reason.
    horizon_bars : int
        Over how many bars.
    test : HypothesisTest
        Lo and MacKinlay's test, two-sided.
    """

    ratio: float
    horizon_bars: int
    test: HypothesisTest


def variance_ratio(spread: pd.Series | ArrayLike, *, horizon_bars: int = 10) -> VarianceRatio:
    """Lo and MacKinlay's variance ratio with overlapping changes and heteroscedasticity-robust errors (arch).

    Null hypothesis: the spread is a random walk, with drift, whose variance may change. A small p-value speaks
    for reversion where the ratio is below 1 and for trend where it is above. A hedge ratio that was estimated on
    the same bars makes the ratio, and the p-value for reversion, too small.

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, without gaps, T >= 2 * horizon_bars and at least 12.
    horizon_bars : int
        Bars of the long changes, at least 2.

    Returns
    -------
    VarianceRatio

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, or the horizon is below 2.

    Notes
    -----
    For an autoregression with slope b the ratio over q bars is ``(1 - b**q) / (q (1 - b))``. A. W. Lo and A. C.
    MacKinlay, "Stock Market Prices Do Not Follow Random Walks: Evidence from a Simple Specification Test",
    *Review of Financial Studies* 1 (1988), 41-66.
    """
    if isinstance(horizon_bars, bool) or not isinstance(horizon_bars, int) or horizon_bars < 2:
        raise InputError(f"horizon_bars must be a whole number of at least 2 bars, got {horizon_bars!r}")
    values = read_spread(spread, least=max(12, 2 * horizon_bars))
    ratio = math.nan

    def compute() -> Found:
        from arch.unitroot import VarianceRatio as Test

        nonlocal ratio
        test = Test(values, lags=horizon_bars, trend="c", robust=True)
        found = Found(test.stat, test.pvalue, _CRITICAL, None)
        ratio = float(test.vr)
        return found

    test = perform(
        compute,
        name=f"variance ratio over {horizon_bars} bars",
        null="the spread is a random walk, with drift, whose variance may change",
        alternative="its changes are correlated: it reverts (ratio below 1) or trends (above 1)",
        caution="with a hedge ratio estimated on these bars the p-value for reversion is too small",
        n_bars=len(values),
    )
    return VarianceRatio(math.nan if test.reason else ratio, horizon_bars, test)
