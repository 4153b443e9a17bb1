from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, Trend

__all__ = ["LaggedGram", "Lines", "centre"]


@dataclass(frozen=True, eq=False)
class Lines:
    """Least-squares lines that were taken off n series.

    Attributes
    ----------
    slope : ndarray, shape (n,)
        Per bar.
    total : ndarray, shape (n,)
        Sum of squares about the mean, before the line was taken off.
    """

    slope: FloatArray
    total: FloatArray


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
    lines : Lines, optional
        With a linear trend in step one, the lines that were taken off with the means (by the theorem of Frisch,
        Waugh and Lovell the residuals are the same): then "centred" above means "about its line".
    """

    n_bars: int
    max_lag: int
    mean: FloatArray
    level: FloatArray
    lagged: FloatArray
    head: FloatArray
    tail: FloatArray
    lines: Lines | None = None

    @property
    def trend(self) -> Trend:
        """Deterministic part of step one."""
        return "c" if self.lines is None else "ct"

    @property
    def total(self) -> FloatArray:
        """Sum of squares of each series about its mean."""
        return np.diagonal(self.level) if self.lines is None else self.lines.total

    @classmethod
    def of(cls, series: FloatArray, max_lag: int, *, trend: Trend = "c") -> LaggedGram:
        """Compute the products of `series`, shape (T, n), finite, for lags up to `max_lag` <= T // 2 - 1."""
        centred, mean, lines = centre(series, trend)
        edge = max_lag + 2
        return cls(
            n_bars=len(series),
            max_lag=max_lag,
            mean=mean,
            level=centred.T @ centred,
            lagged=_lagged_products(np.diff(centred, axis=0), max_lag),
            head=centred[:edge].copy(),
            tail=centred[-edge:].copy(),
            lines=lines,
        )


def centre(series: FloatArray, trend: Trend) -> tuple[FloatArray, FloatArray, Lines | None]:
    """Return `series` about their means ("c") or lines ("ct"), the means, and the lines."""
    mean = series.mean(axis=0)
    centred = series - mean
    # The second pass takes off what rounding left of the mean: it matters for levels far from zero.
    left = centred.mean(axis=0)
    centred -= left
    if trend == "c":
        return centred, mean + left, None
    total = np.einsum("ti,ti->i", centred, centred)
    clock = np.arange(len(series)) - (len(series) - 1) / 2.0
    slope = np.zeros(series.shape[1])
    for _ in range(2):
        rest = clock @ centred / (clock @ clock)
        centred -= clock[:, None] * rest
        slope += rest
    return centred, mean + left, Lines(slope, total)


def _lagged_products(differences: FloatArray, max_lag: int) -> FloatArray:
    n_differences, n_series = differences.shape
    products = np.empty((max_lag + 1, n_series, n_series))
    now, product = differences[max_lag:].T, np.empty((n_series, n_series))
    for lag in range(max_lag + 1):
        np.matmul(now, differences[max_lag - lag : n_differences - lag], out=product)
        np.add(product, product.T, out=products[lag])
    return products
