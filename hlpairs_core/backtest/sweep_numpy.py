"""The sweep without a compiler: every trade that a rule could make is priced, then rules go from one to the next."""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.backtest.sweep_market import window_moments
from hlpairs_core.backtest.sweep_rules import SweepArrays, SweepRules

__all__ = ["sweep_pairs"]


def sweep_pairs(
    market: SweepArrays, rules: SweepRules, y_of: IntArray, x_of: IntArray, smallest: float, totals: FloatArray
) -> tuple[int, int]:
    """Trade each pair by each rule; see `sweep_kernels.sweep_pairs`, whose results these are."""
    for pair, (i, k) in enumerate(zip(y_of, x_of, strict=True)):
        bad = _Pair(market, rules, int(i), int(k), smallest).trade(totals[pair])
        if bad != (-1, -1):
            return bad
    return -1, -1


class _Pair:
    """One pair: its fits, its signals, and what a trade from each of them earns under each exit rule."""

    def __init__(self, market: SweepArrays, rules: SweepRules, i: int, k: int, smallest: float) -> None:
        self._market, self._rules, self._legs = market, rules, (i, k)
        self._y, self._x = market.log_close[i], market.log_close[k]
        self._n_bars = len(self._y)
        both = np.flatnonzero(np.isfinite(self._y + self._x))
        self._last = int(both[-1]) if len(both) else -1
        self._fill = self._next(market.tradable[i] & market.tradable[k] & (np.arange(self._n_bars) <= self._last))
        self._fit(smallest)

    def _fit(self, smallest: float) -> None:
        window, y, x = self._rules.window, self._y[:, None], self._x[:, None]
        mean_y, mean_x, yx = (part[:-1, 0] for part in window_moments(y, x, window))
        yy, xx = (window_moments(part, part, window)[2][:-1, 0] for part in (y, x))
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = yx / xx
            left = yy - slope * yx
            sound = (xx > 0) & (left > smallest * yy)
            before = np.full(window, np.nan)
            self._beta = np.append(before, np.where(sound, slope, np.nan))
            self._sigma = np.append(before, np.sqrt(np.where(sound, left, np.nan) / (window - 1)))
        self._alpha = np.append(before, mean_y - slope * mean_x)
        z = (self._y - self._alpha - self._beta * self._x) / self._sigma
        self._side = np.where(z > 0, 1.0, -1.0)
        size = np.abs(self._beta)
        enough = np.minimum(1.0, size) / (1 + size) * self._rules.notional >= self._rules.least_usd
        known = np.isfinite(self._market.impact[list(self._legs)].sum(axis=0))
        self._size = np.where(enough & known, np.abs(z), np.nan)

    def _next(self, wanted: BoolArray) -> IntArray:
        """Return the first wanted bar from each bar on, and from the end; the number of bars where there is none."""
        bars = np.append(np.where(wanted, np.arange(self._n_bars), self._n_bars), self._n_bars)
        return np.asarray(np.minimum.accumulate(bars[::-1])[::-1])

    def trade(self, totals: FloatArray) -> tuple[int, int]:
        """Add up the trades of each rule; return an unknown rate that is due, or -1 and -1."""
        rules = self._rules
        signals = np.flatnonzero(self._size >= rules.enter[0])
        first = signals + 1 + rules.delay
        signals, first = signals[first < self._n_bars], first[first < self._n_bars]
        filled = self._fill[first] < self._n_bars
        signals, first = signals[filled], first[filled]
        if not len(signals):
            return -1, -1
        entry = self._fill[first]
        decided = self._decided(signals, entry)
        later = np.minimum(decided + 1 + rules.delay, self._n_bars)
        after = np.where(decided < self._last, self._fill[later], self._n_bars)
        end = np.where(after < self._n_bars, after, self._last + 1)
        table = _Trades(signals, first, entry, after, end, self._amounts(signals, entry, end, after < self._n_bars))
        return self._walk(table, totals)

    def _decided(self, signals: IntArray, entry: IntArray) -> IntArray:
        """Return the bar whose close decides the exit, shape (n_signals, exits, stops, holds)."""
        rules = self._rules
        bars = entry[:, None] + np.arange(int(rules.hold.max()))
        inside = bars < self._last
        bars = np.minimum(bars, self._n_bars - 1)
        alpha, beta, scale = (
            part[signals, None] for part in (self._alpha, self._beta, self._side * self._sigma)
        )  # fmt: skip
        distance = np.where(inside, (self._y[bars] - alpha - beta * self._x[bars]) / scale, np.nan)
        left = np.stack([_first(distance <= level) for level in rules.leave], axis=1)
        stopped = np.stack([_first(distance >= level) for level in rules.stop], axis=1)
        steps = np.minimum(left[:, :, None, None], stopped[:, None, :, None])
        steps = np.minimum(steps, rules.hold - 1)
        return np.asarray(np.minimum(entry[:, None, None, None] + steps, self._last))

    def _amounts(self, signals: IntArray, entry: IntArray, end: IntArray, at_open: BoolArray) -> FloatArray:
        """Return gross, fee, slippage and funding in bps, shape (4, n_signals, exits, stops, holds)."""
        slope, side = np.abs(self._beta[signals]), self._side[signals]
        # y is sold where z > 0, x then bought unless β < 0.
        sides = (side, np.where(self._beta[signals] < 0, side, -side))
        weights = (1 / (1 + slope), slope / (1 + slope))
        legs = zip(self._legs, weights, sides, strict=True)
        return np.asarray(sum(self._leg(*leg, signals, entry, end, at_open) for leg in legs))

    def _leg(
        self,
        leg: int,
        weight: FloatArray,
        sold: FloatArray,
        signals: IntArray,
        entry: IntArray,
        end: IntArray,
        at_open: BoolArray,
    ) -> FloatArray:
        market, rules, bps = self._market, self._rules, 1e4 / self._rules.notional
        weight, sold, opened, impact, start = (
            part.reshape(-1, 1, 1, 1)
            for part in (
                weight,
                sold,
                market.open[leg, entry],
                market.impact[leg, signals],
                market.funding[leg, entry] + market.open_funding[leg, entry],
            )
        )
        opens = market.open[leg, np.minimum(end, self._n_bars - 1)]
        before = weight * rules.notional
        units = before / opened
        after = units * np.where(at_open, opens, market.close[leg, self._last])
        slippage = sum(part * (rules.half_spread_bps + impact * np.sqrt(part)) for part in (before, after))
        paid = units * (market.funding[leg][end] - start)
        fee = (before + after) * rules.fee_bps / rules.notional
        return np.stack([bps * sold * (before - after), fee, slippage / rules.notional, bps * sold * paid])

    def _walk(self, trades: "_Trades", totals: FloatArray) -> tuple[int, int]:
        """Let every rule go from trade to trade, all rules in step."""
        e, c, d, h = (part.ravel() for part in np.indices(totals.shape[:-1]))
        upcoming, flat = self._upcoming(), totals.reshape(-1, totals.shape[-1])
        place = np.full(self._n_bars + 1, -1)
        place[trades.signal] = np.arange(len(trades.signal))
        at = upcoming[e, d, 0]
        while len(going := np.flatnonzero(place[at] >= 0)):
            row, hold = place[at[going]], self._rules.hold[h[going]]
            cell = (row, c[going], d[going], h[going])
            entry, end = trades.entry[row], trades.end[cell]
            made = entry <= trades.first[row] + hold
            bad = self._unknown(entry[made], end[made])
            if bad != (-1, -1):
                return bad
            _add(flat, going[made], [part[cell][made] for part in trades.amounts], (end - entry)[made])
            free = np.where(made, trades.after[cell], trades.first[row] + hold + 1)
            at[going] = upcoming[e[going], d[going], free]
        return -1, -1

    def _upcoming(self) -> IntArray:
        """Return the next signal from each bar on, shape (entries, stops, n_bars + 1): none where z is at the stop."""
        size, rules = self._size, self._rules
        return np.array([[self._next((size >= low) & ~(size >= high)) for high in rules.stop] for low in rules.enter])

    def _unknown(self, entry: IntArray, end: IntArray) -> tuple[int, int]:
        """Return the row and the bar of a rate that is due in one of these holds and unknown; -1 and -1 without."""
        for leg in self._legs:
            missing = self._market.missing[leg]
            start = entry + self._market.spared[leg, entry]
            bad = start[missing[end] > missing[start]]
            if len(bad):
                return leg, int(bad[0] + np.flatnonzero(np.diff(missing[bad[0] :]))[0])
        return -1, -1


@dataclass(frozen=True, eq=False)
class _Trades:
    """Every trade that a rule could make.

    By signal, shape (n_signals,): the bars of the signal, of the first that may fill it, and of the entry. By signal
    and exit rule, shape (n_signals, exits, stops, holds): the bar in which the next signal may come (the number of
    bars where none may), the bar before whose open the hold ends, and the amounts, shape (4, …).
    """

    signal: IntArray
    first: IntArray
    entry: IntArray
    after: IntArray
    end: IntArray
    amounts: FloatArray


def _first(reached: BoolArray) -> IntArray:
    """Return the first step at which a level is reached; the number of steps where it is not."""
    return np.asarray(np.where(reached.any(axis=1), reached.argmax(axis=1), reached.shape[1]))


def _add(flat: FloatArray, rules: IntArray, amounts: list[FloatArray], held: IntArray) -> None:
    gross, fee, slippage, funding = amounts
    net = gross - fee - slippage + funding
    for column, values in enumerate((1.0, gross, fee, slippage, funding, net, net**2, net > 0, held)):
        flat[rules, column] += values
    flat[rules, -1] = np.minimum(flat[rules, -1], net)
