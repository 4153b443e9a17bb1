"""A keeper of the expected edge's model over a stored market, without an exchange; its clock is only the test's."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.edge_fit import EdgeFit
from hlpairs_core.engine.edge_fits import EdgeFits
from hlpairs_core.engine.history import History
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.run import shown_settings
from hlpairs_core.engine.state import State
from hlpairs_core.exchange import MarketStamp
from hlpairs_core.market import Panel, SpotMatch
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store import CandleStore, FundingStore

HOUR = pd.Timedelta(hours=1)
SETTINGS = ScreenSettings(window=48, horizon_hours=24.0, min_day_notional_usd=0.0)


class Worker(Refitter):
    """A worker in this process. `before` hears of each call, with what is told of the fit at that moment."""

    def __init__(self) -> None:
        super().__init__(lambda: ThreadPoolExecutor(1))
        self.before: Callable[[str], object] = lambda _: None

    async def call(self, work, job):
        self.before(work.__name__)
        return await super().call(work, job)


class EdgeWorld:
    """What the keeper needs: a folder with a store, a state with a final answer of a bar, and a worker."""

    def __init__(
        self, folder: Path, *, settings: ScreenSettings = SETTINGS, matches: tuple[SpotMatch, ...] = ()
    ) -> None:
        self.folder, self.settings, self.matches, self.now = folder, settings, matches, 1_000_000.0
        self.state = State(settings=shown_settings(settings, CostModel()), problems=Problems(lambda: self.now))
        self.history, self.worker = History(folder, "1h"), Worker()
        self.is_complete, self.naps = True, 0
        self.fits = EdgeFits(
            history=self.history,
            state=self.state,
            settings=settings,
            costs=CostModel(),
            is_complete=lambda: self.is_complete,
            matches=lambda: self.matches,
            worker=self.worker,
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    @property
    def told(self) -> EdgeFit:
        return self.state.edge_fit

    @property
    def notes(self) -> list[str]:
        return [problem["text"] for problem in self.state.problems.all()]

    @property
    def parts(self) -> dict[str, int]:
        """The kept parts of the walk, and when each was written."""
        return {path.name: path.stat().st_mtime_ns for path in self.folder.glob("edge-walk/*/*.parquet")}

    def close_bar(self, bar: pd.Timestamp, *, final: bool = True) -> None:
        """Let a bar (its open) be screened, half an hour after its close."""
        self.at(bar + 1.5 * HOUR)
        self.state.selection = SimpleNamespace(result=SimpleNamespace(bar_time=bar), is_final=final)

    def at(self, time: pd.Timestamp) -> None:
        """Let it be so late at the market."""
        self.state.stamp = MarketStamp("demo", "demo-test", 1.0, time, self.now)

    async def fit_at(self, bar: pd.Timestamp) -> None:
        self.close_bar(bar)
        await self.fits.step()

    async def _sleep(self, seconds: float) -> None:
        self.naps += 1
        await asyncio.sleep(0)


def store(panel: Panel, folder: Path) -> None:
    """Keep a panel's bars and funding as an engine would."""
    CandleStore(folder, "1h").append(_long(panel, ("open", "high", "low", "close", "volume")), [])
    funding = _long(panel, ("funding",)).rename(columns={"funding": "funding_rate"})
    FundingStore(folder).append(funding.assign(premium=np.nan), [])


def with_spots(panel: Panel, matches: tuple[SpotMatch, ...]) -> Panel:
    """Make the spot pairs: the perpetual's bars and a basis that bounces around 0; each token is a part of a coin."""
    perps, rng = panel.select([one.perp for one in matches]), np.random.default_rng(5)
    per_perp = np.array([one.per_perp for one in matches])
    scale = np.exp(rng.normal(0, 3e-4, perps.close.shape)) / per_perp
    prices = {name: getattr(perps, name) * scale for name in ("open", "high", "low", "close")}
    names, funding = tuple(one.coin for one in matches), np.full(perps.close.shape, np.nan)
    return replace(perps, coins=names, **prices, volume=perps.volume * per_perp, funding=funding)


def store_spots(spots: Panel, folder: Path) -> None:
    """Keep spot candles beside those of perpetuals."""
    CandleStore(folder, "1h").append(_long(spots, ("open", "high", "low", "close", "volume")), [])


def _long(panel: Panel, names: tuple[str, ...]) -> pd.DataFrame:
    there = np.isfinite(getattr(panel, names[0]))
    row, coin = np.nonzero(there)
    numbers = {name: getattr(panel, name)[there] for name in names}
    return pd.DataFrame({"coin": np.array(panel.coins)[coin], "time": panel.time[row], **numbers})
