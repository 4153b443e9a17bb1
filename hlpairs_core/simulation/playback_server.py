"""A recorded session as an exchange: its answers over HTTP, its frames over WebSockets."""

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from hlpairs_core.session import SessionEvent
from hlpairs_core.simulation.listener import LoopbackServer, log_request
from hlpairs_core.simulation.playback import Key, Playback, frame_key, subscription_key
from hlpairs_core.simulation.rest import MALFORMED, HomeHandler, NotFoundHandler, StampedHandler

__all__ = ["PlaybackExchange"]

_LOOK_SECONDS = 0.02
_PONG = '{"channel":"pong"}'

logger = logging.getLogger(__name__)


class PlaybackExchange(LoopbackServer):
    """Plays a session back to whoever connects.

    Parameters
    ----------
    playback : Playback
        The session as of its clock, which starts with the first request.

    Notes
    -----
    A subscription gets the frames that were recorded for it, at the time at which they came; acknowledgements, pongs
    and errors are made for the client at hand. Where a recorded connection was closed, those are closed that
    subscribe to the same.
    """

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self.playback = playback
        self.sockets: set[PlaybackSocket] = set()
        self._pump: asyncio.Task[None] | None = None

    def _application(self) -> Application:
        given = {"market": self.playback}
        return Application(
            [
                ("/", HomeHandler, given),
                ("/info", PlaybackInfoHandler, {"playback": self.playback}),
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
        self.sockets.add(connection)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            for event in self.playback.due():
                self._happen(event)
            await asyncio.sleep(_LOOK_SECONDS)

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

    def initialize(self, playback: Playback) -> None:  # type: ignore[override]
        """Take what the application hands over."""
        self.playback = playback
        super().initialize(playback)

    def post(self) -> None:
        """Give the recorded answer; where none came, close the connection."""
        try:
            request = json.loads(self.request.body)
            answer = self.playback.answer(request)
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
        super().initialize(exchange.playback)

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
            frames = playback.recent(key) if key not in self.keys else []
            self.keys.add(key)
        else:
            self.keys.discard(key)
        echo = {"method": method, "subscription": subscription}
        self.tell(json.dumps({"channel": "subscriptionResponse", "data": echo}))
        for text in frames:
            self.tell(text)

    def _refuse(self, reason: str) -> None:
        self.tell(json.dumps({"channel": "error", "data": reason}))
