"""The way a mid price took inside a bar, of which only open, high, low and close are known.

It is a Brownian bridge in business time (lively stretches move more), reflected where it would leave the bar's range
and led to the high and the low where it would miss them. Its variance is Garman and Klass's estimate for the bar, so
that returns of all lengths inside bars are as good as uncorrelated, as those of the bars are. Shocks and pace are
partly shared by all coins: coins that move together from bar to bar also do so within it. The way is a function of
(seed, coin, bar) and of nothing else.
"""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.noise import Stream, normals, uniforms
from hlpairs_core.simulation.shape import BarShape

__all__ = ["OVERSHOOT", "MidPath", "mid_path"]

_SHARED = 0.75
_SHARED_PACE = 0.6
_STEPS_PER_BLOCK = 5
_BLOCK_PACE, _STEP_PACE = 0.4, 0.35
OVERSHOOT = 0.58
"""By how much the maximum of a Brownian motion exceeds that of its corners, in standard deviations of a step."""


@dataclass(frozen=True, eq=False)
class MidPath:
    """Mids of refined bars.

    Attributes
    ----------
    mids : ndarray, shape (n, n_steps + 1)
        Mid price (USD) when each step begins, and when the last one ends.
    share : ndarray, shape (n, n_steps)
        Share of each step in the bar's variance.
    step_sigma : ndarray, shape (n, n_steps)
        Standard deviation of the mid over each step, USD.
    """

    mids: FloatArray
    share: FloatArray
    step_sigma: FloatArray


def mid_path(shape: BarShape) -> MidPath:
    """Return the mids inside bars."""
    share = _shares(shape)
    passed = np.zeros((len(share), shape.n_steps + 1))
    passed[:, 1:] = np.cumsum(share, axis=1)
    passed[:, -1] = 1.0
    sigma = _sigma(shape)
    low, high = _corridor(shape, sigma)
    side = np.where(uniforms(shape.seed, Stream.STEP, 0, shape.coin, shape.open_ms // 1000) < 0.5, 1.0, -1.0)
    # An open is traded half a spread from the mid; in a silent bar there is none.
    start = np.where(shape.lots > 0, shape.open - side * shape.half_spread, shape.start_mid)
    start, end = np.clip(start, low, high)[:, None], np.clip(shape.end_mid, low, high)[:, None]
    way = start + (end - start) * passed + sigma[:, None] * _bridge(shape, share, passed)
    mids = _led(_folded(way, low, high), passed, low, high)
    mids[:, 0], mids[:, -1] = shape.start_mid, shape.end_mid
    return MidPath(mids, share, sigma[:, None] * np.sqrt(share))


def _sigma(shape: BarShape) -> FloatArray:
    """Standard deviation of the bar's move (USD) by Garman and Klass (1980), from its range and its move."""
    reach, move = shape.high - shape.low, shape.close - shape.open
    return np.asarray(np.sqrt(np.maximum(0.5 * reach**2 - 0.386 * move**2, 0.05 * reach**2)))


def _corridor(shape: BarShape, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest mid: trades half a spread away from it then fill the bar's range."""
    half, reach = shape.half_spread, shape.high - shape.low
    room = reach / 2 - half
    overshoot = OVERSHOOT * sigma / np.sqrt(shape.n_steps)
    pad = half + np.minimum(overshoot, room / 2)
    # Where the spread hardly fits into the range, all trades are on one side of the mid.
    side = np.where(uniforms(shape.seed, Stream.STEP, 1, shape.coin, shape.open_ms // 1000) < 0.5, 1.0, -1.0)
    wide, silent = room > half / 2, shape.lots == 0
    low = np.where(wide, shape.low + pad, shape.low - side * half)
    high = np.where(wide, shape.high - pad, shape.high - side * half)
    return np.where(silent, shape.low - half, low), np.where(silent, shape.high + half, high)


def _shares(shape: BarShape) -> FloatArray:
    """How a bar's variance is shared out among its steps, shape (n, n_steps); clustered."""
    steps = np.arange(shape.n_steps)
    pace = _BLOCK_PACE * _mixed(shape, Stream.PATH_PACE, 0, steps // _STEPS_PER_BLOCK, _SHARED_PACE)
    pace += _STEP_PACE * _mixed(shape, Stream.PATH_PACE, 1, steps, _SHARED_PACE)
    weight = np.exp(pace)
    share: FloatArray = weight / np.cumsum(weight, axis=1)[:, -1:]
    return share


def _bridge(shape: BarShape, share: FloatArray, passed: FloatArray) -> FloatArray:
    """Standard Brownian bridges at the corners, shape (n, n_steps + 1)."""
    shocks = _mixed(shape, Stream.PATH_OWN, 0, np.arange(shape.n_steps), _SHARED)
    walk = np.zeros(passed.shape)
    walk[:, 1:] = np.cumsum(np.sqrt(share) * shocks, axis=1)
    bridge: FloatArray = walk - passed * walk[:, -1:]
    return bridge


def _mixed(shape: BarShape, stream: Stream, part: int, steps: IntArray, shared: float) -> FloatArray:
    """Standard normals by bar, coin and step, shape (n, n_steps); `shared` of their variance is that of all coins."""
    seconds, keys = shape.open_ms[:, None] // 1000, shape.coin[:, None]
    if len(seconds) > 1 and (seconds == seconds[0]).all():
        seconds = seconds[:1]
    common = normals(shape.seed, Stream.PATH_SHARED, int(stream), part, seconds, steps)
    own = normals(shape.seed, stream, part, seconds, keys, steps)
    mixed: FloatArray = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    return mixed


def _folded(way: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Reflect a way into the corridor."""
    bottom, width = low[:, None], (high - low)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = bottom + width - np.abs(np.mod(way - bottom, 2 * width) - width)
    return np.where(width > 0, inside, bottom)


def _led(way: FloatArray, passed: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Lead a way to the corridor's edges, at its own highest and lowest corner, by adding straight lines."""
    rows = np.arange(len(way))
    inner = np.nan_to_num(way[:, 1:-1])
    top, bottom = 1 + inner.argmax(axis=1), 1 + inner.argmin(axis=1)
    up = np.where(way.max(axis=1) < high, high - way[rows, top], 0.0)
    down = np.where(way.min(axis=1) > low, low - way[rows, bottom], 0.0)
    top_first = top < bottom
    times = passed[rows, np.minimum(top, bottom)][:, None], passed[rows, np.maximum(top, bottom)][:, None]
    lifts = np.where(top_first, up, down)[:, None], np.where(top_first, down, up)[:, None]
    between = lifts[0] + (lifts[1] - lifts[0]) * (passed - times[0]) / np.maximum(times[1] - times[0], 1e-12)
    after = lifts[1] * (1 - passed) / (1 - times[1])
    lift = np.where(passed <= times[0], lifts[0] * passed / times[0], np.where(passed <= times[1], between, after))
    return _folded(way + lift, low, high)
