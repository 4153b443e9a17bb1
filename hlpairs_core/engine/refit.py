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
from dataclasses import dataclass

import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import EngineError
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import ScreenResult, ScreenSettings, screen

__all__ = ["Refitter", "ScreenJob", "screen_bar"]


@dataclass(frozen=True, eq=False)
class ScreenJob:
    """All that the screen of one bar needs.

    Attributes
    ----------
    candles, funding : pandas.DataFrame
        Long frames from the store; `funding` may be empty.
    closed_at : pandas.Timestamp
        Close of the newest closed bar; what came later is not looked at.
    """

    candles: pd.DataFrame
    funding: pd.DataFrame
    closed_at: pd.Timestamp
    settings: ScreenSettings
    costs: CostModel
    market: MarketState


def screen_bar(job: ScreenJob) -> tuple[ScreenResult, float]:
    """Screen one bar; return the result and the seconds it took."""
    started = time.perf_counter()
    panel = Panel.from_candles(
        job.candles,
        job.funding if len(job.funding) else None,
        interval=job.settings.interval,
        end=job.closed_at,
    )
    result = screen(panel, settings=job.settings, costs=job.costs, market=job.market)
    return result, time.perf_counter() - started


def _spawn() -> Executor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_belong_to_parent)


def _belong_to_parent() -> None:
    """In the worker: leave Ctrl-C to the engine, and end with it whatever the way it died."""
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

    async def run(self, job: ScreenJob) -> tuple[ScreenResult, float]:
        """Screen one bar in the worker.

        Raises
        ------
        EngineError
            If the worker died; the next call starts a new one.
        """
        if self._executor is None:
            self._executor = self._make()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, screen_bar, job)
        except BrokenProcessPool as error:
            self.close()
            raise EngineError("the worker that screens died (out of memory?): a new one takes the next bar") from error

    def close(self) -> None:
        """End the worker; idempotent."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
