from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._history import Window, common_windows, dull_series, histories
from hlpairs_core.stats._inputs import pair_positions, read_log_prices
from hlpairs_core.stats._spreads import SpreadAnswer, describe_spreads
from hlpairs_core.stats._structure import StructureGram

__all__ = ["reversion_pairs"]


def reversion_pairs(
    log_prices: pd.DataFrame | ArrayLike,
    *,
    q: Sequence[int] = (2, 4, 8, 16),
    pairs: Iterable[tuple[Hashable, Hashable]] | None = None,
    accelerate: bool | None = None,
) -> pd.DataFrame:
    """Describe how the spreads of many pairs move: variance ratios, Hurst exponent and crossings, all at once.

    The spread is the residual e of the regression ``y = alpha + beta x + e``, as in `engle_granger_pairs`. The
    numbers describe the window they are computed from: beta is fitted to the same bars, which makes any two
    series look more reverting than they are.

    Parameters
    ----------
    log_prices : DataFrame or array_like, shape (T, n)
        One column per series on one common clock, oldest bar first. NaN before a series begins and after it
        ends: a spread is that of the bars which its two series have in common. A series with NaN in between is
        not used.
    q : sequence of int, default (2, 4, 8, 16)
        Bars of the moves that are compared with single bars, from 2 to T - 2 each.
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
        * ``crossings``: bars at which the spread is on the other side of its mean than at the bar before
          (nullable integer); exactly on the mean counts as below
        * ``hurst``: slope of ``ln sqrt(mean (e_t - e_{t-s}) ** 2)`` on ``ln s`` over the spans s = 1 and all q:
          1/2 for a random walk, less for a spread that reverts
        * ``variance_ratio_2`` and so on, one column per q: variance of a move over q bars, divided by q times
          that of one bar, about the drift and corrected for its estimation: 1 for a random walk, less for a
          spread that reverts
        * ``n_obs``: the number of bars that the two series have in common; 0 where one cannot be used
        * ``reason``: why numbers are missing, else ""

        A series that is constant or has holes leaves the numbers of its pairs NaN and a ``reason``; other
        pairs are not affected. So does a pair of collinear series, or one with too few bars for the largest q.

    Raises
    ------
    InputError
        If `log_prices` is not a two-dimensional table of numbers with unique labels and rows in order of time,
        or has an infinite value; if a pair is unknown or pairs a series with itself; or if a q is no whole
        number, comes twice, or does not fit the whole table.

    See Also
    --------
    engle_granger_pairs : the test for cointegration, half-life and z-score of the same spreads.
    RollingScreen : the same numbers, bar after bar.

    Notes
    -----
    The variance ratios are those of ``arch.unitroot.VarianceRatio(e, lags=q)`` with its defaults. All but the
    crossings follow from one matrix product a span.

    A. W. Lo and A. C. MacKinlay, "Stock Market Prices Do Not Follow Random Walks: Evidence from a Simple
    Specification Test", *Review of Financial Studies* 1 (1988), 41-66.

    T. Di Matteo, T. Aste and M. M. Dacorogna, "Long-term memories of developed and emerging markets: Using the
    scaling analysis to characterize their stage of development", *Journal of Banking & Finance* 29 (2005),
    827-851 (the exponent of order 2).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> common = np.cumsum(rng.normal(size=500))
    >>> table = np.column_stack([common + rng.normal(size=500), common, np.cumsum(rng.normal(size=500))])
    >>> reversion_pairs(table, q=[4]).drop(columns=["n_obs", "reason"]).round(2)
       y  x  crossings  hurst  variance_ratio_4
    0  0  1        240   0.00              0.25
    1  0  2          7   0.30              0.57
    2  1  2          7   0.48              0.93
    """
    table = read_log_prices(log_prices)
    y, x = pair_positions(table.labels, pairs)
    spans = read_spans(q, len(table.values))
    found = histories(table)
    answer = SpreadAnswer(table.labels, y, x, spans)
    answer.blame_series(np.flatnonzero(np.isin([y, x], list(found.problems)).any(axis=0)), found.problems)
    for window in common_windows(found, y, x):
        if window.n_bars < max(spans) + 2:
            needed = f"have {window.n_bars} bars in common: the longest q needs {max(spans) + 2}"
            answer.blame_window(window.pairs, window.n_bars, needed)
        else:
            _describe_window(answer, table.values[window.start : window.stop], window, spans, accelerate)
    return answer.frame()


def read_spans(q: Sequence[int], n_bars: int) -> tuple[int, ...]:
    """Return 1 and the spans asked for."""
    try:
        spans = [operator.index(span) for span in q]
    except TypeError:
        raise InputError(f"q must be whole numbers of bars, got {q!r}") from None
    if not spans or len(set(spans)) < len(spans):
        raise InputError(f"q must be one or more different numbers of bars, got {q!r}")
    if min(spans) < 2 or max(spans) > n_bars - 2:
        raise InputError(f"each q must be from 2 to {n_bars - 2}, two less than the {n_bars} bars, got {q!r}")
    return (1, *spans)


def _describe_window(
    answer: SpreadAnswer, values: FloatArray, window: Window, spans: tuple[int, ...], accelerate: bool | None
) -> None:
    used, legs = np.unique([answer.y[window.pairs], answer.x[window.pairs]], return_inverse=True)
    series = values[:, used]
    dull = {int(used[at]): problem for at, problem in dull_series(series, "c").items()}
    sound = ~np.isin(used[legs], list(dull)).any(axis=0)
    y, x = legs[:, sound]
    gram, structure = LaggedGram.of(series, 0), StructureGram.of(series, spans)
    spreads = describe_spreads(series, gram, structure, y, x, accelerate=accelerate)
    answer.put(window.pairs[sound], spreads, window.n_bars)
    answer.blame_series(window.pairs[~sound], dull)
