"""Puts the engine together and runs it until it is told to stop."""

import asyncio
import logging
import math
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.bars import Bars
from hlpairs_core.engine.diary import Diary
from hlpairs_core.engine.history import History
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.payload import Settings as ShownSettings
from hlpairs_core.engine.problems import Problems, forever
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.server import Hub, Tokens, listen
from hlpairs_core.engine.snapshot import State, build_payload, without_sparklines
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.ticks import Ticks
from hlpairs_core.engine.venue import Simulator, Venue, choose_venue
from hlpairs_core.exceptions import ExchangeError, StoreError
from hlpairs_core.exchange import HyperliquidClient, MarketStamp, WeightBudget
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.settings import Settings
from hlpairs_core.store import FolderLock, Journal, RuntimeFile

__all__ = ["cost_model", "market_client", "run_engine", "screen_settings", "shown_settings", "tick_client"]

log = logging.getLogger(__name__)

# Of the exchange's 1,200 a minute. Ticks have their own part, so that fetching history never makes them late.
TICK_WEIGHT = 160
BULK_WEIGHT = 1040
RETRY_SECONDS = 5.0


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
            live = _live(settings, screening, costs, state=state, hub=hub, source=source, metrics=metrics, clock=clock)
            await _until(stop, live, _idle(hub, idle_minutes, clock))
        finally:
            await close()
            runtime.remove()


def _how_to_reach(url: str, tokens: Tokens, market: str) -> dict[str, Any]:
    who = {"pid": os.getpid(), "market": market}
    return {"url": url, "read_token": tokens.read, "admin_token": tokens.admin, **who}


def market_client(url: str) -> HyperliquidClient:
    """Return a client for what may take its time: it retries, within the larger part of the weight budget."""
    return HyperliquidClient(url, budget=_budget(url, BULK_WEIGHT))


def tick_client(url: str) -> HyperliquidClient:
    """Return a client for ticks: it does not retry, so that a late answer is skipped and not queued."""
    return HyperliquidClient(url, budget=_budget(url, TICK_WEIGHT), timeout_seconds=3.0, retries=0)


def _budget(url: str, weight: float) -> WeightBudget:
    # A simulated exchange on this machine counts for nobody's address; one that does enforce limits answers 429.
    local = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    return WeightBudget(math.inf if local else weight)


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


async def _idle(hub: Hub, minutes: float | None, clock: Callable[[], float]) -> None:
    left = math.inf if minutes is None else minutes * 60
    while left > 0:
        await asyncio.sleep(min(left, 60.0))
        if minutes is not None:
            unread = 0.0 if hub.listeners else max(0.0, clock() - hub.last_read)
            left = minutes * 60 - unread
    log.warning("nobody has read for %g minutes: stopping", minutes)


async def _live(
    settings: Settings,
    screening: ScreenSettings,
    costs: CostModel,
    *,
    state: State,
    hub: Hub,
    source: EngineSource,
    metrics: Metrics,
    clock: Callable[[], float],
) -> None:
    async with AsyncExitStack() as stack:
        venue = await choose_venue(settings)
        if venue.simulator is not None:
            stack.callback(venue.simulator.stop)
        state.address, state.fallback = venue.url, venue.fallback
        stamp = await _first_stamp(venue, state, hub, clock)
        state.hear(stamp)
        client = await stack.enter_async_context(market_client(venue.url))
        ticker = await stack.enter_async_context(tick_client(venue.url))
        folder = settings.data_dir / stamp.name
        history = await asyncio.to_thread(History, folder, screening.interval)
        journal = Journal(folder / "journal.sqlite", clock)
        stack.callback(journal.close)
        diary = Diary(journal, state.problems)
        stack.callback(_store_the_rest, history, diary)
        refitter = Refitter()
        stack.callback(refitter.close)
        ticks = Ticks(ticker, state=state, hub=hub, diary=diary, metrics=metrics, clock=clock)
        bars = Bars(
            client,
            history=history,
            state=state,
            settings=screening,
            costs=costs,
            refitter=refitter,
            metrics=metrics,
            chosen=lambda final: _publish(final, ticks, hub, diary),
            clock=clock,
        )
        source.open(bars, history, journal)
        async with asyncio.TaskGroup() as group:
            group.create_task(forever("ticks", ticks.step, state.problems, asyncio.sleep))
            group.create_task(forever("bars", bars.step, state.problems, asyncio.sleep))
            if venue.simulator is not None:
                group.create_task(_watch(venue.simulator, state.problems))


def _publish(final: bool, ticks: Ticks, hub: Hub, diary: Diary) -> None:
    """Publish a new selection, and keep a bar's final one for ever."""
    ticks.publish()
    bar = hub.current["bar"]
    if final and bar is not None:
        closed_ms = int(datetime.fromisoformat(bar["closed_at"]).timestamp() * 1000)
        diary.add_verdict(without_sparklines(hub.current), bar_closed_ms=closed_ms)


async def _watch(simulator: Simulator, problems: Problems) -> None:
    """Say so when the simulated exchange that we started has ended."""
    code = await asyncio.to_thread(simulator.process.wait)
    problems.report("simulator", f"the simulated exchange has ended (exit {code}): restart hlpairs to go on")


def _store_the_rest(history: History, diary: Diary) -> None:
    """Store what still waits, at the end; what cannot be stored is named in the log."""
    trouble = history.flush()
    if trouble:
        log.warning("%s; the engine stops now, and fetches them again at its next start", trouble)
    try:
        diary.write_verdicts()
    except StoreError as error:
        log.warning("%s. Verdicts that are lost: %d", error, diary.waiting)


async def _first_stamp(venue: Venue, state: State, hub: Hub, clock: Callable[[], float]) -> MarketStamp:
    """Wait for the exchange's first answer: it says which market this is, and so which folder to use."""
    async with HyperliquidClient(venue.url, timeout_seconds=5.0, retries=0) as client:
        while True:
            try:
                await client.all_mids()
            except ExchangeError as error:
                state.problems.report("exchange", str(error), retry_in_seconds=RETRY_SECONDS)
                hub.publish(build_payload(state, now=clock()))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                assert client.stamp is not None
                return client.stamp
