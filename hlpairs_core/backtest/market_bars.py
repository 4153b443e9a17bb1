"""A panel as a backtest reads it: what fills, what a position is worth, what funding is due."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening import stamps_in_bars
from hlpairs_core.screening.liquidity import bars_per_day

__all__ = ["MarketBars"]


@dataclass(frozen=True, eq=False)
class MarketBars:
    """Arrays of shape (n_bars, n_coins) unless said otherwise.

    Attributes
    ----------
    panel : Panel
        Where they come from.
    tradable : ndarray of bool
        The coin traded in the bar, so that its open is a price at which an order fills.
    notional : ndarray
        What traded in the bar (USD).
    value : ndarray
        Last known close (USD); NaN before the first.
    stamp_price : ndarray
        Price at a bar's funding stamps: its open, or the close before it where the bar is missing (USD).
    rate : ndarray
        Funding due in the bar (fraction of the notional, longs pay), with the assumed rate where one is given for an
        unknown one; NaN where it is unknown.
    assumed : ndarray of bool
        Where the rate is the assumption.
    open_share : ndarray, shape (n_bars,)
        Share of the bar's stamps that is at its very open.
    """

    panel: Panel
    tradable: BoolArray
    notional: FloatArray
    value: FloatArray
    stamp_price: FloatArray
    rate: FloatArray
    assumed: BoolArray
    open_share: FloatArray

    @classmethod
    def of(cls, panel: Panel, assumed_funding_per_hour: float | None) -> "MarketBars":
        """Read a panel."""
        value = pd.DataFrame(panel.close).ffill().to_numpy()
        before = np.vstack([np.full((1, panel.n_coins), np.nan), value[:-1]])
        due = stamps_in_bars(panel.time, panel.interval)
        unknown = ~np.isfinite(panel.funding) & (due > 0)[:, None]
        rate = np.where(due[:, None] > 0, panel.funding, 0.0)
        if assumed_funding_per_hour is not None:
            rate = np.where(unknown, due[:, None] * assumed_funding_per_hour, rate)
        on_the_hour = np.asarray(panel.time == panel.time.floor("h"))
        return cls(
            panel=panel,
            tradable=panel.traded & np.isfinite(panel.open),
            notional=panel.notional,
            value=value,
            stamp_price=np.where(np.isfinite(panel.open), panel.open, before),
            rate=rate,
            assumed=unknown & (assumed_funding_per_hour is not None),
            open_share=np.divide(on_the_hour, due, out=np.zeros(panel.n_bars), where=due > 0),
        )

    @property
    def bar_hours(self) -> float:
        """Length of a bar (hours)."""
        return float(interval_duration(self.panel.interval) / pd.Timedelta(hours=1))

    def last_of(self, legs: IntArray) -> int:
        """Return the last bar with a close of both coins; -1 without one."""
        both = np.flatnonzero(np.isfinite(self.panel.close[:, legs]).all(axis=1))
        return int(both[-1]) if len(both) else -1

    def day_notional_usd(self, bar: int, legs: IntArray) -> FloatArray:
        """Return what traded in the 24 hours to a bar's close (USD), shape (2,); a missing bar counts as no trade."""
        per_day = bars_per_day(self.panel.interval)
        rows = slice(max(0, bar + 1 - max(1, round(per_day))), bar + 1)
        traded = np.nansum(self.notional[rows, legs], axis=0)
        return np.asarray(traded * (per_day / (rows.stop - rows.start)))

    def funding_paid(self, bar: int, legs: IntArray, before: FloatArray, after: FloatArray) -> tuple[FloatArray, bool]:
        """Return what positions pay in a bar (USD per leg), and whether an assumed rate was used.

        A rate stamped h settles the positions open at h; a fill at the open of bar h neither pays nor receives it. So
        the stamp at the open settles what was held before *and* after the fills there, every later stamp of the bar
        what was held after them.

        Parameters
        ----------
        bar : int
            The bar.
        legs : ndarray of int, shape (2,)
            Columns of y and x.
        before, after : ndarray, shape (2,)
            Signed units before and after the fills at the open.

        Raises
        ------
        InputError
            If a rate that counts is unknown.
        """
        kept = np.where(before * after > 0, np.sign(after) * np.minimum(np.abs(before), np.abs(after)), 0.0)
        share = self.open_share[bar]
        settled = share * kept + (1 - share) * after
        counts = settled != 0
        rate = np.where(counts, self.rate[bar, legs], 0.0)
        if np.isnan(rate).any():
            self.refuse_rate(bar, int(legs[int(np.argmax(np.isnan(rate)))]))
        price = np.where(counts, self.stamp_price[bar, legs], 0.0)
        return settled * rate * price, bool((self.assumed[bar, legs] & counts).any())

    def refuse_rate(self, bar: int, column: int) -> None:
        """Raise the error that says whose rate is unknown, and when."""
        raise InputError(
            f"the funding rate of {self.panel.coins[column]} in the bar of {self.panel.time[bar]:%Y-%m-%d %H:%M} UTC "
            "is unknown: give the panel its funding, or state an assumed_funding_per_hour in the costs"
        )
