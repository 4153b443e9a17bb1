"""A recorded session, played back: the same answers and frames, in step with a client that does the same again."""

import bisect
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.session import Session, SessionEvent
from hlpairs_core.simulation.playback_clock import PlaybackClock
from hlpairs_core.simulation.playback_frames import PlaybackFrames
from hlpairs_core.simulation.playback_index import CONTEXTS, HOUR_MS, Key, Recorded, canonical, read_index, rows_key

__all__ = ["Playback"]

# A client that runs a little faster than the recorded one still gets the answer that one got.
AHEAD_SECONDS = 2.0
# So long a request is held that comes before what it asks for was there (wall seconds; clients give up after 10).
HELD_SECONDS = 5.0


class Playback:
    """A session as of a clock that starts with the first request.

    It stands where a `SimulatedMarket` stands: it has a kind, a name and a clock.

    Parameters
    ----------
    session : Session
        What was recorded.
    speed : float
        Recorded seconds per wall second.
    clock : callable
        Wall time, seconds since the epoch.

    Raises
    ------
    InputError
        If the session holds no answer at all.

    Notes
    -----
    An engine learns that a bar is over when it asks for contexts, and prices the bar with these, with the last books
    before its end, and with books that it asks for. So the clock stands still where the recorded engine got the first
    contexts of an hour, until they are asked for again and all is subscribed to that was by then; they are the answer.
    Of the books that were asked for within an hour the n-th request of a coin gets the n-th answer. So the same engine
    gives the same verdicts, however busy the machine is.

    Any other request gets the answer that the same request got at about this time: the last one before it, or the first
    one after it where that came within `AHEAD_SECONDS` and is more like it. Candles and funding that were asked for
    differently are put together from every row that had arrived by then, and a book from the newest frame.
    """

    kind = "replay"
    synthetic = ""

    def __init__(self, session: Session, *, speed: float = 1.0, clock: Callable[[], float] = time.time) -> None:
        self._index = index = read_index(session)
        if index.first is None or not index.stamps:
            raise InputError(f"the session in {session.folder} holds no answered request: there is nothing to play")
        self.name = f"replay-session-{int(session.started_at * 1000):d}"
        self._closes = {close.answer.at: close for close in index.closes}
        stops = list(self._closes)
        self.clock = PlaybackClock(index.first, index.last, stamps=index.stamps, stops=stops, speed=speed, clock=clock)
        self._frames = PlaybackFrames(session, index.last_frame)
        self._subscribed: set[Key] = set()
        self._hours, self._hour = stops, 0  # hours of the market, each from its first contexts on; 0: before the first
        self._given: Counter[tuple[str, int]] = Counter()  # books, by request and hour

    def knows(self, key: Key) -> bool:
        """Whether anything was ever recorded for a subscription."""
        return key in self._index.keys

    def subscribed(self, socket: int) -> set[Key]:
        """Return what a recorded WebSocket subscribed to."""
        return self._index.subscribed.get(socket, set())

    def due(self) -> list[SessionEvent]:
        """Return the frames that arrived, and the closings that happened, since the last call."""
        return self._frames.until(self.clock.position())

    def subscribe(self, key: Key) -> list[str]:
        """Note a subscription; return the frames that arrived for it within the last seconds."""
        self._subscribed.add(key)
        return self._frames.recent(key)

    def must_wait(self, request: Mapping[str, Any], *, all_read: bool = True) -> bool:
        """Whether a request comes before the recorded client got its answer: ask again shortly.

        `all_read` says whether the client has read what was sent until now.
        """
        stop = self.clock.next_stop
        if stop is None or self._hour == 0 or canonical(request) != CONTEXTS:
            return False
        lacks = not (all_read and self._closes[stop].subscribed <= self._subscribed)
        return -HELD_SECONDS < self.clock.waited < (HELD_SECONDS if lacks else 0.0)

    def answer(self, request: Mapping[str, Any]) -> Recorded:
        """Return what a request was answered at this time, or what can be put together for it.

        Raises
        ------
        InputError
            If nothing like it was recorded.
        """
        position, text, stop = self.clock.position(), canonical(request), self.clock.next_stop
        # What comes before the first contexts is an engine's start: that takes as long as it takes.
        if text == CONTEXTS and stop is not None and (position >= stop or self._hour == 0):
            return self._begin_hour(stop)
        known = self._index.answers.get(text)
        if known is None:
            return self._made(request, position)
        is_book = request.get("type") == "l2Book"
        return (self._next_of_hour(text, known) if is_book else None) or self._likest(known, position)

    def _begin_hour(self, stop: float) -> Recorded:
        """Go on, with the contexts from which the recorded client learned that an hour is over."""
        self.clock.go_on()
        self._hour += 1
        return self._closes[stop].answer

    def _next_of_hour(self, text: str, known: list[Recorded]) -> Recorded | None:
        """Return the next answer that a request got in this hour, where there is one more."""
        same = [one for one in known if bisect.bisect_right(self._hours, one.sent_at) == self._hour]
        number = self._given[text, self._hour]
        self._given[text, self._hour] += 1
        return same[number] if number < len(same) else None

    def _likest(self, known: list[Recorded], position: float) -> Recorded:
        """Return the answer, of those that had come by now, to the request that was most like one that comes now.

        One of the same hour of the market if there is any: bars close and funding is settled by the hour, and a client
        that is late, or was, asks about the same one. Then the nearest.
        """
        hour = self.clock.time_at(position) // HOUR_MS

        def distance(one: Recorded) -> tuple[bool, float]:
            return self.clock.time_at(one.sent_at) // HOUR_MS != hour, abs(one.sent_at - position)

        place = max(bisect.bisect_right(known, position + AHEAD_SECONDS, key=lambda one: one.at), 1)
        return min(known[max(place - 2, 0) : place], key=distance)

    def _made(self, request: Mapping[str, Any], position: float) -> Recorded:
        """Put an answer together."""
        if request.get("type") == "l2Book":
            made = self._frames.book(str(request.get("coin")))
        else:
            made = self._rows(request, position)
        if made is None:
            raise InputError(f"the session holds no answer to {json.dumps(request)[:200]}")
        return Recorded(position, 200, json.dumps(made, separators=(",", ":")).encode(), position)

    def _rows(self, request: Mapping[str, Any], position: float) -> list[Any] | None:
        """Return rows as they stand now; those that are over as they were recorded last, be it later than now."""
        key = rows_key(request)
        if key is None or key not in self._index.rows:
            return None
        opens, ends = ("t", "T") if key[0] == "candle" else ("time", "time")
        now = self.clock.time_at(position)
        over, standing = dict(self._index.candles.get(key, {})), dict[int, Any]()
        for answer in self._index.rows[key]:
            then = self.clock.time_at(answer.at)
            for row in json.loads(answer.reply):
                if row[ends] < then:
                    over[row[opens]] = row
                elif answer.at <= position:
                    standing[row[opens]] = row
        standing |= self._frames.candles(key)
        rows = {at: row for at, row in standing.items() if row[ends] >= now}
        rows |= {at: row for at, row in over.items() if row[ends] < now}
        inner = request.get("req", request)
        first, last = inner.get("startTime", 0), inner.get("endTime") or 2**53
        return [rows[at] for at in sorted(rows) if first <= at <= last]
