"""The sweep of one pair after the other, compiled: imported only where Numba is."""

from __future__ import annotations

import math

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.backtest.sweep_rules import SweepArrays, SweepRules
from hlpairs_core.stats._compile import jit

__all__ = ["sweep_pairs"]


@jit
def _fit(
    y: FloatArray, x: FloatArray, window: int, smallest: float, alpha: FloatArray, beta: FloatArray, sigma: FloatArray
) -> None:
    """Fit y on x over the `window` bars before each bar; NaN where there is no fit.

    Sums are taken afresh, centred, every `window` bars and moved along in between.
    """
    alpha[:], beta[:], sigma[:] = np.nan, np.nan, np.nan
    n_bars = len(y)
    for start in range(window, n_bars, window):
        last = min(start + window, n_bars)
        level_y, level_x, known = 0.0, 0.0, 0
        for t in range(start - window, start):
            if math.isfinite(y[t]) and math.isfinite(x[t]):
                level_y, level_x, known = level_y + y[t], level_x + x[t], known + 1
        level_y, level_x = level_y / max(known, 1), level_x / max(known, 1)
        sum_y, sum_x, yy, yx, xx, holes = 0.0, 0.0, 0.0, 0.0, 0.0, 0
        for t in range(start - window, last - 1):
            v, u = y[t] - level_y, x[t] - level_x
            if math.isfinite(v + u):
                sum_y, sum_x, yy, yx, xx = sum_y + v, sum_x + u, yy + v * v, yx + v * u, xx + u * u
            else:
                holes += 1
            if t >= start:
                v, u = y[t - window] - level_y, x[t - window] - level_x
                if math.isfinite(v + u):
                    sum_y, sum_x, yy, yx, xx = sum_y - v, sum_x - u, yy - v * v, yx - v * u, xx - u * u
                else:
                    holes -= 1
            if t >= start - 1 and holes == 0:
                size_y, size_x = yy - sum_y * sum_y / window, xx - sum_x * sum_x / window
                slope = (yx - sum_y * sum_x / window) / size_x
                left = size_y - slope * (yx - sum_y * sum_x / window)
                if size_x > 0.0 and left > smallest * size_y:
                    beta[t + 1], sigma[t + 1] = slope, math.sqrt(left / (window - 1))
                    alpha[t + 1] = level_y + sum_y / window - slope * (level_x + sum_x / window)


@jit
def _passages(
    y: FloatArray,
    x: FloatArray,
    fit: tuple[float, float, float],
    first: int,
    end: int,
    leave: FloatArray,
    stop: FloatArray,
    left: IntArray,
    stopped: IntArray,
) -> None:
    """Find the first bar from `first` to before `end` at which z, seen from its side, is at each level.

    `leave` falls and `stop` rises; σ in `fit` has the sign of the side. The bar is `end` where there is none.
    """
    alpha, beta, scale = fit
    left[:], stopped[:] = end, end
    n_left, n_stopped = 0, 0
    for t in range(first, end):
        distance = (y[t] - alpha - beta * x[t]) / scale
        while n_left < len(leave) and distance <= leave[n_left]:
            left[n_left] = t
            n_left += 1
        if n_left == len(leave):
            return
        while n_stopped < len(stop) and distance >= stop[n_stopped]:
            stopped[n_stopped] = t
            n_stopped += 1


@jit
def _outcome(
    market: SweepArrays, rules: SweepRules, leg: int, weight: float, sold: float, signal: int, entry: int, end: int,
    exit_price: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return gross, fee, slippage and funding of one leg (bps of the gross notional); `sold` is 1 for a short."""
    before = weight * rules.notional
    units = before / market.open[leg, entry]
    after = units * exit_price
    impact = market.impact[leg, signal]
    slippage = before * (rules.half_spread_bps + impact * math.sqrt(before))
    slippage += after * (rules.half_spread_bps + impact * math.sqrt(after))
    paid = units * (market.funding[leg, end] - market.funding[leg, entry] - market.open_funding[leg, entry])
    bps = 1e4 / rules.notional
    fee = (before + after) * rules.fee_bps / rules.notional
    return bps * sold * (before - after), fee, slippage / rules.notional, bps * sold * paid


@jit
def _add(row: FloatArray, gross: float, fee: float, slippage: float, funding: float, bars: int) -> None:
    net = gross - fee - slippage + funding
    row[0] += 1.0
    row[1] += gross
    row[2] += fee
    row[3] += slippage
    row[4] += funding
    row[5] += net
    row[6] += net * net
    row[7] += 1.0 if net > 0.0 else 0.0
    row[8] += bars
    row[9] = min(row[9], net)


@jit
def _unknown_rate(market: SweepArrays, leg: int, entry: int, end: int) -> int:
    """Return the first bar of a hold whose funding is unknown; -1 where all is known."""
    first: int = entry + market.spared[leg, entry]
    if market.missing[leg, end] == market.missing[leg, first]:
        return -1
    while market.missing[leg, first + 1] == market.missing[leg, first]:
        first += 1
    return first


@jit
def _plan(
    market: SweepArrays, rules: SweepRules, i: int, k: int, fits: FloatArray, fill: IntArray, size: FloatArray,
    signal: IntArray,
) -> int:  # fmt: skip
    """Find the next bar that fills and the next signal of each entry level, from each bar on; return the last bar.

    `fill` and `signal` are the number of bars where there is none; `size` is |z| where a trade may begin.
    """
    y, x = market.log_close[i], market.log_close[k]
    n_bars = len(y)
    last = -1
    fill[n_bars], signal[:, n_bars] = n_bars, n_bars
    for t in range(n_bars - 1, -1, -1):
        if last < 0 and math.isfinite(y[t] + x[t]):
            last = t
        fill[t] = t if market.tradable[i, t] and market.tradable[k, t] and t <= last else fill[t + 1]
        size[t] = abs(y[t] - fits[0, t] - fits[1, t] * x[t]) / fits[2, t]
        slope = abs(fits[1, t])
        enough = min(1.0, slope) / (1.0 + slope) * rules.notional >= rules.least_usd
        if not (enough and math.isfinite(market.impact[i, t] + market.impact[k, t])):
            size[t] = np.nan
        for e in range(len(rules.enter)):
            signal[e, t] = t if size[t] >= rules.enter[e] else signal[e, t + 1]
    return last


@jit
def sweep_pairs(
    market: SweepArrays, rules: SweepRules, y_of: IntArray, x_of: IntArray, smallest: float, totals: FloatArray
) -> tuple[int, int]:
    """Trade each pair by each rule; add to `totals`, shape (n_pairs, entries, exits, stops, holds, 10).

    From trade to trade, not from bar to bar: the fits of a pair, the next signal after each bar, and when z comes to
    each level after a signal are found once for all rules.

    Returns the row and the bar of a funding rate that is due and unknown; -1 and -1 where all are known.
    """
    n_bars = market.log_close.shape[1]
    fits, size = np.empty((3, n_bars)), np.empty(n_bars)
    fill, signal = np.empty(n_bars + 1, np.int64), np.empty((len(rules.enter), n_bars + 1), np.int64)
    left = np.empty((n_bars, len(rules.leave)), np.int64)
    stopped = np.empty((n_bars, len(rules.stop)), np.int64)
    longest = rules.hold.max()
    for pair in range(len(y_of)):
        i, k = y_of[pair], x_of[pair]
        y, x = market.log_close[i], market.log_close[k]
        _fit(y, x, rules.window, smallest, fits[0], fits[1], fits[2])
        last = _plan(market, rules, i, k, fits, fill, size, signal)
        known = np.zeros(n_bars, np.bool_)
        for e, c, d, h in np.ndindex(len(rules.enter), len(rules.leave), len(rules.stop), len(rules.hold)):
            row, hold = totals[pair, e, c, d, h], rules.hold[h]
            s = signal[e, 0]
            while s < n_bars:
                if size[s] >= rules.stop[d]:
                    s = signal[e, s + 1]
                    continue
                first = s + 1 + rules.delay
                entry = fill[first] if first < n_bars else n_bars
                if entry == n_bars:
                    break
                if entry > first + hold:
                    s = signal[e, first + hold + 1]
                    continue
                alpha, beta, sigma = fits[0, s], fits[1, s], fits[2, s]
                side = 1.0 if y[s] - alpha - beta * x[s] > 0.0 else -1.0
                if not known[s]:
                    known[s] = True
                    end = min(entry + longest, last)
                    fit = (alpha, beta, side * sigma)
                    _passages(y, x, fit, entry, end, rules.leave, rules.stop, left[s], stopped[s])
                decided = min(left[s, c], stopped[s, d], entry + hold - 1)
                end = n_bars
                if decided < last and decided + 1 + rules.delay < n_bars:
                    end = fill[decided + 1 + rules.delay]
                after = end
                price_y, price_x = market.close[i, last], market.close[k, last]
                if end < n_bars:
                    price_y, price_x = market.open[i, end], market.open[k, end]
                else:
                    end = last + 1
                for leg in (i, k):
                    bar = _unknown_rate(market, leg, entry, end)
                    if bar >= 0:
                        return leg, bar
                weight = 1.0 / (1.0 + abs(beta))
                # y is sold where z > 0, x then bought unless β < 0.
                other = side if beta < 0.0 else -side
                of_y = _outcome(market, rules, i, weight, side, s, entry, end, price_y)
                of_x = _outcome(market, rules, k, abs(beta) * weight, other, s, entry, end, price_x)
                _add(row, of_y[0] + of_x[0], of_y[1] + of_x[1], of_y[2] + of_x[2], of_y[3] + of_x[3], end - entry)
                s = signal[e, after]
    return -1, -1
