"""The engine's HTTP and WebSocket API, on loopback."""

import asyncio
import hmac
import json
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import tornado.web
import tornado.websocket
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError

from hlpairs_core.engine.payload import TopPayload
from hlpairs_core.engine.track_record import TrackRecord
from hlpairs_core.exceptions import EngineError, ExchangeError, HlpairsError, InputError, UnknownPair

__all__ = ["Hub", "Source", "Tokens", "listen", "parse_window"]

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_BARS = 5000
MAX_TEXT = 200
_WINDOW = re.compile(r"([0-9]{1,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_window(text: str) -> float:
    """Return the seconds of a window such as ``15m``, ``90s``, ``24h`` or ``2d``.

    Raises
    ------
    InputError
        If it is not of that form.
    """
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise InputError(f"window is {text[:40]!r}: use a number and s, m, h or d, such as 15m")
    return float(int(match[1]) * _SECONDS[match[2]])


@dataclass(frozen=True)
class Tokens:
    """What a request must carry: `read` to read from beyond loopback, `admin` to change anything."""

    read: str
    admin: str


class Source(Protocol):
    """What the API serves; the engine is one."""

    def health(self) -> dict[str, Any]:
        """Whether all is well; ``ok`` is False where it is not."""

    def status(self) -> dict[str, Any]:
        """What is held and done; reads the disk, so it is called in a thread."""

    def history(self, window_seconds: float) -> list[dict[str, Any]]:
        """Snapshots of the last so many seconds, oldest first; reads the disk, so it is called in a thread."""

    def pair_history(self, y: str, x: str, *, since: str | None) -> bytes:
        """What each screen found of a pair, as Parquet; reads the disk, so it is called in a thread."""

    def scorecard(self) -> TrackRecord:
        """What was said of closed bars against what came of it; reads the disk, so it is called in a thread."""

    def scorecard_rows(self, *, since: str | None) -> bytes:
        """Each answer and its outcome, as Parquet; reads the disk, so it is called in a thread."""

    async def books(self, coins: list[str] | None) -> dict[str, Any]:
        """Order books of these coins; without any, those that the selection was priced with."""

    async def frame(self, kind: str, *, coins: list[str] | None, bars: int, interval: str | None) -> bytes:
        """Candles, funding, universe, ticks or one-second bars as Parquet."""


@dataclass
class Hub:
    """The newest answer and those who listen for the next one."""

    current: TopPayload
    listeners: set["TopSocket"] = field(default_factory=set)
    last_read: float = 0.0

    def publish(self, payload: TopPayload) -> None:
        """Make `payload` the newest answer and send it to every listener that has taken the one before."""
        self.current = payload
        if self.listeners:
            text = json.dumps(payload, allow_nan=False)
            for listener in tuple(self.listeners):
                listener.offer(text)


class _Handler(tornado.web.RequestHandler):
    """Checks Host, Origin and token before anything else."""

    def initialize(self, hub: Hub, source: Source, tokens: Tokens, clock: Callable[[], float], **_: Any) -> None:
        self.hub, self.source, self.tokens, self.clock = hub, source, tokens, clock

    def prepare(self) -> None:
        # A page from elsewhere may reach loopback by a name of its own (DNS rebinding) or by a cross-site request.
        if _host_of(self.request) not in LOOPBACK_NAMES and not self._bears(self.tokens.read, self.tokens.admin):
            raise tornado.web.HTTPError(403, reason="Unknown Host: a read token is needed beyond loopback")
        origin = self.request.headers.get("Origin")
        if origin is not None and origin.split("://")[-1] != self.request.host:
            raise tornado.web.HTTPError(403, reason="Foreign Origin")
        self.hub.last_read = self.clock()

    def _bears(self, *tokens: str) -> bool:
        given = self.request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        return any(hmac.compare_digest(given, token.encode()) for token in tokens)

    def set_default_headers(self) -> None:
        self.set_header("Server", "hlpairs")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")

    def _coins(self) -> list[str] | None:
        text = self.get_query_argument("coins", None)
        if text is None:
            return None
        try:
            coins = json.loads(text)
        except (ValueError, RecursionError):
            coins = None
        if not isinstance(coins, list) or not all(isinstance(coin, str) for coin in coins):
            raise InputError(f"coins is {text[:60]!r}: use a JSON list of names")
        return coins

    def _send(self, body: Any) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(_json(body))

    async def _send_from_disk(self, read: Callable[[], Any]) -> None:
        """Answer with what `read` returns; it runs beside the event loop."""
        body = await _refusing(self, asyncio.to_thread(lambda: _json(read())))
        if body is not None:
            self.set_header("Content-Type", "application/json; charset=utf-8")
            self.write(body)

    async def _send_parquet(self, answer: Awaitable[bytes]) -> None:
        body = await _refusing(self, answer)
        if body is not None:
            self.set_header("Content-Type", "application/vnd.apache.parquet")
            self.write(body)

    def _text(self, name: str) -> str | None:
        """Return a parameter as it was sent: tornado would strip it, and take away what names may have in them."""
        sent = self.request.query_arguments.get(name)
        if sent is None:
            return None
        if len(sent[-1]) > MAX_TEXT:
            raise InputError(f"{name} has {len(sent[-1])} bytes: use at most {MAX_TEXT}")
        try:
            return sent[-1].decode()
        except UnicodeDecodeError:
            raise InputError(f"{name} is {sent[-1]!r}: write it in UTF-8") from None


def _json(body: Any) -> str:
    return json.dumps(body, allow_nan=False, default=str)


async def _refusing(handler: _Handler, answer: Awaitable[Answer]) -> Answer | None:
    """Await an answer; where there is none, say why and return None."""
    try:
        return await answer
    except UnknownPair as error:
        status, text = 404, str(error)
    except InputError as error:
        status, text = 400, str(error)
    except ExchangeError as error:
        status, text = 503, str(error)
    except HlpairsError as error:
        # It may name folders, which are nobody's business but the owner's.
        log.error("%s: %s", handler.request.path, error)
        status, text = 503, "the data folder cannot be read, see the engine's log"
    handler.set_status(status)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.write(f"{text}\n")
    return None


class _Top(_Handler):
    def get(self) -> None:
        self._send(self.hub.current)


class _History(_Handler):
    async def get(self) -> None:
        window = self.get_query_argument("window", "15m")
        await self._send_from_disk(lambda: {"window": window, "snapshots": self.source.history(parse_window(window))})


class _Health(_Handler):
    def get(self) -> None:
        health = self.source.health()
        self.set_status(200 if health["ok"] else 503)
        self._send(health)


class _Status(_Handler):
    async def get(self) -> None:
        await self._send_from_disk(self.source.status)


class _Books(_Handler):
    async def get(self) -> None:
        body = await _refusing(self, self._body())
        if body is not None:
            self._send(body)

    async def _body(self) -> dict[str, Any]:
        return await self.source.books(self._coins())


class _Frame(_Handler):
    async def get(self, kind: str) -> None:
        await self._send_parquet(self._body(kind))

    async def _body(self, kind: str) -> bytes:
        interval = self.get_query_argument("interval", None)
        return await self.source.frame(kind, coins=self._coins(), bars=self._bars(), interval=interval)

    def _bars(self) -> int:
        text = self.get_query_argument("bars", "337")
        if len(text) > len(str(MAX_BARS)) or not text.isdecimal() or not 1 <= int(text) <= MAX_BARS:
            raise InputError(f"bars is {text[:20]!r}: use a whole number from 1 to {MAX_BARS}")
        return int(text)


class _PairHistory(_Handler):
    async def get(self) -> None:
        await self._send_parquet(self._body())

    async def _body(self) -> bytes:
        y, x, since = (self._text(name) for name in ("y", "x", "since"))
        if y is None or x is None:
            raise InputError("name both coins of the pair: /pairs/history?y=ETH&x=BTC")
        return await asyncio.to_thread(self.source.pair_history, y, x, since=since)


class _Scorecard(_Handler):
    async def get(self) -> None:
        await self._send_from_disk(self.source.scorecard)


class _ScorecardRows(_Handler):
    async def get(self) -> None:
        await self._send_parquet(self._body())

    async def _body(self) -> bytes:
        return await asyncio.to_thread(self.source.scorecard_rows, since=self._text("since"))


class _Metrics(_Handler):
    def initialize(self, registry: CollectorRegistry, **common: Any) -> None:  # type: ignore[override]
        super().initialize(**common)
        self.registry = registry

    def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.write(generate_latest(self.registry))


class _Stop(_Handler):
    def initialize(self, stop: Callable[[], None], **common: Any) -> None:  # type: ignore[override]
        super().initialize(**common)
        self.stop = stop

    def check_xsrf_cookie(self) -> None:
        """No cookie is ever set: the admin token is what a foreign page cannot have."""

    def post(self) -> None:
        if not self._bears(self.tokens.admin):
            raise tornado.web.HTTPError(403, reason="The admin token is needed")
        self._send({"stopping": True})
        self.stop()


class TopSocket(tornado.websocket.WebSocketHandler, _Handler):
    """``WS /ws/top``: the newest answer at once, then every one after it that the reader keeps up with."""

    _sending = False
    _next: str | None = None

    def check_origin(self, origin: str) -> bool:
        return origin.split("://")[-1] == self.request.host

    def open(self, *_: str, **__: str) -> None:
        self.hub.listeners.add(self)
        self.offer(json.dumps(self.hub.current, allow_nan=False))

    def on_message(self, _message: str | bytes) -> None:
        """Readers have nothing to say; what they send is ignored."""

    def on_close(self) -> None:
        self.hub.listeners.discard(self)
        self.hub.last_read = self.clock()

    def offer(self, text: str) -> None:
        """Send `text`, after the one that is on its way: a slow reader gets the newest next, and none is queued."""
        self._next = text
        if not self._sending:
            self._sending = True
            tornado.ioloop.IOLoop.current().add_callback(self._write)

    async def _write(self) -> None:
        try:
            while self._next is not None:
                text, self._next = self._next, None
                await self.write_message(text)
        except (tornado.websocket.WebSocketClosedError, StreamClosedError):
            self.hub.listeners.discard(self)
        finally:
            self._sending = False


def _host_of(request: HTTPServerRequest) -> str:
    host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    return host.lower()


def listen(
    *,
    hub: Hub,
    source: Source,
    tokens: Tokens,
    registry: CollectorRegistry,
    stop: Callable[[], None],
    port: int,
    clock: Callable[[], float],
) -> tuple[str, Callable[[], Awaitable[None]]]:
    """Serve the API on loopback and return its URL and a coroutine function that ends it.

    Raises
    ------
    EngineError
        If the port is taken.
    """
    common = {"hub": hub, "source": source, "tokens": tokens, "clock": clock}
    app = tornado.web.Application(
        [
            ("/pairs/top", _Top, common),
            ("/pairs/top/history", _History, common),
            ("/pairs/history", _PairHistory, common),
            ("/scorecard", _Scorecard, common),
            ("/scorecard/rows", _ScorecardRows, common),
            ("/ws/top", TopSocket, common),
            ("/health", _Health, common),
            ("/status", _Status, common),
            ("/books", _Books, common),
            ("/(candles|funding|universe|ticks|seconds)", _Frame, common),
            ("/metrics", _Metrics, {**common, "registry": registry}),
            ("/stop", _Stop, {**common, "stop": stop}),
        ],
        websocket_ping_interval=20,
        websocket_max_message_size=4096,
        log_function=lambda handler: log.debug("%s %s", handler.request.method, handler.request.path),
    )
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        raise EngineError(
            f"port {port} on 127.0.0.1 cannot be used ({error.strerror}): choose another, or 0"
        ) from error
    server = HTTPServer(app, max_body_size=2**16, max_header_size=2**15)
    listener.setblocking(False)
    server.add_socket(listener)

    async def close() -> None:
        server.stop()
        for listener in tuple(hub.listeners):
            listener.close(1001, "the engine stops")
        await server.close_all_connections()

    return f"http://127.0.0.1:{listener.getsockname()[1]}", close
