"""A panel as the trades of many pairs look at it: where fills are possible, and what funding a position paid."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.market import Panel
from hlpairs_core.screening import stamps_in_bars

__all__ = ["WalkMarket"]


@dataclass(frozen=True, eq=False)
class WalkMarket:
    """What the rules of `simulate_trade` need of a panel, looked up by bar and coin.

    Parameters
    ----------
    panel : Panel
        Bars before and after the signals; with funding.
    assumed : float or None
        Rate per hour that stands in for an unknown one.
    """

    panel: Panel
    assumed: float | None

    @cached_property
    def fills(self) -> BoolArray:
        """Whether the coin traded in the bar, so that its open is a price, shape (n_bars, n_coins)."""
        return self.panel.traded & np.isfinite(self.panel.open)

    @cached_property
    def last_common(self) -> IntArray:
        """Last bar with a close of both coins, shape (n_coins, n_coins); -1 without one."""
        there = np.isfinite(self.panel.close)
        last = np.full((there.shape[1],) * 2, -1, dtype=np.int64)
        open_pairs = np.ones(last.shape, dtype=bool)
        for bar in range(len(there) - 1, -1, -1):
            now = open_pairs & there[bar] & there[bar][:, None]
            last[now] = bar
            open_pairs &= ~now
            if not open_pairs.any():
                break
        return last

    def next_fill(self, start: IntArray, y: IntArray, x: IntArray, latest: IntArray) -> IntArray:
        """Return the first bar from `start` to `latest` in which both coins traded; -1 where there is none."""
        found, waiting = start.copy(), np.arange(len(start))
        while len(waiting):
            found[waiting[found[waiting] > latest[waiting]]] = -1
            waiting = waiting[found[waiting] >= 0]
            bar = found[waiting]
            waiting = waiting[~(self.fills[bar, y[waiting]] & self.fills[bar, x[waiting]])]
            found[waiting] += 1
        return found

    def paid(self, entry: IntArray, end: IntArray, coin: IntArray) -> tuple[FloatArray, BoolArray]:
        """Return the funding that one unit of a long position pays from a fill at an open to before another's.

        Parameters
        ----------
        entry, end : ndarray of int, shape (n,)
            Bars of the entry fill and of the exit fill (for an exit at a close: the bar after it).
        coin : ndarray of int, shape (n,)
            Which coin.

        Returns
        -------
        usd : ndarray, shape (n,)
            At the stamps' prices: a bar's open, or the close before a missing bar. Unknown rates count as what
            is assumed, else as 0: see `unknown`.
        unknown : ndarray of bool, shape (n,)
            Whether a due rate is not in the panel.
        """
        cumulated, single, unknown_before, unknown = self._funding
        # The stamp at the very open of the entry bar does not settle the position.
        left_out = self._stamps_at_entry[entry]
        usd = cumulated[end, coin] - cumulated[entry, coin] - left_out * single[entry, coin]
        missing = unknown_before[end, coin] - unknown_before[entry, coin]
        missing = missing - (unknown[entry, coin] & (left_out == 1.0))
        return usd, missing > 0

    @cached_property
    def _due(self) -> FloatArray:
        return stamps_in_bars(self.panel.time, self.panel.interval)

    @cached_property
    def _stamps_at_entry(self) -> FloatArray:
        """Share of each bar's stamps that lie at its very open."""
        on_the_hour = self.panel.time == self.panel.time.floor("h")
        return np.where(on_the_hour & (self._due > 0), 1.0 / np.maximum(self._due, 1.0), 0.0)

    @cached_property
    def _funding(self) -> tuple[FloatArray, FloatArray, IntArray, BoolArray]:
        """USD per unit before each bar and in it, and how many bars with an unknown rate there are before each."""
        due = self._due[:, None]
        known = np.isfinite(self.panel.funding)
        rates = np.where(known, self.panel.funding, due * (self.assumed or 0.0))
        before = pd.DataFrame(self.panel.close).ffill().shift().to_numpy()
        price = np.where(np.isfinite(self.panel.open), self.panel.open, before)
        single = np.where((due > 0) & np.isfinite(price), rates * price, 0.0)
        unknown = ~known & (due > 0)
        return _summed_before(single), single, _summed_before(unknown.astype(np.int64)), unknown


_Numbers = TypeVar("_Numbers", FloatArray, IntArray)


def _summed_before(values: _Numbers) -> _Numbers:
    return np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
