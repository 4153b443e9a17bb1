import asyncio
import json
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from hlpairs_core.exceptions import EngineError, InputError, SettingsError
from hlpairs_core.simulation.handlers import answer
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.view import MarketView

__all__ = ["HOST", "SimulatedExchange", "run", "serve"]

HOST = "127.0.0.1"
"""The one address a simulated exchange listens on."""

_SYNTHETIC = {"demo": "all", "replay": "path-in-bar, book, premium, open-interest"}
"""What of each kind of market is made up: the value of ``X-Hlpairs-Synthetic``."""

_HOST_NAMES = frozenset({HOST, "localhost"})
_MAX_REQUEST_BYTES = 64 * 1024
# Larger bodies are cut off by the transport, without an answer.
_MAX_BODY_BYTES = 1024 * 1024
_MALFORMED = "Failed to deserialize the JSON body into the target type"

logger = logging.getLogger(__name__)


class SimulatedExchange:
    """An exchange on loopback that speaks Hyperliquid's wire.

    Parameters
    ----------
    market : SimulatedMarket
        What it trades: `synthetic_market` or `replay_market`.

    Notes
    -----
    Every reply carries ``X-Hlpairs-Market`` (``demo`` or ``replay``), ``X-Hlpairs-Market-Name``,
    ``X-Hlpairs-Speed``, ``X-Hlpairs-Time`` (the market time, in milliseconds, that it was given at) and
    ``X-Hlpairs-Synthetic`` (what of it is made up: in a replay the recorded candles and funding are not).

    Examples
    --------
    ::

        exchange = SimulatedExchange(synthetic_market(seed=7))
        base_url = await exchange.start()
        ...
        await exchange.stop()
    """

    def __init__(self, market: SimulatedMarket) -> None:
        self.market = market
        self._server: HTTPServer | None = None
        self._base_url: str | None = None

    @property
    def base_url(self) -> str | None:
        """Address it answers at, without a trailing slash; None while it is stopped."""
        return self._base_url

    async def start(self, port: int = 0) -> str:
        """Listen on a loopback port (0: any free one) and return the base URL. Idempotent.

        Raises
        ------
        SettingsError
            If the port is no port number.
        EngineError
            If the port cannot be had.
        """
        if self._base_url is not None:
            return self._base_url
        if not 0 <= port <= 65535:
            raise SettingsError(f"the port must be from 0 to 65535, got {port}")
        try:
            listener = socket.create_server((HOST, port), backlog=128)
        except OSError as error:
            raise EngineError(
                f"the simulated exchange cannot listen on {HOST}:{port} ({error.strerror}): choose another port or 0"
            ) from error
        self._server = HTTPServer(_application(self.market), max_body_size=_MAX_BODY_BYTES)
        listener.setblocking(False)
        self._server.add_socket(listener)
        self._base_url = f"http://{HOST}:{listener.getsockname()[1]}"
        return self._base_url

    async def stop(self) -> None:
        """Stop listening and close all connections. Idempotent."""
        server, self._server, self._base_url = self._server, None, None
        if server is not None:
            server.stop()
            await server.close_all_connections()

    async def __aenter__(self) -> "SimulatedExchange":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def run(market: SimulatedMarket, *, port: int = 0, announce: Callable[[str], None]) -> None:
    """Serve a market until SIGTERM, SIGINT or cancellation, then stop cleanly.

    Parameters
    ----------
    market : SimulatedMarket
        What to serve.
    port : int
        Loopback port; 0 takes any free one.
    announce : callable
        Called once with the base URL, as soon as it answers.
    """
    ended = asyncio.Event()
    caught = _on_signals(ended.set)
    exchange = SimulatedExchange(market)
    try:
        announce(await exchange.start(port))
        await ended.wait()
    finally:
        await exchange.stop()
        loop = asyncio.get_running_loop()
        for number in caught:
            loop.remove_signal_handler(number)


def serve(market: SimulatedMarket, *, port: int = 0, announce: Callable[[str], None]) -> None:
    """Run `run` in an event loop of its own; returns after SIGTERM or SIGINT."""
    asyncio.run(run(market, port=port, announce=announce))


def _on_signals(stop: Callable[[], None]) -> list[signal.Signals]:
    """Call `stop` on SIGTERM and SIGINT; return those that could be caught (none outside the main thread)."""
    caught = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(number, stop)
            caught.append(number)
    return caught


def _application(market: SimulatedMarket) -> Application:
    given = {"market": market}
    return Application(
        [("/", _HomeHandler, given), ("/info", _InfoHandler, given)],
        default_handler_class=_NotFoundHandler,
        default_handler_args=given,
        log_function=_log_request,
    )


def _log_request(handler: RequestHandler) -> None:
    logger.debug("%s %s %s", handler.get_status(), handler.request.method, handler.request.uri)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is not JSON: {error}") from error


class _Handler(RequestHandler):
    """Says on every reply, errors included, which market this is and what time it has."""

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")  # type: ignore[misc]
    _time_ms: int | None = None

    def initialize(self, market: SimulatedMarket) -> None:
        """Take what the application hands over."""
        self.market = market
        self._stamp()

    def set_default_headers(self) -> None:
        """Stamp the reply again after Tornado cleared it."""
        if self._time_ms is not None:
            self._stamp()

    def prepare(self) -> None:
        """Refuse other host names, so that no web page can reach in through a name of its own."""
        if self.request.host_name not in _HOST_NAMES:
            self.refuse(403, f"unknown host {self.request.host_name}")
        elif len(self.request.body) > _MAX_REQUEST_BYTES:
            self.refuse(413, "the request is too large")

    def refuse(self, status: int, text: str) -> None:
        """End the request with a plain text."""
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(text)

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer errors with their reason in plain text."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self._reason if status_code < 500 else "Internal Server Error")

    @property
    def time_ms(self) -> int:
        """Market time of this reply: the one its headers carry."""
        if self._time_ms is None:
            self._time_ms = self.market.clock.time_ms()
        return self._time_ms

    def _stamp(self) -> None:
        self.clear_header("Server")
        self.set_header("X-Hlpairs-Market", self.market.kind)
        self.set_header("X-Hlpairs-Market-Name", self.market.name)
        self.set_header("X-Hlpairs-Speed", f"{self.market.clock.speed:g}")
        self.set_header("X-Hlpairs-Time", str(self.time_ms))
        self.set_header("X-Hlpairs-Synthetic", _SYNTHETIC[self.market.kind])


class _HomeHandler(_Handler):
    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"hlpairs simulated exchange: {self.market.name}, market time {self.market.now().isoformat()}\n")


class _InfoHandler(_Handler):
    def post(self) -> None:
        try:
            reply = answer(MarketView.at(self.market, self.time_ms), _parsed(self.request.body))
        except InputError as error:
            logger.debug("refused: %s", error)
            self.refuse(422, _MALFORMED)
            return
        self.set_status(reply.status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(reply.payload, separators=(",", ":")))


class _NotFoundHandler(_Handler):
    def prepare(self) -> None:
        self.refuse(404, "not found")
