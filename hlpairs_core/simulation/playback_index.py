"""What a first pass over a recorded session finds: who was answered what and when, and what was subscribed to."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

from hlpairs_core.session import Session, SessionEvent
from hlpairs_core.simulation.candles import CANDLE_INTERVALS

__all__ = [
    "CONTEXTS",
    "HOUR_MS",
    "Close",
    "Index",
    "Key",
    "Recorded",
    "Stamp",
    "canonical",
    "frame_key",
    "is_talk",
    "read_index",
    "rows_key",
    "subscription_key",
]

Key: TypeAlias = tuple[str, ...]
"""What a frame belongs to: channel, coin or dex, interval."""

CONTEXTS = '{"type":"metaAndAssetCtxs"}'
"""The request from whose answer an engine learns that a bar has closed, and what it prices the bar with."""

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
class Stamp:
    """What the market's clock said in an answer that arrived at `at`."""

    at: float
    time_ms: int
    speed: float


@dataclass(frozen=True)
class Close:
    """The first contexts of an hour of the market: with them the recorded client learned that the one before is over.

    Attributes
    ----------
    answer : Recorded
        Those contexts.
    subscribed : frozenset of tuple of str
        All that the client had subscribed to by then.
    """

    answer: Recorded
    subscribed: frozenset[Key]


@dataclass
class Index:
    """What a first pass over a session collects.

    Attributes
    ----------
    answers : dict
        Of each request, by its canonical text, all its answers.
    rows : dict
        Of each series of candles or funding, the answers that hold rows of it.
    candles : dict
        Of each series of candles, by their open (ms), what the feed said of them last.
    stamps : list of Stamp
        The market's clock.
    closes : list of Close
        The hours of the market as the client noticed them.
    keys : set
        All that was subscribed to or arrived.
    subscribed : dict
        What each WebSocket subscribed to.
    first : float or None
        When the first request was sent; None where none was answered.
    last, last_frame : float
        When the last thing happened, and when the last frame arrived.
    """

    answers: dict[str, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[Key, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    candles: dict[Key, dict[int, Any]] = field(default_factory=lambda: defaultdict(dict))
    stamps: list[Stamp] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)
    keys: set[Key] = field(default_factory=set)
    subscribed: dict[int, set[Key]] = field(default_factory=lambda: defaultdict(set))
    first: float | None = None
    last: float = 0.0
    last_frame: float = 0.0
    _hour: int = -1

    def take(self, event: SessionEvent) -> None:
        """Take the next event."""
        self.last = max(self.last, event.at)
        if event.kind == "answered":
            self.first = event.sent_at if self.first is None else self.first
            self._take_answer(event)
        elif event.kind == "received":
            self.last_frame = event.at
            key = frame_key(event.text)
            if key is not None:
                self.keys.add(key)
                if key[0] == "candle":
                    candle = json.loads(event.text)["data"]
                    self.candles[key][candle["t"]] = candle
        elif event.kind == "sent":
            self._take_subscription(event)

    def _take_answer(self, event: SessionEvent) -> None:
        assert event.body is not None
        answer = Recorded(event.at, event.status, event.reply, event.sent_at)
        request = canonical(event.body)
        self.answers[request].append(answer)
        if event.status != 200:
            return
        stamp = _stamp_of(event)
        self.stamps.append(stamp)
        if request == CONTEXTS and stamp.time_ms // HOUR_MS > self._hour:
            self._hour = stamp.time_ms // HOUR_MS
            self.closes.append(Close(answer, frozenset().union(*self.subscribed.values())))
        key = rows_key(event.body)
        if key is not None and isinstance(json.loads(event.reply), list):
            self.rows[key].append(answer)

    def _take_subscription(self, event: SessionEvent) -> None:
        message = json.loads(event.text)
        if message.get("method") == "subscribe":
            key = subscription_key(message["subscription"])
            self.keys.add(key)
            self.subscribed[event.socket].add(key)


def read_index(session: Session) -> Index:
    """Go through a session once.

    Raises
    ------
    InputError
        If it is damaged.
    """
    index = Index()
    for event in session.events():
        index.take(event)
    return index


def canonical(request: Mapping[str, Any]) -> str:
    """Return the one text of a request, in whatever order its fields come."""
    return json.dumps(request, sort_keys=True, separators=(",", ":"))


def rows_key(request: Mapping[str, Any]) -> Key | None:
    """Return which series a request asks for; None where it asks for none."""
    kind = request.get("type")
    if kind == "candleSnapshot":
        inner = request.get("req") or {}
        if inner.get("interval") in CANDLE_INTERVALS:
            return ("candle", str(inner.get("coin")), inner["interval"])
    elif kind == "fundingHistory":
        return ("funding", str(request.get("coin")))
    return None


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


def is_talk(text: str) -> bool:
    """Whether a frame only answers what a client said: a playback makes its own."""
    try:
        return json.loads(text)["channel"] in _TALK
    except (ValueError, LookupError, TypeError):
        return False


def _stamp_of(event: SessionEvent) -> Stamp:
    headers, at_ms = event.headers or {}, int(1000 * event.at)
    if "x-hlpairs-time" in headers:
        return Stamp(event.at, int(headers["x-hlpairs-time"]), float(headers.get("x-hlpairs-speed", 1.0)))
    if "date" not in headers:
        return Stamp(event.at, at_ms, 1.0)
    # The exchange says whole seconds; what is missing is the recording client's, where the two clocks agree.
    said = int(1000 * parsedate_to_datetime(headers["date"]).timestamp())
    return Stamp(event.at, min(max(at_ms, said), said + 999) if abs(at_ms - said) < 2000 else said, 1.0)
