"""An engine for tests: says over HTTP and WebSocket what a test tells it to."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

Say = Callable[[datetime], Any]


class EngineStandIn:
    """Sends `say(now)` to every reader each `period` seconds, from a thread of its own; `None` is silence."""

    def __init__(self, say: Say, *, period: float = 0.5) -> None:
        self.say, self.period = say, period
        self.url = ""
        self.tokens: set[str] = set()
        self._sockets: set[Any] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._up = True

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def go_away(self) -> None:
        """Drop every reader and refuse new ones until `come_back`."""
        self._up = False

        def drop() -> None:
            for socket in list(self._sockets):
                socket.close(1001)

        self._loop.call_soon_threadsafe(drop)

    def come_back(self) -> None:
        self._up = True

    def text(self) -> str | None:
        said = self.say(datetime.now(UTC))
        return said if said is None or isinstance(said, str) else json.dumps(said)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = tornado.httpserver.HTTPServer(_application(self))
        bound = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets(bound)
        self.url = f"http://127.0.0.1:{bound[0].getsockname()[1]}"
        self._ready.set()
        while not self._stop.is_set():
            message = self.text() if self._up else None
            for socket in list(self._sockets):
                if message is not None:
                    socket.send(message)
            try:
                await asyncio.wait_for(self._stop.wait(), self.period)
            except TimeoutError:
                continue
        server.stop()
        await server.close_all_connections()


def _application(engine: EngineStandIn) -> tornado.web.Application:
    class Top(tornado.web.RequestHandler):
        def get(self) -> None:
            if not engine._up:
                raise tornado.web.HTTPError(503)
            self.write(engine.text() or "{}")

    class Socket(tornado.websocket.WebSocketHandler):
        def prepare(self) -> None:
            engine.tokens.add(self.request.headers.get("Authorization", ""))
            if not engine._up:
                raise tornado.web.HTTPError(503)

        def open(self) -> None:
            engine._sockets.add(self)
            message = engine.text()
            if message is not None:
                self.send(message)

        def on_close(self) -> None:
            engine._sockets.discard(self)

        def send(self, message: str) -> None:
            try:
                self.write_message(message)
            except tornado.websocket.WebSocketClosedError:
                engine._sockets.discard(self)

    return tornado.web.Application([("/pairs/top", Top), ("/ws/top", Socket)], log_function=lambda _: None)
