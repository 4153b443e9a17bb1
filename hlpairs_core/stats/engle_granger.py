from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray, LagRule, Trend
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._batch import EngleGrangerArrays, engle_granger_from_gram
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._inputs import lag_plan, pair_positions, read_table, series_problems

__all__ = ["engle_granger_pairs"]


def engle_granger_pairs(
    log_prices: pd.DataFrame | ArrayLike,
    *,
    lag_rule: LagRule = "aic",
    max_lag: int | None = None,
    trend: Trend = "c",
    pairs: Iterable[tuple[Hashable, Hashable]] | None = None,
    accelerate: bool | None = None,
) -> pd.DataFrame:
    """Test many pairs for cointegration by Engle and Granger's two steps, all at once.

    Null hypothesis: the two series are **not** cointegrated. Step one is the regression
    ``y = alpha + beta x + e``, step two an augmented Dickey-Fuller test (no constant) of ``e``.

    Parameters
    ----------
    log_prices : DataFrame or array_like, shape (T, n)
        One column per series on one common clock, oldest bar first.
    lag_rule : {"aic", "bic"} or int, default "aic"
        * "aic", "bic": the number of lags of the ADF regression with the smallest criterion, among 0 to
          `max_lag`, all compared on one sample.
        * int: exactly that many lags.
    max_lag : int, optional
        Bound of the search; by default ``ceil(12 (T / 100) ** (1 / 4))``, at most ``T // 2 - 1``.
    trend : {"c"}, default "c"
        Deterministic part of step one: a constant.
    pairs : iterable of (y, x), optional
        Column labels (positions, for an array) of the pairs. By default every unordered pair once, with the
        earlier column as y.
    accelerate : bool, optional
        Whether to run code compiled by Numba; by default where Numba is installed (the extra ``fast``).

    Returns
    -------
    DataFrame
        One row per pair, in the order of `pairs`:

        * ``y``, ``x``: labels of the legs
        * ``alpha``, ``beta``, ``r_squared``: the regression of step one
        * ``t_stat``, ``p_value``: the test of step two; `mackinnon_p`
        * ``lag``: its number of lags (nullable integer)
        * ``half_life``: bars, ``-ln 2 / ln(1 + b)`` of the AR(1) ``e_t - e_{t-1} = a + b e_{t-1} + u_t``; NaN
          unless ``-1 < b < 0``
        * ``z_last``: the last residual over ``resid_std``
        * ``resid_std``: ``sqrt(sum of e ** 2 / (T - 1))``, in the unit of `log_prices`
        * ``reason``: why numbers are missing, else ""

        A series that is constant, or has a missing or infinite value, leaves the numbers of its pairs NaN and
        a ``reason``; other pairs are not affected. A pair with ``r_squared >= 1 - 100 sqrt(eps)`` is one
        asset twice: as in statsmodels its t is -inf and its p is 0, and a ``reason`` says so.

    Raises
    ------
    InputError
        If `log_prices` is not a two-dimensional table of numbers with unique labels, a pair is unknown or
        pairs a series with itself, or T is too short for the lag rule.

    See Also
    --------
    benjamini_yekutieli : control of the false discoveries among all pairs.

    Notes
    -----
    The numbers are those of ``statsmodels.tsa.stattools.coint``. A residual is linear in its two series, so
    all products its regressions need follow from lagged product matrices of the whole panel, computed once;
    what is left per pair does not depend on T. The matrices take ``8 (max_lag + 3) n ** 2`` bytes.

    5 % of unrelated random walks have p < 0.05: of all 19,900 pairs of 200 series, 995. The p-value of a pair
    that was picked out of many is not its error probability.

    R. F. Engle and C. W. J. Granger, "Co-integration and Error Correction: Representation, Estimation, and
    Testing", *Econometrica* 55 (1987), 251-276.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> common = np.cumsum(rng.normal(size=500))
    >>> table = np.column_stack([common + rng.normal(size=500), common, np.cumsum(rng.normal(size=500))])
    >>> engle_granger_pairs(table).loc[:, ["y", "x", "p_value"]].round(3)
       y  x  p_value
    0  0  1    0.000
    1  0  2    0.962
    2  1  2    0.964
    """
    if trend != "c":
        raise InputError(f"trend must be 'c' (a constant), got {trend!r}")
    table = read_table(log_prices, "log_prices")
    y, x = pair_positions(table.labels, pairs)
    plan = lag_plan(len(table.values), lag_rule, max_lag)
    problems = series_problems(table.values)
    sound = np.array([not problem for problem in problems])
    rows = np.flatnonzero(sound[y] & sound[x])
    used, legs = np.unique(np.concatenate([y[rows], x[rows]]), return_inverse=True)
    gram = LaggedGram.of(table.values[:, used], plan.max_lag)
    tests = engle_granger_from_gram(gram, legs[: len(rows)], legs[len(rows) :], plan, accelerate=accelerate)
    names = pd.Index(table.labels, tupleize_cols=False)
    faults = [f"{name} {problem}" if problem else "" for name, problem in zip(names, problems, strict=True)]
    reasons = pd.Series(_reasons(tests, rows, y, x, faults), dtype=str)
    columns = {"y": names.take(y), "x": names.take(x), **_columns(tests, rows, len(y)), "reason": reasons}
    return pd.DataFrame(columns)


def _columns(tests: EngleGrangerArrays, rows: IntArray, n_pairs: int) -> dict[str, object]:
    """Spread the tests over all pairs; the pairs that are not among `rows` get NaN."""

    def spread(values: FloatArray) -> FloatArray:
        column = np.full(n_pairs, np.nan)
        column[rows] = values
        return column

    missing = np.ones(n_pairs, dtype=bool)
    missing[rows] = tests.lag < 0
    lag = np.zeros(n_pairs, dtype=np.int64)
    lag[rows] = tests.lag
    return {
        "alpha": spread(tests.fit.alpha),
        "beta": spread(tests.fit.beta),
        "r_squared": spread(tests.fit.r_squared),
        "t_stat": spread(tests.t_stat),
        "p_value": spread(tests.p_value),
        "lag": pd.arrays.IntegerArray(lag, missing),
        "half_life": spread(tests.half_life),
        "z_last": spread(tests.z_last),
        "resid_std": spread(tests.resid_std),
    }


def _reasons(tests: EngleGrangerArrays, rows: IntArray, y: IntArray, x: IntArray, faults: Sequence[str]) -> list[str]:
    reasons = [""] * len(y)
    for row in np.setdiff1d(np.arange(len(y)), rows):
        reasons[row] = "; ".join(fault for fault in (faults[y[row]], faults[x[row]]) if fault)
    for row in rows[np.isnan(tests.t_stat)]:
        reasons[row] = "the ADF regression is singular: the residual hardly moves"
    for row in rows[tests.collinear]:
        reasons[row] = "the series are collinear: one asset twice"
    return reasons
