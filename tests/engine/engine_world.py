"""An engine around a simulated exchange, in one process, on a clock that only the test moves."""

import asyncio
import errno
import inspect
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.history import History
from hlpairs_core.engine.live import LiveEngine, Surroundings
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.run import shown_settings
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import build_payload
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.state import State
from hlpairs_core.exchange import HyperliquidClient, MarketStamp, WeightBudget
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import SimulatedExchange, synthetic_market
from hlpairs_core.store import Journal, ScorecardFile, Screens
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

    `fault` may answer in its place (text: with the exchange's own headers; None lets the request pass; what it has to
    wait for is waited for), `edit` may
    change the request's JSON and `change` the answer's, and `address` leads to another exchange. `asked` has every
    request.
    """

    def __init__(self) -> None:
        self.fault: Callable[[dict], httpx.Response | str | None] = lambda _: None
        self.edit: Callable[[dict], None] = lambda _: None
        self.change: Callable[[dict, object], object] = lambda _, answer: answer
        self.address: str | None = None
        self.asked: list[dict] = []
        self._real = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        answer = self.fault(body)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, httpx.Response):
            return answer
        self.edit(body)
        url = request.url if self.address is None else f"{self.address}/info"
        real = await self._real.handle_async_request(httpx.Request("POST", url, json=body))
        content = await real.aread()
        headers = {name: value for name, value in real.headers.items() if name.startswith("x-hlpairs")}
        if answer is None:
            answer = json.dumps(self.change(body, json.loads(content))) if real.status_code == 200 else content
        return httpx.Response(real.status_code, headers=headers, content=answer)

    def candles_asked(self) -> list[dict]:
        """The candles that were asked for so far."""
        return [body["req"] for body in self.asked if body["type"] == "candleSnapshot"]

    async def aclose(self) -> None:
        await self._real.aclose()


class Audience(Hub):
    """Remembers every answer that was published."""

    def __init__(self, current) -> None:
        super().__init__(current)
        self.heard = []

    def publish(self, payload) -> None:
        super().publish(payload)
        self.heard.append(payload)


class World:
    """An engine's parts around a simulated exchange, in one process, on one clock that only the test moves.

    With a `speed` the clock is the wall's, and `stream` may be a function from the client to a real stream.
    `market_ends` is when (on that clock) the market's time stops, as at the end of a replay. Spot is looked at only
    where `spot_tokens` are given.
    """

    def __init__(
        self,
        folder: Path,
        *,
        n_coins: int = 12,
        start: pd.Timestamp = START,
        seed: int = 7,
        speed: float | None = None,
        stream=None,
        **options,
    ):
        self.now = 1_000_000_000.0
        self.market_ends = math.inf
        self.folder = folder
        self.runs = speed is not None
        clock = self.market_clock
        self.market = synthetic_market(seed=seed, n_coins=n_coins, start=start, clock=clock, speed=speed or 1.0)
        self.exchange = SimulatedExchange(self.market)
        self.stream = stream
        self.shortlist, self.record = options.pop("shortlist", 20), options.pop("record", True)
        self.spot_tokens = options.pop("spot_tokens", ())
        self.budget = options.pop("budget", None) or WeightBudget(math.inf)
        self.settings = ScreenSettings(**{"window": 120, "min_day_notional_usd": 0.0, **options})
        self.naps: list[float] = []

    def clock(self) -> float:
        return time.time() if self.runs else self.now

    def market_clock(self) -> float:
        return min(self.clock(), self.market_ends)

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(seconds if self.runs else 0)

    async def open(self) -> "World":
        url = await self.exchange.start()
        self.wire, self.disk, self.metrics = Wire(), FullDisk(), Metrics()
        self.client = HyperliquidClient(url, transport=self.wire, budget=self.budget, retries=0, clock=self.clock)
        self.state = State(settings=shown_settings(self.settings, CostModel()), problems=Problems(self.clock))
        self.hub = Audience(build_payload(self.state, now=self.clock()))
        self.stream = self.stream(self.client) if callable(self.stream) else self.stream
        self.market_folder = self.folder / (await self.stamp()).name
        self.history = History(self.market_folder, "1h", files=self.disk)
        self.journal = Journal(self.market_folder / "journal.sqlite", self.clock)
        self.screens = Screens(self.market_folder / "screens.sqlite", self.clock)
        self.scorecard_file = ScorecardFile(self.market_folder / "scorecard.sqlite", self.clock)
        self.refitter, self.idler = Refitter(lambda: ThreadPoolExecutor(1)), Refitter(lambda: ThreadPoolExecutor(1))
        around = Surroundings(
            client=self.client,
            budget=self.budget,
            history=self.history,
            journal=self.journal,
            screens=self.screens,
            scorecard=self.scorecard_file,
            state=self.state,
            hub=self.hub,
            metrics=self.metrics,
            settings=self.settings,
            costs=CostModel(),
            refitter=self.refitter,
            idler=self.idler,
            shortlist=self.shortlist,
            spot_tokens=self.spot_tokens,
            clock=self.clock,
            sleep=self.sleep,
        )
        self.engine = LiveEngine(around, stream=self.stream, record=self.record)
        self.bars, self.ticks, self.contexts = self.engine.bars, self.engine.ticks, self.engine.contexts
        self.selector, self.filler, self.diary = self.engine.selector, self.engine.filler, self.engine.diary
        self.kept_screens, self.scorecard = self.engine.kept_screens, self.engine.scorecard
        self.watch = self.engine.watch
        self.feed, self.polls, self.closes = self.engine.feed, self.engine.polls, self.engine.closes
        self.source = EngineSource(self.state, clock=self.clock)
        self.source.open(self.engine.parts)
        return self

    async def stamp(self) -> MarketStamp:
        await self.client.all_mids()
        return self.client.stamp

    @property
    def mids(self) -> dict[str, float]:
        return self.state.ticks.mids(self.now)

    def pass_hour(self) -> None:
        """Let an hour go by in which the stream went on."""
        self.now += 3600
        if self.state.feed_at is not None:
            self.state.feed_at = self.now

    @property
    def market_ms(self) -> int:
        return self.market.clock.time_ms()

    async def tick(self) -> None:
        """Poll if the stream is silent, publish, and keep a snapshot."""
        await self.polls.step()
        await self.ticks.step()
        await self.ticks.keep()

    async def settle(self) -> None:
        """Step until all history is there and the engine waits for the next close; `naps` says for how long."""
        for work in (self.filler, self.bars):
            self.naps.clear()
            while not self.naps:
                await work.step()

    def count(self, metric: str) -> float:
        return self.metrics.registry.get_sample_value(f"hlpairs_{metric}")

    async def close(self) -> None:
        self.refitter.close()
        self.idler.close()
        self.journal.close()
        self.screens.close()
        self.scorecard_file.close()
        await self.client.aclose()
        await self.exchange.stop()
