import asyncio
import errno
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pandas as pd
import pytest
from engine_processes import finish, launch

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.bars import Bars
from hlpairs_core.engine.diary import Diary
from hlpairs_core.engine.history import History
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.run import shown_settings
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import State, build_payload
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.ticks import Ticks
from hlpairs_core.exchange import HyperliquidClient, MarketStamp, WeightBudget
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import SimulatedExchange, synthetic_market
from hlpairs_core.store import Journal
from hlpairs_core.store.files import DiskFiles

START = pd.Timestamp("2026-03-01T10:30", tz="UTC")


class FullDisk(DiskFiles):
    """A disk that has no room while `full` is True."""

    full = False

    def write(self, path: Path, data: bytes, mode: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(path, data, mode)


class Wire(httpx.AsyncBaseTransport):
    """The way to the exchange.

    `fault` may answer in its place (text: with the exchange's own headers; None lets the request pass), `edit` may
    change the request's JSON, and `address` leads to another exchange.
    """

    def __init__(self) -> None:
        self.fault: Callable[[dict], httpx.Response | str | None] = lambda _: None
        self.edit: Callable[[dict], None] = lambda _: None
        self.address: str | None = None
        self._real = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        answer = self.fault(body)
        if isinstance(answer, httpx.Response):
            return answer
        self.edit(body)
        url = request.url if self.address is None else f"{self.address}/info"
        real = await self._real.handle_async_request(httpx.Request("POST", url, json=body))
        if answer is None:
            return real
        await real.aread()
        headers = {name: value for name, value in real.headers.items() if name.startswith("x-hlpairs")}
        return httpx.Response(200, headers=headers, text=answer)

    async def aclose(self) -> None:
        await self._real.aclose()


class World:
    """An engine's parts around a simulated exchange, in one process, on one clock that only the test moves.

    `market_ends` is when (on that clock) the market's time stops, as at the end of a replay.
    """

    def __init__(self, folder: Path, *, n_coins: int = 12, start: pd.Timestamp = START, seed: int = 7, **options):
        self.now = 1_000_000_000.0
        self.market_ends = math.inf
        self.folder = folder
        clock = self.market_clock
        self.market = synthetic_market(seed=seed, n_coins=n_coins, start=start, clock=clock)
        self.exchange = SimulatedExchange(self.market)
        self.shortlist = options.pop("shortlist", 20)
        self.settings = ScreenSettings(**{"window": 120, "min_day_notional_usd": 0.0, **options})
        self.naps: list[float] = []
        self.finals: list[bool] = []

    def clock(self) -> float:
        return self.now

    def market_clock(self) -> float:
        return min(self.now, self.market_ends)

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(0)

    async def open(self) -> "World":
        url = await self.exchange.start()
        options = {"budget": WeightBudget(math.inf), "retries": 0, "clock": self.clock}
        self.wire, self.disk = Wire(), FullDisk()
        self.client = HyperliquidClient(url, transport=self.wire, **options)
        self.state = State(settings=shown_settings(self.settings, CostModel()), problems=Problems(self.clock))
        self.hub = Hub(build_payload(self.state, now=self.now))
        self.market_folder = self.folder / (await self.stamp()).name
        self.history = History(self.market_folder, "1h", files=self.disk)
        self.journal = Journal(self.market_folder / "journal.sqlite", self.clock)
        self.diary = Diary(self.journal, self.state.problems)
        self.metrics = Metrics()
        self.refitter = Refitter(lambda: ThreadPoolExecutor(1))
        parts = {"state": self.state, "metrics": self.metrics, "clock": self.clock, "sleep": self.sleep}
        self.ticks = Ticks(self.client, hub=self.hub, diary=self.diary, **parts)
        self.bars = Bars(
            self.client,
            history=self.history,
            settings=self.settings,
            costs=CostModel(),
            refitter=self.refitter,
            chosen=self.chosen,
            shortlist=self.shortlist,
            **parts,
        )
        self.source = EngineSource(self.state, clock=self.clock)
        self.source.open(self.bars, self.history, self.journal)
        return self

    async def stamp(self) -> MarketStamp:
        await self.client.all_mids()
        return self.client.stamp

    def chosen(self, final: bool) -> None:
        self.finals.append(final)
        self.ticks.publish()

    async def settle(self) -> None:
        """Step until all history is there and the engine waits for the next close."""
        self.naps.clear()
        while not self.naps:
            await self.bars.step()

    async def close(self) -> None:
        self.refitter.close()
        self.journal.close()
        await self.client.aclose()
        await self.exchange.stop()


@pytest.fixture(scope="session")
def exchange() -> Iterator[str]:
    """The address of a simulated exchange in a process of its own."""
    process = launch("simulate", "--coins", "12", "--seed", "3")
    yield process.stdout.readline().strip()
    finish(process)


@pytest.fixture
def disk() -> FullDisk:
    return FullDisk()


@pytest.fixture
async def make_world(tmp_path) -> AsyncIterator:
    worlds: list[World] = []

    async def make(**options) -> World:
        worlds.append(World(tmp_path / options.pop("folder", "data"), **options))
        return await worlds[-1].open()

    yield make
    for world in worlds:
        await world.close()


@pytest.fixture
async def world(make_world) -> World:
    return await make_world()
