"""Frames of one coin's trades → each trade once, and how much was traded per candle."""

import math
from collections import OrderedDict
from collections.abc import Sequence

from hlpairs_core.exchange.events import Trade

__all__ = ["TradeFeed"]

_REMEMBERED = 500
_REMEMBERED_MS = 10_000
# Of a coin that trades without end, no more than this, whatever its times.
_REMEMBERED_AT_MOST = 20_000
_CANDLES_SUMMED = 4
_NEVER = 2**63


class TradeFeed:
    """The trades of one coin: which were handed out, and whether any are missing.

    On each subscription the exchange repeats the last 30 trades. Where one of them is known, nothing was missed
    in between; where none is, something may have been.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._newest = 0
        self._forgotten = -1
        self._is_interrupted = self._replays = True
        self._complete_from = _NEVER
        self._sums: dict[int, dict[int, float]] = {}
        self._summed_from: dict[int, int] = {}

    def count(self, step_ms: int) -> None:
        """Sum volumes per candle of this length from now on."""
        self._sums.setdefault(step_ms, {})
        self._summed_from.setdefault(step_ms, self._newest + 1)

    def interrupt(self, *, replays: bool = True) -> None:
        """Trades may be lost from now on; `replays` is whether the exchange repeats the last ones when it goes on."""
        self._is_interrupted, self._replays = True, replays

    def take(self, trades: Sequence[Trade]) -> list[Trade]:
        """Take a frame in; return the trades that are new, ascending by time."""
        fresh: dict[tuple[int, int], Trade] = {}
        for trade in trades:
            key = (trade.time, trade.tid)
            if key not in self._known and trade.time > self._forgotten:
                fresh[key] = trade
        if self._is_interrupted:
            self._resume(trades)
        self._known.update(dict.fromkeys(fresh))
        ordered = sorted(fresh.values(), key=_time)
        if ordered:
            self._newest = max(self._newest, ordered[-1].time)
            self._forget()
            self._sum(ordered)
        return ordered

    def overlaps(self, trades: Sequence[Trade]) -> bool:
        """Whether one of these was handed out already."""
        return any((trade.time, trade.tid) in self._known for trade in trades)

    def is_complete(self, step_ms: int, time_ms: int, volume: float) -> bool:
        """Whether every trade of a candle was seen, and `volume` (base units) is what they add up to."""
        if self._is_interrupted or time_ms < max(self._complete_from, self._summed_from.get(step_ms, _NEVER)):
            return False
        return math.isclose(self._sums[step_ms].get(time_ms, 0.0), volume, rel_tol=1e-9, abs_tol=1e-12)

    def _resume(self, trades: Sequence[Trade]) -> None:
        self._is_interrupted = False
        if not (self._replays and self.overlaps(trades)):
            # Of the oldest one's millisecond others may be missing.
            self._complete_from = min(trade.time for trade in trades) + 1

    def _forget(self) -> None:
        while len(self._known) > _REMEMBERED:
            oldest = next(iter(self._known))[0]
            if oldest > self._newest - _REMEMBERED_MS and len(self._known) <= _REMEMBERED_AT_MOST:
                return
            self._known.popitem(last=False)
            self._forgotten = max(self._forgotten, oldest)

    def _sum(self, trades: Sequence[Trade]) -> None:
        for step, sums in self._sums.items():
            for trade in trades:
                opened = trade.time - trade.time % step
                sums[opened] = sums.get(opened, 0.0) + trade.size
            while len(sums) > _CANDLES_SUMMED:
                del sums[min(sums)]


def _time(trade: Trade) -> int:
    return trade.time
