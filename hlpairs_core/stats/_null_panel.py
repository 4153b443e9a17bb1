from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.signal import lfilter

from hlpairs_core._typing import FloatArray, IntArray

__all__ = ["NullPanel", "Resampling", "autoregressions", "fit_null_panel"]

Resampling: TypeAlias = Literal["blocks", "signs", "independent"]

# Bars simulated and thrown away, so that what is kept does not remember a start from zero.
_BURN_IN = 100


@dataclass(frozen=True, eq=False)
class NullPanel:
    """Random walks that move like the coins of a panel, no two of them cointegrated.

    Attributes
    ----------
    coefficients : ndarray, shape (max_order, n)
        Autoregression of each coin's differences; zeros beyond its order.
    order : ndarray of int, shape (n,)
        Its number of lags.
    residuals : ndarray, shape (T - 1 - max_order, n)
        What the autoregressions leave, centred; a row is a bar.
    n_bars : int
        Length T of a simulated panel.
    resampling : {"blocks", "signs", "independent"}
        How residuals are drawn; `null_screen` explains.
    block_length : int
        Mean length of a block (bars); 1 for "signs".
    """

    coefficients: FloatArray
    order: IntArray
    residuals: FloatArray
    n_bars: int
    resampling: Resampling
    block_length: int

    def simulate(self, rng: np.random.Generator) -> FloatArray:
        """Draw log prices, shape (T, n): cumulated autoregressions of redrawn residuals, without drift."""
        steps = self._shocks(self.n_bars + _BURN_IN, rng)
        for coin in np.flatnonzero(self.order):
            recursion = np.append(1.0, -self.coefficients[: self.order[coin], coin])
            steps[:, coin] = lfilter([1.0], recursion, steps[:, coin])
        walks: FloatArray = np.cumsum(steps[_BURN_IN:], axis=0)
        return walks

    def _shocks(self, n_shocks: int, rng: np.random.Generator) -> FloatArray:
        n_rows, n_coins = self.residuals.shape
        if self.resampling == "signs":
            # Every bar keeps its place; those before the first are borrowed from the end.
            signs = rng.choice([-1.0, 1.0], size=(n_shocks, 1))
            flipped: FloatArray = self.residuals[np.arange(-n_shocks, 0) % n_rows] * signs
            return flipped
        if self.resampling == "independent":
            rows = [stationary_rows(n_rows, n_shocks, self.block_length, rng) for _ in range(n_coins)]
            return self.residuals[np.column_stack(rows), np.arange(n_coins)]
        return self.residuals[stationary_rows(n_rows, n_shocks, self.block_length, rng)]


def fit_null_panel(series: FloatArray, *, resampling: Resampling, block_length: int | None) -> NullPanel:
    """Fit every coin's own dynamics to log prices, shape (T, n), finite and not constant."""
    differences = np.diff(series, axis=0)
    differences -= differences.mean(axis=0)
    coefficients, order = autoregressions(differences, _largest_order(len(differences)))
    residuals = _residuals(differences, coefficients)
    if resampling == "signs":
        block_length = 1
    elif block_length is None:
        block_length = _block_length(residuals)
    return NullPanel(coefficients, order, residuals, len(series), resampling, block_length)


def stationary_rows(n_rows: int, n_draws: int, block_length: int, rng: np.random.Generator) -> IntArray:
    """Draw rows by the stationary bootstrap: blocks of geometric length, in a circle of all rows.

    D. N. Politis and J. P. Romano, "The Stationary Bootstrap", *Journal of the American Statistical
    Association* 89 (1994), 1303-1313.
    """
    starts = rng.random(n_draws) < 1.0 / block_length
    starts[0] = True
    first = np.flatnonzero(starts)
    block = np.cumsum(starts) - 1
    drawn = rng.integers(n_rows, size=len(first))
    rows: IntArray = (drawn[block] + np.arange(n_draws) - first[block]) % n_rows
    return rows


def autoregressions(differences: FloatArray, max_order: int) -> tuple[FloatArray, IntArray]:
    """Fit an autoregression to each centred column by Yule and Walker, its order by AIC.

    The solution of Yule and Walker is always stationary, so that no simulated coin explodes, and Levinson's
    recursion meets those of all orders on its way.

    Returns
    -------
    coefficients : ndarray, shape (max_order, n)
    order : ndarray of int, shape (n,)
    """
    n_obs, n_coins = differences.shape
    covariance = [(differences[lag:] * differences[: n_obs - lag]).sum(axis=0) for lag in range(max_order + 1)]
    products = np.array(covariance)
    current, best = np.zeros((max_order, n_coins)), np.zeros((max_order, n_coins))
    variance, order = products[0], np.zeros(n_coins, dtype=np.int64)
    smallest = n_obs * np.log(variance)
    for lag in range(1, max_order + 1):
        known = current[: lag - 1].copy()
        partial = (products[lag] - (known * products[lag - 1 : 0 : -1]).sum(axis=0)) / variance
        current[: lag - 1] = known - partial * known[::-1]
        current[lag - 1] = partial
        variance = variance * (1.0 - partial**2)
        criterion = n_obs * np.log(variance) + 2.0 * lag
        better = criterion < smallest
        best[:, better], order[better], smallest[better] = current[:, better], lag, criterion[better]
    return best, order


def _largest_order(n_obs: int) -> int:
    return min(int(10.0 * np.log10(n_obs)), n_obs // 4)


def _residuals(differences: FloatArray, coefficients: FloatArray) -> FloatArray:
    max_order = len(coefficients)
    residuals = differences[max_order:].copy()
    for lag, row in enumerate(coefficients, start=1):
        residuals -= row * differences[max_order - lag : len(differences) - lag]
    residuals -= residuals.mean(axis=0)
    return residuals


def _block_length(residuals: FloatArray) -> int:
    """Long enough to keep the memory of the size of all coins' moves, which outlasts that of the moves."""
    from arch.bootstrap import optimal_block_length

    size = np.abs(residuals / residuals.std(axis=0)).mean(axis=1)
    optimum = float(optimal_block_length(size)["stationary"].iloc[0])
    return int(np.clip(np.ceil(optimum), 1, len(residuals)))
