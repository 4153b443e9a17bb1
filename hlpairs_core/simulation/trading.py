"""Bars from prices: where each hour opens, how far it reaches, what trades, and which hours are silent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.listings import SPOT_LINKS, Listing
from hlpairs_core.simulation.noise import Stream, name_keys, normals, uniforms
from hlpairs_core.simulation.recursion import Recursions
from hlpairs_core.simulation.wire import on_lot, on_tick

__all__ = ["HourlyBars", "TradingProcess"]

# Between an hour's last trade and the next one's first, standard deviation: 0.0346 * (USD a day) ** -0.246.
_GAP_SCALE, _GAP_POWER = 0.0346, -0.246
# Of an hour's standard deviation; the rest is in its tails, which are jumps and have no way there and back.
_REACH = 0.9
_VOLUME_SLOW, _VOLUME_FAST_SD = (0.6, 120.0), 0.8
_VOLUME_SHARED = (0.4, 480.0)
_VOLUME_OF_ACTIVITY, _VOLUME_OF_MOVE = 1.0, 0.2
# Makes up for what the parts above take away from the median day.
_VOLUME_LIFT = 0.33


@dataclass(frozen=True, eq=False)
class HourlyBars:
    """Consecutive hours; arrays of shape (n_hours, n_coins), fields as in `bars.BarHistory`."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray


class TradingProcess:
    """Turns what coins are worth at the end of each hour into bars.

    Parameters
    ----------
    seed : int
        Of the market.
    listings : sequence of Listing
        Its coins.
    sigma : ndarray, shape (n_coins,)
        Hourly standard deviation of each coin's returns at average activity.
    """

    def __init__(self, seed: int, listings: Sequence[Listing], sigma: FloatArray) -> None:
        self._seed = seed
        self._sigma = sigma
        self._recursions = Recursions()
        self._keys = name_keys(tuple(listing.coin.name for listing in listings))
        self._lots = np.array([listing.coin.size_decimals for listing in listings])
        # What `on_tick` takes for the decimals of a size, which those of a price follow from.
        self._ticks = np.array([6 - listing.coin.price_decimals for listing in listings])
        self._price = np.array([listing.price for listing in listings])
        self._listed = np.array([listing.listed_hour for listing in listings])
        self._silence = np.array([listing.silence for listing in listings])
        self._usual = np.array([listing.day_usd for listing in listings]) / 24
        spread = {link.name: link.half_spread_bps / 1e4 for link in SPOT_LINKS}
        self._half_spread = np.array([spread.get(listing.coin.name, 0.0) for listing in listings])
        gap = _GAP_SCALE * (24 * self._usual) ** _GAP_POWER
        self._gap_share = np.minimum((gap / sigma) ** 2, 0.25)
        self._last_close = self._on_tick(self._price)

    def advance(self, hours: IntArray, log_price: FloatArray, activity: FloatArray) -> HourlyBars:
        """Return the next hours' bars.

        Parameters
        ----------
        hours : ndarray of int
            Hours since the market's opening.
        log_price : ndarray, shape (n_hours, n_coins)
            Log of what each coin is worth at the end of an hour over its price at the opening.
        activity : ndarray, shape (n_hours, n_coins)
            How lively it is.

        Notes
        -----
        What a coin is worth goes on while it does not trade: after silent hours it opens where it should be, and
        nothing is to be earned from its last price. A move is split between the gap and the hour as a Brownian way
        would be, so that neither says anything about the other; high and low are drawn from the law of the highest
        and the lowest point of such a way between its ends.
        """
        rows = hours[:, None]
        sigma = activity * self._sigma
        before = self._recursions.previous("price", log_price, np.zeros(len(self._price)))
        move = log_price - before
        close = self._on_tick(self._price * np.exp(log_price + self._last_trade(rows)))
        volume = self._volume(rows, activity, move / sigma, close)
        silent = (volume == 0) & (rows >= self._listed)
        opened = self._on_tick(self._price * np.exp(before + self._gap(rows, move, sigma)))
        high, low = self._reach(rows, opened, close, sigma)
        close = _carried(close, silent, self._last_close)
        self._last_close = close[-1]
        opened, high, low = (np.where(silent, close, values) for values in (opened, high, low))
        return HourlyBars(opened, high, low, close, volume)

    def _last_trade(self, rows: IntArray) -> FloatArray:
        """How far an hour's last trade is from what the coin is worth: anywhere within a spot pair's wide spread."""
        out = np.zeros((len(rows), len(self._price)))
        wide = np.flatnonzero(self._half_spread)
        chance = uniforms(self._seed, Stream.LAST_TRADE, rows, self._keys[wide])
        out[:, wide] = self._half_spread[wide] * (2 * chance - 1)
        return out

    def _volume(self, rows: IntArray, activity: FloatArray, moved: FloatArray, close: FloatArray) -> FloatArray:
        """Base units an hour; 0 before the listing and in silent hours."""
        fast = _VOLUME_FAST_SD * normals(self._seed, Stream.VOLUME, rows, self._keys) - _VOLUME_FAST_SD**2 / 2
        slow = self._slow("own", normals(self._seed, Stream.OWN_VOLUME, rows, self._keys), _VOLUME_SLOW)
        shared = self._slow("shared", normals(self._seed, Stream.OWN_VOLUME, rows, 0), _VOLUME_SHARED)
        log_usd = _VOLUME_LIFT + fast + slow + shared + _VOLUME_OF_ACTIVITY * np.log(activity)
        log_usd += _VOLUME_OF_MOVE * np.log(np.abs(moved) + 0.1)
        volume = on_lot(self._usual * np.exp(log_usd) / close, self._lots)
        heard = uniforms(self._seed, Stream.SILENCE, rows, self._keys) >= self._silence
        return np.where(heard & (rows >= self._listed), volume, 0.0)

    def _gap(self, rows: IntArray, move: FloatArray, sigma: FloatArray) -> FloatArray:
        share = self._gap_share
        apart = np.sqrt(share * (1 - share)) * normals(self._seed, Stream.GAP, rows, self._keys)
        return np.asarray(share * move + apart * sigma)

    def _reach(
        self, rows: IntArray, opened: FloatArray, close: FloatArray, sigma: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Highest and lowest prices."""
        body = np.log(close / opened)
        found = []
        for stream, sign in ((Stream.WICK_UP, 1.0), (Stream.WICK_DOWN, -1.0)):
            chance = uniforms(self._seed, stream, rows, self._keys)
            beyond = np.sqrt(body**2 - 2 * (_REACH * sigma) ** 2 * np.log(chance))
            found.append(self._on_tick(opened * np.exp((body + sign * beyond) / 2)))
        return np.maximum(found[0], np.maximum(opened, close)), np.minimum(found[1], np.minimum(opened, close))

    def _slow(self, name: str, normal: FloatArray, part: tuple[float, float]) -> FloatArray:
        return self._recursions.stationary(name, normal, sd=part[0], half_life_hours=part[1])

    def _on_tick(self, price: FloatArray) -> FloatArray:
        """On the tick, at least one tick high."""
        least = 10.0 ** (self._ticks - 6.0)
        return np.maximum(on_tick(price, self._ticks), least)


def _carried(values: FloatArray, silent: BoolArray, before: FloatArray) -> FloatArray:
    """Replace values at silent hours by the last one heard, `before` where there was none yet."""
    if not silent.any():
        return values
    number = np.where(silent, -1, np.arange(len(values))[:, None])
    heard = np.maximum.accumulate(number, axis=0)
    return np.where(heard >= 0, np.take_along_axis(values, np.maximum(heard, 0), axis=0), before)
