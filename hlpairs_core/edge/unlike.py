"""How much pairs that look alike differ in what they deliver."""

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.edge.record import pair_names

__all__ = ["share_variance", "unlike_pairs"]

_WEEK = pd.Timedelta(days=7)


def share_variance(share: FloatArray) -> FloatArray:
    """Return ``share (1 - share)``: the variance between pairs if each either delivers all or nothing."""
    held = np.clip(share, 0.0, 1.0)
    return np.asarray(held * (1.0 - held))


def unlike_pairs(rows: pd.DataFrame, miss: FloatArray, raw: FloatArray, share: FloatArray) -> float:
    """Estimate what part of `share_variance` there is between pairs of the same expected share.

    A pair that delivers more than its like does so again: from products of the misses of one pair in different weeks,
    whose own noise is unrelated (method of moments).

    Parameters
    ----------
    rows : DataFrame
        ``signal_time, y, x``.
    miss, raw : ndarray, shape (n,)
        Realised less expected income, and raw expected gross, in units of noise.
    share : ndarray, shape (n,)
        Expected share.

    Returns
    -------
    float
        In [0, 1]; 1, the largest, where no pair is seen in two weeks.
    """
    size = raw * np.sqrt(share_variance(share))
    pair = pd.factorize(pair_names(rows))[0]
    week = ((rows["signal_time"] - rows["signal_time"].min()) // _WEEK).to_numpy().astype(np.int64)
    products, squares = (_across_weeks(terms, pair, week) for terms in (miss * size, size * size))
    return float(np.clip(products / squares, 0.0, 1.0)) if squares > 0 else 1.0


def _across_weeks(terms: FloatArray, pair: "np.ndarray[tuple[int], np.dtype[np.intp]]", week: FloatArray) -> float:
    """Sum the products of a pair's terms over all couples of different weeks."""
    of_pair = np.bincount(pair, weights=terms)
    of_week = pd.Series(terms).groupby([pair, week]).sum().to_numpy()
    return float(np.sum(of_pair**2) - np.sum(of_week**2))
