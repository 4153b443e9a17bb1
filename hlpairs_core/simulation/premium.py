"""From a settled funding rate back to a premium that the exchange's formula turns into it."""

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.simulation.noise import Stream, uniforms

__all__ = ["BASE_RATE", "premium_of"]

BASE_RATE = 0.0000125
"""Funding per hour while the premium is small: 0.01 % per eight hours."""

_INTEREST = 1e-4
_CLAMP = 5e-4


def premium_of(rate: FloatArray, seed: int, hour: ArrayLike, coin: ArrayLike) -> FloatArray:
    """Return a premium (fraction of the oracle price) whose funding is `rate`.

    The exchange's formula is ``8 * rate = premium + clamp(0.0001 - premium, -0.0005, 0.0005)``: it can be
    inverted outside its dead zone; within it any premium of the zone will do, and one is made up.

    Parameters
    ----------
    rate : ndarray
        Fraction per hour. NaN gives NaN.
    seed : int
        Of the market.
    hour, coin : array_like of int
        Keys that address the made-up premia, broadcast against `rate`.
    """
    eight_hours = 8.0 * rate
    made_up = _INTEREST + _CLAMP * (2 * uniforms(seed, Stream.PREMIUM, hour, coin) - 1)
    implied = eight_hours + _CLAMP * np.sign(eight_hours - _INTEREST)
    premium: FloatArray = np.where(np.abs(eight_hours - _INTEREST) < 1e-9, made_up, implied)
    return np.asarray(np.round(np.where(np.isfinite(rate), premium, np.nan), 10), dtype=np.float64)
