"""Does a spread revert? Tests of one series, by statsmodels and arch."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import cast

import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, LagRule
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._spread import read_spread
from hlpairs_core.stats.hypothesis_test import Found, HypothesisTest, Relation, perform

__all__ = ["adf_test", "kpss_test", "phillips_perron_test"]

_LEAST = 12
_UNIT_ROOT = "the spread has a unit root: it does not revert"
_STATIONARY = "the spread is stationary about a constant"
_TOO_SMALL = (
    "holds for a spread whose hedge ratio was fixed beforehand; with a hedge ratio estimated on these bars the "
    "p-value is too small: use engle_granger_pairs or phillips_ouliaris_test"
)
_TOO_LARGE = (
    "holds for a spread whose hedge ratio was fixed beforehand; with a hedge ratio estimated on these bars the "
    "p-value is too large, and stationarity is not refuted often enough"
)


def adf_test(spread: pd.Series | ArrayLike, *, lag_rule: LagRule = "aic", max_lag: int | None = None) -> HypothesisTest:
    """Augmented Dickey-Fuller test with a constant (statsmodels).

    Null hypothesis: the spread has a unit root, it does not revert. A small p-value speaks for reversion. **The
    p-value is too small if the hedge ratio was estimated on the same bars**: least squares picks the ratio that
    makes the residual look most stationary, and at the 5 % value 14.7 % of unrelated pairs pass.

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, without gaps, T >= 12.
    lag_rule : {"aic", "bic"} or int
        How the number of lagged differences is chosen, or that number.
    max_lag : int, optional
        Largest number of lags searched; by default Schwert's ``12 (T / 100) ** (1 / 4)``. Not beside a fixed number.

    Returns
    -------
    HypothesisTest
        The p-value is MacKinnon's (1994), the critical values are MacKinnon's (2010).

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, an option is out of range, or
        `max_lag` is given beside a fixed number of lags.

    Notes
    -----
    D. A. Dickey and W. A. Fuller, "Distribution of the Estimators for Autoregressive Time Series with a Unit
    Root", *Journal of the American Statistical Association* 74 (1979), 427-431.
    """
    values = read_spread(spread, least=_LEAST)
    if isinstance(lag_rule, str) and lag_rule not in ("aic", "bic"):
        raise InputError(f"lag_rule must be 'aic', 'bic' or a number of lags, got {lag_rule!r}")
    if not isinstance(lag_rule, str) and max_lag is not None:
        raise InputError(f"max_lag={max_lag!r} bounds a search, but lag_rule={lag_rule!r} fixes the lags: drop one")
    search = lag_rule if isinstance(lag_rule, str) else None
    fixed = (max_lag, "max_lag") if isinstance(lag_rule, str) else (lag_rule, "lag_rule")
    lags = _count(*fixed, len(values))
    return _unit_root("augmented Dickey-Fuller", partial(_adf, values, lags, search), len(values))


def phillips_perron_test(spread: pd.Series | ArrayLike, *, lags: int | None = None) -> HypothesisTest:
    """Phillips-Perron test with a constant (arch): Dickey-Fuller's with a correction in place of lags.

    Null hypothesis: the spread has a unit root, it does not revert. A small p-value speaks for reversion. **The
    p-value is too small if the hedge ratio was estimated on the same bars**, as for `adf_test`.

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, without gaps, T >= 12.
    lags : int, optional
        Autocovariances in the long-run variance; by default ``12 (T / 100) ** (1 / 4)``.

    Returns
    -------
    HypothesisTest
        The t-type statistic with MacKinnon's p-value.

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, or `lags` is out of range.

    Notes
    -----
    P. C. B. Phillips and P. Perron, "Testing for a Unit Root in Time Series Regression", *Biometrika* 75 (1988),
    335-346.
    """
    values = read_spread(spread, least=_LEAST)
    bandwidth = _count(lags, "lags", len(values))
    return _unit_root("Phillips-Perron", partial(_phillips_perron, values, bandwidth), len(values))


def kpss_test(spread: pd.Series | ArrayLike, *, lags: int | None = None) -> HypothesisTest:
    """Kwiatkowski-Phillips-Schmidt-Shin test about a constant (statsmodels).

    Null hypothesis: the spread is stationary. A small p-value speaks *against* reversion; a large one proves
    nothing. **The p-value is too large if the hedge ratio was estimated on the same bars.**

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, without gaps, T >= 12.
    lags : int, optional
        Autocovariances in the long-run variance; by default chosen from the data (Hobijn, Franses and Ooms).

    Returns
    -------
    HypothesisTest
        The table of p-values ends at 0.01 and 0.1: beyond them `p_relation` is "<" or ">".

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, or `lags` is out of range.

    Notes
    -----
    D. Kwiatkowski, P. C. B. Phillips, P. Schmidt and Y. Shin, "Testing the Null Hypothesis of Stationarity
    against the Alternative of a Unit Root", *Journal of Econometrics* 54 (1992), 159-178.
    """
    values = read_spread(spread, least=_LEAST)
    return perform(
        partial(_kpss, values, _count(lags, "lags", len(values))),
        name="KPSS",
        null=_STATIONARY,
        alternative=_UNIT_ROOT,
        caution=_TOO_LARGE,
        n_bars=len(values),
    )


def _unit_root(name: str, compute: Callable[[], Found], n_bars: int) -> HypothesisTest:
    return perform(compute, name=name, null=_UNIT_ROOT, alternative=_STATIONARY, caution=_TOO_SMALL, n_bars=n_bars)


def _adf(values: FloatArray, lags: int | None, search: str | None) -> Found:
    from statsmodels.tsa.stattools import adfuller

    test = adfuller(values, maxlag=lags, regression="c", autolag=search, result_object=True)
    return Found(test.statistic, test.pvalue, test.critical_values, int(test.lags))


def _phillips_perron(values: FloatArray, lags: int | None) -> Found:
    from arch.unitroot import PhillipsPerron

    test = PhillipsPerron(values, lags=lags, trend="c")
    return Found(test.stat, test.pvalue, test.critical_values, int(test.lags))


def _kpss(values: FloatArray, lags: int | None) -> Found:
    from statsmodels.tsa.stattools import kpss

    test = kpss(values, regression="c", nlags="auto" if lags is None else lags, result_object=True)
    critical = test.critical_values
    beyond = "<" if test.statistic > critical["1%"] else ">" if test.statistic < critical["10%"] else "="
    return Found(test.statistic, test.pvalue, critical, int(test.lags), cast(Relation, beyond))


def _count(value: int | None, name: str, n_bars: int) -> int | None:
    if value is None:
        return None
    try:
        lags = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number of lags, got {value!r}") from None
    if not 0 <= lags < n_bars // 2:
        raise InputError(f"{name} must be at least 0 and less than half of the {n_bars} bars, got {lags}")
    return lags
