"""Frames of one coin's candle → each closed candle once, in order."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hlpairs_core.exchange.events import CandleEvent, Subscription

__all__ = ["Candle", "CandleFeed"]

_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Candle:
    """A candle's open time (milliseconds since 1970) and values; `trades` is None where REST gave it."""

    time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None

    def equals(self, other: "Candle") -> bool:
        """Whether prices and volume are the same."""
        return (self.open, self.high, self.low, self.close, self.volume) == (
            other.open,
            other.high,
            other.low,
            other.close,
            other.volume,
        )


class CandleFeed:
    """The candles of one coin and interval: what was seen of them, what was handed out, what is missing.

    A frame carries the whole candle so far, and no mark that it is closed: it is once a later one was seen.
    A closed candle is handed out when the one before it was. One that no frame was seen of, or whose last
    frames an interruption may have swallowed, is not: it and all later ones wait until REST has been asked
    for `wanted`.

    Volume only grows within a candle, so of two frames of one candle the one with less volume is the older.

    Parameters
    ----------
    subscription : Subscription
        Whose candles.
    step_ms : int
        Length of the interval.
    closed_ms : int
        Open time of the last candle that is over; the one after it is the first to be handed out.
    is_complete : callable
        Given an open time and a volume, whether every trade of that candle was seen and this is their volume.
    settles : bool
        Whether to want from REST what the feed has not closed, or not confirmed, once its time is over.

    Attributes
    ----------
    has_hole : bool
        Whether a candle that REST did not have either was passed over since this was last set to False.
    """

    def __init__(
        self,
        subscription: Subscription,
        *,
        step_ms: int,
        closed_ms: int,
        is_complete: Callable[[int, float], bool],
        settles: bool,
    ) -> None:
        self.subscription = subscription
        self.step_ms = step_ms
        self.has_hole = False
        self._closed = closed_ms
        self._is_complete = is_complete
        self._settles = settles
        self._begun = False
        self._resumed = False
        self._seen: dict[int, Candle] = {}
        self._doubtful: set[int] = set()
        self._handed_out: OrderedDict[int, Candle] = OrderedDict()
        self._unconfirmed: set[int] = set()

    @property
    def is_missing(self) -> bool:
        """Whether later candles wait for one that only REST has."""
        return bool(self._seen) and max(self._seen) > self._closed + self.step_ms

    def take(self, candle: Candle, received_at: float) -> list[CandleEvent]:
        """Take a frame in; return what can be handed out now."""
        if not self._begun:
            self._begin(candle)
        if (candle.time_ms - self._closed) % self.step_ms:
            return []
        if candle.time_ms <= self._closed:
            return self._correction(candle, "stream", received_at)
        self._resumed = False
        known = self._seen.get(candle.time_ms)
        trusted = candle.time_ms not in self._doubtful
        if known is not None and trusted and (candle.volume < known.volume or candle == known):
            return []
        self._seen[candle.time_ms] = candle
        if candle.time_ms == max(self._seen):
            self._doubtful.discard(candle.time_ms)
        return self._advance(received_at)

    def fill(self, candles: Sequence[Candle], received_at: float) -> list[CandleEvent]:
        """Take closed candles in that REST gave, ascending; return what can be handed out now."""
        events: list[CandleEvent] = []
        for candle in candles:
            events += self._close_seen(candle.time_ms, received_at)
            if candle.time_ms <= self._closed:
                events += self._correction(candle, "fill", received_at)
                self._unconfirmed.discard(candle.time_ms)
            elif (candle.time_ms - self._closed) % self.step_ms == 0:
                self.has_hole |= candle.time_ms > self._closed + self.step_ms
                events.append(self._close(candle, "fill", received_at))
        self._resumed &= not candles
        return events + self._advance(received_at)

    def interrupt(self) -> None:
        """Frames may be lost from now on."""
        if self._seen:
            self._doubtful.add(max(self._seen))

    def resume(self) -> None:
        """Frames come again: what has ended meanwhile is wanted from REST."""
        self._resumed = True

    def give_up(self, received_at: float) -> list[CandleEvent]:
        """Go on without what REST does not have; return what can be handed out now."""
        self._doubtful.clear()
        events: list[CandleEvent] = []
        while self.is_missing:
            self.has_hole = True
            self._closed = min(self._seen) - self.step_ms
            events += self._advance(received_at)
        return events

    def wanted(self, market_ms: float) -> tuple[int, int] | None:
        """Return the first and last open time to ask REST for; None where nothing is wanted.

        Parameters
        ----------
        market_ms : float
            Candles that have ended by then are over.
        """
        ended = self._closed + ((int(market_ms) - self._closed) // self.step_ms - 1) * self.step_ms
        last = ended if self._settles or self._resumed else self._closed
        if self.is_missing:
            last = max(last, max(self._seen) - self.step_ms)
        doubted = [time for time in self._unconfirmed if time <= ended and not self._is_confirmed_by_now(time)]
        if doubted:
            return min(doubted), max(last, self._closed)
        first = self._closed + self.step_ms
        return (first, last) if first <= last else None

    def _is_confirmed_by_now(self, time: int) -> bool:
        return self._is_complete(time, self._handed_out[time].volume)

    def _begin(self, candle: Candle) -> None:
        self._begun = True
        if (candle.time_ms - self._closed) % self.step_ms:  # weeks do not begin where 1970 did
            self._closed = candle.time_ms - self.step_ms

    def _advance(self, received_at: float) -> list[CandleEvent]:
        newest = max(self._seen, default=self._closed)
        events = self._close_seen(newest, received_at)
        if newest == self._closed + self.step_ms:
            events.append(self._event(self._seen[newest], "stream", received_at, is_closed=False))
        return events

    def _close_seen(self, before: int, received_at: float) -> list[CandleEvent]:
        """Close, in order, what was seen to its end and opened before a time."""
        events: list[CandleEvent] = []
        while (time := self._closed + self.step_ms) < before and time in self._seen and time not in self._doubtful:
            events.append(self._close(self._seen[time], "stream", received_at))
        return events

    def _close(self, candle: Candle, source: Literal["stream", "fill"], received_at: float) -> CandleEvent:
        self._closed = candle.time_ms
        for time in [time for time in self._seen if time <= self._closed]:
            del self._seen[time]
            self._doubtful.discard(time)
        confirmed = source == "fill" or self._is_complete(candle.time_ms, candle.volume)
        if self._settles and not confirmed:
            self._unconfirmed.add(candle.time_ms)
        self._remember(candle)
        return self._event(candle, source, received_at, is_confirmed=confirmed)

    def _correction(self, candle: Candle, source: Literal["stream", "fill"], received_at: float) -> list[CandleEvent]:
        known = self._handed_out.get(candle.time_ms)
        if known is None or known.equals(candle) or (source == "stream" and candle.volume < known.volume):
            return []
        self._remember(candle)
        return [self._event(candle, source, received_at, is_confirmed=source == "fill", corrects=True)]

    def _remember(self, candle: Candle) -> None:
        self._handed_out[candle.time_ms] = candle
        while len(self._handed_out) > _REMEMBERED:
            forgotten, _ = self._handed_out.popitem(last=False)
            self._unconfirmed.discard(forgotten)

    def _event(
        self,
        candle: Candle,
        source: Literal["stream", "fill"],
        received_at: float,
        *,
        is_closed: bool = True,
        is_confirmed: bool = False,
        corrects: bool = False,
    ) -> CandleEvent:
        return CandleEvent(
            coin=self.subscription.coin,
            interval=self.subscription.interval,
            time_ms=candle.time_ms,
            open=candle.open,
            high=candle.high,
            low=candle.low,
            close=candle.close,
            volume=candle.volume,
            trades=candle.trades,
            is_closed=is_closed,
            is_confirmed=is_confirmed,
            corrects=corrects,
            source=source,
            received_at=received_at,
        )
