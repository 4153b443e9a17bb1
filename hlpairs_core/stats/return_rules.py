"""Entry and exit levels that earn most per unit of time, in standard deviations from the mean.

Every rule is solved for the process ``dY = -Y dt + sqrt(2) dW`` and told for a long trade: bought low, sold high.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import brentq, minimize_scalar
from scipy.special import dawsn

from hlpairs_core.stats.first_passage import (
    cycle_time_mean,
    cycle_time_variance,
    passage_time_mean,
    passage_time_variance,
    symmetric_exit_time_variance,
)

__all__ = ["FARTHEST", "TradingRule", "bertram_return", "bertram_sharpe", "zeng_lee_mean", "zeng_lee_reverse"]

_ROOT2 = math.sqrt(2.0)
# Beyond this many standard deviations a cycle takes longer than numbers can say; no spread has gone there.
FARTHEST = 25.0
# Without cost the best entry is the mean itself; the numbers are taken this close to it.
_NEXT_TO_MEAN = 1e-4


@dataclass(frozen=True)
class TradingRule:
    """One rule: levels, cost and profit in standard deviations, times in ``1 / theta``.

    `cycle_variance` is NaN where the profit of a trade is itself random; `entry_low` is None where there is no
    stop-loss.
    """

    entry: float
    exit: float
    profit: float
    trade_time: float
    cycle_time: float
    cycle_variance: float
    two_sided: bool = False
    entry_low: float | None = None


def bertram_return(cost: float) -> TradingRule:
    """Buy at -m, sell at m, wait for -m again, m such that the return per time is the highest."""
    return _limit(_bertram) if cost == 0.0 else _bertram(_best_entry(0.5 * cost), cost)


def bertram_sharpe(cost: float, hurdle: float) -> TradingRule:
    """The same with m such that the Sharpe ratio over a `hurdle` a trade is the highest."""

    def negative_sharpe(entry: float) -> float:
        rule = _bertram(entry, cost)
        return -(rule.profit - hurdle) / rule.profit * math.sqrt(rule.cycle_time / rule.cycle_variance)

    low = 0.5 * (cost + hurdle)
    if low >= FARTHEST:
        return _bertram(low, cost)
    best = minimize_scalar(
        negative_sharpe, bounds=(low, min(low + 6.0, FARTHEST)), method="bounded", options={"xatol": 1e-9}
    )
    return _bertram(float(best.x), cost)


def zeng_lee_mean(cost: float) -> TradingRule:
    """Buy at -a or sell short at a, whichever comes first, and close at the mean."""
    return _limit(_mean_exit) if cost == 0.0 else _mean_exit(_best_entry(cost), cost)


def zeng_lee_reverse(cost: float) -> TradingRule:
    """Buy at -a, at a close and sell short, at -a close and buy, without a pause."""
    return _limit(_reverse) if cost == 0.0 else _reverse(_best_entry(0.5 * cost), cost)


def _best_entry(cost: float) -> float:
    """Maximise ``(a - cost) / erfi(a / sqrt 2)``: ``a - sqrt 2 D(a / sqrt 2) = cost``, D Dawson's integral."""

    def excess(entry: float) -> float:
        return entry - _ROOT2 * float(dawsn(entry / _ROOT2)) - cost

    # D is at most 0.5411, so the entry is at most 0.77 above the cost.
    return float(brentq(excess, cost, cost + 0.8, xtol=1e-14))


def _limit(rule: Callable[[float, float], TradingRule]) -> TradingRule:
    return rule(_NEXT_TO_MEAN, 0.0)


def _bertram(entry: float, cost: float) -> TradingRule:
    if entry > FARTHEST:
        return TradingRule(-entry, entry, 2.0 * entry - cost, math.inf, math.inf, math.inf)
    cycle, variance = cycle_time_mean(-entry, entry), cycle_time_variance(-entry, entry)
    return TradingRule(-entry, entry, 2.0 * entry - cost, 0.5 * cycle, cycle, variance)


def _mean_exit(entry: float, cost: float) -> TradingRule:
    if entry > FARTHEST:
        return TradingRule(-entry, 0.0, entry - cost, math.inf, math.inf, math.inf, two_sided=True)
    cycle = cycle_time_mean(0.0, entry) / 2.0
    variance = passage_time_variance(-entry, 0.0) + symmetric_exit_time_variance(entry)
    return TradingRule(-entry, 0.0, entry - cost, passage_time_mean(-entry, 0.0), cycle, variance, two_sided=True)


def _reverse(entry: float, cost: float) -> TradingRule:
    if entry > FARTHEST:
        return TradingRule(-entry, entry, 2.0 * entry - cost, math.inf, math.inf, math.inf, two_sided=True)
    cycle, variance = cycle_time_mean(0.0, entry), passage_time_variance(-entry, entry)
    return TradingRule(-entry, entry, 2.0 * entry - cost, cycle, cycle, variance, two_sided=True)
