from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import kurtosis, skew

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_choice, check_number
from hlpairs_core.metrics.filtered import next_bar_returns
from hlpairs_core.metrics.inputs import read_returns, varies
from hlpairs_core.metrics.mean_and_tail import historical_tail

__all__ = ["TailMethod", "TailRisk", "tail_risk"]

TailMethod: TypeAlias = Literal["historical", "cornish_fisher", "garch"]

# The Cornish-Fisher quantile must rise from the worst bar in a million on.
_FARTHEST = 1e-6


@dataclass(frozen=True)
class TailRisk:
    """How bad a bar can be; losses are negative, in the unit of the returns.

    Attributes
    ----------
    method : {"historical", "cornish_fisher", "garch"}
        How it was estimated.
    level : float
        Share of bars in the tail.
    value_at_risk : float
        The return that a share `level` of bars does not exceed; NaN where `reason` says why.
    expected_shortfall : float
        Mean return of those bars.
    reason : str
        Why there are no numbers; "" where there are.
    """

    method: TailMethod
    level: float
    value_at_risk: float
    expected_shortfall: float
    reason: str = ""


def tail_risk(returns: pd.Series | ArrayLike, *, method: TailMethod = "historical", level: float = 0.05) -> TailRisk:
    """Estimate value at risk and expected shortfall of one bar.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        One number a bar in any unit; a bar without a position counts as 0.
    method : {"historical", "cornish_fisher", "garch"}
        * "historical": the worst bars there were.
        * "cornish_fisher": a normal tail corrected for skewness and kurtosis. NaN where these are so large that the
          corrected quantile does not rise from the worst bar in a million to `level`.
        * "garch": filtered historical simulation: the shocks there were, at the volatility that a GARCH(1, 1)
          expects of the *next* bar. The other two speak of a typical bar. NaN below 250 bars, and where
          most bars are flat.
    level : float, default 0.05
        Share of bars in the tail, in (0, 0.5).

    Returns
    -------
    TailRisk
        With NaN and a reason where the method cannot be used.

    Raises
    ------
    InputError
        If there are fewer than four bars, a value is missing or infinite, or an option is unknown.

    Notes
    -----
    The historical shortfall counts a bar on the edge of the tail in part: C. Acerbi and D. Tasche, "On the
    Coherence of Expected Shortfall", *Journal of Banking & Finance* 26 (2002), 1487-1503.

    Cornish-Fisher, with z the normal quantile, S the skewness and K the excess kurtosis:
    ``z + (z**2 - 1) S / 6 + (z**3 - 3 z) K / 24 - (2 z**3 - 5 z) S**2 / 36``; the shortfall is its mean over
    the tail, in closed form. D. Maillard, "A User's Guide to the Cornish Fisher Expansion" (2012, SSRN 1997178).

    Filtered historical simulation: G. Barone-Adesi, K. Giannopoulos and L. Vosper, "VaR without Correlations for
    Portfolios of Derivative Securities", *Journal of Futures Markets* 19 (1999), 583-602. Fitted by arch.
    """
    check_choice("method", method, get_args(TailMethod))
    check_number("level", level, low=0, high=0.5, low_open=True, high_open=True)
    values = read_returns(returns, least=4)
    if method == "historical":
        return TailRisk(method, level, *historical_tail(values, level))
    if not varies(values):
        return TailRisk(method, level, math.nan, math.nan, "all returns are the same")
    if method == "cornish_fisher":
        return _cornish_fisher(values, level)
    simulated, reason = next_bar_returns(values)
    if reason:
        return TailRisk(method, level, math.nan, math.nan, reason)
    return TailRisk(method, level, *historical_tail(simulated, level))


def _cornish_fisher(values: FloatArray, level: float) -> TailRisk:
    s, k = float(skew(values)), float(kurtosis(values))
    z = float(ndtri(level))
    farther = np.linspace(ndtri(_FARTHEST), z, 200)
    if np.any((farther**2 - 1) * k / 8 + farther * s / 3 - (6 * farther**2 - 5) * s**2 / 36 < -1.0):
        reason = f"skewness {s:.2f} and excess kurtosis {k:.2f} are beyond what the expansion can express"
        return TailRisk("cornish_fisher", level, math.nan, math.nan, reason)
    quantile = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    shortfall = -density / level * (1 + z * s / 6 + (z**2 - 1) * k / 24 - (2 * z**2 - 1) * s**2 / 36)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return TailRisk("cornish_fisher", level, mean + sd * quantile, mean + sd * shortfall)
