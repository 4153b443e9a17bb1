"""``hlpairs dashboard``: the engine, if none runs, and the page."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from hlpairs_core.dashboard.keeper import EngineKeeper
from hlpairs_core.dashboard.serve import serve
from hlpairs_core.engine import EngineClient, RunningEngine, find, start
from hlpairs_core.exceptions import EngineError, EngineUnreachable
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
    if engine is not None and market is not None and engine.market != settings.market:
        raise EngineError(
            f"the engine at {engine.url} (pid {engine.pid}) serves the market {engine.market!r}, not {market!r}: "
            "stop it, or choose another data folder (--data)"
        )
    note(f"using the engine at {engine.url}" if engine else "starting the engine ...")
    options = ["--market", settings.market]
    engine = engine or start(settings.data_dir, options, detach=False)
    again = ["--port", engine.url.rsplit(":", 1)[1], *options]
    keeper = EngineKeeper(engine, lambda: start(settings.data_dir, again, detach=False), note=note)
    asyncio.run(_serve(keeper, settings, announce=announce, note=note, browser=browser))


async def _serve(
    keeper: EngineKeeper,
    settings: Settings,
    *,
    announce: Callable[[str], None],
    note: Callable[[str], None],
    browser: bool,
) -> None:
    beside = asyncio.gather(_tell_market(keeper.engine, note), keeper.watch())
    try:
        await serve(
            engine_url=keeper.engine.url,
            read_token=keeper.engine.read_token,
            port=settings.port,
            announce=announce,
            open_browser=browser,
        )
    finally:
        beside.cancel()
        await asyncio.to_thread(keeper.stop)
        await asyncio.gather(beside, return_exceptions=True)


async def _tell_market(engine: RunningEngine, note: Callable[[str], None]) -> None:
    """Say once which market the engine found; if it ends before, that is said elsewhere."""
    with EngineClient(engine.url, engine.read_token) as client, suppress(EngineUnreachable):
        async for payload in client.subscribe():
            market = payload["market"]
            if market["time"] is not None:
                loud = f"\n!!! {market['label']}: {market['fallback']}\n"
                note(loud if market["fallback"] else f"market: {market['label']} ({market['address']})")
                return
