"""Time cut into blocks: what is resampled, and what a fit may see."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.edge.holds import over_by
from hlpairs_core.exceptions import InputError

__all__ = ["block_bootstrap", "block_counts", "purged_folds", "time_blocks"]

DRAWS = 1000


def time_blocks(time: pd.Series, *, hours: float) -> IntArray:
    """Number the stretch of time that each row lies in, from 0 on.

    Parameters
    ----------
    time : Series of datetime64, shape (n,)
        When each row was signalled, in any order.
    hours : float
        Length of a block; use at least the longest hold, so that trades of different blocks hardly overlap.

    Returns
    -------
    ndarray of int, shape (n,)
        Blocks without a row have no number.
    """
    since = (time - time.min()) / pd.Timedelta(hours=hours)
    return np.unique(np.floor(since.to_numpy()), return_inverse=True)[1].astype(np.int64)


def purged_folds(
    rows: pd.DataFrame, *, blocks: IntArray, n_folds: int, hold: pd.Timedelta, embargo_hours: float
) -> Iterator[tuple[BoolArray, BoolArray]]:
    """Yield what is fitted and what is judged, for each of some stretches of time in turn.

    Each stretch is made of whole blocks. Fitted are the trades signalled a longest hold before its first signal (not
    those that had ended by then: the early winners), and those signalled an embargo after its last exit: no fitted
    trade shares an hour with a judged one (López de Prado 2018, Advances in Financial Machine Learning, ch. 7).

    Parameters
    ----------
    rows : DataFrame, n rows
        ``signal_time, exit_time``: when trades were signalled and when they ended.
    blocks : ndarray of int, shape (n,)
        As of `time_blocks`.
    n_folds : int
        How many stretches; at most the number of blocks.
    hold : pandas.Timedelta
        The longest from a signal to its exit, as of `longest_hold`.
    embargo_hours : float
        Pause after the judged stretch.

    Yields
    ------
    fitted, judged : ndarray of bool, shape (n,)
    """
    signal, ended = rows["signal_time"], rows["exit_time"]
    embargo = pd.Timedelta(hours=embargo_hours)
    fold = blocks * n_folds // (int(blocks.max()) + 1)
    for number in np.unique(fold):
        judged = fold == number
        before = over_by(rows, signal[judged].min(), hold=hold)
        after = signal > ended[judged].max() + embargo
        yield (before | after).to_numpy(), judged


def block_counts(n_blocks: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """Return how often each block is in each of some resamples with replacement; shape (draws, n_blocks)."""
    return rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=draws).astype(np.float64)


def block_bootstrap(
    sums: FloatArray,
    statistic: Callable[[FloatArray], FloatArray],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.90,
) -> tuple[FloatArray, FloatArray]:
    """Return percentile intervals of statistics that follow from sums over whole blocks (Künsch 1989, Ann. Statist.).

    Parameters
    ----------
    sums : ndarray, shape (n_blocks, k)
        Of each block: k sums over its rows, its number of rows among them where means are wanted.
    statistic : callable
        From sums of shape (draws, k) to statistics of shape (draws, m).
    rng : numpy.random.Generator
    draws : int
        Resamples.
    level : float
        Of the intervals.

    Returns
    -------
    low, high : ndarray, shape (m,)
        Draws in which a statistic is undefined (NaN) are left out; NaN where it always is.

    Raises
    ------
    InputError
        With fewer than two blocks: nothing varies.

    Examples
    --------
    >>> import numpy as np
    >>> day = np.array([[5.0, 2.0], [9.0, 2.0], [1.0, 2.0], [7.0, 2.0]])  # sum and number of each block
    >>> low, high = block_bootstrap(day, lambda s: s[:, :1] / s[:, 1:], rng=np.random.default_rng(1))
    >>> bool(low[0] < 22 / 8 < high[0])
    True
    """
    if len(sums) < 2:
        raise InputError(f"{len(sums)} block of time cannot be resampled: use shorter blocks or more history")
    found = statistic(block_counts(len(sums), draws, rng) @ sums)
    tail = (1.0 - level) / 2
    known = np.isfinite(found).any(axis=0)
    low, high = np.full((2, found.shape[1]), np.nan)
    low[known], high[known] = np.nanquantile(found[:, known], [tail, 1.0 - tail], axis=0)
    return low, high
