"""One-second bars of the last minutes, in memory, for display."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.market._frames import to_times

__all__ = ["SecondBars"]

KEPT_SECONDS = 900
OPEN, HIGH, LOW, CLOSE = range(4)


class SecondBars:
    """Open, high, low and close of each coin's mid, by second of wall time, in a ring.

    Its memory is fixed by the number of coins: 250 of them over 15 minutes take 7 MB. A second in which a coin was
    not quoted has no bar.

    Parameters
    ----------
    seconds : int
        How many are kept.
    """

    def __init__(self, seconds: int = KEPT_SECONDS) -> None:
        self._length = seconds
        self._row: dict[str, int] = {}
        self._bars = np.full((0, 4, seconds), np.nan)
        self._newest = -1

    @property
    def newest(self) -> int:
        """The second (since 1970) of the newest bar; -1 before the first."""
        return self._newest

    def follow(self, coins: Iterable[str]) -> None:
        """Keep bars of these coins and of no others; those of coins followed before stay."""
        names = tuple(dict.fromkeys(coins))
        if names == tuple(self._row):
            return
        bars = np.full((len(names), 4, self._length), np.nan)
        known = [(new, self._row[coin]) for new, coin in enumerate(names) if coin in self._row]
        if known:
            bars[[new for new, _ in known]] = self._bars[[old for _, old in known]]
        self._row, self._bars = {coin: row for row, coin in enumerate(names)}, bars

    def take(self, coin: str, mid: float, wall: float) -> None:
        """Take a mid (USD) at wall time `wall`; what is no price, or of another coin, is passed over."""
        row = self._row.get(coin)
        if row is None or not 0 < mid < math.inf:
            return
        second = int(wall)
        if second != self._newest:
            self._move_to(second)
        bar = self._bars[row, :, second % self._length]
        if bar[CLOSE] == bar[CLOSE]:
            bar[HIGH], bar[LOW], bar[CLOSE] = max(bar[HIGH], mid), min(bar[LOW], mid), mid
        else:
            bar[:] = mid

    def take_all(self, mids: Mapping[str, float], wall: float) -> None:
        """Take the mids of all coins; a coin that was quoted in this second already keeps its bar.

        The exchange's list is a moment older than the quotes.
        """
        second = int(wall)
        if second != self._newest:
            self._move_to(second)
        closes = self._bars[:, CLOSE, second % self._length]
        for coin, row in self._row.items():
            if closes[row] != closes[row]:
                self.take(coin, mids.get(coin, math.nan), wall)

    def closes(self, coins: Sequence[str], step: int) -> tuple[IntArray, FloatArray]:
        """Return the newest close of each coin in each step of so many seconds.

        Steps are multiples of `step` since 1970, so that a point once drawn stays where it is.

        Returns
        -------
        seconds : ndarray, shape (n_steps,)
            The last second of each step (of the one in progress: the newest), ascending.
        closes : ndarray, shape (n_coins, n_steps)
            Mids in USD; NaN where a coin was not quoted in that step.
        """
        first = -(-(self._newest - self._length + 1) // step) * step
        steps = np.arange(first, self._newest + 1, step)
        grid = steps[:, None] + np.arange(step)
        rows = [self._row.get(coin, -1) for coin in coins]
        bars = self._bars[rows, CLOSE] if len(self._bars) else np.full((len(rows), self._length), np.nan)
        values = np.where(grid > self._newest, np.nan, bars[:, grid % self._length])
        values[[row < 0 for row in rows]] = np.nan
        place = step - 1 - np.argmax(np.isfinite(values[:, :, ::-1]), axis=2)
        return np.minimum(steps + step - 1, self._newest), np.take_along_axis(values, place[:, :, None], axis=2)[
            :, :, 0
        ]

    def frame(self, coins: Iterable[str]) -> pd.DataFrame:
        """Return the bars of these coins: ``coin, time`` (wall, UTC), ``open, high, low, close`` (USD)."""
        names = [coin for coin in coins if coin in self._row]
        rows = np.array([self._row[coin] for coin in names], dtype=np.int64)
        seconds = np.arange(self._newest - self._length + 1, self._newest + 1)
        bars = self._bars[rows][:, :, seconds % self._length]
        coin, place = np.nonzero(np.isfinite(bars[:, CLOSE]))
        prices = {name: bars[coin, field, place] for field, name in enumerate(("open", "high", "low", "close"))}
        return pd.DataFrame(
            {
                "coin": pd.Series([names[one] for one in coin], dtype="str"),
                "time": to_times(seconds[place] * 1000),
                **prices,
            }
        )

    def _move_to(self, second: int) -> None:
        """Make room for a second; those between it and the newest, on either side, are without bars."""
        if self._newest < 0 or abs(second - self._newest) >= self._length:
            self._bars[:] = np.nan
        else:
            # A wall clock that was set back: what lies ahead of it now never was.
            first, last = min(second, self._newest + 1), max(second, self._newest)
            self._bars[:, :, np.arange(first, last + 1) % self._length] = np.nan
        self._newest = second
