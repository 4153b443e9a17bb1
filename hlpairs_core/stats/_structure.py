from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray

__all__ = ["SpreadMoves", "StructureGram"]


@dataclass(frozen=True, eq=False)
class SpreadMoves:
    """How far B spreads move in 1, q, ... bars.

    Attributes
    ----------
    n_bars : int
        Length T of the window.
    spans : tuple of int
        Bars q of a move; the first is 1.
    squares, sums : ndarray, shape (k, B)
        Sums of the squared moves and of the moves ``e_t - e_{t-q}`` over ``t = q .. T - 1``.
    """

    n_bars: int
    spans: tuple[int, ...]
    squares: FloatArray
    sums: FloatArray

    def variance_ratios(self) -> FloatArray:
        """Return the variance of moves over each span but the first over q times that of single bars, (k - 1, B)."""
        n_obs, span = self.n_bars - 1, np.array(self.spans, dtype=np.float64)[:, None]
        drift = self.sums[0] / n_obs
        about_drift = self.squares - 2.0 * span * drift * self.sums + (n_obs - span + 1) * (span * drift) ** 2
        # What Lo and MacKinlay divide by, so that a random walk's ratio is one although its drift is estimated.
        variance = about_drift / (span * (n_obs - span + 1) * (1.0 - span / n_obs))
        ratios: FloatArray = variance[1:] / np.where(variance[0] > 0.0, variance[0], np.nan)
        return ratios

    def hurst(self) -> FloatArray:
        """Return half the slope of the logarithm of the mean squared move on that of its span, shape (B,)."""
        span = np.array(self.spans, dtype=np.float64)
        distance = np.log(span) - np.log(span).mean()
        moves = (self.squares > 0.0).all(axis=0)
        mean = np.where(moves, self.squares, np.nan) / (self.n_bars - span)[:, None]
        slope: FloatArray = distance @ np.log(mean) / (distance @ distance)
        return 0.5 * slope


@dataclass(frozen=True, eq=False)
class StructureGram:
    """How far a panel of series moves in 1, q, ... bars; what a spread does follows, as it is linear in its legs.

    Attributes
    ----------
    n_bars : int
        Length T of the window.
    spans : tuple of int
        Bars q of a move; the first is 1.
    products : ndarray, shape (k, n, n)
        ``sum of m_t m_t'`` over ``t = q .. T - 1`` for each span, with ``m_t = x_t - x_{t-q}``.
    sums : ndarray, shape (k, n)
        ``sum of m_t``, of the same.
    """

    n_bars: int
    spans: tuple[int, ...]
    products: FloatArray
    sums: FloatArray

    @classmethod
    def of(cls, series: FloatArray, spans: tuple[int, ...]) -> StructureGram:
        """Compute the products of `series`, shape (T, n), finite."""
        products = np.empty((len(spans), series.shape[1], series.shape[1]))
        for product, span in zip(products, spans, strict=True):
            moves = series[span:] - series[:-span]
            np.matmul(moves.T, moves, out=product)
        return cls.from_products(series, spans, products)

    @classmethod
    def from_products(cls, series: FloatArray, spans: tuple[int, ...], products: FloatArray) -> StructureGram:
        """Complete the products of `series` where they are known."""
        # The moves over q bars add up to what the last q bars are above the first.
        sums = np.array([(series[-span:] - series[:span]).sum(axis=0) for span in spans])
        return cls(len(series), spans, products, sums)

    def of_spreads(self, y: IntArray, x: IntArray, beta: FloatArray) -> SpreadMoves:
        """Return the moves of the spreads ``y - beta x``."""
        own = np.einsum("kii->ki", self.products)
        cross = self.products.reshape(len(own), -1).take(y * own.shape[1] + x, axis=1)
        squares = own.take(y, axis=1) + beta**2 * own.take(x, axis=1) - 2.0 * beta * cross
        sums = self.sums[:, y] - beta * self.sums[:, x]
        return SpreadMoves(self.n_bars, self.spans, np.maximum(squares, 0.0), sums)
