import asyncio
import logging
from contextlib import suppress

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketHandler
from websockets.frames import Frame, Opcode

from hlpairs_core.simulation.feed import Feed
from hlpairs_core.simulation.feed_faults import FeedFaults, Outgoing
from hlpairs_core.simulation.feed_talk import respond
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.rest import StampedHandler

__all__ = ["FeedSocket"]

GREETING = "Websocket connection established."
_MAX_MESSAGE_BYTES = 64 * 1024

logger = logging.getLogger(__name__)


class FeedSocket(StampedHandler, WebSocketHandler):
    """One WebSocket connection to the feed.

    Every message out goes through `transmit`, every message in through `receive`.
    """

    _stream: IOStream

    def initialize(self, market: SimulatedMarket, feed: Feed) -> None:  # type: ignore[override]
        """Take what the application hands over."""
        super().initialize(market)
        self._feed = feed
        self._faults = FeedFaults(feed.faults)
        self._unsent: list[Outgoing] = []
        self._unsent_bytes = 0
        self.address = self.request.remote_ip or ""
        self.sent_at = 0.0

    @property
    def max_message_size(self) -> int:
        """Most bytes a client may send at once; more end the connection."""
        return _MAX_MESSAGE_BYTES

    async def get(self, *_: str, **__: str) -> None:
        """Refuse the handshake of an address with too many connections."""
        if self._faults.refuses:
            self.set_status(502)
            self.finish()
        elif self._feed.meter.connects(self.address, connected=self._feed.connections(self.address)):
            await super().get()
        else:
            self.set_status(429)
            self.set_header("Content-Type", "application/json")
            self.finish("null")

    def open(self, *_: str, **__: str) -> None:
        """Begin."""
        assert self.ws_connection is not None
        assert self.ws_connection.stream is not None
        self._stream = self.ws_connection.stream
        self.set_nodelay(True)
        self._feed.join(self)
        if self._feed.settings.greeting:
            self.transmit(GREETING)

    def on_message(self, message: str | bytes) -> None:
        """Hand over what arrived."""
        self.receive(message if isinstance(message, str) else message.decode(errors="replace"))

    def on_close(self) -> None:
        """Forget everything."""
        self._unsent.clear()
        self._feed.leave(self)

    def receive(self, text: str) -> None:
        """Take a message in."""
        if self._faults.kills(text):
            self.drop("a fault")
        else:
            respond(self._feed, self, text)

    def transmit(self, text: str) -> None:
        """Send a message. Those of one turn of the event loop are written together."""
        for message in self._faults.leaving(text):
            if message.delay:
                asyncio.get_running_loop().call_later(message.delay, self._queue, message)
            else:
                self._queue(message)
        self.sent_at = self._feed.clock()

    def _queue(self, message: Outgoing) -> None:
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._write)
        self._unsent.append(message)

    def drop(self, reason: str) -> None:
        """End the connection without a close frame: the client sees code 1006."""
        if not self._stream.closed():
            logger.info("connection of %s dropped: %s", self.address, reason)
            self._write()
            self._stream.close()

    def _write(self) -> None:
        messages, self._unsent = self._unsent, []
        if not messages or self.ws_connection is None or self.ws_connection.is_closing():
            return
        # However much there is at once, it is taken on where all that was before is nearly gone.
        if self._unsent_bytes > self._feed.settings.unsent_bytes:
            logger.warning("connection of %s dropped: it reads too slowly", self.address)
            self._stream.close()
            return
        data = b"".join(map(_framed, messages))
        with suppress(StreamClosedError):
            self._unsent_bytes += len(data)
            self._stream.write(data).add_done_callback(lambda _: self._sent(len(data)))

    def _sent(self, n_bytes: int) -> None:
        self._unsent_bytes -= n_bytes


def _framed(message: Outgoing) -> bytes:
    """Return a message as it goes over the wire, in one frame or several."""
    data = message.text.encode()
    length = -(-len(data) // message.fragments) or 1
    parts = [data[start : start + length] for start in range(0, len(data), length)] or [b""]
    frames = (
        Frame(Opcode.CONT if number else Opcode.TEXT, part, fin=number == len(parts) - 1)
        for number, part in enumerate(parts)
    )
    return b"".join(frame.serialize(mask=False) for frame in frames)
