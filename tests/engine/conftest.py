import asyncio
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.bars import Bars
from hlpairs_core.engine.history import History
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.run import shown_settings
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import State, build_payload
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.ticks import Ticks
from hlpairs_core.exchange import HyperliquidClient, WeightBudget
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import SimulatedExchange, synthetic_market
from hlpairs_core.store import Journal

START = pd.Timestamp("2026-03-01T10:30", tz="UTC")


class World:
    """An engine's parts around a simulated exchange, in one process, on one clock that only the test moves."""

    def __init__(self, folder: Path, *, n_coins: int = 12, **settings) -> None:
        self.now = 1_000_000_000.0
        self.folder = folder
        self.market = synthetic_market(seed=7, n_coins=n_coins, start=START, clock=self.clock)
        self.exchange = SimulatedExchange(self.market)
        self.settings = ScreenSettings(**{"window": 120, "min_day_notional_usd": 0.0, **settings})
        self.naps: list[float] = []
        self.finals: list[bool] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(0)

    async def open(self) -> "World":
        url = await self.exchange.start()
        options = {"budget": WeightBudget(math.inf), "retries": 0, "clock": self.clock}
        self.client = HyperliquidClient(url, **options)
        self.state = State(settings=shown_settings(self.settings, CostModel()), problems=Problems(self.clock))
        self.hub = Hub(build_payload(self.state, now=self.now))
        self.history = History(self.folder / "market", "1h")
        self.journal = Journal(self.folder / "market" / "journal.sqlite", self.clock)
        self.metrics = Metrics()
        self.refitter = Refitter(lambda: ThreadPoolExecutor(1))
        parts = {"state": self.state, "metrics": self.metrics, "clock": self.clock, "sleep": self.sleep}
        self.ticks = Ticks(self.client, hub=self.hub, journal=self.journal, **parts)
        self.bars = Bars(
            self.client,
            history=self.history,
            settings=self.settings,
            costs=CostModel(),
            refitter=self.refitter,
            chosen=self.chosen,
            **parts,
        )
        self.source = EngineSource(self.state, clock=self.clock)
        self.source.open(self.bars, self.history, self.journal)
        return self

    def chosen(self, final: bool) -> None:
        self.finals.append(final)
        self.ticks.publish()

    async def close(self) -> None:
        self.refitter.close()
        self.journal.close()
        await self.client.aclose()
        await self.exchange.stop()


@pytest.fixture
async def make_world(tmp_path) -> AsyncIterator:
    worlds: list[World] = []

    async def make(**options) -> World:
        worlds.append(World(tmp_path, **options))
        return await worlds[-1].open()

    yield make
    for world in worlds:
        await world.close()


@pytest.fixture
async def world(make_world) -> World:
    return await make_world()
