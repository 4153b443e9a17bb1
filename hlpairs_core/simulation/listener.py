"""Something that answers on loopback, and runs until it is told to stop."""

import asyncio
import logging
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from hlpairs_core.exceptions import EngineError, SettingsError

__all__ = ["HOST", "LoopbackServer", "log_request", "run", "serve"]

HOST = "127.0.0.1"
"""The one address a simulated exchange listens on."""

# Larger bodies are cut off by the transport, without an answer.
_MAX_BODY_BYTES = 1024 * 1024

logger = logging.getLogger(__name__)


class LoopbackServer(ABC):
    """An exchange on loopback, of whatever kind."""

    def __init__(self) -> None:
        self._server: HTTPServer | None = None
        self._base_url: str | None = None

    @abstractmethod
    def _application(self) -> Application:
        """Return what answers."""

    @abstractmethod
    async def _close(self) -> None:
        """Close what is open beside the requests."""

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
        self._server = HTTPServer(self._application(), max_body_size=_MAX_BODY_BYTES)
        listener.setblocking(False)
        self._server.add_socket(listener)
        self._base_url = f"http://{HOST}:{listener.getsockname()[1]}"
        return self._base_url

    async def stop(self) -> None:
        """Stop listening and close all connections. Idempotent."""
        server, self._server, self._base_url = self._server, None, None
        if server is not None:
            server.stop()
            await self._close()
            await server.close_all_connections()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def run(exchange: LoopbackServer, *, port: int = 0, announce: Callable[[str], None]) -> None:
    """Let an exchange answer until SIGTERM, SIGINT or cancellation, then stop cleanly.

    Parameters
    ----------
    exchange : LoopbackServer
        What is to answer.
    port : int
        Loopback port; 0 takes any free one.
    announce : callable
        Called once with the base URL, as soon as it answers.
    """
    ended = asyncio.Event()
    caught = _on_signals(ended.set)
    try:
        announce(await exchange.start(port))
        await ended.wait()
    finally:
        await exchange.stop()
        loop = asyncio.get_running_loop()
        for number in caught:
            loop.remove_signal_handler(number)


def serve(exchange: LoopbackServer, *, port: int = 0, announce: Callable[[str], None]) -> None:
    """Run `run` in an event loop of its own; returns after SIGTERM or SIGINT."""
    asyncio.run(run(exchange, port=port, announce=announce))


def _on_signals(stop: Callable[[], None]) -> list[signal.Signals]:
    """Call `stop` on SIGTERM and SIGINT; return those that could be caught (none outside the main thread)."""
    caught = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(number, stop)
            caught.append(number)
    return caught


def log_request(handler: RequestHandler) -> None:
    """Log a request that was answered."""
    logger.debug("%s %s %s", handler.get_status(), handler.request.method, handler.request.uri)
