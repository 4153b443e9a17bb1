"""A recorded session, played back: the same answers and frames at the same distance in time."""

import bisect
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

from hlpairs_core.exceptions import InputError
from hlpairs_core.session import Session, SessionEvent
from hlpairs_core.simulation.candles import CANDLE_INTERVALS

__all__ = ["Key", "Playback", "Recorded", "frame_key", "subscription_key"]

Key: TypeAlias = tuple[str, ...]
"""What a frame belongs to: channel, coin or dex, interval."""

# A client that runs a little faster than the recorded one still gets the answer that one got.
AHEAD_SECONDS = 2.0
# A client that subscribes a little later still gets what came first.
KEPT_SECONDS = 5.0
HOUR_MS = 3_600_000
_TALK = frozenset({"subscriptionResponse", "error", "pong", "post"})


@dataclass(frozen=True)
class Recorded:
    """An answer as it was recorded, and when it was asked for; `status` is None where none came."""

    at: float
    status: int | None
    reply: bytes
    sent_at: float


@dataclass(frozen=True)
class _Stamp:
    at: float
    time_ms: int
    speed: float


@dataclass
class _Index:
    """What a first pass over a session collects."""

    answers: dict[str, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[Key, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    stamps: list[_Stamp] = field(default_factory=list)
    keys: set[Key] = field(default_factory=set)
    subscribed: dict[int, set[Key]] = field(default_factory=lambda: defaultdict(set))
    first: float | None = None
    last: float = 0.0
    last_frame: float = 0.0


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
    A request gets the answer that the same request got at about this time: the last one before it, or the first one
    after it where that came within `AHEAD_SECONDS` and is more like it. Candles and funding that were asked for
    differently are put together from every row that had arrived by then.
    """

    kind = "replay"
    synthetic = ""

    def __init__(self, session: Session, *, speed: float = 1.0, clock: Callable[[], float] = time.time) -> None:
        self._session = session
        self._index = _indexed(session)
        if self._index.first is None or not self._index.stamps:
            raise InputError(f"the session in {session.folder} holds no answered request: there is nothing to play")
        self.name = f"replay-session-{int(session.started_at * 1000):d}"
        self.clock = PlaybackClock(self._index.first, self._index.last, self._index.stamps, speed, clock)
        self._events = self._feed()
        self._next = next(self._events, None)
        self._recent: deque[SessionEvent] = deque()
        self._candles: dict[Key, dict[int, Any]] = defaultdict(dict)

    def knows(self, key: Key) -> bool:
        """Whether anything was ever recorded for a subscription."""
        return key in self._index.keys

    def subscribed(self, socket: int) -> set[Key]:
        """Return what a recorded WebSocket subscribed to."""
        return self._index.subscribed.get(socket, set())

    def answer(self, request: Mapping[str, Any]) -> Recorded:
        """Return what a request was answered at this time, or what can be put together for it.

        Raises
        ------
        InputError
            If nothing like it was recorded.
        """
        position = self.clock.position()
        until = position + AHEAD_SECONDS
        known = self._index.answers.get(_canonical(request))
        if known is not None:
            return self._likest(known, position, until)
        rows = self._rows(request, until)
        if rows is None:
            raise InputError(f"the session holds no answer to {json.dumps(request)[:200]}")
        return Recorded(until, 200, json.dumps(rows, separators=(",", ":")).encode(), position)

    def _likest(self, known: list[Recorded], position: float, until: float) -> Recorded:
        """Return the answer, of those that had come by `until`, to the request that was most like one that comes now.

        One of the same hour of the market if there is any: bars close and funding is settled by the hour, and a client
        that is late, or was, asks about the same one. Then the nearest.
        """
        hour = self.clock.time_at(position) // HOUR_MS

        def distance(one: Recorded) -> tuple[bool, float]:
            return self.clock.time_at(one.sent_at) // HOUR_MS != hour, abs(one.sent_at - position)

        place = max(bisect.bisect_right(known, until, key=lambda one: one.at), 1)
        return min(known[max(place - 2, 0) : place], key=distance)

    def due(self) -> list[SessionEvent]:
        """Return the frames that arrived, and the closings that happened, since the last call."""
        until, out = self.clock.position(), []
        while self._next is not None and self._next.at <= until:
            out.append(self._next)
            self._remember(self._next)
            self._next = next(self._events, None)
        while self._recent and self._recent[0].at < until - KEPT_SECONDS:
            self._recent.popleft()
        return out

    def recent(self, key: Key) -> list[str]:
        """Return the frames of a subscription that arrived within the last seconds."""
        return [event.text for event in self._recent if frame_key(event.text) == key]

    def _remember(self, event: SessionEvent) -> None:
        key = frame_key(event.text) if event.kind == "received" else None
        if key is None:
            return
        self._recent.append(event)
        if key[0] == "candle":
            candle = json.loads(event.text)["data"]
            self._candles[key][candle["t"]] = candle

    def _feed(self) -> Iterator[SessionEvent]:
        for event in self._session.events():
            # What is closed after the last frame was closed by the end of the recording.
            closed = event.kind == "closed" and event.at < self._index.last_frame
            if closed or (event.kind == "received" and not _is_talk(event.text)):
                yield event

    def _rows(self, request: Mapping[str, Any], until: float) -> list[Any] | None:
        key = _rows_key(request)
        if key is None or key not in self._index.rows:
            return None
        column = "t" if key[0] == "candle" else "time"
        rows: dict[int, Any] = {}
        for answer in self._index.rows[key]:
            if answer.at <= until:
                rows |= {row[column]: row for row in json.loads(answer.reply)}
        rows |= self._candles.get(key, {})
        inner = request.get("req", request)
        first, last = inner.get("startTime", 0), inner.get("endTime") or 2**53
        return [rows[moment] for moment in sorted(rows) if first <= moment <= last]


class PlaybackClock:
    """The market's time during a playback; it starts with the first look at it.

    Attributes
    ----------
    speed : float
        Market seconds per wall second.
    """

    def __init__(
        self, first: float, last: float, stamps: list[_Stamp], speed: float, clock: Callable[[], float]
    ) -> None:
        if not 0 < speed <= 1000:
            raise InputError(f"a session is played at a speed above 0 and at most 1000, got {speed!r}")
        self._first, self._last, self._stamps = first, last, stamps
        self._pace, self._clock = speed, clock
        self._begun: float | None = None
        self.speed = stamps[0].speed * speed

    def position(self) -> float:
        """Return the moment of the recording that is played now (seconds since 1970, the recording client's clock)."""
        now = self._clock()
        if self._begun is None:
            self._begun = now
        return min(self._first + max(0.0, now - self._begun) * self._pace, self._last)

    def time_ms(self) -> int:
        """Return the market's time, milliseconds since the epoch: the newest answer's, moved on."""
        return self.time_at(self.position())

    def time_at(self, position: float) -> int:
        """Return the market's time at a moment of the recording, milliseconds since the epoch."""
        place = bisect.bisect_right(self._stamps, position, key=lambda stamp: stamp.at)
        stamp = self._stamps[max(place - 1, 0)]
        return stamp.time_ms + int(1000 * stamp.speed * max(0.0, position - stamp.at))


def subscription_key(subscription: Mapping[str, Any]) -> Key:
    """Return what a subscription is about."""
    parts = [subscription.get("type"), subscription.get("coin") or subscription.get("dex") or ""]
    if subscription.get("interval"):
        parts.append(subscription["interval"])
    if subscription.get("fast"):
        parts.append("fast")
    return tuple(map(str, parts))


def frame_key(text: str) -> Key | None:
    """Return what a frame is about; None where it is an acknowledgement, a pong, an error, or unreadable."""
    try:
        frame = json.loads(text)
        channel, data = frame["channel"], frame["data"]
        if channel in _TALK:
            return None
        if channel == "candle":
            return (channel, data["s"], data["i"])
        if channel == "trades":
            return (channel, data[0]["coin"])
        if channel == "activeSpotAssetCtx":
            return ("activeAssetCtx", data["coin"])
        key = (channel, str(data.get("coin") or data.get("dex") or ""))
        return (*key, "fast") if data.get("fast") else key
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _is_talk(text: str) -> bool:
    """Whether a frame only answers what a client said: a playback makes its own."""
    try:
        return json.loads(text)["channel"] in _TALK
    except (ValueError, LookupError, TypeError):
        return False


def _indexed(session: Session) -> _Index:
    index = _Index()
    for event in session.events():
        index.last = max(index.last, event.at)
        if event.kind == "answered":
            index.first = event.sent_at if index.first is None else index.first
            _index_answer(index, event)
        elif event.kind == "received":
            index.last_frame = event.at
            key = frame_key(event.text)
            if key is not None:
                index.keys.add(key)
        elif event.kind == "sent":
            _index_subscription(index, event)
    return index


def _index_answer(index: _Index, event: SessionEvent) -> None:
    assert event.body is not None
    answer = Recorded(event.at, event.status, event.reply, event.sent_at)
    index.answers[_canonical(event.body)].append(answer)
    key = _rows_key(event.body)
    if event.status == 200:
        stamp = _stamp_of(event)
        index.stamps.append(stamp)
        if key is not None and isinstance(json.loads(event.reply), list):
            index.rows[key].append(answer)


def _index_subscription(index: _Index, event: SessionEvent) -> None:
    message = json.loads(event.text)
    if message.get("method") == "subscribe":
        key = subscription_key(message["subscription"])
        index.keys.add(key)
        index.subscribed[event.socket].add(key)


def _rows_key(request: Mapping[str, Any]) -> Key | None:
    kind = request.get("type")
    if kind == "candleSnapshot":
        inner = request.get("req") or {}
        if inner.get("interval") in CANDLE_INTERVALS:
            return ("candle", str(inner.get("coin")), inner["interval"])
    elif kind == "fundingHistory":
        return ("funding", str(request.get("coin")))
    return None


def _stamp_of(event: SessionEvent) -> _Stamp:
    headers = event.headers or {}
    if "x-hlpairs-time" in headers:
        return _Stamp(event.at, int(headers["x-hlpairs-time"]), float(headers.get("x-hlpairs-speed", 1.0)))
    # The exchange says whole seconds; the recording client's own clock is as good where the two agree.
    said = parsedate_to_datetime(headers["date"]).timestamp() if "date" in headers else event.at
    return _Stamp(event.at, int(1000 * (event.at if abs(said - event.at) < 2 else said)), 1.0)


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))
