"""What would have been chosen, and how much of what it promised arrived: the correction of the winner's curse."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.edge.blocks import block_counts

__all__ = ["FEWEST_BLOCKS", "LEVEL_Z", "Arrival", "arrival", "best_of_bars"]

LEVEL_Z = 1.2816
"""Standard errors from a mean down to what it is above with 90 %."""

FEWEST_BLOCKS = 12
"""Blocks of time below which nothing is calibrated."""


def best_of_bars(signal_time: pd.Series, net_bps: FloatArray, allowed: BoolArray) -> IntArray:
    """Return the position of the largest net edge of each bar, among the rows that are allowed; ties: the first.

    NaN is never the largest.
    """
    places = np.flatnonzero(allowed & np.isfinite(net_bps))
    order = places[np.argsort(-net_bps[places], kind="stable")]
    first = ~pd.Series(signal_time.to_numpy()[order]).duplicated().to_numpy()
    return np.asarray(np.sort(order[first]), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What of the expected income of the chosen arrived, out of fold.

    Attributes
    ----------
    n, n_blocks : int
        Choices, and the blocks of time they lie in.
    raw : float
        Slope of realised on expected income through 0, by least squares in units of noise; NaN without choices.
    standard_error : float
        Of it, from resampled blocks.
    share : float
        What expected incomes are multiplied by, in [0, 1]: `raw` drawn to 0 by what noise alone would make of it
        (positive-part James-Stein), 0 where there were too few choices to say.
    """

    n: int
    n_blocks: int
    raw: float
    standard_error: float
    share: float


def arrival(
    expected: FloatArray, income: FloatArray, blocks: IntArray, *, rng: np.random.Generator, draws: int
) -> Arrival:
    """Compare what was expected of choices with what came, both in units of noise.

    A top of a bar is a maximum over many estimates, and its own estimate is too high on average. How much too high is
    seen by choosing among estimates of fits that had not seen the bar.
    """
    number = np.unique(blocks, return_inverse=True)[1]
    n_blocks = int(number.max(initial=-1)) + 1
    if n_blocks < FEWEST_BLOCKS:
        return Arrival(n=len(expected), n_blocks=n_blocks, raw=np.nan, standard_error=np.nan, share=0.0)
    sums = np.stack([np.bincount(number, weights=w) for w in (expected * income, expected * expected)], axis=1)
    resampled = block_counts(n_blocks, draws, rng) @ sums
    raw = float(sums[:, 0].sum() / sums[:, 1].sum())
    error = float(np.std(resampled[:, 0] / resampled[:, 1], ddof=1))
    kept = max(0.0, 1.0 - (error / raw) ** 2) if raw > 0 else 0.0
    return Arrival(n=len(expected), n_blocks=n_blocks, raw=raw, standard_error=error, share=min(1.0, raw * kept))
