"""Entry and exit by optimal double stopping (Leung and Li 2015), in standard deviations from the mean.

Time is in ``1 / theta``, so that the discount rate is ``rate / theta``. What is bought at level y costs
``y + base`` and a fee at either end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import pbdv

from hlpairs_core.stats.first_passage import (
    cycle_time_mean,
    cycle_time_variance,
    exit_probability_high,
    exit_time_mean,
    passage_time_mean,
)
from hlpairs_core.stats.return_rules import FARTHEST, TradingRule

__all__ = ["leung_li"]

Function = Callable[[float], float]
# Step of the searches for a bracket.
_STEP = 0.1


def leung_li(cost: float, *, discount: float, base: float, stop: float | None) -> TradingRule | None:
    """Solve for the exit, then for the entry; None where no entry pays."""
    fee = 0.5 * cost
    exit_level = _exit(fee, discount, base)
    if exit_level is None:
        return None
    if stop is None:
        return _without_stop(fee, discount, base, exit_level)
    return _with_stop(fee, discount, base, stop, exit_level)


def _log_growing(level: float, discount: float) -> float:
    """Logarithm of the solution of ``f'' - y f' = discount f`` that grows with the level."""
    return 0.25 * level * level + math.log(float(pbdv(-discount, -level)[0]))


def _growth(level: float, discount: float) -> float:
    """Derivative of `_log_growing`."""
    return discount * float(pbdv(-discount - 1.0, -level)[0]) / float(pbdv(-discount, -level)[0])


def _exit(fee: float, discount: float, base: float) -> float | None:
    """Where the value of holding meets what selling brings, with the same slope; None if out of this world."""

    def excess(level: float) -> float:
        return (level + base - fee) * _growth(level, discount) - 1.0

    low = max(fee - base, -FARTHEST)
    if low >= FARTHEST or excess(low) > 0.0 or excess(FARTHEST) < 0.0:
        return None
    return _root(excess, low, FARTHEST)


def _without_stop(fee: float, discount: float, base: float, exit_level: float) -> TradingRule | None:
    value = _Value(exit_level, None, fee, discount, base)
    low = exit_level - _STEP
    while _entry_from_above(value, low) < 0.0:
        low -= _STEP
        if low < -FARTHEST:
            return None
    # At the exit itself the condition holds too where there is no cost.
    entry = _root(partial(_entry_from_above, value), low, min(low + _STEP, exit_level - 1e-5))
    profit = exit_level - entry - 2.0 * fee
    trade = passage_time_mean(entry, exit_level)
    cycle, variance = cycle_time_mean(entry, exit_level), cycle_time_variance(entry, exit_level)
    return TradingRule(entry, exit_level, profit, trade, cycle, variance)


def _with_stop(fee: float, discount: float, base: float, stop: float, farthest_exit: float) -> TradingRule | None:
    exit_level = _exit_with_stop(fee, discount, base, stop, farthest_exit)
    if exit_level is None:
        return None
    value = _Value(exit_level, stop, fee, discount, base)
    levels = np.linspace(stop, exit_level, 101 + int((exit_level - stop) / _STEP))
    gains = np.array([value.gain(float(level)) for level in levels[1:-1]])
    if gains.max() <= 0.0:
        return None
    # Both ends lose the fees, so the gain is the highest in between.
    most = int(np.argmax(gains)) + 1
    best = _root(value.slope, float(levels[most - 1]), float(levels[most + 1]))
    high = _root(partial(_entry_from_above, value), best, exit_level)
    low = _root(partial(_entry_from_below, value), _root(value.gain, stop, best), best)
    return _rule_with_stop(low, high, exit_level, stop, fee)


def _exit_with_stop(fee: float, discount: float, base: float, stop: float, farthest: float) -> float | None:
    def excess(level: float) -> float:
        return _Value(level, stop, fee, discount, base).slope(level)

    if farthest - stop < _STEP:
        return None
    high, low = farthest, farthest - _STEP
    while excess(low) > 0.0:
        high, low = low, low - _STEP
        if low <= stop:
            return None
    # A stop that is never reached leaves the exit where it was, to the last digit.
    return _root(excess, low, high) if excess(high) > 0.0 else high


class _Value:
    """What a position is worth when it is sold at the exit or, if there is one, at the stop.

    A sum of the growing and the falling solution, each relative to its value at one end: they differ by more
    orders of magnitude than numbers have digits.
    """

    def __init__(self, exit_level: float, stop: float | None, fee: float, discount: float, base: float) -> None:
        self._exit, self._stop, self._discount = exit_level, stop, discount
        self._price = base + fee
        won = exit_level + base - fee
        self._rising, self._falling = won, 0.0
        if stop is not None:
            lost = stop + base - fee
            up, down = self._up(stop), self._down(exit_level)
            self._rising, self._falling = (won - lost * down) / (1.0 - up * down), (lost - won * up) / (1.0 - up * down)

    def gain(self, level: float) -> float:
        """What buying at this level is worth."""
        return self._rising * self._up(level) + self._falling * self._down(level) - level - self._price

    def slope(self, level: float) -> float:
        """Derivative of `gain`."""
        rising = self._rising * self._up(level) * self.growth(level)
        return rising - self._falling * self._down(level) * self.growth(-level) - 1.0

    def growth(self, level: float) -> float:
        return _growth(level, self._discount)

    def _up(self, level: float) -> float:
        return math.exp(_log_growing(level, self._discount) - _log_growing(self._exit, self._discount))

    def _down(self, level: float) -> float:
        if self._stop is None:
            return 0.0
        return math.exp(_log_growing(-level, self._discount) - _log_growing(-self._stop, self._discount))


def _entry_from_above(value: _Value, level: float) -> float:
    return value.slope(level) + value.growth(-level) * value.gain(level)


def _entry_from_below(value: _Value, level: float) -> float:
    return value.slope(level) - value.growth(level) * value.gain(level)


def _root(function: Function, low: float, high: float) -> float:
    return float(brentq(function, low, high, xtol=1e-13))


def _rule_with_stop(low: float, high: float, exit_level: float, stop: float, fee: float) -> TradingRule:
    """Long-run averages over trades entered from above (at `high`) and, after a stop, from below (at `low`)."""
    wins = [exit_probability_high(level, stop, exit_level) for level in (high, low)]
    times = [exit_time_mean(level, stop, exit_level) for level in (high, low)]
    from_above = wins[1] / (1.0 - wins[0] + wins[1])
    shares = (from_above, 1.0 - from_above)
    back_down, back_up = passage_time_mean(exit_level, high), passage_time_mean(stop, low)
    profit = cycle = trade = 0.0
    for share, level, win, time in zip(shares, (high, low), wins, times, strict=True):
        profit += share * (win * exit_level + (1.0 - win) * stop - level - 2.0 * fee)
        trade += share * time
        cycle += share * (time + win * back_down + (1.0 - win) * back_up)
    return TradingRule(high, exit_level, profit, trade, cycle, math.nan, entry_low=low)
