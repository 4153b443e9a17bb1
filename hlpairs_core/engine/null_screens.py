"""Null screens of the newest window, once a day, beside everything else."""

import asyncio
from collections.abc import Awaitable, Callable

import pandas as pd

from hlpairs_core.engine.luck import LuckJob, draw_luck
from hlpairs_core.engine.provisional import Provisional
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.state import Selection, State
from hlpairs_core.exceptions import HlpairsError
from hlpairs_core.screening import ScreenSettings

__all__ = ["NullScreens"]

REDRAWN_AFTER = pd.Timedelta(days=1)
NAP_SECONDS = 5.0


class NullScreens:
    """Draws the null screens in a process of its own, again after a day of the market's time.

    Parameters
    ----------
    provisional, state, settings : Provisional, State, ScreenSettings
        The candles that a bar was screened with, where the draws go, and how a screen tests.
    first_bar : callable
        From the open of a bar to that of the first one that its screen looks at.
    worker : Refitter
        A process beside the one that screens: null screens must not make a bar wait.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        *,
        provisional: Provisional,
        state: State,
        settings: ScreenSettings,
        first_bar: Callable[[pd.Timestamp], pd.Timestamp],
        worker: Refitter,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._provisional, self._state, self._settings = provisional, state, settings
        self._first_bar, self._worker, self._sleep = first_bar, worker, sleep
        self._tried: pd.Timestamp | None = None

    async def step(self) -> None:
        """Draw where there is a final answer and no draws of its day; else nap."""
        selection, known = self._state.selection, self._state.luck
        if selection is None or not selection.is_final or selection.result.funnel.pairs_dependent == 0:
            await self._sleep(NAP_SECONDS)
            return
        bar = selection.result.bar_time
        if bar == self._tried or (known is not None and bar < known.bar + REDRAWN_AFTER):
            await self._sleep(NAP_SECONDS)
            return
        self._tried = bar
        try:
            self._state.luck = await self._worker.call(draw_luck, await self._job(selection, bar))
        except HlpairsError as error:
            # Nobody waits for them: the next bar is soon enough.
            self._state.problems.note("null screens", f"how good luck alone looks is not known yet: {error}")

    async def _job(self, selection: Selection, bar: pd.Timestamp) -> LuckJob:
        universe = selection.result.universe
        coins = tuple(universe.index[universe["eligible"].to_numpy(dtype=bool)])
        candles = await asyncio.to_thread(self._provisional.read, list(coins), self._first_bar(bar), bar)
        return LuckJob(candles, coins, bar, self._settings)
