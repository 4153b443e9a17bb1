"""Null screens of the newest window, once a day, beside everything else."""

import asyncio
from collections.abc import Awaitable, Callable

import pandas as pd

from hlpairs_core.engine.history import History
from hlpairs_core.engine.luck import LuckJob, draw_luck
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.state import Selection, State
from hlpairs_core.intervals import interval_duration
from hlpairs_core.screening import ScreenSettings

__all__ = ["NullScreens"]

REDRAWN_AFTER = pd.Timedelta(days=1)
NAP_SECONDS = 5.0


class NullScreens:
    """Draws the null screens in a process of its own, again after a day of the market's time.

    Parameters
    ----------
    history, state, settings : History, State, ScreenSettings
        What is known, where the draws go, and how a screen tests.
    worker : Refitter
        A process beside the one that screens: null screens must not make a bar wait.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        *,
        history: History,
        state: State,
        settings: ScreenSettings,
        worker: Refitter,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._history, self._state, self._settings = history, state, settings
        self._worker, self._sleep = worker, sleep

    async def step(self) -> None:
        """Draw where there is a final answer and no draws of its day; else nap."""
        selection, known = self._state.selection, self._state.luck
        if selection is None or not selection.is_final or selection.result.funnel.pairs_dependent == 0:
            await self._sleep(NAP_SECONDS)
            return
        bar = selection.result.bar_time
        if known is not None and bar < known.bar + REDRAWN_AFTER:
            await self._sleep(NAP_SECONDS)
            return
        self._state.luck = await self._worker.call(draw_luck, await self._job(selection, bar))

    async def _job(self, selection: Selection, bar: pd.Timestamp) -> LuckJob:
        universe = selection.result.universe
        coins = tuple(universe.index[universe["eligible"].to_numpy(dtype=bool)])
        first = bar - self._settings.window * interval_duration(self._settings.interval)
        candles = await asyncio.to_thread(self._history.candles.read, list(coins), first, bar)
        return LuckJob(candles, coins, bar, self._settings)
