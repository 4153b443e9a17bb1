"""The screen of one closed bar, in a worker process, so that the event loop never stalls."""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.edge import CalibratedEdge
from hlpairs_core.engine.kept_screens import screen_table
from hlpairs_core.engine.spots import SpotCandles
from hlpairs_core.exceptions import EngineError, InputError
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import ConsecutiveTests, ScreenResult, ScreenSettings, SpotMarket, screen
from hlpairs_core.store import ScreenTable

Job = TypeVar("Job")
Result = TypeVar("Result")

__all__ = ["Refitter", "ScreenJob", "ScreenedBar", "screen_bar", "spawn_idle"]


@dataclass(frozen=True, eq=False)
class ScreenJob:
    """All that the screen of one bar needs.

    Attributes
    ----------
    candles, funding : pandas.DataFrame
        Long frames from the store; `funding` may be empty.
    closed_at : pandas.Timestamp
        Close of the newest closed bar; what came later is not looked at.
    settings, costs, market : ScreenSettings, CostModel, MarketState
        As `screen` takes them.
    best : int
        How many candidates are wanted back.
    edge : CalibratedEdge or None
        Says what of the expectations can be believed.
    spot : SpotCandles or None
        Spot pairs to hold against the perpetuals of the same coins.
    """

    candles: pd.DataFrame
    funding: pd.DataFrame
    closed_at: pd.Timestamp
    settings: ScreenSettings
    costs: CostModel
    market: MarketState
    best: int
    edge: CalibratedEdge | None = None
    spot: SpotCandles | None = None


@dataclass(frozen=True, eq=False)
class ScreenedBar:
    """What comes back from the worker: eighteen thousand pairs as plain numbers, and few with all that is said of them.

    Attributes
    ----------
    result : ScreenResult
        Of the screen; its candidates are cut down to the best ones and the nearest miss.
    table : ScreenTable
        Every tested pair.
    seconds : float
        How long the screen took.
    trouble : str or None
        Why spot was left out of it.
    """

    result: ScreenResult
    table: ScreenTable
    seconds: float
    trouble: str | None = None


# How far the work that nobody waits for stands back.
IDLE = 10
# What a worker knows of the last bar: each thread that works its own.
_kept = threading.local()


def screen_bar(job: ScreenJob) -> ScreenedBar:
    """Screen one bar; where it follows the one that this worker screened last, by what has changed since."""
    if not hasattr(_kept, "tests"):
        _kept.tests = ConsecutiveTests()
    started = time.perf_counter()
    panel = Panel.from_candles(
        job.candles,
        job.funding if len(job.funding) else None,
        interval=job.settings.interval,
        end=job.closed_at,
    )
    trouble = None
    try:
        result = _screened(panel, job)
    except InputError as error:
        if job.spot is None:
            raise
        # Pairs of perpetuals can do without it.
        trouble = f"spot cannot be screened: {error}"
        result = _screened(panel, replace(job, spot=None))
    seconds = time.perf_counter() - started
    return ScreenedBar(_best(result, job.best), screen_table(result), seconds, trouble)


def _screened(panel: Panel, job: ScreenJob) -> ScreenResult:
    spot = None
    if job.spot is not None:
        candles = Panel.from_candles(job.spot.candles, interval=job.settings.interval, end=job.closed_at)
        spot = SpotMarket(candles, job.spot.matches)
    return screen(
        panel,
        settings=job.settings,
        costs=job.costs,
        market=job.market,
        test=_kept.tests,
        edge=job.edge,
        spot=spot,
    )


def _best(result: ScreenResult, count: int) -> ScreenResult:
    pairs, miss = result.candidates, result.nearest_miss
    wanted = np.arange(len(pairs)) < count
    if miss is not None:  # it may be far down: it fails the fewest gates, whatever its edge
        wanted |= ((pairs["y"] == miss.y) & (pairs["x"] == miss.x)).to_numpy()
    wanted |= (pairs["kind"] == "spot_perp").to_numpy()  # few, and shown in both directions
    # Whose books are too thin is to be found out before they are refused, and unknown edges come last.
    wanted |= np.array([failed[:1] == ("slippage",) for failed in pairs["gates_failed"]], dtype=bool)
    return replace(result, candidates=pairs[wanted].reset_index(drop=True))


def _spawn(niceness: int = 0) -> Executor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_belong_to_parent, initargs=(niceness,))


def spawn_idle() -> Executor:
    """Make a worker that gets the processor when nothing else wants it."""
    return _spawn(IDLE)


def _belong_to_parent(niceness: int) -> None:
    """In the worker: leave Ctrl-C to the engine, and end with it whatever the way it died."""
    os.nice(niceness)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def outlive_no_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=outlive_no_parent, daemon=True).start()


class Refitter:
    """Owns the worker process; a worker that dies is replaced at the next screen.

    Parameters
    ----------
    executor : callable
        Makes the executor; tests hand in a thread pool.
    """

    def __init__(self, executor: Callable[[], Executor] = _spawn) -> None:
        self._make = executor
        self._executor: Executor | None = None

    async def run(self, job: ScreenJob) -> ScreenedBar:
        """Screen one bar in the worker.

        Raises
        ------
        EngineError
            If the worker died; the next call starts a new one.
        """
        return await self.call(screen_bar, job)

    async def call(self, work: Callable[[Job], Result], job: Job) -> Result:
        """Do any other work in the worker; as `run`."""
        if self._executor is None:
            self._executor = self._make()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, job)
        except BrokenProcessPool as error:
            self.close()
            raise EngineError("the worker that screens died (out of memory?): a new one takes the next bar") from error

    def close(self) -> None:
        """End the worker, also in the middle of its work; idempotent."""
        if self._executor is None:
            return
        # What is half done is for nobody, and Python would wait for it at its exit.
        processes = list((getattr(self._executor, "_processes", None) or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        self._executor = None
