from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray, LagRule, Trend
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._answer import Answer
from hlpairs_core.stats._batch import engle_granger_from_gram
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._history import Window, common_windows, dull_series, histories
from hlpairs_core.stats._inputs import LagPlan, Table, lag_plan, pair_positions, read_log_prices
from hlpairs_core.stats.mackinnon import check_trend

__all__ = ["answer_pairs", "engle_granger_pairs"]


def engle_granger_pairs(
    log_prices: pd.DataFrame | ArrayLike,
    *,
    lag_rule: LagRule = "aic",
    max_lag: int | None = None,
    trend: Trend = "c",
    pairs: Iterable[tuple[Hashable, Hashable]] | None = None,
    ordered: bool = False,
    accelerate: bool | None = None,
) -> pd.DataFrame:
    """Test many pairs for cointegration by Engle and Granger's two steps, all at once.

    Null hypothesis: the two series are **not** cointegrated. Step one is the regression
    ``y = alpha + beta x + e`` (plus ``trend_per_bar * t`` with ``trend="ct"``), step two an augmented
    Dickey-Fuller test (no constant) of ``e``.

    Parameters
    ----------
    log_prices : DataFrame or array_like, shape (T, n)
        One column per series on one common clock, oldest bar first. NaN before a series begins and after it
        ends: a pair is tested on the bars that its two series have in common, and the lag rule is that of so
        many bars. A series with NaN in between is not tested.
    lag_rule : {"aic", "bic"} or int, default "aic"
        * "aic", "bic": the number of lags of the ADF regression with the smallest criterion, among 0 to
          `max_lag`, all compared on one sample.
        * int: exactly that many lags.
    max_lag : int, optional
        Bound of the search; by default ``ceil(12 (T / 100) ** (1 / 4))``, at most ``T // 2 - 1``.
    trend : {"c", "ct"}, default "c"
        Deterministic part of step one: a constant, or a constant and a linear trend.
    pairs : iterable of (y, x), optional
        Column labels (positions, for an array) of the pairs. By default every unordered pair once, with the
        earlier column as y.
    ordered : bool, default False
        Test each pair also the other way round, in the next row: two tests, not one.
    accelerate : bool, optional
        Whether to run code compiled by Numba; by default where Numba is installed (the extra ``fast``).

    Returns
    -------
    DataFrame
        One row per pair, in the order of `pairs`:

        * ``y``, ``x``: labels of the legs
        * ``alpha``, ``beta``, ``trend_per_bar``, ``r_squared``: the regression of step one, with t = 0 at the
          first bar of the pair; no trend is a trend of 0
        * ``t_stat``, ``p_value``: the test of step two; `mackinnon_p`
        * ``lag``: its number of lags (nullable integer)
        * ``half_life``: bars, ``-ln 2 / ln(1 + b)`` of the AR(1) ``e_t - e_{t-1} = a + b e_{t-1} + u_t``; NaN
          unless ``-1 < b < 0``
        * ``z_last``: the last residual over ``resid_std``
        * ``resid_std``: ``sqrt(sum of e ** 2 / (T - 1))``, in the unit of `log_prices`
        * ``n_obs``: T, the number of bars that the two series have in common; 0 where one cannot be used
        * ``reason``: why numbers are missing, else ""

        A series that is constant, or has a missing or infinite value, leaves the numbers of its pairs NaN and
        a ``reason``; other pairs are not affected. A pair with ``r_squared >= 1 - 100 sqrt(eps)`` is one
        asset twice: as in statsmodels its t is -inf and its p is 0, and a ``reason`` says so.

    Raises
    ------
    InputError
        If `log_prices` is not a two-dimensional table of numbers with unique labels and rows in order of time,
        or has an infinite value; if a pair is unknown or pairs a series with itself; or if the whole table is
        too short for the lag rule.

    See Also
    --------
    benjamini_yekutieli : control of the false discoveries among all pairs.
    null_screen : how many pairs pass a gate by luck, by simulation.

    Notes
    -----
    The numbers are those of ``statsmodels.tsa.stattools.coint``. A residual is linear in its two series, so
    all products its regressions need follow from lagged product matrices of the whole panel, computed once;
    what is left per pair does not depend on T. The matrices take ``8 (max_lag + 3) n ** 2`` bytes. Pairs with
    different bars in common need matrices of their own, so many different listing dates cost many times one.

    Nominally 5 % of unrelated random walks have p < 0.05: of all 19,900 pairs of 200 series, 995. With lags by
    AIC it is 5.5 to 6.5 % of Gaussian walks, and 1.3 to 2.2 times the nominal number with the volatility and the
    dependence of recorded prices (`docs/statistics.md`): `null_screen` counts them. The p-value of a pair that was
    picked out of many is not its error probability.

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
    check_trend(trend)
    table = read_log_prices(log_prices)
    y, x = pair_positions(table.labels, pairs, ordered=ordered)
    return answer_pairs(table, y, x, lag_rule=lag_rule, max_lag=max_lag, trend=trend, accelerate=accelerate).frame()


def answer_pairs(
    table: Table,
    y: IntArray,
    x: IntArray,
    *,
    lag_rule: LagRule = "aic",
    max_lag: int | None = None,
    trend: Trend = "c",
    accelerate: bool | None = None,
) -> Answer:
    """Test pairs given as positions of columns: the numbers of `engle_granger_pairs`, before they are a table."""
    # A request that the whole table is too short for is refused; a pair with too short a window is explained.
    lag_plan(len(table.values), lag_rule, max_lag, trend)
    found = histories(table)
    answer = Answer(table.labels, y, x)
    answer.blame_series(np.flatnonzero(np.isin([y, x], list(found.problems)).any(axis=0)), found.problems)
    for window in common_windows(found, y, x):
        try:
            plan = lag_plan(window.n_bars, lag_rule, max_lag, trend)
        except InputError as error:
            answer.blame_window(window.pairs, window.n_bars, f"have too few bars in common: {error}")
        else:
            _test_window(answer, table.values, window, plan, trend, accelerate)
    return answer


def _test_window(
    answer: Answer, series: FloatArray, window: Window, plan: LagPlan, trend: Trend, accelerate: bool | None
) -> None:
    y, x = answer.y[window.pairs], answer.x[window.pairs]
    used = np.zeros(series.shape[1], dtype=bool)
    used[y], used[x] = True, True
    columns, place = np.flatnonzero(used), np.cumsum(used) - 1
    values = series[window.start : window.stop, columns]
    dull = {int(columns[at]): problem for at, problem in dull_series(values, trend).items()}
    sound = ~np.isin([y, x], list(dull)).any(axis=0)
    gram = LaggedGram.of(values, plan.max_lag, trend=trend)
    tests = engle_granger_from_gram(gram, place[y[sound]], place[x[sound]], plan, accelerate=accelerate)
    answer.put(window.pairs[sound], tests, window.n_bars)
    answer.blame_series(window.pairs[~sound], dull)
