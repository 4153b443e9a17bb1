"""The frames of a recorded session, as they come again."""

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

from hlpairs_core.session import Session, SessionEvent
from hlpairs_core.simulation.playback_index import Key, frame_key, is_talk

__all__ = ["PlaybackFrames"]

# A client that subscribes a little later still gets what came first; and always what came last.
KEPT_SECONDS = 5.0


class PlaybackFrames:
    """Goes through the frames and closings of a session once, and remembers what a late client should know.

    Parameters
    ----------
    session : Session
        What was recorded.
    last_frame : float
        When the last frame arrived; what is closed after it was closed by the end of the recording.
    """

    def __init__(self, session: Session, last_frame: float) -> None:
        self._events = _played(session, last_frame)
        self._next = next(self._events, None)
        self._until = 0.0
        self._recent: dict[Key, deque[SessionEvent]] = defaultdict(deque)
        self._candles: dict[Key, dict[int, Any]] = defaultdict(dict)

    def until(self, position: float) -> list[SessionEvent]:
        """Return what happened since the last call, up to a moment of the recording."""
        self._until, out = position, []
        while self._next is not None and self._next.at <= position:
            out.append(self._next)
            self._remember(self._next)
            self._next = next(self._events, None)
        return out

    def recent(self, key: Key) -> list[str]:
        """Return the frames of a subscription that arrived within the last seconds, the newest one in any case."""
        if key not in self._recent:
            return []
        self._forget_old(key)
        return [event.text for event in self._recent[key]]

    def candles(self, key: Key) -> dict[int, Any]:
        """Return the newest state of each candle of a series, by its open (milliseconds since 1970)."""
        return self._candles.get(key, {})

    def book(self, coin: str) -> Any:
        """Return the newest book of a coin, as it is on the wire; None where none has come."""
        frames = self._recent.get(("l2Book", coin))
        return json.loads(frames[-1].text)["data"] if frames else None

    def _remember(self, event: SessionEvent) -> None:
        key = frame_key(event.text) if event.kind == "received" else None
        if key is None:
            return
        self._recent[key].append(event)
        self._forget_old(key)
        if key[0] == "candle":
            candle = json.loads(event.text)["data"]
            self._candles[key][candle["t"]] = candle

    def _forget_old(self, key: Key) -> None:
        held = self._recent[key]
        while len(held) > 1 and held[0].at < self._until - KEPT_SECONDS:
            held.popleft()


def _played(session: Session, last_frame: float) -> Iterator[SessionEvent]:
    for event in session.events():
        closed = event.kind == "closed" and event.at < last_frame
        if closed or (event.kind == "received" and not is_talk(event.text)):
            yield event
