"""Runs the engine of a data folder until it is told to stop."""

import asyncio
import logging
import math
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.opening import run_live
from hlpairs_core.engine.payload import Settings as ShownSettings
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.server import Hub, Tokens, listen
from hlpairs_core.engine.snapshot import build_payload
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.state import State
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.settings import Settings
from hlpairs_core.store import FolderLock, RuntimeFile, finish_restore

__all__ = ["cost_model", "run_engine", "screen_settings", "shown_settings"]

log = logging.getLogger(__name__)


def screen_settings(settings: Settings) -> ScreenSettings:
    """Return the part of the settings that a screen needs.

    Raises
    ------
    InputError
        If they contradict each other, as an exit beyond the entry does.
    """
    names = ("window", "horizon_hours", "z_in", "z_out", "p_max", "rho_min", "dependence")
    sizes = ("notional_usd", "min_day_notional_usd")
    return ScreenSettings(**{name: getattr(settings, name) for name in (*names, *sizes)})


def cost_model(settings: Settings) -> CostModel:
    """Return the costs that the settings say."""
    return CostModel(taker_fee_bps=settings.taker_fee_bps)


async def run_engine(
    settings: Settings,
    *,
    port: int = 0,
    announce: Callable[[str], None],
    idle_minutes: float | None = None,
    session: Path | None = None,
    minutes: float | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run the engine of ``settings.data_dir`` until SIGINT, SIGTERM, ``POST /stop`` or idleness.

    Parameters
    ----------
    settings : Settings
        Market, folder, and what to screen for.
    port : int
        Of the API; 0 for any free one.
    announce : callable
        Gets the URL once the API answers.
    idle_minutes : float, optional
        Stop when nobody has read for so long; None: never.
    session : pathlib.Path, optional
        New folder in which to keep everything that goes over the wire (see `hlpairs_core.session`).
    minutes : float, optional
        Stop after so long; None: never.
    clock : callable
        Wall time, seconds since the epoch.

    Raises
    ------
    EngineRunning
        If another engine works in the folder.
    StoreNotWritable
        If the folder cannot be written.
    EngineError
        If the port is taken, or the simulated exchange does not start.
    """
    screening, costs = screen_settings(settings), cost_model(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with FolderLock(settings.data_dir, "engine") as lock:
        finish_restore(settings.data_dir)
        state = State(settings=shown_settings(screening, costs), problems=Problems(clock))
        hub = Hub(build_payload(state, now=clock()), last_read=clock())
        source, metrics = EngineSource(state, clock=clock), Metrics()
        tokens = Tokens(read=secrets.token_urlsafe(24), admin=secrets.token_urlsafe(24))
        url, close = listen(
            hub=hub, source=source, tokens=tokens, registry=metrics.registry, stop=stop.set, port=port, clock=clock
        )
        runtime = RuntimeFile(settings.data_dir / "engine.json")
        try:
            lock.note(url=url)
            runtime.write(_how_to_reach(url, tokens, settings.market))
            announce(url)
            live = run_live(
                settings,
                screening,
                costs,
                state=state,
                hub=hub,
                source=source,
                metrics=metrics,
                session=session,
                clock=clock,
            )
            await _until(stop, live, _idle(hub, idle_minutes, clock), _over(minutes))
        finally:
            await close()
            runtime.remove()


def _how_to_reach(url: str, tokens: Tokens, market: str) -> dict[str, Any]:
    who = {"pid": os.getpid(), "market": market}
    return {"url": url, "read_token": tokens.read, "admin_token": tokens.admin, **who}


def shown_settings(screening: ScreenSettings, costs: CostModel) -> ShownSettings:
    """Return the settings that readers are shown."""
    return ShownSettings(
        window=screening.window,
        horizon_hours=screening.horizon_hours,
        z_in=screening.z_in,
        z_out=screening.z_out,
        p_max=screening.p_max,
        notional_usd=screening.notional_usd,
        taker_fee_bps=costs.taker_fee_bps,
    )


async def _until(stop: asyncio.Event, *works: Awaitable[None]) -> None:
    """Wait for `stop`, or for the first of the works to end or fail; then cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in (*works, stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _over(minutes: float | None) -> None:
    """Wait so long; for ever without a number."""
    await (asyncio.Event().wait() if minutes is None else asyncio.sleep(60 * minutes))


async def _idle(hub: Hub, minutes: float | None, clock: Callable[[], float]) -> None:
    left = math.inf if minutes is None else minutes * 60
    while left > 0:
        await asyncio.sleep(min(left, 60.0))
        if minutes is not None:
            unread = 0.0 if hub.listeners else max(0.0, clock() - hub.last_read)
            left = minutes * 60 - unread
    log.warning("nobody has read for %g minutes: stopping", minutes)
