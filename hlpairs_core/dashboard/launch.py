"""``hlpairs dashboard``: the engine, if none runs, and the page."""

import asyncio
from collections.abc import Callable

from hlpairs_core.dashboard.serve import serve
from hlpairs_core.engine import EngineClient, RunningEngine, find, start
from hlpairs_core.exceptions import EngineError
from hlpairs_core.settings import Settings

__all__ = ["launch"]


def launch(
    settings: Settings,
    *,
    market: str | None = None,
    announce: Callable[[str], None],
    note: Callable[[str], None],
    browser: bool = True,
) -> None:
    """Serve the page until Ctrl-C; an engine that was started for it is stopped with it.

    Parameters
    ----------
    settings : Settings
        Market, data folder, port.
    market : str, optional
        Market that was asked for by name; an engine that serves another one is then refused.
    announce : callable
        Gets the page's address once it answers.
    note : callable
        Gets what the user should know: which engine is used, and loudly if the market stands in for another.
    browser : bool
        Whether to open the page in this user's browser.

    Raises
    ------
    EngineError
        If the port is taken, the engine does not start, or serves another market.
    """
    engine = find(settings.data_dir)
    if engine is not None and market is not None and engine.market != market:
        raise EngineError(
            f"the engine at {engine.url} (pid {engine.pid}) serves the market {engine.market!r}, not {market!r}: "
            "stop it, or choose another data folder (--data)"
        )
    note(f"using the engine at {engine.url}" if engine else "starting the engine ...")
    engine = engine or start(settings.data_dir, ["--market", settings.market], detach=False)
    try:
        asyncio.run(_serve(engine, settings, announce=announce, note=note, browser=browser))
    finally:
        engine.stop()


async def _serve(
    engine: RunningEngine,
    settings: Settings,
    *,
    announce: Callable[[str], None],
    note: Callable[[str], None],
    browser: bool,
) -> None:
    telling = asyncio.create_task(_tell_market(engine, note))
    try:
        await serve(
            engine_url=engine.url,
            read_token=engine.read_token,
            port=settings.port,
            announce=announce,
            open_browser=browser,
        )
    finally:
        telling.cancel()


async def _tell_market(engine: RunningEngine, note: Callable[[str], None]) -> None:
    """Say once which market the engine found."""
    with EngineClient(engine.url, engine.read_token) as client:
        while True:
            market = (await asyncio.to_thread(client.top))["market"]
            if market["time"] is not None:
                break
            await asyncio.sleep(0.5)
    if market["fallback"]:
        note(f"\n!!! {market['label']}: {market['fallback']}\n")
    else:
        note(f"market: {market['label']} ({market['address']})")
