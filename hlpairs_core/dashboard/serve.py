import asyncio
import logging
import signal
import webbrowser
from collections.abc import Callable
from pathlib import Path

import httpx

from hlpairs_core.dashboard.app import DashboardApp
from hlpairs_core.exceptions import EngineError

__all__ = ["serve"]


async def serve(
    *,
    engine_url: str,
    read_token: str,
    port: int = 8866,
    announce: Callable[[str], None],
    open_browser: bool,
    notebook: Path | None = None,
    unwatched_seconds: float = 75.0,
) -> None:
    """Serve the page on loopback until SIGINT or SIGTERM.

    Parameters
    ----------
    engine_url, read_token : str
        What a visitor's kernel reads; handed over in its environment as ``HLPAIRS_ENGINE_URL`` and
        ``HLPAIRS_ENGINE_READ_TOKEN``.
    port : int
        0 takes any free one.
    announce : callable
        Called once with the page's address, as soon as it answers.
    open_browser : bool
        Whether to open the page in this user's browser.
    notebook : Path, optional
        Another notebook than the bundled one.
    unwatched_seconds : float
        How long a visitor's kernel lives without a browser connected to it.

    Raises
    ------
    EngineError
        When the port is in use, or the page does not answer.
    """
    # Jupyter Server names its ping times in milliseconds, which Tornado takes for seconds and warns about.
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    app = DashboardApp(
        {"HLPAIRS_ENGINE_URL": engine_url, "HLPAIRS_ENGINE_READ_TOKEN": read_token},
        notebook=notebook,
        unwatched_seconds=unwatched_seconds,
    )
    try:
        app.listen_on(port)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await _answers(app.url)
        announce(app.url)
        if open_browser:
            await asyncio.to_thread(webbrowser.open, app.url)
        await stop.wait()
    finally:
        await app.shut_down()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _answers(url: str) -> None:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as client:
            (await client.get(f"{url}ready")).raise_for_status()
    except httpx.HTTPError as error:
        raise EngineError(f"the page at {url} does not answer: {error!r}") from error
