from dataclasses import dataclass, field

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.backtest.strategy import Signal
from hlpairs_core.screening import leg_weights, spread_zscore

__all__ = ["Exit", "Liquidity", "Position", "signed_weights", "zscore_of"]


@dataclass(frozen=True, eq=False)
class Liquidity:
    """Day notional (USD) and day volatility (bps) of y and x as known at the signal; shape (2,)."""

    day_notional_usd: FloatArray
    day_volatility_bps: FloatArray

    @property
    def known(self) -> bool:
        """Whether the slippage of a fill can be told."""
        both = np.concatenate([self.day_notional_usd, self.day_volatility_bps])
        return bool(np.isfinite(both).all() and (self.day_notional_usd > 0).all())


@dataclass(frozen=True)
class Exit:
    """An order to leave: the close that decided it, the first bar that may fill it, why, and z at that close."""

    decided: int
    first_bar: int
    reason: str
    zscore: float


def _zeros() -> FloatArray:
    return np.zeros(2)


@dataclass(eq=False, kw_only=True)
class Position:
    """Two legs held as one; arrays have shape (2,): y, x.

    Attributes
    ----------
    signal : Signal
        Its parameters: frozen at the signal, or at the last re-hedge.
    legs : ndarray of int
        Columns of the coins.
    liquidity : Liquidity
        What its slippage rests on.
    entered, last : int
        Bar of the entry fill; last bar with a close of both coins.
    entry_zscore : float
        z at the close that decided the entry.
    units, entry_units : ndarray
        Signed sizes (base units) now, 0 where a leg is closed, and at entry.
    flow_usd : ndarray
        What the fills of each leg took in, less what they paid (USD); with the value of the units: the gross profit.
    fee_usd, slippage_usd, funding_usd : ndarray
        Sums so far; costs are positive, funding is positive when received.
    margin_usd : ndarray
        Isolated margin of each leg (USD).
    mark_usd : ndarray
        Prices at which the open units are valued.
    notional_usd : float
        Gross notional at entry.
    turnover_usd : float
        Notional of all its fills.
    rehedges : int
        How often the x leg was traded to a new hedge ratio.
    exit : Exit or None
        The order to leave, once there is one.
    assumed : bool
        Whether an assumed funding rate was used.
    """

    signal: Signal
    legs: IntArray
    liquidity: Liquidity
    entered: int
    last: int
    entry_zscore: float
    units: FloatArray = field(default_factory=_zeros)
    entry_units: FloatArray = field(default_factory=_zeros)
    flow_usd: FloatArray = field(default_factory=_zeros)
    fee_usd: FloatArray = field(default_factory=_zeros)
    slippage_usd: FloatArray = field(default_factory=_zeros)
    funding_usd: FloatArray = field(default_factory=_zeros)
    margin_usd: FloatArray = field(default_factory=_zeros)
    mark_usd: FloatArray = field(default_factory=_zeros)
    notional_usd: float = 0.0
    turnover_usd: float = 0.0
    rehedges: int = 0
    exit: Exit | None = None
    assumed: bool = False

    @property
    def direction(self) -> float:
        """Side of z that the trade bets on coming back from: 1 with y short, -1 with y long."""
        return 1.0 if self.signal.side_y == "short" else -1.0

    def zscore(self, close: FloatArray) -> float:
        """Return z of two closes under the position's parameters; NaN where one is missing."""
        return zscore_of(self.signal, close)

    def gross_usd(self, price: FloatArray) -> float:
        """Return the price profit so far, what is open valued at `price` (USD)."""
        return float(np.sum(self.flow_usd) + self.units[self.units != 0] @ price[self.units != 0])

    def net_usd(self, price: FloatArray) -> float:
        """Return the profit so far, costs paid and funding included (USD)."""
        return self.gross_usd(price) - float(np.sum(self.fee_usd + self.slippage_usd - self.funding_usd))

    def set_margin(self, price: FloatArray, leverage: float) -> None:
        """Put behind each leg what its notional asks for now; what it has gained or lost goes to the cash."""
        value = self.units * price
        self.mark_usd = np.array(price)
        self.margin_usd = np.abs(value) / leverage - value - self.flow_usd - self.funding_usd

    def account_usd(self) -> FloatArray:
        """Return what each leg's isolated equity is apart from the value of its units (USD)."""
        return self.margin_usd + self.flow_usd + self.funding_usd

    def hedged_units(self, price: FloatArray) -> FloatArray:
        """Return the units after a re-hedge: those of y, and so many of x that the notionals stand as 1 to β."""
        side = -1.0 if self.signal.side_x == "short" else 1.0
        size_x = abs(self.units[0]) * price[0] * abs(self.signal.beta) / price[1]
        return np.array([self.units[0], side * size_x])


def zscore_of(signal: Signal, close: FloatArray) -> float:
    """Return z of two closes under a signal's parameters; NaN where one is missing."""
    parameters = {name: getattr(signal, name) for name in ("alpha", "beta", "mean", "sigma")}
    return float(spread_zscore(close[:1], close[1:], **parameters)[0])


def signed_weights(signal: Signal) -> FloatArray:
    """Return each leg's share of the gross notional, negative where it is short."""
    sides = np.where(np.array([signal.side_y, signal.side_x]) == "short", -1.0, 1.0)
    return np.asarray(sides * np.array(leg_weights(signal.beta)))
