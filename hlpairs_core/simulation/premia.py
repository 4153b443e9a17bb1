from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import Listing
from hlpairs_core.simulation.noise import Stream, name_keys, normals, uniforms
from hlpairs_core.simulation.recursion import Recursions, decay

__all__ = ["Premia", "PremiumProcess", "premium_parts"]

_LEVEL_SD = 2.0e-4
# Standard deviation (fraction) and half-life (hours) of what all coins share, of a coin's own, and of its fast part.
_COMMON, _OWN, _FAST = (3.5e-4, 400.0), (3.0e-4, 120.0), (2.4e-4, 1.0)

# A coin of 250,000 USD a day is squeezed once in so many hours on average, others the more often the less they trade.
_SQUEEZE_HOURS, _SQUEEZE_USD, _SQUEEZE_MOST, _SQUEEZE_RATE_LOG_SD = 1000.0, 2.5e5, 3.0, 1.2
_SQUEEZE_MEDIAN, _SQUEEZE_LOG_SD = 25e-4, 1.2
_SQUEEZE_DOWN, _SQUEEZE_HALF_LIFE = 0.65, 10.0
_BOUND = 0.12

# With nothing planted: no squeezes, and the perpetuals of assets with a spot market settle about 0.
_QUIET_BOUND = 40e-4
_QUIET_LEVEL, _QUIET = -5e-4, (1e-4, 12.0)


def premium_parts(*, quiet: bool) -> tuple[tuple[float, float], ...]:
    """Return what the premium of an asset with a spot market varies by, squeezes left out.

    Standard deviation (fraction) and half-life (hours) of each part; `quiet` as in `PremiumProcess`.
    """
    return (_QUIET,) if quiet else (_COMMON, _OWN, _FAST)


@dataclass(frozen=True, eq=False)
class Premia:
    """Premia of some hours, arrays of shape (n_hours, n_coins): fractions of the oracle price, ten decimals.

    A premium is straight between the hours, so that an hour's average is the mean of its ends.

    Attributes
    ----------
    open, close : ndarray
        At each hour's beginning and end.
    """

    open: FloatArray
    close: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Average over each hour."""
        mean: FloatArray = np.round((self.open + self.close) / 2, 10)
        return mean


class PremiumProcess:
    """How far each perpetual is above its oracle price: a level, slow and fast parts, and rare squeezes.

    Parameters
    ----------
    seed : int
        Of the market.
    listings : sequence of Listing
        Its coins. Spot pairs have columns without meaning.
    model : FactorModel
        Says which coins hang on which: they share all but the fast part of their premia.
    quiet : bool
        Whether funding shall not be worth collecting.
    """

    def __init__(self, seed: int, listings: Sequence[Listing], model: FactorModel, *, quiet: bool) -> None:
        self._seed = seed
        self._quiet = quiet
        self._keys = name_keys(tuple(listing.coin.name for listing in listings))
        self._recursions = Recursions()
        self._source = np.arange(len(listings))
        for relation in model.relations:
            self._source[relation.y] = relation.x
        self._linked = np.array([perp for _, perp in model.spot_columns], dtype=np.int64)
        self._level = _LEVEL_SD * normals(seed, Stream.PARAMETER, 5, self._keys)
        day_usd = np.array([listing.day_usd for listing in listings])
        usual = np.minimum(_SQUEEZE_USD / day_usd, _SQUEEZE_MOST) / _SQUEEZE_HOURS
        apart = _SQUEEZE_RATE_LOG_SD * normals(seed, Stream.PARAMETER, 6, self._keys) - _SQUEEZE_RATE_LOG_SD**2 / 2
        self._squeeze_chance = usual * np.exp(apart)

    def advance(self, hours: IntArray) -> Premia:
        """Return the premia of the next hours."""
        rows = hours[:, None] + 1
        slow = self._level + self._part("own", rows, self._keys, 1, _OWN)
        if not self._quiet:
            slow += self._squeezes(rows)
        close = slow[:, self._source] + self._part("common", rows, np.zeros(1, dtype=np.int64), 0, _COMMON)
        close += self._part("fast", rows, self._keys, 2, _FAST)
        close = np.clip(close, -_BOUND, _BOUND)
        if self._quiet:
            close = np.clip(close, -_QUIET_BOUND, _QUIET_BOUND)
            close[:, self._linked] = _QUIET_LEVEL + self._part("quiet", rows, self._keys[self._linked], 3, _QUIET)
        close = np.round(close, 10)
        return Premia(self._recursions.previous("end", close, self._level[self._source]), close)

    def _part(self, name: str, rows: IntArray, keys: IntArray, number: int, part: tuple[float, float]) -> FloatArray:
        sd, half_life = part
        shocks = normals(self._seed, Stream.FUNDING, number, rows, keys)
        return self._recursions.stationary(name, shocks, sd=sd, half_life_hours=half_life)

    def _squeezes(self, rows: IntArray) -> FloatArray:
        """Sudden premia that halve in `_SQUEEZE_HALF_LIFE` hours."""
        happens = uniforms(self._seed, Stream.SPIKE, rows, self._keys) < self._squeeze_chance
        return self._recursions.autoregression("squeeze", self._squeeze_sizes(rows, happens), decay(_SQUEEZE_HALF_LIFE))

    def _squeeze_sizes(self, rows: IntArray, happens: BoolArray) -> FloatArray:
        out = np.zeros(happens.shape)
        hour, coin = np.nonzero(happens)
        keys = rows[hour, 0], self._keys[coin]
        size = _SQUEEZE_MEDIAN * np.exp(_SQUEEZE_LOG_SD * normals(self._seed, Stream.SPIKE, *keys, 1))
        down = uniforms(self._seed, Stream.SPIKE, *keys, 2) < _SQUEEZE_DOWN
        out[hour, coin] = np.where(down, -size, size)
        return out
