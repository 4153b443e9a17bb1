from dataclasses import dataclass, fields

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.intervals import INTERVALS
from hlpairs_core.simulation.liquidity import trade_counts
from hlpairs_core.simulation.shape import lots_of
from hlpairs_core.simulation.steps import Steps
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import on_lot

__all__ = ["CANDLE_HORIZON", "CANDLE_INTERVALS", "Candles", "candle_open", "candles_at"]

CANDLE_HORIZON = 5000
"""How many candles back from now the exchange keeps, whatever is asked for."""

_LENGTHS: dict[str, int] = {name: int(length.total_seconds() * 1000) for name, length in INTERVALS.items()}
CANDLE_INTERVALS: tuple[str, ...] = (*_LENGTHS, "1M")
_DAY_MS = 86_400_000


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
    """Stretches of trading that candles are glued from; fields as in `Candles`."""

    time_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    trades: IntArray

    def part(self, chosen: slice | BoolArray) -> "_Pieces":
        return _Pieces(*(getattr(self, item.name)[chosen] for item in fields(self)))

    def then(self, later: "_Pieces") -> "_Pieces":
        both = ((getattr(self, item.name), getattr(later, item.name)) for item in fields(self))
        return _Pieces(*(np.concatenate(pair) for pair in both))


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
    # Bars that do not fill whole candles (a month begins with a day) are taken apart.
    fine = _LENGTHS.get(interval, _DAY_MS) % view.bars.interval_ms != 0
    pieces = _pieces(view, coin, _rows(view, coin, begin, stop), fine=fine)
    inside = slice(np.searchsorted(pieces.time_ms, begin), np.searchsorted(pieces.time_ms, stop))
    return _glued(pieces.part(inside), interval, view.market.coins[coin].size_decimals)


def _rows(view: MarketView, coin: int, begin: int, stop: int) -> slice:
    """Numbers of the coin's bars that overlap ``[begin, stop)`` and have opened by now."""
    first = max(view.bars.index(begin), int(view.bars.first[coin]))
    last = min(view.bars.index(stop - 1), int(view.bars.last[coin]), view.bar)
    return slice(first, max(first, last + 1))


def _pieces(view: MarketView, coin: int, rows: slice, *, fine: bool) -> _Pieces:
    """Steps of bars, or whole bars; of the one in progress always steps, as far as it got."""
    whole = slice(rows.start, max(rows.start, min(rows.stop, view.bar)))
    # Refining no bars at all would take as long as refining one.
    steps = view.market.steps(view.bars, whole, coin) if fine and whole.start < whole.stop else None
    pieces = _bars(view, coin, whole) if steps is None else _steps(steps, 0, len(steps.trades))
    return pieces.then(_so_far(view, coin)) if rows.stop > view.bar else pieces


def _bars(view: MarketView, coin: int, rows: slice) -> _Pieces:
    """Whole bars."""
    bars, market = view.bars, view.market
    times = bars.start_ms + np.arange(rows.start, rows.stop) * bars.interval_ms
    opened, high, low, close, volume = (
        array[rows, coin] for array in (bars.open, bars.high, bars.low, bars.close, bars.volume)
    )
    trades = trade_counts(
        market.seed,
        coin=market.coin_keys[coin : coin + 1],
        open_ms=times,
        interval_ms=bars.interval_ms,
        prices=(opened, high, low, close),
        lots=lots_of(volume, market.size_decimals[coin]),
        usd=volume * close,
    )
    return _Pieces(times, opened, high, low, close, volume, trades)


def _steps(steps: Steps, first: int, stop: int) -> _Pieces:
    """All steps of some bars."""
    shape, rows = steps.shape, slice(first, stop)
    times = shape.open_ms[rows, None] + np.arange(shape.n_steps) * shape.step_ms
    return _Pieces(
        time_ms=times.ravel(),
        open=steps.open[rows].ravel(),
        high=steps.high[rows].ravel(),
        low=steps.low[rows].ravel(),
        close=steps.close[rows].ravel(),
        volume=(steps.lots[rows] / 10.0 ** shape.size_decimals[rows, None]).ravel(),
        trades=steps.trades[rows].ravel(),
    )


def _so_far(view: MarketView, coin: int) -> _Pieces:
    """The steps of the bar in progress; of the last one the trades up to now."""
    begun = _steps(view.state.steps, coin, coin + 1).part(slice(0, view.step + 1))
    chosen = slice(view.prints.bounds[coin], view.done[coin])
    price, lots = view.prints.price[chosen], view.prints.lots[chosen]
    touched = price if len(price) else np.full(1, view.price[coin])
    now = _Pieces(
        time_ms=begun.time_ms[-1:],
        open=touched[:1],
        high=touched.max(keepdims=True),
        low=touched.min(keepdims=True),
        close=touched[-1:],
        volume=lots.sum(keepdims=True) / 10.0 ** view.market.size_decimals[coin],
        trades=np.full(1, len(price)),
    )
    return begun.part(slice(0, -1)).then(now)


def _glued(pieces: _Pieces, interval: str, size_decimals: int) -> Candles:
    """Glue pieces into candles; those without a trade count only where the whole candle has none."""
    opens = candle_open(pieces.time_ms, interval)
    if not len(opens):
        empty, none = np.empty(0), np.empty(0, dtype=np.int64)
        return Candles(none, none, empty, empty, empty, empty, empty, none)
    starts = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    lively = np.repeat(np.add.reduceat(pieces.trades, starts) > 0, np.diff(np.append(starts, len(opens))))
    kept = (pieces.trades > 0) | ~lively
    pieces, opens = pieces.part(kept), opens[kept]
    starts = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    ends = np.append(starts[1:], len(opens)) - 1
    volume = pieces.volume
    if len(starts) < len(opens):
        volume = on_lot(np.add.reduceat(volume, starts), size_decimals)
    return Candles(
        open_ms=opens[starts],
        close_ms=candle_open(opens[starts], interval, shift=1) - 1,
        open=pieces.open[starts],
        high=np.maximum.reduceat(pieces.high, starts),
        low=np.minimum.reduceat(pieces.low, starts),
        close=pieces.close[ends],
        volume=volume,
        trades=np.add.reduceat(pieces.trades, starts),
    )
