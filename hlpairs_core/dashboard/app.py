import logging
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.logout import LogoutHandler
from jupyter_server.utils import url_path_join
from tornado.httpserver import HTTPServer
from tornado.web import Application
from traitlets.config import Config
from voila.app import Voila
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from hlpairs_core.dashboard.handlers import (
    CONTENT_SECURITY_POLICY,
    GuardedKernelSocket,
    NothingElse,
    PageHandler,
    ReadyHandler,
)
from hlpairs_core.dashboard.kernels import NativeKernelSpecs, VisitorKernelManager
from hlpairs_core.dashboard.locations import TEMPLATES, notebook_path
from hlpairs_core.exceptions import EngineError

__all__ = ["DashboardApp", "dashboard_config"]

_HOST = "127.0.0.1"
# Of Voila's routes, what the page has no use for: each is one more way in.
_UNUSED = (AllowListFileHandler, LogoutHandler)


def dashboard_config(granted: Mapping[str, str], *, unwatched_seconds: float = 75.0) -> Config:
    """Return the settings of the Voila application.

    Parameters
    ----------
    granted : mapping of str to str
        The ``HLPAIRS_`` variables that a visitor's kernel gets.
    unwatched_seconds : float
        How long a kernel may live without a browser connected to it.
    """
    config = Config()
    config.VoilaConfiguration.template = "lab"
    config.VoilaConfiguration.strip_sources = True
    config.VoilaConfiguration.show_tracebacks = False
    config.VoilaConfiguration.show_margins = False
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "YES"
    config.VoilaConfiguration.extension_allowlist = [
        "@jupyter-widgets/jupyterlab-manager",
        "@voila-dashboards/widgets-manager8",
        "anywidget",
        "bqplot",
        "bqscales",
    ]
    config.VoilaConfiguration.page_config_hook = _without_mathjax
    config.VoilaConfiguration.multi_kernel_manager_class = VisitorKernelManager
    config.VoilaConfiguration.kernel_spec_manager_class = NativeKernelSpecs
    config.VisitorKernelManager.granted = dict(granted)
    config.VisitorKernelManager.unwatched_seconds = unwatched_seconds
    # Only starts the timer: who is culled is decided by `VisitorKernelManager.cull_kernel_if_idle`.
    config.VisitorKernelManager.cull_idle_timeout = 1
    config.VisitorKernelManager.cull_interval = max(1, min(15, round(unwatched_seconds / 4)))
    config.VisitorKernelManager.buffer_offline_messages = False
    # A restarted kernel would be blank: the page says that it is dead, and reloading it gets a new one.
    config.KernelManager.autorestart = False
    return config


def _without_mathjax(page_config: dict[str, Any], **_context: Any) -> dict[str, Any]:
    return {**page_config, "fullMathjaxUrl": None, "mathjaxConfig": None}


class DashboardApp(Voila):
    """Voila, serving the one page on loopback, for use inside a running event loop.

    Parameters
    ----------
    granted : mapping of str to str
        The ``HLPAIRS_`` variables that a visitor's kernel gets.
    notebook : Path, optional
        Default: the bundled ``top_pair.ipynb``.
    unwatched_seconds : float
        How long a kernel may live without a browser connected to it.
    """

    name = "hlpairs-dashboard"

    def __init__(
        self,
        granted: Mapping[str, str],
        *,
        notebook: Path | None = None,
        unwatched_seconds: float = 75.0,
    ) -> None:
        super().__init__(
            config=dashboard_config(granted, unwatched_seconds=unwatched_seconds),
            notebook_path=str(notebook or notebook_path()),
            ip=_HOST,
            open_browser=False,
            log_level=logging.ERROR,
            # No `voila.json` that happens to lie about changes this page.
            config_file_paths=[],
            tornado_settings={
                "headers": {
                    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                    "Referrer-Policy": "no-referrer",
                }
            },
        )
        self._server: HTTPServer | None = None

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{_HOST}:{self.port}/"

    def setup_template_dirs(self) -> None:
        """Let the package's own templates be found before those of the ``lab`` template."""
        super().setup_template_dirs()
        self.template_paths.insert(0, str(TEMPLATES))

    def init_settings(self) -> dict[str, Any]:
        """Return Voila's settings, but refuse requests for another host, and show errors on pages of our own."""
        settings = super().init_settings()
        return {
            **settings,
            "allow_remote_access": False,
            "local_hostnames": ["localhost"],
            "jinja2_env": settings["voila_jinja2_env"],
        }

    def init_handlers(self) -> list[Any]:
        """Return the routes: Voila's assets and kernel sockets, the page, and nothing else."""
        kept = []
        for pattern, handler, *options in super().init_handlers():
            if handler is VoilaKernelWebsocketHandler:
                kept.append((pattern, GuardedKernelSocket, *options))
            elif handler is TornadoVoilaHandler:
                kept.append((url_path_join(self.server_url, r"/?"), PageHandler, *options))
            elif handler is TemplateStaticFileHandler:
                # Voila's own pattern takes any path and stumbles over most.
                kept.append((url_path_join(self.server_url, r"/voila/templates/(lab/static/\w[\w.-]*)"), handler))
            elif handler not in _UNUSED:
                kept.append((pattern, handler, *options))
        ready = (url_path_join(self.server_url, r"/ready"), ReadyHandler)
        return [ready, *kept, (r".*", NothingElse)]

    def listen_on(self, port: int) -> None:
        """Begin to serve; `port` 0 takes any free one.

        Raises
        ------
        EngineError
            When the port is in use or not allowed; names it.
        """
        self.initialize([])
        try:
            bound = socket.create_server((_HOST, port), backlog=128)
        except OSError as error:
            raise EngineError(
                f"the page cannot be served on port {port} of {_HOST} ({error.strerror}): choose another one "
                "with --port, or --port 0 for any that is free"
            ) from error
        bound.setblocking(False)
        self.port = bound.getsockname()[1]
        self.connection_dir = tempfile.mkdtemp(prefix="hlpairs-kernels-")
        self.app = Application(**{**self.init_settings(), **self.tornado_settings})
        self.app.add_handlers(".*$", self.init_handlers())
        self._server = HTTPServer(self.app)
        self._server.add_socket(bound)

    async def shut_down(self) -> None:
        """Stop serving and end every kernel; idempotent."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.stop()
        await ensure_async(self.kernel_manager.shutdown_all(now=True))
        await server.close_all_connections()
        shutil.rmtree(self.connection_dir, ignore_errors=True)
