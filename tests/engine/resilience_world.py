"""The whole engine against a whole simulated exchange, over loopback and by the wall's clock, with faults between."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.history import Buffered
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.opening import run_live
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.run import screen_settings, shown_settings
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import build_payload
from hlpairs_core.engine.source import EngineSource
from hlpairs_core.engine.state import State
from hlpairs_core.engine.venue import Venue
from hlpairs_core.exchange import HyperliquidClient, HyperliquidStream, Priority, StreamLimits, WeightBudget
from hlpairs_core.exchange.payloads import is_perp_name
from hlpairs_core.settings import Settings
from hlpairs_core.simulation import SimulatedExchange, SimulatedMarket, synthetic_market
from hlpairs_core.simulation.candles import candles_at
from hlpairs_core.simulation.faults import Fault, Faults
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.store import CandleStore, FundingStore
from widgets.markup import below_html, head_html, masthead_html, notices_html
from widgets.view_model import page_view

HOUR = pd.Timedelta(hours=1)
FIELDS = ["open", "high", "low", "close", "volume"]
SPEED = 720.0  # a bar closes every five seconds
# What is only told, and over, is shown for 15 minutes, here for three seconds.
NOTES_PASS = 300.0


def small_market(*, seed: int = 11, n_coins: int = 12, speed: float = SPEED) -> SimulatedMarket:
    """A market five weeks after its opening: all its history is fetched in a moment."""
    return synthetic_market(seed, n_coins, start=pd.Timestamp("2025-02-05T00:10", tz="UTC"), speed=speed)


class Reader(Hub):
    """Reads every answer as the page would, and remembers what was wrong with it."""

    def __init__(self, current: Any) -> None:
        super().__init__(current)
        self.published, self.longest_silence = 0, 0.0
        self.faulty: list[str] = []
        self.said: set[str] = set()
        self.page: dict[str, str] = {}
        self._at = time.monotonic()

    def publish(self, payload: Any) -> None:
        super().publish(payload)
        now = time.monotonic()
        self.longest_silence, self._at = max(self.longest_silence, now - self._at), now
        self.published += 1
        texts = {f"{one['source']}: {one['text']}" for one in payload["problems"]}
        try:
            json.dumps(payload, allow_nan=False)
            if texts - self.said or self.published % 20 == 0:
                view = page_view(payload)
                html = "".join(part(view) for part in (masthead_html, notices_html, head_html, below_html))
                told = " ".join(notice.text for notice in view.notices)
                self.page = {"face": view.face, "html": html, "told": told}
        except Exception as error:
            self.faulty.append(f"the page cannot show an answer: {error!r}")
        self.said |= texts

    def forget(self) -> None:
        """Begin to count anew."""
        self.published, self.longest_silence, self._at = 0, 0.0, time.monotonic()
        self.said = set()


class Source(EngineSource):
    parts: Any = None

    def open(self, parts: Any) -> None:
        self.parts = parts
        super().open(parts)


class ResilienceWorld:
    """An engine, an exchange and the faults between them.

    The engine is less patient than the product's: an answer may take two seconds (10) and is tried twice (6 times), a
    feed may be silent for `stall_seconds` (30), pings are sent each second (20), and what was left out of the stream
    is tried again after 5 seconds (an hour). How often connections are opened is not limited.
    """

    def __init__(self, folder: Path, *, market: SimulatedMarket | None = None, stall_seconds: float = 4.0) -> None:
        self.folder, self.market = folder, market or small_market()
        self.faults = Faults()
        self.exchange = SimulatedExchange(self.market, faults=self.faults)
        self._stall_seconds = stall_seconds
        self.stream: HyperliquidStream | None = None

    async def open(self) -> "ResilienceWorld":
        self.url = await self.exchange.start()
        await self.start_engine()
        return self

    async def start_engine(self) -> None:
        settings = Settings(market=self.url, data_dir=self.folder, window=120, min_day_notional_usd=0.0)
        began = time.time()
        problems = Problems(lambda: began + NOTES_PASS * (time.time() - began))
        screening, costs = screen_settings(settings), CostModel()
        self.state = State(settings=shown_settings(screening, costs), problems=problems)
        self.hub, self.metrics = Reader(build_payload(self.state, now=began)), Metrics()
        self.source = Source(self.state)
        live = run_live(
            settings,
            screening,
            costs,
            state=self.state,
            hub=self.hub,
            source=self.source,
            metrics=self.metrics,
            session=None,
            clock=time.time,
            open_client=_impatient,
            open_stream=self._open_stream,
        )
        self.engine = asyncio.ensure_future(live)

    async def stop_engine(self) -> None:
        self.engine.cancel()
        with suppress(asyncio.CancelledError):
            await self.engine

    async def close(self) -> None:
        await self.stop_engine()
        await self.exchange.stop()

    async def restart_exchange(self, market: SimulatedMarket | None = None) -> None:
        """Let an exchange answer again where the last one did."""
        self.exchange = SimulatedExchange(market or self.market, faults=self.faults)
        await self.exchange.start(int(self.url.rsplit(":", 1)[1]))

    def _open_stream(self, client: HyperliquidClient, tap: Any, clock: Callable[[], float]) -> HyperliquidStream:
        self.stream = HyperliquidStream(
            client.at(Priority.NORMAL),
            settle_from="1w",
            tap=tap,
            clock=clock,
            ping_seconds=1.0,
            stall_seconds=self._stall_seconds,
            quarantine_seconds=5.0,
            limits=StreamLimits(connections_per_minute=10_000),
        )
        return self.stream

    async def until(self, condition: Callable[[], bool], *, within: float, what: str) -> float:
        """Wait for something; return the seconds that it took."""
        began = time.monotonic()
        while not condition():
            if self.engine.done():
                self.engine.result()
                raise AssertionError("the engine has ended")
            if time.monotonic() - began > within:
                raise AssertionError(f"not within {within:g} s: {what}. {self.report()}")
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    @property
    def problems(self) -> dict[str, str]:
        return {one["source"]: one["text"] for one in self.state.problems.all()}

    @property
    def is_well(self) -> bool:
        """Whether all is as if nothing had ever gone wrong."""
        health = self.source.health()
        if not (health["ok"] and health["stream_connected"]) or self.stream is None:
            return False
        stream = self.stream.status()
        return stream.pending == 0 and not stream.quarantined and self.bar_is_whole

    @property
    def bar_is_whole(self) -> bool:
        """Whether the newest answer rests on all coins, and on a bar of the last minute."""
        selection, market = self.state.selection, self.state.market_time(time.time())
        if selection is None or market is None or self.state.screened is None:
            return False
        late = market - self.state.screened
        return selection.coins_loaded == selection.coins_wanted and late < 12 * HOUR

    async def well(self, within: float = 45.0) -> float:
        """Wait until the engine is well, and screened a bar that ended since; return the seconds that it took."""
        began, ends_after = time.monotonic(), self.market.clock.time_ms()

        def has_screened() -> bool:
            screened = self.state.screened
            return screened is not None and (screened + HOUR).timestamp() * 1000 > ends_after

        await self.until(lambda: self.is_well and has_screened(), within=within, what="the engine is well again")
        return time.monotonic() - began

    def report(self) -> str:
        stream = None if self.stream is None else self.stream.status()
        return f"{self.source.health()}; bar {self.state.screened}; whole {self.bar_is_whole}; stream {stream}"

    def start(self, *faults: Fault) -> None:
        self.hub.forget()
        for fault in faults:
            self.faults.start(fault)

    def wrong(self) -> list[str]:
        """Say what is wrong now with what is shown and stored; nothing should be."""
        found = list(self.hub.faulty)
        mids = self.state.ticks.mids(time.time())
        # What trades for nothing is possible on the spot market only.
        found += [
            f"mid of {coin}: {mid}"
            for coin, mid in mids.items()
            if not math.isfinite(mid) or mid < 0 or (mid == 0 and is_perp_name(coin))
        ]
        if self.source.parts is not None:
            history = self.source.parts.history
            found += self._wrong_candles(history.candles.read(), history.candles)
            found += self._wrong_funding(history.funding.read(), history.funding)
        return found

    def wrong_on_disk(self) -> list[str]:
        """Compare what the folder holds with the market, as another program would read it."""
        folder = self.folder / self.market.name
        candles, funding = CandleStore(folder, "1h"), FundingStore(folder)
        found = self._wrong_candles(candles.read(), candles) + self._wrong_funding(funding.read(), funding)
        return found + [f"set aside: {one}" for one in (*candles.problems, *funding.problems)]

    def _view(self) -> MarketView:
        return MarketView.at(self.market, self.market.clock.time_ms())

    def _wrong_candles(self, held: pd.DataFrame, store: Buffered | CandleStore) -> list[str]:
        view, found = self._view(), []
        for number, coin in enumerate(self.market.coins):
            true = candles_at(view, number, "1h", view.bars.start_ms, view.time_ms)
            columns = {name: getattr(true, name) for name in FIELDS}
            times = pd.to_datetime(true.open_ms, unit="ms", utc=True).as_unit("ms")
            expected = pd.DataFrame(columns, index=times)[true.close_ms < view.time_ms]
            got = held[held["coin"] == coin.name].set_index("time")[FIELDS]
            found += _differences(f"candle of {coin.name}", got, expected, store, coin.name, HOUR)
        found += [f"candles of {name!r}" for name in set(held["coin"]) - {coin.name for coin in self.market.coins}]
        return found

    def _wrong_funding(self, held: pd.DataFrame, store: Buffered | FundingStore) -> list[str]:
        view, found = self._view(), []
        for number, coin in enumerate(self.market.coins):
            times, rates = view.funding.rows(number, view.bars.start_ms, view.time_ms)
            index = pd.to_datetime(times, unit="ms", utc=True).as_unit("ms")
            expected = pd.DataFrame({"funding_rate": rates}, index=index)
            got = held[held["coin"] == coin.name].set_index("time")[["funding_rate"]]
            found += _differences(f"funding of {coin.name}", got, expected, store, coin.name, HOUR)
        return found


def _impatient(venue: Venue, budget: WeightBudget, tap: Any) -> HyperliquidClient:
    return HyperliquidClient(venue.urls, budget=budget, tap=tap, timeout_seconds=2.0, retries=1)


def _differences(
    what: str, got: pd.DataFrame, expected: pd.DataFrame, store: Any, coin: str, step: pd.Timedelta
) -> list[str]:
    if not len(expected):
        return [f"{what}: {len(got)} rows too many"] if len(got) else []
    invented = got.index.difference(expected.index)
    found = [f"{what}: {len(invented)} rows that there are not, such as {invented[0]}"] if len(invented) else []
    both = got.index.intersection(expected.index)
    equal = np.isclose(got.loc[both].to_numpy(), expected.loc[both].to_numpy(), rtol=1e-9, atol=1e-12).all(axis=1)
    for time_ in both[~equal][:3]:
        found.append(f"{what} at {time_}: {got.loc[time_].tolist()}, not {expected.loc[time_].tolist()}")
    first, last = expected.index[0].floor("h"), expected.index[-1].floor("h")
    unanswered = store.missing(coin, first, last)
    lost = expected.index.difference(got.index)
    for start, end in unanswered:
        lost = lost[(lost < start) | (lost > end + step - pd.Timedelta(milliseconds=1))]
    return found + (
        [f"{what}: {len(lost)} rows are said to be held and are not, such as {lost[0]}"] if len(lost) else []
    )
