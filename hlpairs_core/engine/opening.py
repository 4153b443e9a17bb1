"""From settings to a market, and from there to an engine that works."""

import asyncio
import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.account import account_costs
from hlpairs_core.engine.history import History
from hlpairs_core.engine.live import LiveEngine, Surroundings
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.problems import Problems, forever
from hlpairs_core.engine.refit import Refitter, spawn_idle
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import build_payload
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.state import State
from hlpairs_core.engine.venue import Simulator, Venue, choose_venue
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient, HyperliquidStream, MarketStamp, Priority, WeightBudget
from hlpairs_core.exchange.tap import Tap
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.session import SessionWriter
from hlpairs_core.settings import Settings
from hlpairs_core.store import Journal, ScorecardFile, Screens
from hlpairs_core.store.markets import JOURNAL, SCORECARD, SCREENS

__all__ = ["market_client", "run_live", "weight_budget"]

WEIGHT_PER_MINUTE = 1200.0
RETRY_SECONDS = 5.0


def weight_budget(settings: Settings, url: str) -> WeightBudget:
    """Return what requests to an address may weigh, to be shared by all of this process.

    Without a setting: the exchange's 1200 a minute, and no limit for a simulated exchange on this machine, which
    counts for nobody's address.
    """
    local = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    return WeightBudget(settings.request_weight_per_minute or (math.inf if local else WEIGHT_PER_MINUTE))


def market_client(venue: Venue, budget: WeightBudget, tap: Tap | None = None) -> HyperliquidClient:
    """Return a client of a venue that spends from `budget`."""
    return HyperliquidClient(venue.urls, budget=budget, tap=tap)


def _stream(client: HyperliquidClient, tap: Tap | None, clock: Callable[[], float]) -> HyperliquidStream:
    # A bar's missing candles are the engine's to ask for: the most liquid coins' first, and with an answer on the way.
    return HyperliquidStream(client.at(Priority.NORMAL), settle_from="1w", tap=tap, clock=clock)


async def run_live(
    settings: Settings,
    screening: ScreenSettings,
    costs: CostModel,
    *,
    state: State,
    hub: Hub,
    source: EngineSource,
    metrics: Metrics,
    session: Path | None,
    clock: Callable[[], float],
    open_client: Callable[[Venue, WeightBudget, Tap | None], HyperliquidClient] = market_client,
    open_stream: Callable[[HyperliquidClient, Tap | None, Callable[[], float]], HyperliquidStream] = _stream,
) -> None:
    """Open the market of the settings and work until cancelled; what goes over the wire is kept in `session`."""
    async with AsyncExitStack() as stack:
        venue = await choose_venue(settings)
        if venue.simulator is not None:
            stack.callback(venue.simulator.stop)
        state.address, state.fallback = venue.url, venue.fallback
        budget = weight_budget(settings, venue.url)
        metrics.watch_budget(budget)
        tap = None if session is None else SessionWriter(session, address=venue.url, started_at=clock())
        if tap is not None:
            stack.callback(tap.close)
        stamp = await _first_stamp(venue, budget, tap, state, hub, clock)
        state.hear(stamp)
        client = await stack.enter_async_context(open_client(venue, budget, tap))
        costs = await account_costs(client, settings.address, costs, problems=state.problems)
        state.settings = {**state.settings, "taker_fee_bps": costs.taker_fee_bps}
        folder = settings.data_dir / stamp.name
        journal = Journal(folder / JOURNAL, clock)
        stack.callback(journal.close)
        screens = await asyncio.to_thread(Screens, folder / SCREENS, clock)
        stack.callback(screens.close)
        scorecard = await asyncio.to_thread(ScorecardFile, folder / SCORECARD, clock)
        stack.callback(scorecard.close)
        refitter, idler = Refitter(), Refitter(spawn_idle)
        stack.callback(refitter.close)
        stack.callback(idler.close)
        around = Surroundings(
            client=client,
            budget=budget,
            history=await asyncio.to_thread(History, folder, screening.interval),
            journal=journal,
            screens=screens,
            scorecard=scorecard,
            state=state,
            hub=hub,
            metrics=metrics,
            settings=screening,
            costs=costs,
            refitter=refitter,
            idler=idler,
            clock=clock,
        )
        stream = await stack.enter_async_context(open_stream(client, tap, clock))
        engine = LiveEngine(around, stream=stream, record=settings.record_minutes)
        stack.callback(engine.store_the_rest)
        # Before the first screen: a bar is ranked by one model or by none.
        await engine.edge_fits.load()
        source.open(engine.parts)
        await _work(engine, venue.simulator, tap, state.problems)


async def _work(
    engine: LiveEngine, simulator: Simulator | None, session: SessionWriter | None, problems: Problems
) -> None:
    async with asyncio.TaskGroup() as group:
        if session is not None:
            group.create_task(_watch_recording(session, problems))
        for name, step in engine.works.items():
            group.create_task(forever(name, step, problems, asyncio.sleep))
        if simulator is not None:
            group.create_task(_watch(simulator, problems))


async def _watch(simulator: Simulator, problems: Problems) -> None:
    """Say so when the simulated exchange that we started has ended."""
    code = await asyncio.to_thread(simulator.process.wait)
    problems.report("simulator", f"the simulated exchange has ended (exit {code}): restart hlpairs to go on")


async def _watch_recording(session: SessionWriter, problems: Problems) -> None:
    """Say so when the session cannot be written any more; the engine goes on."""
    while session.trouble is None:  # noqa: ASYNC110 - the writer is told of every frame and should wake nobody
        await asyncio.sleep(RETRY_SECONDS)
    problems.report("recording", session.trouble)


async def _first_stamp(
    venue: Venue, budget: WeightBudget, tap: Tap | None, state: State, hub: Hub, clock: Callable[[], float]
) -> MarketStamp:
    """Wait for the exchange's first answer: it says which market this is, and so which folder to use."""
    async with HyperliquidClient(venue.urls, budget=budget, tap=tap, timeout_seconds=5.0, retries=0) as client:
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
