"""What a sweep reads of a market: one row a coin, so that a pair's bars lie side by side in memory."""

from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hlpairs_core._typing import FloatArray
from hlpairs_core.backtest.market_bars import MarketBars
from hlpairs_core.backtest.sweep_rules import SweepArrays
from hlpairs_core.screening.liquidity import bars_per_day

__all__ = ["impact_of_window", "sweep_arrays", "window_moments"]


Number = TypeVar("Number", bound=np.generic)


def sweep_arrays(bars: MarketBars) -> SweepArrays:
    """Lay out a market for sweeps, its impact still empty.

    Returns
    -------
    SweepArrays
        Of shape (n_coins, n_bars), cumulative ones with one more column:

        * ``log_close, open, close`` (USD; natural logarithm), ``tradable``: whether an order fills at the bar's open
        * ``funding``: what a long unit paid in all bars before (USD), unknown stamps left out; ``open_funding``: the
          part of a bar's funding that is due at its very open
        * ``missing``: number of bars before whose funding is unknown; ``spared``: 1 where a bar's is unknown and does
          not matter to who enters at its open
        * ``impact``: NaN
    """
    panel = bars.panel
    paid = bars.rate * bars.stamp_price
    unknown = np.isnan(paid)
    paid = np.where(unknown, 0.0, paid)
    return SweepArrays(
        log_close=_by_coin(panel.log_close),
        open=_by_coin(panel.open),
        close=_by_coin(panel.close),
        tradable=_by_coin(bars.tradable),
        funding=_cumulative(paid),
        open_funding=_by_coin(paid * bars.open_share[:, None]),
        missing=_cumulative(unknown.astype(np.int64)),
        spared=_by_coin((unknown & (bars.open_share == 1)[:, None]).astype(np.int64)),
        impact=np.full((panel.n_coins, panel.n_bars), np.nan),
    )


def impact_of_window(bars: MarketBars, window: int, coefficient: float) -> FloatArray:
    """Return what the square root of a fill (USD) is multiplied by for its impact in bps, shape (n_coins, n_bars).

    ``Y σ_day / √V_day`` with the volatility of the `window` bars before the bar and the volume of the 24 hours to its
    close; NaN where one is unknown.
    """
    returns = np.diff(bars.panel.log_close, axis=0)
    per_day = bars_per_day(bars.panel.interval)
    impact = np.full(bars.value.T.shape, np.nan)
    # Return k is from bar k to the next: the window before bar t has the returns t - window to t - 2.
    squares = window_moments(returns, returns, window - 1)[2]
    volatility = np.sqrt(np.maximum(squares[:-1].T, 0.0) / (window - 2) * per_day)
    impact[:, window:] = 1e4 * coefficient * volatility
    volume = _day_notional_usd(bars, per_day)
    return np.asarray(impact / np.sqrt(np.where(volume > 0, volume, np.nan)))


def _day_notional_usd(bars: MarketBars, per_day: float) -> FloatArray:
    """Return what traded in the 24 hours to each close (USD), shape (n_coins, n_bars)."""
    rows = max(1, round(per_day))
    traded = np.nan_to_num(_by_coin(bars.notional))
    before = np.zeros((len(traded), rows - 1))
    sums = sliding_window_view(np.concatenate([before, traded], axis=1), rows, axis=1).sum(axis=-1)
    seen = np.minimum(np.arange(bars.panel.n_bars) + 1, rows)
    return np.asarray(sums * (per_day / seen))


def window_moments(y: FloatArray, x: FloatArray, window: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the means of y and of x over each window, and the sum of the products of what departs from them.

    Sums over windows are differences of running sums, centred and taken afresh every `window` bars, so that nothing
    is lost to a level that is far from 0 or to a long history.

    Parameters
    ----------
    y, x : ndarray, shape (n_bars, k)
        NaN where unknown.
    window : int
        Bars.

    Returns
    -------
    tuple of ndarray, shape (n_bars - window + 1, k)
        Row i is of the bars i to i + window - 1; NaN where one of them is unknown.
    """
    n_windows = len(y) - window + 1
    mean_y, mean_x, products = (np.empty((n_windows, y.shape[1])) for _ in range(3))
    for first in range(0, n_windows, window):
        rows = slice(first, min(first + 2 * window - 1, len(y)))
        (level_y, of_y), (level_x, of_x) = _centred(y[rows], window), _centred(x[rows], window)
        sum_y, sum_x, sum_yx = (_window_sums(values, window) for values in (of_y, of_x, of_y * of_x))
        into = slice(first, first + len(sum_y))
        mean_y[into], mean_x[into] = level_y + sum_y / window, level_x + sum_x / window
        products[into] = sum_yx - sum_y * sum_x / window
    return mean_y, mean_x, products


def _centred(values: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Return the mean of what is known in the first window, and the values less it: no window sees a later bar."""
    known = np.isfinite(values[:window])
    level = np.where(known, values[:window], 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return level, values - level


def _window_sums(values: FloatArray, window: int) -> FloatArray:
    unknown = np.isnan(values)
    total = _differences(np.where(unknown, 0.0, values), window)
    return np.asarray(np.where(_differences(unknown.astype(np.float64), window) > 0, np.nan, total))


def _differences(values: FloatArray, window: int) -> FloatArray:
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(running[window:] - running[:-window])


def _by_coin(values: NDArray[Number]) -> NDArray[Number]:
    return np.ascontiguousarray(values.T)


def _cumulative(values: NDArray[Number]) -> NDArray[Number]:
    nothing = np.zeros((values.shape[1], 1), values.dtype)
    return np.concatenate([nothing, np.cumsum(values, axis=0).T], axis=1)
