"""Cointegration beyond Engle-Granger: Phillips-Ouliaris for a pair, Johansen for a panel, by arch and statsmodels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._inputs import read_table
from hlpairs_core.stats._spread import read_pair, read_spread
from hlpairs_core.stats.hypothesis_test import Found, HypothesisTest, perform

__all__ = ["JohansenTest", "johansen_test", "phillips_ouliaris_test"]

_LEAST = 20
# Critical values are tabulated up to here.
_MOST_SERIES = 12
# A singular value of the standardised series below this share of the largest is rounding.
_COLLINEAR = 1e-8
# Two series whose correlation is closer to 1 than this differ by rounding (as in the Engle-Granger screen).
_SAME = 1e-6


def phillips_ouliaris_test(
    y: pd.Series | ArrayLike, x: pd.Series | ArrayLike, *, bandwidth: int | None = None
) -> HypothesisTest:
    """Phillips-Ouliaris test of a pair with a constant (arch's Zt).

    Null hypothesis: the two series are not cointegrated. A small p-value speaks for cointegration. The hedge
    ratio is estimated and the distribution accounts for it.

    Parameters
    ----------
    y, x : Series or array_like, shape (T,)
        Log prices, one value a bar, without gaps, T >= 20. y is regressed on x.
    bandwidth : int, optional
        Of the Bartlett kernel; by default chosen from the data (Newey and West).

    Returns
    -------
    HypothesisTest
        `lags` is the bandwidth, rounded.

    Raises
    ------
    InputError
        If a series is too short, constant or has a missing or infinite value, they are not on the same bars,
        or they are collinear.

    See Also
    --------
    engle_granger_pairs : all pairs at once, with lagged differences in place of the kernel.

    Notes
    -----
    The p-value is asymptotic: of unrelated random walks of 200 bars 8 % have p < 0.05, of 672 bars 7 %.

    P. C. B. Phillips and S. Ouliaris, "Asymptotic Properties of Residual Based Tests for Cointegration",
    *Econometrica* 58 (1990), 165-193.
    """
    first, second = read_pair(y, x, least=_LEAST)
    if bandwidth is not None and not 0 <= bandwidth < len(first):
        raise InputError(f"bandwidth must be at least 0 and less than the {len(first)} bars, got {bandwidth!r}")
    if abs(np.corrcoef(first, second)[0, 1]) >= 1.0 - _SAME:
        raise InputError("y and x are collinear: they are one asset twice")
    return perform(
        partial(_phillips_ouliaris, first, second, bandwidth),
        name="Phillips-Ouliaris",
        null="the two series are not cointegrated",
        alternative="the two series are cointegrated",
        caution="",
        n_bars=len(first),
    )


def _phillips_ouliaris(y: FloatArray, x: FloatArray, bandwidth: int | None) -> Found:
    from arch.unitroot.cointegration import phillips_ouliaris

    test = phillips_ouliaris(y, x[:, None], trend="c", test_type="Zt", bandwidth=bandwidth)
    critical = {f"{level}%": float(value) for level, value in test.critical_values.items()}
    return Found(test.stat, test.pvalue, critical, round(float(test.bandwidth)))


@dataclass(frozen=True, eq=False)
class JohansenTest:
    """Johansen's tests of n series; row r of each array belongs to "at most r cointegrating relations".

    Attributes
    ----------
    labels : sequence
        The series.
    trace, max_eigenvalue : ndarray, shape (n,)
        The statistics.
    trace_critical, max_eigenvalue_critical : ndarray, shape (n, 3)
        Critical values at 90, 95 and 99 % confidence; a statistic above rejects the row's null hypothesis.
    eigenvalues : ndarray, shape (n,)
        In decreasing order.
    vectors : ndarray, shape (n, n)
        Cointegrating vectors in columns, the most stationary first. Only the first `rank` mean anything.
    lags : int
        Lagged differences in the model.
    trace_null, max_eigenvalue_null : tuple of str
        The null hypothesis of each row.
    """

    labels: Sequence[Hashable]
    trace: FloatArray
    max_eigenvalue: FloatArray
    trace_critical: FloatArray
    max_eigenvalue_critical: FloatArray
    eigenvalues: FloatArray
    vectors: FloatArray
    lags: int
    trace_null: tuple[str, ...]
    max_eigenvalue_null: tuple[str, ...]

    def rank(self, *, statistic: Literal["trace", "max_eigenvalue"] = "trace", confidence: int = 95) -> int:
        """Number of cointegrating relations: the first row whose null hypothesis is not rejected."""
        if confidence not in (90, 95, 99):
            raise InputError(f"confidence must be 90, 95 or 99, got {confidence!r}")
        values, critical = {
            "trace": (self.trace, self.trace_critical),
            "max_eigenvalue": (self.max_eigenvalue, self.max_eigenvalue_critical),
        }[statistic]
        rejected = values > critical[:, (90, 95, 99).index(confidence)]
        return len(values) if rejected.all() else int(np.argmin(rejected))


def johansen_test(log_prices: pd.DataFrame | ArrayLike, *, lags: int = 1) -> JohansenTest:
    """Johansen's trace and maximum-eigenvalue tests with a constant (statsmodels).

    Null hypotheses: the trace test's row r says that there are at most r cointegrating relations, against more;
    the maximum-eigenvalue test's says exactly r, against r + 1. A rank of n says that every series is
    stationary by itself: there is nothing to hedge.

    Parameters
    ----------
    log_prices : DataFrame or array_like, shape (T, n)
        One column per series, 2 to 12 of them, without gaps.
    lags : int
        Lagged differences in the model.

    Returns
    -------
    JohansenTest

    Raises
    ------
    InputError
        If a column is constant, a combination of others, or has a missing or infinite value (the message names
        it), there are fewer than 2 or more than 12, or T is too short for them.

    Notes
    -----
    In short samples both tests reject too often. S. Johansen, "Estimation and Hypothesis Testing of
    Cointegration Vectors in Gaussian Vector Autoregressive Models", *Econometrica* 59 (1991), 1551-1580;
    critical values of J. G. MacKinnon, A. A. Haug and L. Michelis, "Numerical Distribution Functions of
    Likelihood Ratio Tests for Cointegration", *Journal of Applied Econometrics* 14 (1999), 563-577.
    """
    table = read_table(log_prices, "log_prices")
    values, labels = table.values, table.labels
    n_series = values.shape[1]
    if not 2 <= n_series <= _MOST_SERIES:
        raise InputError(f"log_prices must have 2 to {_MOST_SERIES} series, got {n_series}")
    if lags < 0:
        raise InputError(f"lags must not be negative, got {lags!r}")
    least = max(_LEAST, n_series * (lags + 2) + lags + 2)
    for column, label in enumerate(labels):
        read_spread(values[:, column], name=f"column {label!r}", least=least)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    sizes = np.linalg.svd(standard, compute_uv=False)
    if sizes[-1] <= _COLLINEAR * sizes[0]:
        raise InputError(f"one of the series {list(labels)} is a combination of the others: drop it")

    from statsmodels.tsa.vector_ar.vecm import coint_johansen

    found = coint_johansen(values, 0, lags)
    return JohansenTest(
        labels=list(labels),
        trace=found.trace_stat,
        max_eigenvalue=found.max_eig_stat,
        trace_critical=found.trace_stat_crit_vals,
        max_eigenvalue_critical=found.max_eig_stat_crit_vals,
        eigenvalues=found.eig,
        vectors=found.evec,
        lags=lags,
        trace_null=tuple(f"at most {rank} cointegrating relations" for rank in range(n_series)),
        max_eigenvalue_null=tuple(f"exactly {rank} cointegrating relations" for rank in range(n_series)),
    )
