"""Premium and funding: the exchange's formula, and its inverse for recordings that have rates alone."""

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.epoch import HOUR_MS
from hlpairs_core.simulation.noise import Stream, uniforms
from hlpairs_core.simulation.view import MarketView

__all__ = [
    "BASE_RATE",
    "current_premium",
    "funding_rate",
    "premium_of",
    "running_premium",
    "running_rate",
    "settled_premium",
]

BASE_RATE = 0.0000125
"""Funding per hour while the premium is small: 0.01 % per eight hours."""

_INTEREST = 1e-4
_CLAMP = 5e-4
_CAP = 0.04


def funding_rate(premium: FloatArray) -> FloatArray:
    """Return the funding (fraction per hour) of an hour's average premium, ten decimals. NaN gives NaN.

    The exchange's formula: an eighth of ``premium + clamp(0.0001 - premium, -0.0005, 0.0005)``, at most 4 % either way.
    """
    eighth = (premium + np.clip(_INTEREST - premium, -_CLAMP, _CLAMP)) / 8
    return _rounded(np.clip(eighth, -_CAP, _CAP))


def premium_of(rate: FloatArray, seed: int, hour: ArrayLike, coin: ArrayLike) -> FloatArray:
    """Return a premium (fraction of the oracle price) whose funding is `rate`.

    The formula of `funding_rate` can be inverted outside its dead zone; within it any premium of the zone will do,
    and one is made up.

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
    premium = np.where(np.abs(eight_hours - _INTEREST) < 1e-9, made_up, implied)
    return _rounded(np.where(np.isfinite(rate), premium, np.nan))


def running_rate(view: MarketView) -> FloatArray:
    """Return the funding (fraction per hour) that the hour so far would settle, shape (n_coins,).

    Where premia are not known it is the last settled rate, and the base rate of a coin without one so far.
    """
    if view.funding.premium is not None:
        return funding_rate(running_premium(view))
    settled = view.funding.settled(view.time_ms)
    return np.where(np.isfinite(settled), settled, BASE_RATE)


def running_premium(view: MarketView) -> FloatArray:
    """Return the average premium of the hour so far, shape (n_coins,): what `running_rate` is the funding of."""
    if view.funding.premium is None:
        return premium_of(running_rate(view), view.market.seed, view.time_ms // HOUR_MS, view.market.coin_keys)
    return _rounded(view.funding.premium.average(*_progress(view)))


def current_premium(view: MarketView) -> FloatArray:
    """Return how far perpetuals are above their oracle prices now (fraction), shape (n_coins,); NaN for spot pairs."""
    if view.funding.premium is None:
        return running_premium(view)
    return _rounded(view.funding.premium.now(*_progress(view)))


def settled_premium(view: MarketView, coin: int, times: IntArray, rates: FloatArray) -> FloatArray:
    """Return the average premia that one coin's settled funding came from: of the hours before its `times` (ms)."""
    hours = times // HOUR_MS
    if view.funding.premium is None:
        return premium_of(rates, view.market.seed, hours, view.market.coin_keys[coin])
    return np.asarray(view.funding.premium.mean[hours - view.funding.start_ms // HOUR_MS - 1, coin])


def _progress(view: MarketView) -> tuple[int, float]:
    """Number of the hour and the fraction of it that has passed."""
    since = view.time_ms - view.funding.start_ms
    return since // HOUR_MS, since % HOUR_MS / HOUR_MS


def _rounded(values: FloatArray) -> FloatArray:
    """To the decimals of the wire."""
    return np.asarray(np.round(values, 10), dtype=np.float64)
