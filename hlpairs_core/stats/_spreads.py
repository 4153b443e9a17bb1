from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.stats._batch import COLLINEAR
from hlpairs_core.stats._crossings import count_crossings
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._reasons import PairReasons
from hlpairs_core.stats._residual import hedge
from hlpairs_core.stats._structure import StructureGram

__all__ = ["SpreadAnswer", "SpreadArrays", "describe_spreads"]


@dataclass(frozen=True, eq=False)
class SpreadArrays:
    """How the spreads of B pairs move.

    Attributes
    ----------
    crossings : ndarray of int, shape (B,)
        Changes of side.
    hurst : ndarray, shape (B,)
        Hurst exponents; NaN where a spread does not move.
    variance_ratios : ndarray, shape (k - 1, B)
        One row a span but the first.
    collinear : ndarray of bool, shape (B,)
        The spread is rounding noise.
    """

    crossings: IntArray
    hurst: FloatArray
    variance_ratios: FloatArray
    collinear: BoolArray


def describe_spreads(
    series: FloatArray,
    gram: LaggedGram,
    structure: StructureGram,
    y: IntArray,
    x: IntArray,
    *,
    accelerate: bool | None,
) -> SpreadArrays:
    """Describe the spreads of the pairs ``(y[b], x[b])`` of `series`, shape (T, n), whose products are known."""
    fit = hedge(gram, y, x)
    moves = structure.of_spreads(y, x, fit.beta)
    crossings = count_crossings(series - gram.mean, y, x, fit.beta, accelerate=accelerate)
    return SpreadArrays(crossings, moves.hurst(), moves.variance_ratios(), fit.r_squared >= COLLINEAR)


class SpreadAnswer(PairReasons):
    """The spreads of all pairs, put together window by window; a pair that nothing is said of has NaN.

    Parameters
    ----------
    labels : sequence
        Names of the series.
    y, x : ndarray of int, shape (n_pairs,)
        Positions of the two legs of every pair in `labels`.
    spans : tuple of int
        Bars of the moves; the first is 1.
    """

    def __init__(self, labels: Sequence[Hashable], y: IntArray, x: IntArray, spans: tuple[int, ...]) -> None:
        super().__init__(labels, y, x)
        ratios = [f"variance_ratio_{span}" for span in spans[1:]]
        self._floats = {name: np.full(len(y), np.nan) for name in ["hurst", *ratios]}
        self._crossings = np.full(len(y), -1)

    def put(self, pairs: IntArray, spreads: SpreadArrays, n_bars: int) -> None:
        """Take the spreads of some pairs, on a window of `n_bars`."""
        for name, values in zip(self._floats, [spreads.hurst, *spreads.variance_ratios], strict=True):
            self._floats[name][pairs] = np.where(spreads.collinear, np.nan, values)
        self._crossings[pairs] = np.where(spreads.collinear, -1, spreads.crossings)
        self.n_obs[pairs] = n_bars
        self.blame(pairs[np.isnan(spreads.hurst)], "the spread does not move")
        self.blame(pairs[spreads.collinear], "the series are collinear: one asset twice")

    def frame(self) -> pd.DataFrame:
        """Return the table, one row per pair."""
        crossings = pd.arrays.IntegerArray(np.maximum(self._crossings, 0), self._crossings < 0)
        return pd.DataFrame({**self.legs(), "crossings": crossings, **self._floats, **self.remarks()})
