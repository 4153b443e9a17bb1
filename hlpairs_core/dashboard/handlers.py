"""The routes of the page that differ from Voila's own."""

import logging
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "GuardedKernelSocket",
    "NothingElse",
    "PageHandler",
    "ReadyHandler",
    "well_formed",
]

_PROTOCOL = "v1.kernel.websocket.jupyter.org"
_log = logging.getLogger(__name__)

# Voila's template and the widgets' modules need inline scripts and blobs; nothing needs another machine.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)


def well_formed(message: object) -> bool:
    """Return whether a websocket message has the shape of Jupyter's v1 kernel protocol.

    It begins with a count of offsets and the offsets themselves, eight bytes each, little-endian, of the parts that
    follow. The readers in Jupyter Server and in Voila loop over a count that they never compare with the length: a
    few bytes keep them busy for ever.
    """
    if not isinstance(message, bytes) or len(message) < 8:
        return False
    count = int.from_bytes(message[:8], "little")
    head = 8 * (count + 1)
    if count < 2 or head > len(message):
        return False
    offsets = [int.from_bytes(message[at : at + 8], "little") for at in range(8, head, 8)]
    return offsets == sorted(offsets) and head <= offsets[0] and offsets[-1] <= len(message)


class GuardedKernelSocket(VoilaKernelWebsocketHandler):
    """The kernel's websocket, for clients that speak the v1 protocol and nothing else."""

    async def get(self, kernel_id: str) -> None:
        """Open the socket; 400 for a client that does not offer the v1 protocol."""
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "")
        if _PROTOCOL not in (name.strip() for name in offered.split(",")):
            raise web.HTTPError(400, f"this socket speaks {_PROTOCOL} only")
        await super().get(kernel_id)

    def on_message(self, ws_message: str | bytes) -> None:
        """Pass a message on to the kernel; close the socket on one that cannot be read."""
        if self.ws_connection is None:
            # Closed, but what had arrived before is still handed in; Jupyter Server would take it for another protocol.
            return
        try:
            if not well_formed(ws_message):
                raise ValueError("not a v1 message")
            super().on_message(ws_message)
        except (ValueError, KeyError, IndexError, TypeError, AssertionError) as error:
            _log.warning("closed a kernel socket after a malformed message: %s", error)
            self.close(1003, "malformed message")

    def on_close(self) -> None:
        """Give the connection to the kernel back, if there ever was one."""
        if getattr(self, "connection", None) is not None:
            super().on_close()


class PageHandler(TornadoVoilaHandler):
    """The one page."""

    @web.authenticated
    async def get(self) -> None:
        """Render the notebook; other values of ``?theme=`` than light and dark are dropped.

        Each answer starts a kernel: what another site embeds, as an image or a frame, is refused with 403.
        """
        if self.request.headers.get("Sec-Fetch-Dest", "document") != "document":
            raise web.HTTPError(403, "the page opens in a tab of its own only")
        for arguments in (self.request.arguments, self.request.query_arguments):
            if self.get_argument("theme", "light") not in ("light", "dark"):
                arguments.pop("theme", None)
            arguments.pop("template", None)
        # Sets the cookie without which the browser's farewell, which ends the kernel, is refused.
        _ = self.xsrf_token
        await super().get(None)


class ReadyHandler(JupyterHandler):
    """Answers as soon as the server serves, without starting a kernel."""

    def get(self) -> None:
        """Answer 200."""
        self.finish("ready")


class NothingElse(JupyterHandler):
    """Any other address."""

    def get(self, _path: str = "") -> Any:
        """Answer 404."""
        raise web.HTTPError(404)
