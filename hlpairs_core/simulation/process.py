from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.epoch import EPOCH_MS, HOUR_MS
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import Listing
from hlpairs_core.simulation.noise import Stream, name_keys, uniforms
from hlpairs_core.simulation.premia import PremiumProcess
from hlpairs_core.simulation.premium import funding_rate
from hlpairs_core.simulation.prices import PriceProcess
from hlpairs_core.simulation.recursion import Recursions
from hlpairs_core.simulation.trading import HourlyBars, TradingProcess

__all__ = ["Chunk", "MarketProcess"]

# About what a perpetual's funding averages; what is above it is taken back by the price.
_USUAL_RATE = 0.00001

_JITTER_MS, _LEAST_JITTER_MS, _MOST_JITTER_MS = 60.0, 5.0, 1400.0


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive hours of a synthetic market; arrays of shape (n_hours, n_coins).

    Attributes
    ----------
    bars : HourlyBars
        NaN before a coin's first and after its last bar.
    premium_open, premium_mean : ndarray
        Premium at each hour's beginning and its average over the hour; NaN for spot pairs.
    rate : ndarray
        Funding settled at each hour's beginning, fraction per hour; NaN where none was.
    settled_ms : ndarray of int
        When, milliseconds since the epoch.
    """

    bars: HourlyBars
    premium_open: FloatArray
    premium_mean: FloatArray
    rate: FloatArray
    settled_ms: IntArray


class MarketProcess:
    """Makes a synthetic market hour by hour, from its opening on.

    Shocks are addressed by their hour (see `noise`), so that the size of the chunks makes no difference.

    Parameters
    ----------
    seed : int
        Of the market.
    listings : sequence of Listing
        Its coins.
    model : FactorModel
        What moves them.
    planted : bool
        Whether anything is to be earned.
    """

    def __init__(self, seed: int, listings: Sequence[Listing], model: FactorModel, *, planted: bool) -> None:
        self._seed = seed
        self._model = model
        self._hour = 0
        self._keys = name_keys(tuple(listing.coin.name for listing in listings))
        self._prices = PriceProcess(seed, listings, model)
        self._premia = PremiumProcess(seed, listings, model, quiet=not planted)
        self._trading = TradingProcess(seed, listings, model.sigma)
        self._recursions = Recursions()
        self._first = np.array([listing.first_hour for listing in listings])
        self._listed = np.array([listing.listed_hour for listing in listings])
        self._last = np.array([np.inf if item.last_hour is None else item.last_hour for item in listings])
        self._funded = np.array([listing.coin.kind != "spot" for listing in listings])

    def advance(self, n_hours: int) -> Chunk:
        """Return the next `n_hours` hours."""
        hours = np.arange(self._hour, self._hour + n_hours)
        self._hour += n_hours
        shared, activity = self._prices.activity(hours)
        premia = self._premia.advance(hours)
        mean = np.where(self._funded, premia.mean, np.nan)
        following = funding_rate(mean)
        drift = np.where(self._funded, following - _USUAL_RATE, 0.0)
        log_price = self._prices.log_prices(hours, shared, activity, drift)
        for spot, perp in self._model.spot_columns:
            log_price[:, spot] = log_price[:, perp] - np.log1p(premia.close[:, perp])
        bars = self._trading.advance(hours, log_price, activity)
        rate = self._recursions.previous("rate", following, np.full(len(self._keys), np.nan))
        return Chunk(
            bars=self._within_lives(hours, bars),
            premium_open=np.where(self._funded, premia.open, np.nan),
            premium_mean=mean,
            rate=np.where((hours[:, None] > self._listed) & (hours[:, None] <= self._last), rate, np.nan),
            settled_ms=self._settled_ms(hours),
        )

    def _within_lives(self, hours: IntArray, bars: HourlyBars) -> HourlyBars:
        alive = (hours[:, None] >= self._first) & (hours[:, None] < self._last)
        arrays = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        return HourlyBars(*(np.where(alive, array, np.nan) for array in arrays))

    def _settled_ms(self, hours: IntArray) -> IntArray:
        """Settlement times with the exchange's jitter."""
        rows = hours[:, None]
        delay = _LEAST_JITTER_MS - _JITTER_MS * np.log(uniforms(self._seed, Stream.JITTER, rows, self._keys))
        return EPOCH_MS + rows * HOUR_MS + np.minimum(delay, _MOST_JITTER_MS).astype(np.int64)
