from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray

__all__ = ["LaggedGram"]


@dataclass(frozen=True, eq=False)
class LaggedGram:
    """Everything a screen needs from a panel of series; nothing after it looks at the bars again.

    The residual of a pair is linear in its two series, so each cross-product of its ADF regressions is a
    quadratic form of these matrices, plus a few values at both ends of the window.

    Attributes
    ----------
    n_bars : int
        Length T of the window.
    max_lag : int
        Largest lag m the products serve.
    mean : ndarray, shape (n,)
        Mean of each series, taken off before anything else.
    level : ndarray, shape (n, n)
        Products of the centred series over all bars.
    lagged : ndarray, shape (m + 1, n, n)
        ``lagged[k] = D_k + D_k'`` with ``D_k = sum of d_t d_{t-k}'`` over ``t = m + 1 .. T - 1``, ``d`` being
        the first differences.
    head, tail : ndarray, shape (m + 2, n)
        The first and the last m + 2 bars of the centred series, in time order.
    """

    n_bars: int
    max_lag: int
    mean: FloatArray
    level: FloatArray
    lagged: FloatArray
    head: FloatArray
    tail: FloatArray

    @classmethod
    def of(cls, series: FloatArray, max_lag: int) -> LaggedGram:
        """Compute the products of `series`, shape (T, n), finite, for lags up to `max_lag` <= T // 2 - 1."""
        mean = series.mean(axis=0)
        centred = series - mean
        # The second pass takes off what rounding left of the mean: it matters for levels far from zero.
        rest = centred.mean(axis=0)
        centred -= rest
        edge = max_lag + 2
        return cls(
            n_bars=len(series),
            max_lag=max_lag,
            mean=mean + rest,
            level=centred.T @ centred,
            lagged=_lagged_products(np.diff(centred, axis=0), max_lag),
            head=centred[:edge].copy(),
            tail=centred[-edge:].copy(),
        )


def _lagged_products(differences: FloatArray, max_lag: int) -> FloatArray:
    n_differences, n_series = differences.shape
    products = np.empty((max_lag + 1, n_series, n_series))
    now = differences[max_lag:].T
    for lag in range(max_lag + 1):
        product = now @ differences[max_lag - lag : n_differences - lag]
        np.add(product, product.T, out=products[lag])
    return products
