"""Two coins' bars as one trade sees them: prices, spread, funding."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening import Candidate, spread_zscore, stamps_in_bars

__all__ = ["PairBars"]


@dataclass(frozen=True, eq=False)
class PairBars:
    """The bars of y (column 0) and x (column 1).

    Attributes
    ----------
    panel : Panel
        The two coins.
    zscore : ndarray, shape (n_bars,)
        z of each close under the candidate's frozen parameters; NaN where a close is missing.
    tradable : ndarray of bool, shape (n_bars,)
        Both coins traded in the bar, so that its open is a price at which both legs fill.
    last : int
        Last bar with a close of both coins; -1 without one.
    """

    panel: Panel
    zscore: FloatArray
    tradable: BoolArray
    last: int

    @classmethod
    def of(cls, panel: Panel, candidate: Candidate) -> "PairBars":
        """Take the candidate's coins out of a panel."""
        pair = panel.select([candidate.y, candidate.x])
        zscore = spread_zscore(
            pair.close[:, 0],
            pair.close[:, 1],
            alpha=candidate.alpha,
            beta=candidate.beta,
            mean=candidate.mean,
            sigma=candidate.sigma,
        )
        tradable = np.all(pair.traded & np.isfinite(pair.open), axis=1)
        closes = np.flatnonzero(np.all(np.isfinite(pair.close), axis=1))
        return cls(pair, zscore, tradable, int(closes[-1]) if len(closes) else -1)

    @property
    def bar_hours(self) -> float:
        """Length of a bar (hours)."""
        return float(interval_duration(self.panel.interval) / pd.Timedelta(hours=1))

    def next_tradable(self, bar: int) -> int | None:
        """Return the first bar from `bar` on in which both coins traded."""
        found = np.flatnonzero(self.tradable[bar:])
        return bar + int(found[0]) if len(found) else None

    def funding(self, entry: int, end: int, units: FloatArray, assumed: float | None) -> tuple[FloatArray, bool]:
        """Return the funding that long positions would pay from a fill at an open to before another's.

        A rate stamped h settles the positions open at h; a fill at the open of bar h neither pays nor receives
        the stamp h. So the stamp at the open of bar `entry` does not count and neither does the one at the open
        of bar `end`. Of a bar longer than an hour the panel knows only the sum: its stamps count as equal.

        Parameters
        ----------
        entry, end : int
            Bars of the entry fill and of the exit fill (for an exit at a close: the bar after it).
        units : ndarray, shape (2,)
            Size of each leg (base units).
        assumed : float or None
            Rate per hour that stands in for an unknown one.

        Returns
        -------
        paid : ndarray, shape (2,)
            USD per leg; the price at a bar's stamps is its open (of a missing bar: the close before).
        filled : bool
            Whether an assumed rate was used.

        Raises
        ------
        InputError
            If a due rate is unknown and none is assumed.
        """
        rates = self.panel.funding[entry:end].copy()
        due = stamps_in_bars(self.panel.time[entry:end], self.panel.interval)
        unknown = ~np.isfinite(rates) & (due > 0)[:, None]
        rates[~np.isfinite(rates)] = 0.0
        rates[unknown] = 0.0 if assumed is None else (due[:, None] * np.full(2, assumed))[unknown]
        share = self._settled_share(entry, due)
        missing = unknown & (share > 0)[:, None]
        if assumed is None and missing.any():
            self._refuse(entry, missing)
        paid = np.sum(rates * share[:, None] * self._stamp_prices(entry, end), axis=0) * units
        return paid, bool(missing.any())

    def _stamp_prices(self, entry: int, end: int) -> FloatArray:
        """Price at each bar's stamps: its open, or the close before it where the bar is missing."""
        opens = self.panel.open[entry:end]
        if np.isfinite(opens).all():
            return opens
        before = pd.DataFrame(self.panel.close[entry:end]).ffill().shift()
        return np.asarray(pd.DataFrame(opens).fillna(before).to_numpy())

    def _settled_share(self, entry: int, due: FloatArray) -> FloatArray:
        """Share of each bar's stamps that count: all but the one at the very open of the entry bar."""
        share = (due > 0).astype(np.float64)
        opens_on_the_hour = self.panel.time[entry] == self.panel.time[entry].floor("h")
        if len(due) and due[0] > 0 and opens_on_the_hour:
            share[0] = (due[0] - 1) / due[0]
        return share

    def _refuse(self, entry: int, missing: BoolArray) -> None:
        bar, leg = np.argwhere(missing)[0]
        coin, time = self.panel.coins[int(leg)], self.panel.time[entry + int(bar)]
        raise InputError(
            f"the funding rate of {coin} in the bar of {time:%Y-%m-%d %H:%M} UTC is unknown: give the panel its "
            "funding, or state an assumed_funding_per_hour in the costs"
        )
