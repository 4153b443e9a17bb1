"""Trades inside refined steps: they give back each step's open, high, low, close, volume and count exactly.

Trades follow one another in bursts, their sizes have a heavy tail, and some come as sweeps: at the same moment,
on the same side, each at least as far as the one before. What is summed up is summed in whole numbers, so that a
trade does not depend on which others are computed along with it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.fixed import FIRST, HIGH, LAST, LOW
from hlpairs_core.simulation.noise import Stream, normals, uniforms
from hlpairs_core.simulation.steps import Steps

__all__ = ["Prints", "prints_of"]

_TIDS_PER_SECOND = 2**20
_LATEST_MS = 2**43
_UNIT = 2**16
_SWEPT = 0.35
_FURTHEST_SWEPT = 2
# Trades in a row that are likely to be on one side.
_RUN = 3


@dataclass(frozen=True, eq=False)
class Prints:
    """Trades of chosen steps, one step after the other, arrays of shape (n_trades,).

    Attributes
    ----------
    bounds : ndarray of int, shape (n_chosen + 1,)
        Where each step's trades begin, and where the last one's end.
    time_ms : ndarray of int
        When; ascending in each step.
    price : ndarray
        USD.
    lots : ndarray of int
        Size in lots.
    is_buy : ndarray of bool
        Whether the one who took was the buyer.
    tid : ndarray of int
        Identifier, ascending and unique for the coin.
    """

    bounds: IntArray
    time_ms: IntArray
    price: FloatArray
    lots: IntArray
    is_buy: BoolArray
    tid: IntArray

    @cached_property
    def lots_before(self) -> IntArray:
        """Lots of all trades before each, and of all; shape (n_trades + 1,)."""
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(self.lots)])

    def until(self, time_ms: int) -> IntArray:
        """Return where each step's trades up to a time end, shape (n_chosen,)."""
        steps = np.arange(len(self.bounds) - 1) * _LATEST_MS
        return np.searchsorted(self._sorted, steps + time_ms, side="right")

    @cached_property
    def _sorted(self) -> IntArray:
        """Steps and times as one ascending key."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds)) * _LATEST_MS + self.time_ms


def prints_of(steps: Steps, rows: IntArray, columns: IntArray) -> Prints:
    """Return the trades of the steps at the given rows and columns."""
    chosen = _Chosen.of(steps, rows, columns)
    price, is_buy = _prices(chosen, _Anchors.of(chosen))
    return Prints(chosen.bounds, _times(chosen, price, is_buy), price, _lots(chosen), is_buy, chosen.tid)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Chosen steps, arrays of shape (n_chosen,), and whose each trade is, arrays of shape (n_trades,)."""

    steps: Steps
    at: tuple[IntArray, IntArray]
    coin: IntArray
    open_ms: IntArray
    trades: IntArray
    bounds: IntArray
    owner: IntArray
    number: IntArray
    tid: IntArray

    @classmethod
    def of(cls, steps: Steps, rows: IntArray, columns: IntArray) -> "_Chosen":
        trades = steps.trades[rows, columns]
        bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(trades)])
        owner = np.repeat(np.arange(len(trades)), trades)
        open_ms = steps.shape.open_ms[rows] + columns * steps.shape.step_ms
        number = np.arange(len(owner)) - bounds[owner]
        tid = (open_ms // 1000 * _TIDS_PER_SECOND)[owner] + number
        return cls(steps, (rows, columns), steps.shape.coin[rows], open_ms, trades, bounds, owner, number, tid)

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """Positions of the first and the last trade of each trade's step."""
        return self.bounds[:-1][self.owner], self.bounds[1:][self.owner] - 1

    def each(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give each trade its step's value, or that of its bar."""
        return np.asarray((values[self.at] if values.ndim > 1 else values[self.at[0]])[self.owner])

    def uniforms(self, part: int, keys: IntArray) -> FloatArray:
        return uniforms(self.steps.shape.seed, Stream.PRINT, part, self.coin[self.owner], keys)

    def normals(self, part: int) -> FloatArray:
        return normals(self.steps.shape.seed, Stream.PRINT, part, self.coin[self.owner], self.tid)


@dataclass(frozen=True, eq=False)
class _Anchors:
    """Fixed trades of each step in their order, arrays of shape (4, n_chosen); missing ones repeat the last."""

    number: IntArray
    price: FloatArray
    mid: FloatArray
    is_buy: BoolArray

    @classmethod
    def of(cls, chosen: _Chosen) -> "_Anchors":
        shape, last, many = chosen.steps.shape, np.maximum(chosen.trades - 1, 0), chosen.trades > 3
        parts = np.arange(3)[:, None]
        one, other, tie = uniforms(shape.seed, Stream.PRINT, parts, chosen.coin, chosen.open_ms // 1000)
        high = 1 + np.floor(one * (last - 1)).astype(np.int64)
        low = 1 + np.floor(other * np.maximum(last - 2, 1)).astype(np.int64)
        low += low >= high
        early = np.where(many, np.minimum(high, low), np.minimum(1, last))
        late = np.where(many, np.maximum(high, low), last)
        number = np.stack([np.zeros_like(last), early, late, last])
        swap = many & (low < high)
        which = np.stack([0 * last + FIRST, np.where(swap, LOW, HIGH), np.where(swap, HIGH, LOW), 0 * last + LAST])
        which[1:] = np.where(number[1:] == last, LAST, which[1:])
        prices, mids = (
            np.take_along_axis(values[(slice(None), *chosen.at)], which, axis=0)
            for values in (chosen.steps.fixed.price, chosen.steps.fixed.mid)
        )
        is_buy = np.where(prices == mids, tie < 0.5, prices > mids)
        half = np.where(is_buy, 1.0, -1.0) * shape.half_spread[chosen.at[0]]
        return cls(number, prices, prices - half, is_buy)


def _prices(chosen: _Chosen, anchors: _Anchors) -> tuple[FloatArray, BoolArray]:
    """Prices and sides: the mid walks from one fixed trade to the next, and each trade is quoted on its side."""
    owner, number, steps = chosen.owner, chosen.number, chosen.steps
    left = (number >= anchors.number[1:, owner]).sum(axis=0)
    right = np.minimum(left + 1, 3)
    begin, end = anchors.number[left, owner], anchors.number[right, owner]
    along = (number - begin) / np.maximum(end - begin, 1)
    walk = np.cumsum(np.rint(chosen.normals(3) * _UNIT).astype(np.int64))
    first = chosen.bounds[owner]
    bridge = (walk - walk[first + begin] - along * (walk[first + end] - walk[first + begin])) / _UNIT
    sigma = chosen.each(steps.path.step_sigma) / np.sqrt(np.maximum(chosen.trades, 1))[owner]
    mid = anchors.mid[left, owner] * (1 - along) + anchors.mid[right, owner] * along + bridge * sigma
    buys = chosen.uniforms(4, chosen.tid // _RUN) < chosen.each(steps.fixed.buying)
    scale, spread = 10.0 ** chosen.each(steps.shape.price_decimals), chosen.each(steps.shape.spread)
    quoted = (np.rint(mid * scale - spread / 2) + np.where(buys, spread, 0)) / scale
    inside = np.clip(quoted, chosen.each(steps.low), chosen.each(steps.high))
    fixed = number == begin
    return np.where(fixed, anchors.price[left, owner], inside), np.where(fixed, anchors.is_buy[left, owner], buys)


def _times(chosen: _Chosen, price: FloatArray, is_buy: BoolArray) -> IntArray:
    """When trades happen, milliseconds: in bursts, and at one moment where one order sweeps the book."""
    steps, number = chosen.steps, chosen.number
    room = steps.shape.step_ms - chosen.trades
    first, last = (
        np.floor(at[chosen.at] * room).astype(np.int64) for at in (steps.fixed.first_at, steps.fixed.last_at)
    )
    gaps = 1 + np.floor(np.log(chosen.uniforms(5, chosen.tid)) ** 2 * _UNIT).astype(np.int64)
    waited = np.cumsum(gaps)
    begin, end = chosen.ends
    passed = (waited - waited[begin]) / np.maximum(waited[end] - waited[begin], 1)
    since = first[chosen.owner] + np.floor((last - first)[chosen.owner] * passed).astype(np.int64) + number
    further = np.where(is_buy, 1.0, -1.0) * np.diff(price, prepend=0.0)
    near = further <= _FURTHEST_SWEPT * 2 * chosen.each(steps.shape.half_spread) + 1e-12
    follows = (number > 0) & (is_buy == np.roll(is_buy, 1)) & (further >= 0) & near
    swept = follows & (chosen.uniforms(6, chosen.tid) < _SWEPT)
    leader = np.maximum.accumulate(np.where(swept, 0, np.arange(len(number))))
    return np.asarray(chosen.open_ms[chosen.owner] + since[leader])


def _lots(chosen: _Chosen) -> IntArray:
    """Sizes in lots: at least one each, the rest shared out by weights with a heavy tail."""
    weight = 1 + np.floor(np.exp(1.4 * chosen.normals(7)) * _UNIT).astype(np.int64)
    running = np.cumsum(weight)
    begin, end = chosen.ends
    before = running[begin] - weight[begin]
    passed = (running - before) / (running[end] - before)
    spare = chosen.each(chosen.steps.lots) - chosen.trades[chosen.owner]
    total = np.floor(spare * passed).astype(np.int64)
    return np.asarray(1 + total - np.where(chosen.number > 0, np.roll(total, 1), 0))
