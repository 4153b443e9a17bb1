from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.intervals import INTERVALS
from hlpairs_core.simulation.noise import Stream, normals
from hlpairs_core.simulation.path import STEPS, price_paths, volume_paths
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import on_lot

__all__ = ["CANDLE_HORIZON", "CANDLE_INTERVALS", "Candles", "candle_open", "candles_at"]

CANDLE_HORIZON = 5000
"""How many candles back from now the exchange keeps, whatever is asked for."""

_LENGTHS: dict[str, int] = {name: int(length.total_seconds() * 1000) for name, length in INTERVALS.items()}
CANDLE_INTERVALS: tuple[str, ...] = (*_LENGTHS, "1M")
_USD_PER_TRADE = 1200.0


@dataclass(frozen=True, eq=False)
class Candles:
    """Candles of one coin, arrays of shape (n_candles,), ascending.

    Attributes
    ----------
    open_ms, close_ms : ndarray of int
        First and last millisecond of each candle.
    open, high, low, close : ndarray
        USD.
    volume : ndarray
        Base units.
    trades : ndarray of int
        Number of trades.
    """

    open_ms: IntArray
    close_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    trades: IntArray


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Consecutive stretches of a price's way that candles are glued from; same fields as `Candles`."""

    time_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    trades: IntArray


def candle_open(time_ms: IntArray, interval: str, *, shift: int = 0) -> IntArray:
    """Return the open time of the candle that contains each time, or of one `shift` candles later.

    Candles are aligned with the epoch (a week starts on Thursday), months with the calendar (UTC).
    """
    if interval == "1M":
        months = time_ms.astype("datetime64[ms]").astype("datetime64[M]") + shift
        return months.astype("datetime64[ms]").astype(np.int64)
    length = _LENGTHS[interval]
    return (time_ms // length + shift) * length


def candles_at(view: MarketView, coin: int, interval: str, start_ms: int, end_ms: int) -> Candles:
    """Return one coin's candles as the exchange would at the view's time.

    The candle that contains `start_ms` is included, as is one that opens at `end_ms`; the last one may be
    unfinished and shows what happened so far. Candles beyond the horizon do not exist any more.
    """
    now = np.array([view.time_ms])
    oldest = candle_open(now, interval, shift=1 - CANDLE_HORIZON)[0]
    begin = max(int(candle_open(np.array([start_ms]), interval)[0]), int(oldest))
    stop = min(int(candle_open(np.array([min(end_ms, view.time_ms)]), interval, shift=1)[0]), view.time_ms + 1)
    rows = _rows(view, coin, begin, stop)
    fine = interval in _LENGTHS and _LENGTHS[interval] < view.bars.interval_ms
    pieces = _steps(view, coin, rows) if fine else _bars(view, coin, rows)
    inside = slice(np.searchsorted(pieces.time_ms, begin), np.searchsorted(pieces.time_ms, stop))
    return _glued(pieces, inside, interval, view.market.coins[coin].size_decimals)


def _rows(view: MarketView, coin: int, begin: int, stop: int) -> slice:
    """Numbers of the coin's bars that overlap ``[begin, stop)`` and have opened by now."""
    first = max(view.bars.index(begin), int(view.bars.first[coin]))
    last = min(view.bars.index(stop - 1), int(view.bars.last[coin]), view.bar)
    return slice(first, max(first, last + 1))


def _bars(view: MarketView, coin: int, rows: slice) -> _Pieces:
    """Whole bars; the one in progress only as far as it got."""
    bars = view.bars
    times = bars.start_ms + np.arange(rows.start, rows.stop) * bars.interval_ms
    arrays = [array[rows, coin] for array in (bars.open, bars.high, bars.low, bars.close, bars.volume)]
    trades = _trades(view, coin, times, arrays[4] * arrays[3])
    if rows.stop == view.bar + 1 and len(times):
        so_far = (bars.open[view.bar], view.high, view.low, view.price, view.traded)
        arrays = [np.append(array[:-1], current[coin]) for array, current in zip(arrays, so_far, strict=True)]
        trades = np.append(trades[:-1], _so_far(trades[-1:], view, coin))
    opened, high, low, close, volume = arrays
    return _Pieces(times, opened, high, low, close, volume, trades)


def _steps(view: MarketView, coin: int, rows: slice) -> _Pieces:
    """The steps of the way inside each bar, up to now."""
    bars = view.bars
    shape = view.market.shape(bars, rows, coin)
    prices, volumes = price_paths(view.market.seed, shape), volume_paths(view.market.seed, shape)
    opened = bars.start_ms + np.arange(rows.start, rows.stop) * bars.interval_ms
    trades = _shared_out(_trades(view, coin, opened, shape.volume * shape.close), volumes)
    times = (opened[:, None] + np.arange(STEPS) * (bars.interval_ms // STEPS)).ravel()
    starts, ends = prices[:, :-1].ravel(), prices[:, 1:].ravel().copy()
    decimals = view.market.coins[coin].size_decimals
    sizes = on_lot(np.diff(volumes, axis=1).ravel(), decimals)
    counts = np.diff(trades, axis=1).ravel()
    if rows.stop == view.bar + 1 and len(opened):
        kept = len(times) - STEPS + view.step + 1
        times, starts, ends = times[:kept], starts[:kept], ends[:kept]
        ends[-1] = view.price[coin]
        sizes, counts = sizes[:kept].copy(), counts[:kept].copy()
        sizes[-1] = on_lot(view.traded[coin] - volumes[-1, view.step], decimals)
        counts[-1] = _so_far(trades[-1, -1:], view, coin)[0] - trades[-1, view.step]
    return _Pieces(times, starts, np.maximum(starts, ends), np.minimum(starts, ends), ends, sizes, counts)


def _glued(pieces: _Pieces, inside: slice, interval: str, size_decimals: int) -> Candles:
    """Glue pieces into candles."""
    opens = candle_open(pieces.time_ms[inside], interval)
    if not len(opens):
        empty, none = np.empty(0), np.empty(0, dtype=np.int64)
        return Candles(none, none, empty, empty, empty, empty, empty, none)
    starts = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    ends = np.append(starts[1:], len(opens)) - 1
    volume = pieces.volume[inside]
    if len(starts) < len(opens):
        volume = on_lot(np.add.reduceat(volume, starts), size_decimals)
    return Candles(
        open_ms=opens[starts],
        close_ms=candle_open(opens[starts], interval, shift=1) - 1,
        open=pieces.open[inside][starts],
        high=np.maximum.reduceat(pieces.high[inside], starts),
        low=np.minimum.reduceat(pieces.low[inside], starts),
        close=pieces.close[inside][ends],
        volume=volume,
        trades=np.add.reduceat(pieces.trades[inside], starts),
    )


def _trades(view: MarketView, coin: int, times: IntArray, notional: FloatArray) -> IntArray:
    """Number of trades of whole bars: none without volume, else at least one."""
    noise = normals(view.market.seed, Stream.TRADES, view.market.coin_keys[coin], times // 1000)
    count = np.maximum(1, np.rint(notional / _USD_PER_TRADE * np.exp(0.3 * noise)))
    return np.asarray(np.where(notional > 0, count, 0), dtype=np.int64)


def _shared_out(trades: IntArray, volumes: FloatArray) -> IntArray:
    """Trades since the bar's open at each corner, in proportion to volume; shape (n_bars, STEPS + 1)."""
    total = np.maximum(volumes[:, -1:], np.finfo(float).tiny)
    return np.asarray(np.ceil(trades[:, None] * (volumes / total) - 1e-9), dtype=np.int64)


def _so_far(trades: IntArray, view: MarketView, coin: int) -> IntArray:
    """Trades of the bar in progress up to now."""
    done = np.array([[view.traded[coin], view.state.volumes[coin, -1]]])
    return _shared_out(trades, done)[:, 0]
