from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Executor
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import IntArray, LagRule, Trend
from hlpairs_core.costs import check_choice, check_integer, check_number
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._history import dull_series, histories
from hlpairs_core.stats._inputs import Table, lag_plan, pair_positions, read_log_prices
from hlpairs_core.stats._null_panel import Resampling, fit_null_panel
from hlpairs_core.stats._null_task import NullTask, Progress, Statistic, Tally, pair_statistics, run_screens
from hlpairs_core.stats.mackinnon import check_trend, mackinnon_p
from hlpairs_core.stats.null_result import NullScreen, empirical_p

__all__ = ["null_screen"]

# With fewer bars an autoregression and a block length are guesses.
_SHORTEST_WINDOW = 30
_MANY = 10**9
_REMEDY = "leave the coin out or give other bars"


def null_screen(
    log_prices: pd.DataFrame | ArrayLike,
    *,
    rng: np.random.Generator,
    n_screens: int = 1000,
    lag_rule: LagRule = "aic",
    max_lag: int | None = None,
    trend: Trend = "c",
    pairs: Iterable[tuple[Hashable, Hashable]] | None = None,
    statistic: Statistic = "t",
    levels: Sequence[float] = (0.05, 0.01, 0.001),
    resampling: Resampling = "blocks",
    block_length: int | None = None,
    keep_best: int = 10,
    executor: Executor | None = None,
    chunk_size: int = 20,
    progress: Progress | None = None,
    accelerate: bool | None = None,
) -> NullScreen:
    """Screen panels in which no pair is cointegrated but all else is as in `log_prices`.

    Null hypothesis: **no** pair of the panel is cointegrated. The best of thousands of pairs always looks
    good; this says how good it looks by luck. In-sample: it describes the window it is given and promises nothing
    about the next bar.

    Each coin's differences are fitted by an autoregression (its own, order by AIC). A null panel puts redrawn residuals
    through it and cumulates: a random walk with the coin's own short memory, whose level nothing pulls.

    Parameters
    ----------
    log_prices : DataFrame or array_like, shape (T, n)
        One column per coin on one common clock, oldest bar first, without gaps; T >= 30.
    rng : numpy.random.Generator
        One number is drawn from it, the seed of all screens.
    n_screens : int
        Null panels. A p-value cannot be below ``1 / (1 + n_screens)``.
    lag_rule, max_lag, trend, pairs
        As in `engle_granger_pairs`: give what the real screen uses, orientation included.
    statistic : {"t", "better_t"}
        * "t": Engle-Granger's t of the pair as oriented.
        * "better_t": the smaller t of both orientations, for a screen that takes the better one.
    levels : sequence of float
        Gates on p, each in (0, 1).
    resampling : {"blocks", "signs", "independent"}
        How residuals are redrawn.

        * "blocks": the stationary bootstrap, the same bars for all coins, which keeps their contemporaneous
          correlation and the clusters of volatility. A block also keeps up to `block_length` bars of whatever
          reversion a really cointegrated pair has, which makes its null a little too good.
        * "signs": every bar keeps its place and size, and the sign of all coins' residuals together is drawn
          by a coin toss. Keeps correlation and this window's own course of volatility, and no reversion.
        * "independent": the stationary bootstrap, each coin by itself. For comparison only: its coins are
          not correlated.
    block_length : int, optional
        Mean block (bars); by default Politis and White's optimum for the mean size of all coins' residuals.
    keep_best : int
        How many of each screen's smallest t to keep.
    executor : concurrent.futures.Executor, optional
        Runs chunks of screens; by default they run here, one after the other.
    chunk_size : int
        Screens per chunk. Neither it nor the executor changes the result.
    progress : callable, optional
        Called as ``progress(done, n_screens)``, at first with 0, then after each chunk, in the caller's thread. What it
        raises stops the work and is raised here.
    accelerate : bool, optional
        As in `engle_granger_pairs`.

    Returns
    -------
    NullScreen

    Raises
    ------
    InputError
        If a value of `log_prices` is missing or infinite, a coin is constant (with "ct": a straight line), there
        are fewer than two coins or too few bars (the message names the coin and the value), no pair has a
        test, or an option is out of range.

    See Also
    --------
    benjamini_yekutieli : control of the false-discovery rate without simulation.
    bonferroni_t : the threshold that ignores the dependence.

    Notes
    -----
    No drift: a walk of T bars wanders as far as T times its estimated drift anyway, so adding the estimate
    would count the same move twice; the test with a constant assumes none.

    ``p_family`` is the step-down max-T of P. H. Westfall and S. S. Young, *Resampling-Based Multiple Testing*
    (Wiley, 1993): a pair is compared with the best null t of the pairs that are not really stronger; for
    the best pair that is all of them. It holds the chance of any false pair if the null t's of the pairs that
    are not cointegrated do not depend on whether others are.

    D. N. Politis and H. White, "Automatic Block-Length Selection for the Dependent Bootstrap", *Econometric
    Reviews* 23 (2004), 53-70. On signs: G. Cavaliere, A. Rahbek and A. M. R. Taylor, "Cointegration Rank
    Testing under Conditional Heteroskedasticity", *Econometric Theory* 26 (2010), 1719-1760.

    Examples
    --------
    >>> walks = np.cumsum(np.random.default_rng(7).normal(size=(200, 8)), axis=0)
    >>> luck = null_screen(walks, rng=np.random.default_rng(1), n_screens=99)
    >>> luck.n_pairs, luck.p_best > 0.05
    (28, True)
    """
    check_trend(trend)
    _check_options(rng, n_screens, statistic, levels, resampling, block_length, keep_best, chunk_size)
    table = read_log_prices(log_prices)
    _check_series(table, trend)
    y, x = pair_positions(table.labels, pairs)
    plan = lag_plan(len(table.values), lag_rule, max_lag, trend)
    real = pair_statistics(table.values, y, x, plan, statistic, trend=trend, accelerate=accelerate)
    tested = np.flatnonzero(np.isfinite(real))
    if not len(tested):
        raise InputError(f"none of the {len(real)} pairs has a test: give at least one pair of two different assets")
    panel = fit_null_panel(table.values, resampling=resampling, block_length=block_length)
    task = NullTask(
        panel=panel,
        y=y[tested],
        x=x[tested],
        plan=plan,
        statistic=statistic,
        trend=trend,
        real=real[tested],
        levels=tuple(levels),
        keep=min(keep_best, len(tested)),
        seed=int(rng.integers(2**63)),
        accelerate=accelerate,
    )
    tally = run_screens(task, n_screens, executor=executor, chunk_size=chunk_size, progress=progress)
    names = pd.Index(table.labels, tupleize_cols=False)
    return NullScreen(
        pairs=_pair_table(names.take(y), names.take(x), tested, task, tally),
        best=tally.best,
        levels=task.levels,
        passing=tally.passing,
        n_bars=len(table.values),
        n_coins=len(names),
        order=pd.Series(panel.order, index=names, name="order"),
        resampling=resampling,
        block_length=panel.block_length,
        statistic=statistic,
        trend=trend,
        lag_rule=lag_rule,
        max_lag=plan.max_lag,
        seed=task.seed,
    )


def _pair_table(y: pd.Index, x: pd.Index, tested: IntArray, task: NullTask, tally: Tally) -> pd.DataFrame:
    n_screens = len(tally.best)
    strongest_first = np.argsort(task.real, kind="stable")
    family = np.empty(len(tested))
    among = empirical_p(tally.as_small_among[strongest_first], n_screens)
    # A pair cannot be surer than one that is really stronger.
    family[strongest_first] = np.maximum.accumulate(among)
    numbers = {
        "t_stat": task.real,
        "p_value": mackinnon_p(task.real, trend=task.trend),
        "p_null": empirical_p(tally.as_small, n_screens),
        "p_family": family,
    }
    columns = {name: pd.Series(values, index=tested).reindex(range(len(y))) for name, values in numbers.items()}
    return pd.DataFrame({"y": y, "x": x, **columns})


def _check_options(
    rng: object,
    n_screens: int,
    statistic: str,
    levels: Sequence[float],
    resampling: str,
    block_length: int | None,
    keep_best: int,
    chunk_size: int,
) -> None:
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"rng must be a numpy.random.Generator, got {rng!r}: use numpy.random.default_rng(seed)")
    check_integer("n_screens", n_screens, low=1, high=_MANY)
    check_integer("keep_best", keep_best, low=1, high=_MANY)
    check_integer("chunk_size", chunk_size, low=1, high=_MANY)
    check_choice("statistic", statistic, get_args(Statistic))
    check_choice("resampling", resampling, get_args(Resampling))
    if block_length is not None:
        check_integer("block_length", block_length, low=1, high=_MANY)
        if resampling == "signs":
            raise InputError(f"block_length is {block_length!r}, but resampling 'signs' has no blocks: drop one")
    if np.ndim(levels) != 1:
        raise InputError(f"levels is {levels!r}: give a sequence of numbers")
    for level in levels:
        check_number("levels", level, low=0, high=1, low_open=True, high_open=True)


def _check_series(table: Table, trend: Trend) -> None:
    n_bars, n_coins = table.values.shape
    if n_coins < 2:
        raise InputError(f"log_prices has only {table.labels[0]!r}: a pair needs two coins")
    if n_bars < _SHORTEST_WINDOW:
        raise InputError(f"log_prices has {n_bars} bars: give at least {_SHORTEST_WINDOW}")
    for row, column in np.argwhere(np.isnan(table.values)):
        raise InputError(f"{table.labels[column]!r} is nan at {table.times[row]}: {_REMEDY}")
    problems = histories(table).problems | dull_series(table.values, trend)
    for column, problem in problems.items():
        raise InputError(f"{table.labels[column]!r} {problem} ({table.values[0, column]} at first): {_REMEDY}")
