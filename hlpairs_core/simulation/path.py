"""The way a price took inside a bar, of which only open, high, low and close are known.

Every bar is walked in `STEPS` equal steps: it starts at the open, touches high and low, ends at the close and is
straight in between. The walk is a Brownian bridge whose shocks are partly shared by all coins, so that coins that
move together from bar to bar also do so within it. It is a function of (seed, coin, bar) and of nothing else.
"""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.noise import Stream, normals, uniforms
from hlpairs_core.simulation.wire import on_lot, on_tick

__all__ = ["STEPS", "BarShape", "price_paths", "volume_paths"]

STEPS = 60
_SHARED = 0.6
# The mean range of a standard Brownian bridge is sqrt(pi / 2) = 1.25.
_BRIDGE_SCALE = 0.8


@dataclass(frozen=True, eq=False)
class BarShape:
    """Bars to be walked, all arrays of shape (n,): one coin over many bars, or many coins over one bar.

    Attributes
    ----------
    bar : ndarray of int
        Open time of each bar in seconds since the epoch; shape (1,) when all share one bar.
    coin : ndarray of int
        `noise.name_keys` of each coin; shape (1,) when all share one coin.
    size_decimals : ndarray of int
        Decimals of a size; shape (1,) or (n,).
    open, high, low, close, volume : ndarray
        The bars. NaN gives NaN.
    """

    bar: IntArray
    coin: IntArray
    size_decimals: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray


def price_paths(seed: int, shape: BarShape) -> FloatArray:
    """Return prices (USD, on the tick) at the ``STEPS + 1`` corners of each bar, shape (n, STEPS + 1).

    The first corner is the open, the last the close; the largest is the high, the smallest the low.
    """
    walk = _stretched(_bridged(seed, shape), shape)
    high, low = shape.high[:, None], shape.low[:, None]
    rounded = np.clip(on_tick(walk, shape.size_decimals[:, None]), low, high)
    # Recorded extremes stay exactly as recorded, on the tick or not.
    rounded = np.where(walk >= high, high, np.where(walk <= low, low, rounded))
    rounded[:, 0], rounded[:, -1] = shape.open, shape.close
    return rounded


def volume_paths(seed: int, shape: BarShape) -> FloatArray:
    """Return the volume traded since the bar's open (base units, whole lots) at each corner, shape (n, STEPS + 1)."""
    steps = np.arange(STEPS)
    keys = shape.bar[:, None], shape.coin[:, None], steps
    running = np.cumsum(-np.log(uniforms(seed, Stream.PATH_VOLUME, *keys)), axis=1)
    running = np.broadcast_to(running, (len(shape.open), STEPS))
    share = running / running[:, -1:]
    traded = np.zeros((len(shape.open), STEPS + 1))
    traded[:, 1:] = on_lot(share * shape.volume[:, None], shape.size_decimals[:, None])
    traded[:, -1] = shape.volume
    return np.minimum(traded, shape.volume[:, None])


def _bridged(seed: int, shape: BarShape) -> FloatArray:
    """Walks from open to close with about the right range, shape (n, STEPS + 1)."""
    steps = np.arange(STEPS)
    shared = normals(seed, Stream.PATH_SHARED, shape.bar[:, None], steps)
    own = normals(seed, Stream.PATH_OWN, shape.bar[:, None], shape.coin[:, None], steps)
    shocks = np.sqrt(_SHARED) * shared + np.sqrt(1 - _SHARED) * own
    along = np.arange(STEPS + 1) / STEPS
    walk = np.zeros((len(shocks), STEPS + 1))
    walk[:, 1:] = np.cumsum(shocks, axis=1) / np.sqrt(STEPS)
    bridge = walk - along * walk[:, -1:]
    reach = _BRIDGE_SCALE * (shape.high - shape.low)
    path: FloatArray = shape.open[:, None] + (shape.close - shape.open)[:, None] * along + bridge * reach[:, None]
    return path


def _stretched(path: FloatArray, shape: BarShape) -> FloatArray:
    """Stretch what lies outside open and close so that the walk just touches high and low."""
    top = np.maximum(shape.open, shape.close)[:, None]
    bottom = np.minimum(shape.open, shape.close)[:, None]
    high, low = shape.high[:, None], shape.low[:, None]
    above = path.max(axis=1, keepdims=True) - top
    below = bottom - path.min(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.where(above > 0, (high - top) / above, 0.0)
        down = np.where(below > 0, (bottom - low) / below, 0.0)
        raised = np.where(path > top, top + (path - top) * up, path)
        walk = np.where(path < bottom, bottom - (bottom - path) * down, raised)
    rows = np.arange(len(path))
    # A walk that never left the corridor has to be led to the extremes.
    inner = np.nan_to_num(path[:, 1:-1])
    highest, lowest = 1 + inner.argmax(axis=1), 1 + inner.argmin(axis=1)
    walk[rows, highest] = np.where(shape.high > top[:, 0], shape.high, walk[rows, highest])
    walk[rows, lowest] = np.where(shape.low < bottom[:, 0], shape.low, walk[rows, lowest])
    return walk
