"""From the premium of a perpetual over its oracle price to its hourly funding rate."""

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError

__all__ = ["FUNDING_CAP_PER_HOUR", "INTEREST_PER_HOUR", "funding_rate", "impact_premium"]

INTEREST_PER_HOUR = 0.0001 / 8
"""What is paid where the premium is near 0: 0.01 % of 8 hours, 11 % a year."""

FUNDING_CAP_PER_HOUR = 0.04
"""Largest rate, either way."""

_INTEREST_8H, _BAND_8H = 0.0001, 0.0005


def impact_premium(impact_bid: ArrayLike, impact_ask: ArrayLike, oracle_price: ArrayLike) -> FloatArray:
    """Return how far a perpetual trades from its oracle price, as the exchange samples it every five seconds.

    ``(max(bid - oracle, 0) - max(oracle - ask, 0)) / oracle`` with the average prices at which an order of the impact
    notional (20,000 USD for BTC and ETH, 6,000 for the others) would fill.

    Parameters
    ----------
    impact_bid, impact_ask, oracle_price : array_like
        USD; NaN gives NaN.

    Raises
    ------
    InputError
        For an oracle price that is not above 0.
    """
    bid, ask, oracle = (np.asarray(price, dtype=np.float64) for price in (impact_bid, impact_ask, oracle_price))
    if np.any(oracle <= 0):
        raise InputError(f"oracle_price is {oracle_price!r}: use USD above 0")
    return np.asarray((np.maximum(bid - oracle, 0) - np.maximum(oracle - ask, 0)) / oracle)


def funding_rate(average_premium: ArrayLike) -> FloatArray:
    """Return the hourly funding rate of an hour's average premium.

    ``F = (P + clamp(0.0001 - P, -0.0005, 0.0005)) / 8``, at most 4 % either way. While the premium is between -0.04 and
    0.06 % the rate is the interest, 0.00125 % an hour.

    Parameters
    ----------
    average_premium : array_like
        Fraction of the oracle price; NaN gives NaN.

    Returns
    -------
    ndarray
        Fraction of the position's value at the oracle price per hour; the long pays the short where it is positive.
    """
    premium = np.asarray(average_premium, dtype=np.float64)
    eight_hours = premium + np.clip(_INTEREST_8H - premium, -_BAND_8H, _BAND_8H)
    return np.asarray(np.clip(eight_hours / 8, -FUNDING_CAP_PER_HOUR, FUNDING_CAP_PER_HOUR))
