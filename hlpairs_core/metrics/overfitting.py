from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.costs import check_integer
from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics.inputs import read_returns_table, varies

__all__ = ["Overfitting", "probability_of_overfitting"]

# Splits judged at a time: memory is this times the tries.
_CHUNK = 512
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Overfitting:
    """How the try that was best in one half of the bars did in the other.

    Attributes
    ----------
    probability : float
        PBO: share of splits in which it was no better than the median try. 0.5 where choosing is guessing.
    probability_of_loss : float
        Share of splits in which it lost in the other half.
    degradation : float
        Slope of its Sharpe ratio in the other half on that in its own; 1 where nothing is lost; negative where the
        better it looked the worse it did. NaN where its own never differs.
    n_tries, n_splits : int
        Tries compared, and ways to split the bars.
    logits : ndarray, shape (n_splits,)
        ``ln(w / (1 - w))`` of its relative rank w in the other half.
    sharpe_in, sharpe_out : ndarray, shape (n_splits,)
        Its Sharpe ratio per bar in its own half and in the other.
    """

    probability: float
    probability_of_loss: float
    degradation: float
    n_tries: int
    n_splits: int
    logits: FloatArray = field(repr=False)
    sharpe_in: FloatArray = field(repr=False)
    sharpe_out: FloatArray = field(repr=False)


def probability_of_overfitting(returns: pd.DataFrame | ArrayLike, *, n_blocks: int = 16) -> Overfitting:
    """Estimate the probability of backtest overfitting (PBO) by combinatorially symmetric cross-validation.

    Parameters
    ----------
    returns : DataFrame or array_like, shape (T, n_tries)
        Per-bar returns of *every* try on the same bars, those that were thrown away included.
    n_blocks : int, default 16
        Blocks of time, an even number from 2 to 20. Each half of them is once the half in which the best is chosen
        (12,870 ways for 16). Blocks of unequal length differ by one bar; none is dropped.

    Raises
    ------
    InputError
        If there are fewer than two tries, fewer than two bars a block, a value is missing or infinite, or a try has
        one return, not 0, in every bar of a half.

    Notes
    -----
    A try that is flat throughout a half counts there as a Sharpe ratio of 0. Ties share their ranks.

    Judges the choice among these tries and not any of them: PBO is low, too, where all are equally hopeless but one
    is the least so. D. H. Bailey, J. M. Borwein, M. López de Prado and Q. J. Zhu, "The Probability of Backtest
    Overfitting", *Journal of Computational Finance* 20 (2017), 39-69.
    """
    check_integer("n_blocks", n_blocks, low=2, high=20)
    if n_blocks % 2:
        raise InputError(f"n_blocks is {n_blocks}: use an even number, the halves must be alike")
    values, labels = read_returns_table(returns, least=2 * n_blocks)
    if len(labels) < 2:
        raise InputError("returns has one try: overfitting is a matter of choosing among several")
    chosen = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    halves = _Halves.of(values, n_blocks)
    parts = [halves.judge(chosen[at : at + _CHUNK]) for at in range(0, len(chosen), _CHUNK)]
    inside, outside, rank = np.concatenate(parts, axis=1)
    return _result(inside, outside, rank, len(labels))


@dataclass(frozen=True)
class _Halves:
    """Sums over each block of time, from which the ratios of any half follow; shape (n_blocks, n_tries).

    Of returns less their mean, lest squares lose digits. `traded` counts the bars that are not 0.
    """

    count: FloatArray
    total: FloatArray
    square: FloatArray
    traded: FloatArray
    mean: FloatArray

    @classmethod
    def of(cls, values: FloatArray, n_blocks: int) -> _Halves:
        mean = values.mean(axis=0)
        blocks = np.array_split(values, n_blocks)
        return cls(
            np.array([len(block) for block in blocks], dtype=np.float64),
            np.array([(block - mean).sum(axis=0) for block in blocks]),
            np.array([((block - mean) ** 2).sum(axis=0) for block in blocks]),
            np.array([(block != 0.0).sum(axis=0) for block in blocks], dtype=np.float64),
            mean,
        )

    def judge(self, chosen: IntArray) -> FloatArray:
        """Sharpe ratio of the best try in its half and in the other, and its relative rank there; shape (3, m)."""
        member = np.zeros((len(chosen), len(self.count)))
        np.put_along_axis(member, chosen, 1.0, axis=1)
        inside, outside = self._sharpe(member), self._sharpe(1.0 - member)
        rows, best = np.arange(len(chosen)), inside.argmax(axis=1)
        found = outside[rows, best]
        # Twins must tie whatever the order in which their products were summed.
        ahead = found[:, None] - outside
        tie = np.abs(ahead) <= _ROUNDING * np.abs(found)[:, None]
        rank = ((ahead > 0.0) & ~tie).sum(axis=1) + 0.5 * (tie.sum(axis=1) + 1)
        return np.stack([inside[rows, best], found, rank / (outside.shape[1] + 1)])

    def _sharpe(self, member: FloatArray) -> FloatArray:
        count = (member @ self.count)[:, None]
        shift = member @ self.total / count
        mean = self.mean + shift
        variance = (member @ self.square - count * shift**2) / (count - 1)
        flat = member @ self.traded == 0.0
        same = ~flat & (variance <= _ROUNDING * (mean**2 + self.mean**2))
        if same.any():
            at = int(np.argmax(same.any(axis=0)))
            raise InputError(f"try {at} (counted from 0) has one return in every bar of a half: no backtest looks so")
        return np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))


def _result(inside: FloatArray, outside: FloatArray, rank: FloatArray, n_tries: int) -> Overfitting:
    logits = np.log(rank / (1.0 - rank))
    slope = float(np.polyfit(inside, outside, 1)[0]) if varies(inside) else float("nan")
    return Overfitting(
        float(np.mean(logits <= 0.0)),
        float(np.mean(outside < 0.0)),
        slope,
        n_tries,
        len(logits),
        logits,
        inside,
        outside,
    )
