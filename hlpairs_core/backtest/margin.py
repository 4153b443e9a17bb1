"""Margin of perpetual positions: when the exchange closes a leg."""

from typing import Literal

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_number, funding_sign

__all__ = ["Margin", "isolated_liquidation_price", "liquidation_fills", "liquidation_price", "maintenance_rate"]

Margin = Literal["none", "isolated", "cross"]


def maintenance_rate(max_leverage: FloatArray) -> FloatArray:
    """Return the maintenance margin as a share of the notional: half the initial margin at the maximum leverage."""
    return np.asarray(0.5 / np.asarray(max_leverage, dtype=np.float64))


def liquidation_price(units: FloatArray, account: FloatArray, rate: FloatArray) -> FloatArray:
    """Return the price at which a leg's equity is down to its maintenance margin.

    Parameters
    ----------
    units : ndarray
        Signed sizes (base units, a short is negative).
    account : ndarray
        What each leg's equity is apart from its value: margin, funding, and what its fills took in or paid (USD). The
        equity at price p is ``account + units p``.
    rate : ndarray
        Maintenance margin as a share of the notional.

    Returns
    -------
    ndarray
        ``-account / (units - rate |units|)``; at or below 0 for a long leg that cannot be liquidated. NaN without
        a position.
    """
    slope = units - rate * np.abs(units)
    return np.asarray(np.divide(-account, slope, out=np.full(np.shape(slope), np.nan), where=slope != 0))


def liquidation_fills(
    units: FloatArray, account: FloatArray, rate: FloatArray, opens: FloatArray, high: FloatArray, low: FloatArray
) -> FloatArray:
    """Return the prices at which legs are liquidated within a bar; NaN for those that are not.

    A leg is closed at its liquidation price, or at the open where the bar opens beyond it. Where it opens beyond the
    price at which nothing is left of the margin, the leg loses its margin and no more. Arguments as of
    `liquidation_price`, and the bar's prices.
    """
    side = np.sign(units)
    at = side * liquidation_price(units, account, rate)
    gone = side * np.divide(-account, units, out=np.full(np.shape(units), np.nan), where=units != 0)
    worst = side * np.where(units > 0, low, high)
    price = side * np.maximum(np.minimum(at, side * opens), gone)
    return np.asarray(np.where((units != 0) & (worst <= at), price, np.nan))


def isolated_liquidation_price(entry_price: float, *, side: str, leverage: float, max_leverage: float) -> float:
    """Return where an isolated position is liquidated, before funding and fees.

    Parameters
    ----------
    entry_price : float
        USD.
    side : {"long", "short"}
        Of the position.
    leverage : float
        Notional at entry over its margin, at most `max_leverage`.
    max_leverage : float
        Of the coin; it sets the maintenance margin.

    Returns
    -------
    float
        USD; at or below 0 where the position cannot be liquidated.

    Raises
    ------
    InputError
        For a price or a leverage that cannot be, or an unknown side.

    Examples
    --------
    >>> round(isolated_liquidation_price(100.0, side="long", leverage=10, max_leverage=40), 3)
    91.139
    """
    check_number("entry_price", entry_price, low=0, high=np.inf, low_open=True)
    check_number("max_leverage", max_leverage, low=1, high=1000)
    check_number("leverage", leverage, low=0, high=max_leverage, low_open=True)
    units = -funding_sign([side])
    account = entry_price / leverage - units * entry_price
    return float(liquidation_price(units, account, maintenance_rate(np.array([max_leverage])))[0])
