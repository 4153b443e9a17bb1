"""Bars refined into steps: in each of them open, high, low, close, volume and number of trades.

Together the steps give back the bar exactly.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.fixed import FIRST, LAST, FixedTrades, fixed_trades
from hlpairs_core.simulation.liquidity import MOST_TRADES_A_MINUTE
from hlpairs_core.simulation.noise import Stream, normals, uniforms
from hlpairs_core.simulation.path import MidPath, mid_path
from hlpairs_core.simulation.shape import BarShape

__all__ = ["Steps", "refined"]

_MINUTE_MS = 60_000
# However short a step, it may have so many trades.
_ALWAYS_ALLOWED = 8


@dataclass(frozen=True, eq=False)
class Steps:
    """Refined bars, arrays of shape (n_bars, n_steps) unless stated otherwise.

    Attributes
    ----------
    shape : BarShape
        The bars.
    path : MidPath
        Mids in them.
    trades : ndarray of int
        Number of trades.
    lots : ndarray of int
        Volume in lots.
    fixed : FixedTrades
        The trades in them that candles show.
    """

    shape: BarShape
    path: MidPath
    trades: IntArray
    lots: IntArray
    fixed: FixedTrades

    @property
    def open(self) -> FloatArray:
        """First price, USD."""
        return np.asarray(self.fixed.price[FIRST])

    @property
    def close(self) -> FloatArray:
        """Last price, USD."""
        return np.asarray(self.fixed.price[LAST])

    @cached_property
    def high(self) -> FloatArray:
        """Highest price, USD."""
        return np.asarray(self.fixed.price.max(axis=0))

    @cached_property
    def low(self) -> FloatArray:
        """Lowest price, USD."""
        return np.asarray(self.fixed.price.min(axis=0))

    @cached_property
    def before(self) -> FloatArray:
        """Last price before each step, USD."""
        return np.column_stack([self.shape.before, self.close[:, :-1]])

    @cached_property
    def lots_before(self) -> IntArray:
        """Lots traded in the bar before each step."""
        return np.asarray(np.cumsum(self.lots, axis=1) - self.lots)


def refined(shape: BarShape) -> Steps:
    """Refine bars into steps."""
    path = mid_path(shape)
    trades = _trades(shape, path)
    return Steps(shape, path, trades, _lots(shape, trades), fixed_trades(shape, path, trades))


def _trades(shape: BarShape, path: MidPath) -> IntArray:
    """Share a bar's trades out among its steps, none of them with too many."""
    steps, n_steps = np.arange(shape.n_steps), shape.n_steps
    keys = shape.coin[:, None], shape.open_ms[:, None] // 1000
    weight = path.share * -np.log(uniforms(shape.seed, Stream.TRADES, 1, *keys, steps))
    running = np.cumsum(weight, axis=1)
    most = max(_ALWAYS_ALLOWED, MOST_TRADES_A_MINUTE * shape.step_ms // _MINUTE_MS)
    mean = shape.trades[:, None] / n_steps
    peak = shape.trades[:, None] * (weight / running[:, -1:]).max(axis=1, keepdims=True)
    uneven = np.clip((most - 1 - mean) / np.maximum(peak - mean, 1e-9), 0.0, 1.0)
    passed = uneven * (running / running[:, -1:]) + (1 - uneven) * ((steps + 1) / n_steps)
    passed[:, -1] = 1.0
    start = uniforms(shape.seed, Stream.TRADES, 2, *keys)
    total = np.floor(shape.trades[:, None] * passed + start).astype(np.int64)
    return np.asarray(np.diff(total, axis=1, prepend=0))


def _lots(shape: BarShape, trades: IntArray) -> IntArray:
    """Share a bar's volume out among its steps, at least a lot for each trade."""
    keys = shape.coin[:, None], shape.open_ms[:, None] // 1000, np.arange(shape.n_steps)
    weight = trades * np.exp(0.8 * normals(shape.seed, Stream.PATH_VOLUME, *keys))
    running = np.cumsum(weight, axis=1)
    spare = (shape.lots - shape.trades)[:, None]
    passed = running / np.maximum(running[:, -1:], np.finfo(float).tiny)
    return np.asarray(trades + np.diff(np.floor(spare * passed).astype(np.int64), axis=1, prepend=0))
