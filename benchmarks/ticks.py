"""From a tick to the message on ``/ws/top``: a whole engine, in whose stream every coin ticks ten times a second.

A tick of a shown pair counts from the moment the engine's stream has it until a reader in another process has the
first answer that it is part of. Answers go out at once, but at most ten times a second: a tick that comes right
after one waits for the next, so that half of that tenth is the median's share of it.
"""

import asyncio
import math
import multiprocessing
import random
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.report import Report
from hlpairs_core.costs import CostModel
from hlpairs_core.engine.client import EngineClient
from hlpairs_core.engine.history import History
from hlpairs_core.engine.live import LiveEngine, Surroundings
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.problems import Problems, forever
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.run import shown_settings
from hlpairs_core.engine.server import Hub, Tokens, listen
from hlpairs_core.engine.snapshot import build_payload
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.state import State
from hlpairs_core.exchange import HyperliquidClient, QuoteEvent, Subscription, WeightBudget
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import SimulatedExchange, synthetic_market
from hlpairs_core.store import Journal, ScorecardFile, Screens

N_COINS, TICKS_A_SECOND, SECONDS = 190, 10, 30.0


def run(_data: Path | None) -> Report:
    """Measure the latency of ticks and the engine's share of a processor."""
    return asyncio.run(_measure())


class TickingStream:
    """Every coin ticks, at random moments, so many times a second."""

    def __init__(self) -> None:
        self.pushed: list[tuple[float, str]] = []
        self._events: deque[QuoteEvent] = deque()
        self._arrived = asyncio.Event()
        self._held: set[Subscription] = set()

    async def subscribe(self, *subscriptions: Subscription) -> None:
        self._held.update(subscriptions)

    async def unsubscribe(self, *subscriptions: Subscription) -> None:
        self._held.difference_update(subscriptions)

    def events(self) -> "TickingStream":
        return self

    def __aiter__(self) -> "TickingStream":
        return self

    async def __anext__(self) -> QuoteEvent:
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    def status(self) -> SimpleNamespace:
        counts = ("sockets_open", "subscribed", "pending", "reconnects", "messages", "conflated", "buffered")
        return SimpleNamespace(**dict.fromkeys(counts, 0), quarantined={}, faults={}, last_message_at=None)

    async def tick(self, mids: dict[str, float]) -> None:
        """Walk the prices of these coins until cancelled."""
        coins, began, done = list(mids), time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * len(coins) * TICKS_A_SECOND)
            for _ in range(due - done):
                coin = random.choice(coins)
                mids[coin] *= math.exp(1e-5 * random.gauss(0, 1))
                now, half = time.time(), 1e-5 * mids[coin]
                quote = QuoteEvent(coin, int(now * 1000), mids[coin] - half, 1.0, mids[coin] + half, 1.0, now)
                self._events.append(quote)
                self.pushed.append((now, coin))
            done = due
            self._arrived.set()
            await asyncio.sleep(0.002)


def _read(url: str, seconds: float, pipe: Connection) -> None:
    """In a process of its own: note the arrival of every answer."""

    async def listen_on() -> list[tuple[float, float]]:
        notes: list[tuple[float, float]] = []
        deadline = time.time() + seconds
        async for payload in EngineClient(url).subscribe():
            notes.append((time.time(), datetime.fromisoformat(payload["updated_at"]).timestamp()))
            if time.time() > deadline:
                break
        return notes

    pipe.send(asyncio.run(listen_on()))


async def _measure() -> Report:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exchange = await stack.enter_async_context(SimulatedExchange(synthetic_market(seed=7, n_coins=N_COINS)))
        budget = WeightBudget(math.inf)
        client = await stack.enter_async_context(HyperliquidClient(exchange.base_url, budget=budget))
        mids = await client.all_mids()
        settings = ScreenSettings(window=120, min_day_notional_usd=0.0)
        state = State(settings=shown_settings(settings, CostModel()), problems=Problems(time.time))
        state.hear(client.stamp)
        hub, metrics, stream = Hub(build_payload(state, now=time.time())), Metrics(), TickingStream()
        journal = Journal(folder / "journal.sqlite", time.time)
        stack.callback(journal.close)
        screens = Screens(folder / "screens.sqlite", time.time)
        stack.callback(screens.close)
        scorecard = ScorecardFile(folder / "scorecard.sqlite", time.time)
        stack.callback(scorecard.close)
        refitter = Refitter(lambda: ThreadPoolExecutor(1))
        stack.callback(refitter.close)
        around = Surroundings(
            client=client,
            budget=budget,
            history=History(folder / client.stamp.name, "1h"),
            journal=journal,
            screens=screens,
            scorecard=scorecard,
            state=state,
            hub=hub,
            metrics=metrics,
            settings=settings,
            costs=CostModel(),
            refitter=refitter,
        )
        engine = LiveEngine(around, stream=stream, record=True)
        await engine.bars.step()
        return await _run(engine, state, hub, metrics, stream, {coin: mids[coin] for coin in engine.contexts.listed()})


async def _run(engine, state, hub, metrics, stream, mids) -> Report:
    source = EngineSource(state)
    source.open(engine.parts)
    url, close = listen(
        hub=hub,
        source=source,
        tokens=Tokens("r", "a"),
        registry=metrics.registry,
        stop=lambda: None,
        port=0,
        clock=time.time,
    )
    works = {name: step for name, step in engine.works.items() if name != "backfill"}
    tasks = [asyncio.create_task(forever(name, step, state.problems, asyncio.sleep)) for name, step in works.items()]
    tasks.append(asyncio.create_task(stream.tick(mids)))
    receiving, sending = multiprocessing.get_context("spawn").Pipe(duplex=False)
    reader = multiprocessing.get_context("spawn").Process(target=_read, args=(url, SECONDS, sending))
    await asyncio.to_thread(reader.start)
    cpu, began = time.process_time(), time.monotonic()
    notes = await asyncio.to_thread(receiving.recv)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    await asyncio.to_thread(reader.join)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await close()
    return _report(stream.pushed, frozenset(state.selection.marks.coins), np.array(notes), share)


def _report(pushed: list[tuple[float, str]], shown: frozenset[str], notes: np.ndarray, share: float) -> Report:
    arrived, newest = notes[:, 0], notes[:, 1] + 0.001  # the answer says milliseconds, rounded down
    ticks = np.array([at for at, coin in pushed if coin in shown])
    ticks = ticks[(ticks > newest[0]) & (ticks < newest[-1])]
    latency = 1e3 * (arrived[np.searchsorted(newest, ticks)] - ticks)
    edge = 1e3 * (arrived - newest + 0.001)
    numbers = {
        "ticks_per_second": len(pushed) / (pushed[-1][0] - pushed[0][0]),
        "answers_per_second": len(notes) / (arrived[-1] - arrived[0]),
        "tick_ms_median": float(np.median(latency)),
        "tick_ms_p99": float(np.quantile(latency, 0.99)),
        "newest_ms_median": float(np.median(edge)),
        "newest_ms_p99": float(np.quantile(edge, 0.99)),
        "processor_share": share,
    }
    rows = [(name.replace("_", " "), f"{value:,.3f}") for name, value in numbers.items()]
    return Report("ticks", rows, numbers)
