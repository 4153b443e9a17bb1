from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.stats._gram import LaggedGram

__all__ = ["HedgeFit", "ResidualProducts", "hedge", "residual_products"]


@dataclass(frozen=True, eq=False)
class HedgeFit:
    """Least-squares fit ``y = alpha + slope t + beta x + e`` of B pairs; every array has shape (B,).

    Attributes
    ----------
    y, x : ndarray of int
        Positions of the two legs in the `LaggedGram`.
    alpha, slope, beta, r_squared : ndarray
        The fit, with ``t = 0`` at the first bar; the slope is 0 without a trend.
    ssr : ndarray
        Sum of squared residuals; never negative.
    """

    y: IntArray
    x: IntArray
    alpha: FloatArray
    slope: FloatArray
    beta: FloatArray
    r_squared: FloatArray
    ssr: FloatArray

    def take(self, rows: IntArray) -> HedgeFit:
        """Return the fit of some of the pairs."""
        floats = (column[rows] for column in (self.alpha, self.slope, self.beta, self.r_squared, self.ssr))
        return HedgeFit(self.y[rows], self.x[rows], *floats)


def hedge(gram: LaggedGram, y: IntArray, x: IntArray) -> HedgeFit:
    """Fit every pair ``(y[b], x[b])``; no series of `gram` may be constant."""
    cross, size = gram.level[y, x], np.diagonal(gram.level)
    beta = cross / size[x]
    ssr = np.maximum(size[y] - beta * cross, 0.0)
    alpha = gram.mean[y] - beta * gram.mean[x]
    slope = np.zeros(len(y))
    if gram.lines is not None:
        slope = gram.lines.slope[y] - beta * gram.lines.slope[x]
        alpha -= slope * (gram.n_bars - 1) / 2.0
    return HedgeFit(y, x, alpha, slope, beta, 1.0 - ssr / gram.total[y], ssr)


@dataclass(frozen=True, eq=False)
class ResidualProducts:
    """What the ADF regressions of B residuals ``e`` (differences ``d``) with up to p lags are made of.

    Attributes
    ----------
    n_bars : int
        Length T of the window.
    ssr : ndarray, shape (B,)
        Sum of ``e_t ** 2`` over all bars.
    products : ndarray, shape (p + 1, B)
        ``sum of d_t d_{t-k}`` over ``t = m + 1 .. T - 1``, m being the `LaggedGram`'s largest lag.
    head : ndarray, shape (m + 2, B)
        ``e_0 .. e_{m+1}``.
    head_differences : ndarray, shape (m + 1, B)
        ``d_1 .. d_{m+1}``.
    last : ndarray, shape (B,)
        ``e_{T-1}``.
    tail_differences : ndarray, shape (p + 1, B)
        ``d_{T-1}, d_{T-2}, ...``: newest first.
    """

    n_bars: int
    ssr: FloatArray
    products: FloatArray
    head: FloatArray
    head_differences: FloatArray
    last: FloatArray
    tail_differences: FloatArray

    @property
    def max_lag(self) -> int:
        """Largest lag m of the panel's products."""
        return len(self.head_differences) - 1

    def products_from(self, start: int, n_lags: int) -> FloatArray:
        """Return ``sum of d_t d_{t-k}`` over ``t = start + 1 .. T - 1`` for k = 0 .. n_lags <= start."""
        products = self.products[: n_lags + 1].copy()
        earlier, stop = self.head_differences, self.max_lag
        for lag in range(n_lags + 1 if start < stop else 0):
            products[lag] += np.einsum("tb,tb->b", earlier[start:stop], earlier[start - lag : stop - lag])
        return products


def residual_products(gram: LaggedGram, fit: HedgeFit, n_lags: int) -> ResidualProducts:
    """Evaluate the residual's products and ends for regressions of up to `n_lags` lags."""
    y, x, beta = fit.y, fit.x, fit.beta
    lagged = gram.lagged[: n_lags + 1]
    own = lagged[:, y, y] + beta**2 * lagged[:, x, x]
    head = gram.head[:, y] - beta * gram.head[:, x]
    end = gram.tail[-(n_lags + 2) :]
    tail = end[:, y] - beta * end[:, x]
    return ResidualProducts(
        n_bars=gram.n_bars,
        ssr=fit.ssr,
        products=0.5 * own - beta * lagged[:, y, x],
        head=head,
        head_differences=np.diff(head, axis=0),
        last=tail[-1],
        tail_differences=np.diff(tail, axis=0)[::-1],
    )
