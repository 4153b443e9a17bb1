from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.factors import N_SECTORS, FactorModel
from hlpairs_core.simulation.listings import Listing
from hlpairs_core.simulation.noise import Stream, normals, uniforms
from hlpairs_core.simulation.premium import BASE_RATE
from hlpairs_core.simulation.wire import on_lot, on_tick

__all__ = ["EPOCH_MS", "HOUR_MS", "Chunk", "MarketProcess"]

HOUR_MS = 3_600_000
EPOCH_MS = 1_735_689_600_000
"""2025-01-01T00:00Z, when every synthetic market opened."""

_MARKET_SIGMA = 0.005
_SECTOR_SIGMA = 0.003
# Slow enough to be invisible in a screening window, fast enough to keep prices sane for years.
_PRICE_HALF_LIFE = 240.0 * 24
_ACTIVITY_HALF_LIFE = 48.0
_ACTIVITY_SD = 0.35
_FUNDING_HALF_LIFE = 30.0
_FUNDING_DEAD_ZONE = 0.9
_FUNDING_SCALE = 4e-5
_BREAK_HOURS = 45.0 * 24
_BREAK_HALF_LIFE = 90.0 * 24
_BREAK_SDS = 4.0


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive hours of a synthetic market; arrays of shape (n_hours, n_coins), fields as in `bars`."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
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
    """

    def __init__(self, seed: int, listings: Sequence[Listing], model: FactorModel) -> None:
        self._seed = seed
        self._listings = listings
        self._model = model
        self._hour = 0
        self._memory: dict[str, FloatArray] = {}
        self._decimals = np.array([listing.coin.size_decimals for listing in listings])
        self._first = np.array([listing.first_hour for listing in listings])
        self._listed = np.array([listing.listed_hour for listing in listings])
        self._last = np.array([np.inf if item.last_hour is None else item.last_hour for item in listings])
        self._base = np.array([listing.price for listing in listings])
        self._previous_close = on_tick(self._base, self._decimals)

    def advance(self, n_hours: int) -> Chunk:
        """Return the next `n_hours` hours."""
        hours = np.arange(self._hour, self._hour + n_hours)
        activity = self._activity(hours)
        log_price = self._log_prices(hours, activity)
        sigma = activity * np.hypot(
            np.hypot(self._model.market_beta * _MARKET_SIGMA, _SECTOR_SIGMA), self._model.own_sigma
        )
        close = on_tick(self._base * np.exp(log_price), self._decimals)
        volume = self._volumes(hours, activity, close)
        bars = self._bars(hours, sigma, close, volume)
        rate, settled = self._funding(hours)
        self._hour += n_hours
        alive = (hours[:, None] >= self._first) & (hours[:, None] < self._last)
        due = alive & (hours[:, None] >= self._listed)
        opened, high, low, closed, traded = (np.where(alive, array, np.nan) for array in bars)
        return Chunk(opened, high, low, closed, traded, np.where(due, rate, np.nan), settled)

    def _activity(self, hours: IntArray) -> FloatArray:
        """How lively the market is, mean about 1, shape (n_hours, 1)."""
        phi = 0.5 ** (1 / _ACTIVITY_HALF_LIFE)
        shocks = normals(self._seed, Stream.ACTIVITY, hours[:, None]) * np.sqrt(1 - phi**2)
        slow = self._filtered("activity", _ACTIVITY_SD * shocks, phi)
        daily = 0.2 * np.sin(2 * np.pi * (hours[:, None] % 24 - 9) / 24)
        out: FloatArray = np.exp(slow + daily - _ACTIVITY_SD**2 / 2)
        return out

    def _log_prices(self, hours: IntArray, activity: FloatArray) -> FloatArray:
        """Logs of prices over base prices, shape (n_hours, n_coins)."""
        model, rows = self._model, hours[:, None]
        coins = np.arange(len(self._listings))
        phi = 0.5 ** (1 / _PRICE_HALF_LIFE)
        market = activity * _MARKET_SIGMA * self._shocks(Stream.MARKET, rows, np.zeros(1, dtype=np.int64))
        sector = activity * _SECTOR_SIGMA * self._shocks(Stream.SECTOR, rows, np.arange(N_SECTORS))
        own = activity * model.own_sigma * self._shocks(Stream.OWN, rows, coins)
        shocks = market * model.market_beta + sector[:, model.sector] + own
        log_price = self._filtered("price", shocks, phi)
        spreads = self._spreads(hours, activity)
        for number, (y, x) in enumerate(model.pair_columns):
            log_price[:, y] = model.pairs[number].hedge_ratio * log_price[:, x] + spreads[:, number]
        return log_price

    def _spreads(self, hours: IntArray, activity: FloatArray) -> FloatArray:
        """The mean-reverting parts of the planted pairs, shape (n_hours, n_pairs)."""
        pairs, rows = self._model.pairs, hours[:, None]
        columns = np.array([y for y, _ in self._model.pair_columns])
        phi = 0.5 ** (1 / np.array([pair.half_life_hours for pair in pairs]))
        sd = np.array([pair.spread_sd for pair in pairs])
        noise = self._shocks(Stream.OWN, rows, columns)
        spreads = self._filtered("spread", activity * sd * np.sqrt(1 - phi**2) * noise, phi)
        numbers, breaking = np.arange(len(pairs)), np.array([pair.breaks for pair in pairs])
        jumps = (uniforms(self._seed, Stream.BREAK, rows, numbers) < 1 / _BREAK_HOURS) & breaking
        sizes = normals(self._seed, Stream.BREAK, rows, numbers, 1) * _BREAK_SDS * sd
        return spreads + self._filtered("break", jumps * sizes, 0.5 ** (1 / _BREAK_HALF_LIFE))

    def _volumes(self, hours: IntArray, activity: FloatArray, close: FloatArray) -> FloatArray:
        """Base units an hour; 0 before the listing and in silent hours."""
        rows, coins = hours[:, None], np.arange(len(self._listings))
        usual = np.array([listing.day_usd for listing in self._listings]) / 24
        noise = np.exp(0.5 * normals(self._seed, Stream.VOLUME, rows, coins) - 0.125)
        volume = on_lot(usual * noise * activity**1.2 / close, self._decimals)
        silence = np.array([listing.silence for listing in self._listings])
        heard = uniforms(self._seed, Stream.SILENCE, rows, coins) >= silence
        return np.where(heard & (rows >= self._listed), volume, 0.0)

    def _bars(
        self, hours: IntArray, sigma: FloatArray, close: FloatArray, volume: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """Open, high, low, close, volume; a silent hour stays flat at the last price."""
        rows, coins = hours[:, None], np.arange(len(self._listings))
        silent = (volume == 0) & (rows >= self._listed)
        close = _carried(close, silent, self._previous_close)
        before = np.vstack([self._previous_close, close[:-1]])
        self._previous_close = close[-1]
        gap = np.where(silent, 0.0, 0.06 * sigma * normals(self._seed, Stream.GAP, rows, coins))
        opened = np.where(silent, close, on_tick(before * np.exp(gap), self._decimals))
        reach = np.where(silent, 0.0, 0.45 * sigma)
        up = reach * np.abs(normals(self._seed, Stream.WICK_UP, rows, coins))
        down = reach * np.abs(normals(self._seed, Stream.WICK_DOWN, rows, coins))
        top, bottom = np.maximum(opened, close), np.minimum(opened, close)
        high = np.maximum(on_tick(top * np.exp(up), self._decimals), top)
        low = np.minimum(on_tick(bottom * np.exp(-down), self._decimals), bottom)
        return opened, high, low, close, volume

    def _funding(self, hours: IntArray) -> tuple[FloatArray, IntArray]:
        """Rates, mostly the base rate, and settlement times with the exchange's jitter."""
        rows, coins = hours[:, None], np.arange(len(self._listings))
        phi = 0.5 ** (1 / _FUNDING_HALF_LIFE)
        shocks = normals(self._seed, Stream.FUNDING, rows, coins) * np.sqrt(1 - phi**2)
        pressure = self._filtered("funding", shocks, phi)
        excess = np.maximum(np.abs(pressure) - _FUNDING_DEAD_ZONE, 0.0)
        rate = np.round(BASE_RATE + np.sign(pressure) * _FUNDING_SCALE * excess, 10)
        delay = 5 - 60 * np.log(uniforms(self._seed, Stream.JITTER, rows, coins))
        return rate, EPOCH_MS + rows * HOUR_MS + np.minimum(delay, 1400).astype(np.int64)

    def _shocks(self, stream: Stream, rows: IntArray, columns: IntArray) -> FloatArray:
        """Fat-tailed shocks of unit variance (kurtosis about 6): normals of a lognormal scale."""
        scale = np.exp(0.4 * normals(self._seed, Stream.TAIL, int(stream), rows, columns) - 0.16)
        return normals(self._seed, stream, rows, columns) * scale

    def _filtered(self, name: str, shocks: FloatArray, phi: float | FloatArray) -> FloatArray:
        """First-order autoregression ``y = phi * previous + shock``, continued from the last chunk."""
        value = self._memory.get(name, np.zeros(shocks.shape[1]))
        out = np.empty_like(shocks)
        for row, shock in enumerate(shocks):
            value = phi * value + shock
            out[row] = value
        self._memory[name] = value
        return out


def _carried(values: FloatArray, silent: BoolArray, before: FloatArray) -> FloatArray:
    """Replace values at silent hours by the last one heard, `before` where there was none yet."""
    number = np.where(silent, -1, np.arange(len(values))[:, None])
    heard = np.maximum.accumulate(number, axis=0)
    return np.where(heard >= 0, np.take_along_axis(values, np.maximum(heard, 0), axis=0), before)
