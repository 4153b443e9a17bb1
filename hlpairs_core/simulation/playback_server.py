"""A recorded session as an exchange: its answers over HTTP, its frames over WebSockets."""

import asyncio
import json
import logging
import math
import time
from contextlib import suppress
from typing import Any

from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from hlpairs_core.session import SessionEvent
from hlpairs_core.simulation.listener import LoopbackServer, log_request
from hlpairs_core.simulation.playback import Playback
from hlpairs_core.simulation.playback_index import Key, frame_key, subscription_key
from hlpairs_core.simulation.rest import MALFORMED, HomeHandler, NotFoundHandler, StampedHandler

__all__ = ["PlaybackExchange"]

_LOOK_SECONDS = 0.02
# What was sent within so long of the recording's time is read by the client before more comes.
_STEP_SECONDS = 0.1
# Who does not say for so long that it has read is not waited for.
_READ_SECONDS = 5.0
_PONG = '{"channel":"pong"}'

logger = logging.getLogger(__name__)


class PlaybackExchange(LoopbackServer):
    """Plays a session back to whoever connects.

    Parameters
    ----------
    playback : Playback
        The session as of its clock, which starts with the first request.
    step_seconds : float
        By how much the clock goes on at most before clients have read what came until then (wall seconds): on a busy
        machine the session is played more slowly, not in leaps.

    Notes
    -----
    A subscription gets the frames that were recorded for it, at the time at which they came; acknowledgements, pongs
    and errors are made for the client at hand. Where a recorded connection was closed, those are closed that
    subscribe to the same. `Playback` says what a request gets, and what it has to wait for.
    """

    def __init__(self, playback: Playback, *, step_seconds: float = _STEP_SECONDS) -> None:
        super().__init__()
        self.playback = playback
        self._step_seconds = step_seconds
        self.sockets: set[PlaybackSocket] = set()
        self._pump: asyncio.Task[None] | None = None

    def _application(self) -> Application:
        given = {"market": self.playback}
        return Application(
            [
                ("/", HomeHandler, given),
                ("/info", PlaybackInfoHandler, {"exchange": self}),
                ("/ws", PlaybackSocket, {"exchange": self}),
            ],
            default_handler_class=NotFoundHandler,
            default_handler_args=given,
            log_function=log_request,
        )

    async def _close(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
        for connection in tuple(self.sockets):
            connection.cut()

    def join(self, connection: "PlaybackSocket") -> None:
        """Take in a connection."""
        if not self.sockets:
            self.playback.clock.keep_to(math.inf)
        self.sockets.add(connection)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.catch_up()
            await asyncio.sleep(_LOOK_SECONDS)

    @property
    def is_unread(self) -> bool:
        """Whether a client has not read yet what it was sent."""
        return any(connection.is_behind for connection in self.sockets)

    def catch_up(self) -> None:
        """Send what is due: an answer must not pass frames that came before it."""
        # Nobody looks at the clock all the time where nobody listens: then it leaps from request to request.
        if self.sockets:
            self.playback.clock.keep_to(0.0 if self.is_unread else self._step_seconds)
        events = self.playback.due()
        for event in events:
            self._happen(event)
        if events:
            for connection in tuple(self.sockets):
                connection.ask_whether_read()

    def _happen(self, event: SessionEvent) -> None:
        key = frame_key(event.text) if event.kind == "received" else None
        for connection in tuple(self.sockets):
            if event.kind == "closed":
                if connection.keys & self.playback.subscribed(event.socket):
                    connection.cut()
            elif key is None or key in connection.keys:  # what cannot be read was sent to whoever listened
                connection.tell(event.text)


class PlaybackInfoHandler(StampedHandler):
    """Answers ``POST /info`` as it was answered."""

    def initialize(self, exchange: PlaybackExchange) -> None:  # type: ignore[override]
        """Take what the application hands over."""
        self.exchange = exchange
        super().initialize(exchange.playback)

    async def post(self) -> None:
        """Give the recorded answer, not before its time; where none came, close the connection."""
        playback = self.exchange.playback
        try:
            request = json.loads(self.request.body)
            self.exchange.catch_up()
            while playback.must_wait(request, all_read=not self.exchange.is_unread):
                await asyncio.sleep(_LOOK_SECONDS)
                self.exchange.catch_up()
            answer = playback.answer(request)
            self.stamp_now()
        except (ValueError, RecursionError, AttributeError) as problem:  # an `InputError` is a ValueError
            logger.info("not in the session: %s", problem)
            self.refuse(422, MALFORMED)
            return
        if answer.status is None:
            self.detach().close()
            return
        self.set_status(answer.status)
        self.set_header("Content-Type", "application/json")
        self.finish(answer.reply)


class PlaybackSocket(StampedHandler, WebSocketHandler):
    """One connection to the feed of a session."""

    def initialize(self, exchange: PlaybackExchange) -> None:  # type: ignore[override]
        """Take what the application hands over."""
        self.exchange = exchange
        self.keys: set[Key] = set()
        self._asked_at: float | None = None
        super().initialize(exchange.playback)

    @property
    def is_behind(self) -> bool:
        """Whether the client has not read yet what it was sent; one that never says so is not behind for ever."""
        return self._asked_at is not None and time.monotonic() - self._asked_at < _READ_SECONDS

    def ask_whether_read(self) -> None:
        """Send a ping behind the frames: its pong says that they were read."""
        if self._asked_at is None:
            with suppress(WebSocketClosedError):
                self.ping(b"read?")
                self._asked_at = time.monotonic()

    def on_pong(self, data: bytes) -> None:  # noqa: ARG002
        """Take note that all was read."""
        self._asked_at = None

    def open(self, *_: str, **__: str) -> None:
        """Begin."""
        self.exchange.join(self)

    def on_close(self) -> None:
        """Forget it."""
        self.exchange.sockets.discard(self)

    def on_message(self, message: str | bytes) -> None:
        """Do what a client asks for, or say why not."""
        try:
            asked = json.loads(message)
            method = asked["method"]
            if method == "ping":
                self.tell(_PONG)
                return
            subscription = asked["subscription"]
            self._subscribe(method, subscription, subscription_key(subscription))
        except (ValueError, LookupError, TypeError, AttributeError):
            shown = message if isinstance(message, str) else message.decode(errors="replace")
            self._refuse(f"Error parsing JSON into valid websocket request: {shown}")

    def tell(self, text: str) -> None:
        """Send a frame."""
        with suppress(WebSocketClosedError):
            self.write_message(text)

    def cut(self) -> None:
        """End the connection without a word."""
        if self.ws_connection is not None and self.ws_connection.stream is not None:
            self.ws_connection.stream.close()

    def _subscribe(self, method: str, subscription: dict[str, Any], key: Key) -> None:
        playback = self.exchange.playback
        if method == "subscribe" and not playback.knows(key):
            self._refuse(f"Invalid subscription {json.dumps(subscription)}")
            return
        frames: list[str] = []
        if method == "subscribe":
            frames = playback.subscribe(key) if key not in self.keys else []
            self.keys.add(key)
        else:
            self.keys.discard(key)
        echo = {"method": method, "subscription": subscription}
        self.tell(json.dumps({"channel": "subscriptionResponse", "data": echo}))
        for text in frames:
            self.tell(text)

    def _refuse(self, reason: str) -> None:
        self.tell(json.dumps({"channel": "error", "data": reason}))
