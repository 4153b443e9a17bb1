"""The trades of a step that its candle shows: the first, the last, and two between that reach furthest.

They are quoted around a mid that moves on a Brownian bridge, and then pinned to the bar: its first trade is its open,
its last one its close, and its outermost ones touch its high and its low.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.noise import Stream, uniforms
from hlpairs_core.simulation.path import OVERSHOOT, MidPath
from hlpairs_core.simulation.shape import BarShape
from hlpairs_core.simulation.wire import on_price_tick

__all__ = ["FIRST", "HIGH", "LAST", "LOW", "FixedTrades", "fixed_trades"]

FIRST, HIGH, LOW, LAST = range(4)
"""Numbers of a step's four fixed trades. The third of three may reach down where it is numbered as `HIGH`."""

# A step has its fixed trades only if it has as many trades as this.
_NEEDED = np.array([1, 3, 4, 2])[:, None, None]
# Recorded minutes have shorter wicks than a Brownian motion: their prices move in fewer, larger steps.
_WICKS = 0.5
_STEPS_PER_SPELL = 5


@dataclass(frozen=True, eq=False)
class FixedTrades:
    """Fixed trades of refined bars.

    Attributes
    ----------
    price, mid : ndarray, shape (4, n_bars, n_steps)
        Of the trades `FIRST`, `HIGH`, `LOW` and `LAST`, and the mids they are traded at (USD). In a step with fewer
        trades than four, those that are missing repeat the first; without any all are the last price before.
    first_at, last_at : ndarray, shape (n_bars, n_steps)
        When the first and last trade happen, fraction of the step.
    buying : ndarray, shape (n_bars, n_steps)
        Chance that a trade is a purchase.
    """

    price: FloatArray
    mid: FloatArray
    first_at: FloatArray
    last_at: FloatArray
    buying: FloatArray


def fixed_trades(shape: BarShape, path: MidPath, trades: IntArray) -> FixedTrades:
    """Return the fixed trades of bars whose steps have so many trades."""
    draws = _draws(shape, 11)
    first_at, last_at = _first_and_last(trades, draws[0], draws[1])
    buying = _buying(shape, path)
    mids, sides = _mids(trades, path, (first_at, last_at), buying, draws[2:])
    prices = np.clip(_quoted(shape, mids, sides), shape.low[:, None], shape.high[:, None])
    prices = _pinned(shape, prices, trades)
    silent = shape.lots == 0
    if silent.any():
        prices[:, silent] = _silent_prices(shape, path)[silent]
    return FixedTrades(_carried(shape, prices, trades), mids, first_at, last_at, buying)


def _draws(shape: BarShape, count: int) -> FloatArray:
    """Uniform numbers for each step, shape (count, n_bars, n_steps)."""
    numbers, steps = 2 + np.arange(count), np.arange(shape.n_steps)
    seconds = shape.open_ms[:, None] // 1000
    return uniforms(shape.seed, Stream.STEP, numbers[:, None, None], shape.coin[:, None], seconds, steps)


def _first_and_last(trades: IntArray, one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    """When the first and the last of so many trades at random times happen."""
    first = 1 - (1 - one) ** (1 / np.maximum(trades, 1))
    last = first + (1 - first) * np.where(trades > 1, other ** (1 / np.maximum(trades - 1, 1)), 0.0)
    return first, last


def _buying(shape: BarShape, path: MidPath) -> FloatArray:
    """Chance that a trade is a purchase: higher while the mid rises, and in spells."""
    blocks = np.arange(shape.n_steps) // _STEPS_PER_SPELL
    spell = uniforms(shape.seed, Stream.TRADES, 3, shape.coin[:, None], shape.open_ms[:, None] // 1000, blocks)
    with np.errstate(invalid="ignore", divide="ignore"):
        drift = np.tanh(np.diff(path.mids, axis=1) / path.step_sigma)
    return np.asarray(np.clip(0.5 + 0.3 * np.nan_to_num(drift) + 0.5 * (spell - 0.5), 0.05, 0.95))


def _mids(
    trades: IntArray, path: MidPath, at: tuple[FloatArray, FloatArray], buying: FloatArray, draws: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Mids of the four fixed trades, and which of them are purchases; both of shape (4, n_bars, n_steps)."""
    first, last = _bridged_ends(path, at, ndtri(draws[7:9]))
    variance = _WICKS * path.step_sigma**2 * (at[1] - at[0])
    # The extremes of a Brownian bridge between both, less what trades at some moments of it do not see.
    missed = OVERSHOOT * np.sqrt(variance / np.maximum(trades, 1))
    middle, half = (first + last) / 2, (last - first) / 2
    up, down = (np.sqrt(half**2 - variance / 2 * np.log(draw)) - missed for draw in draws[:2])
    high, low = np.maximum(middle + up, np.maximum(first, last)), np.minimum(middle - down, np.minimum(first, last))
    # Among few trades the highest need not be a purchase, nor a third one the highest.
    unlikely = 0.5 ** np.maximum(trades - 2, 1)
    only_low = (trades == 3) & (draws[6] < 0.5)
    sides = draws[2] < buying, draws[3] > unlikely, draws[4] < unlikely, draws[5] < buying
    high, up_side = np.where(only_low, low, high), np.where(only_low, sides[LOW], sides[HIGH])
    return np.stack([first, high, low, last]), np.stack([sides[FIRST], up_side, sides[LOW], sides[LAST]])


def _bridged_ends(
    path: MidPath, at: tuple[FloatArray, FloatArray], shocks: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mids at two moments of each step, on a Brownian bridge between its corners."""
    begin, end, (early, late) = path.mids[:, :-1], path.mids[:, 1:], at
    first = begin + (end - begin) * early + shocks[0] * path.step_sigma * np.sqrt(early * (1 - early))
    passed = (late - early) / (1 - early)
    last = first + (end - first) * passed + shocks[1] * path.step_sigma * np.sqrt(passed * (1 - late))
    return first, last


def _quoted(shape: BarShape, mids: FloatArray, is_buy: BoolArray) -> FloatArray:
    """Prices at which buyers and sellers take at a mid."""
    scale, spread = 10.0 ** shape.price_decimals[:, None], shape.spread[:, None]
    bid = np.rint(mids * scale - spread / 2)
    return np.asarray((bid + np.where(is_buy, spread, 0)) / scale)


def _pinned(shape: BarShape, prices: FloatArray, trades: IntArray) -> FloatArray:
    """Make the first trade the bar's open, the last its close, and let the outermost others touch high and low."""
    n_bars, n_steps = trades.shape
    rows = np.arange(n_bars)
    first = (trades > 0).argmax(axis=1)
    last = n_steps - 1 - (trades > 0)[:, ::-1].argmax(axis=1)
    closing = np.where(trades[rows, last] > 1, LAST, FIRST)
    prices[FIRST, rows, first] = shape.open
    prices[closing, rows, last] = shape.close
    free = trades >= _NEEDED
    free[FIRST, rows, first] = free[closing, rows, last] = False
    for goal, missed, outermost in (
        (shape.high, shape.high > np.maximum(shape.open, shape.close), np.inf),
        (shape.low, shape.low < np.minimum(shape.open, shape.close), -np.inf),
    ):
        candidates = np.where(free, prices, -outermost).transpose(1, 0, 2).reshape(n_bars, 4 * n_steps)
        slot = candidates.argmax(axis=1) if outermost > 0 else candidates.argmin(axis=1)
        which, step = np.divmod(slot, n_steps)
        reached = missed & free[which, rows, step]
        prices[which, rows, step] = np.where(reached, goal, prices[which, rows, step])
        free[which, rows, step] &= ~reached
    return prices


def _silent_prices(shape: BarShape, path: MidPath) -> FloatArray:
    """Prices of bars that an exchange filled in without a trade, shape (n_bars, n_steps): they touch all four."""
    rounded = on_price_tick(path.mids[:, :-1], shape.price_decimals[:, None])
    prices = np.clip(rounded, shape.low[:, None], shape.high[:, None])
    rows, inner = np.arange(len(prices)), np.nan_to_num(prices[:, 1:-1])
    prices[rows, 1 + inner.argmax(axis=1)] = shape.high
    prices[rows, 1 + inner.argmin(axis=1)] = shape.low
    prices[:, 0], prices[:, -1] = shape.open, shape.close
    return np.asarray(prices)


def _carried(shape: BarShape, prices: FloatArray, trades: IntArray) -> FloatArray:
    """Fill in missing trades: those of a step by its first, those of an empty step by the last before."""
    prices = np.where(trades >= _NEEDED, prices, np.where(trades > 0, prices[FIRST], prices))
    steps = np.where(trades > 0, np.arange(trades.shape[1]), -1)
    latest = np.maximum.accumulate(steps, axis=1)
    closes = np.take_along_axis(prices[LAST], np.maximum(latest, 0), axis=1)
    carried = np.where(latest >= 0, closes, shape.before[:, None])
    empty = (trades == 0) & (shape.lots > 0)[:, None]
    return np.where(empty, carried, prices)
