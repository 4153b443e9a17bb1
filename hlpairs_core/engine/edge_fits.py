"""Fits the model behind the expected edges once a day, beside everything else."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.edge_files import load_fit, save_fit
from hlpairs_core.engine.edge_fit import Stage
from hlpairs_core.engine.edge_parts import PART, EdgeJob
from hlpairs_core.engine.edge_walk import Walked, fit_edge, walk_parts
from hlpairs_core.engine.fitted_edge import KINDS, FittedEdge
from hlpairs_core.engine.history import History
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.state import State
from hlpairs_core.exceptions import HlpairsError, InputError, StoreError, StoreNotWritable
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import SpotMatch
from hlpairs_core.screening import ScreenSettings

__all__ = ["EdgeFits"]

log = logging.getLogger(__name__)

REFITTED_AFTER = pd.Timedelta(days=1)
TOO_OLD = pd.Timedelta(days=7)
# Beside the daily fit: so much more history, about ten days of it, is worth one at once.
GROWN = 1.05
NAP_SECONDS = 5.0


class EdgeFits:
    """Keeps a model of the stored history's own trades: walks the screen over it, fits, and does so again after a day.

    A new model counts from the next bar's screen on. One that cannot be renewed is let go of when it is a week old:
    then expectations are uncalibrated again. All times are the market's.

    Parameters
    ----------
    history, state : History, State
        Of the market; the model goes into the state.
    settings, costs : ScreenSettings, CostModel
        Of the screens and the trades.
    is_complete : callable
        Whether the history has all that the exchange gave up to the newest screened bar. Before that, the walk would
        see a universe of the coins that happened to be fetched first.
    matches : callable
        The spot pairs that are held against their perpetuals now.
    worker : Refitter
        A process for what nobody waits for.
    clock, sleep : callable
        Wall time (seconds since the epoch), and an awaitable sleep in seconds of it.
    """

    def __init__(
        self,
        *,
        history: History,
        state: State,
        settings: ScreenSettings,
        costs: CostModel,
        is_complete: Callable[[], bool],
        matches: Callable[[], Sequence[SpotMatch]],
        worker: Refitter,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._history, self._state, self._settings, self._costs = history, state, settings, costs
        self._is_complete, self._matches, self._worker = is_complete, matches, worker
        self._clock, self._sleep = clock, sleep
        self._duration = interval_duration(settings.interval)
        # The bar to try again at; the last one at which growth was looked at, and the rows at the last try.
        self._next: pd.Timestamp | None = None
        self._looked: pd.Timestamp | None = None
        self._rows = math.inf

    async def load(self) -> None:
        """Take the models over that an earlier engine has kept; say why where one is not taken."""
        try:
            kept = await asyncio.to_thread(load_fit, self._history.folder, self._settings)
        except InputError as error:
            self._refuse(f"The model that was kept is not used: {error}. A new one is fitted.")
            return
        if kept is not None:
            for kind, why in kept.refused.items():
                text = f"the model of {KINDS[kind]} that was kept is not used: {why}. A new one is fitted"
                self._state.problems.note("expected edge", text)
            if not kept.refused:
                self._next = kept.closed_at - self._duration + REFITTED_AFTER
            self._take(kept)
            self._let_go_of_old()

    async def step(self) -> None:
        """Renew the model where that is due; else nap."""
        self._let_go_of_old()
        bar = self._final_bar()
        if bar is None or not await self._is_due(bar):
            await self._sleep(NAP_SECONDS)
            return
        # What fails is tried again at the next bar.
        self._next, self._rows = bar + self._duration, await asyncio.to_thread(self._stored)
        try:
            await self._renew(bar)
        except HlpairsError as error:
            self._tell("failed", f"The last fit failed: {error}. It is tried again after the next bar.")
            self._state.problems.note(
                "expected edge", f"the model could not be renewed: {error}", key=(bar, str(error))
            )
            if isinstance(error, StoreError) and not isinstance(error, StoreNotWritable):
                # What the worker may only pass over, the history sets aside when it reads it: then it is fetched anew.
                await asyncio.to_thread(self._history.candles.read)
                await asyncio.to_thread(self._history.funding.read)
        except Exception as error:
            self._tell("failed", f"The last fit failed ({type(error).__name__}), see the engine's log.")
            raise

    def _final_bar(self) -> pd.Timestamp | None:
        """Return the newest screened bar, once its answer is final and the history complete."""
        selection = self._state.selection
        if selection is None or not selection.is_final or not self._is_complete():
            return None
        return selection.result.bar_time

    async def _is_due(self, bar: pd.Timestamp) -> bool:
        if self._next is None or bar >= self._next:
            return True
        if bar == self._looked:
            return False
        self._looked = bar
        return await asyncio.to_thread(self._stored) >= GROWN * self._rows

    def _stored(self) -> int:
        return self._history.candles.store.report().rows

    async def _renew(self, bar: pd.Timestamp) -> None:
        job = EdgeJob(
            folder=self._history.folder,
            bar=bar,
            settings=self._settings,
            costs=self._costs,
            matches=tuple(self._matches()),
        )
        await self._walk(job)
        self._tell("fitting", "The model is fitted.")
        fitted = (await self._worker.call(fit_edge, job)).usable(self._settings)
        self._next = bar + REFITTED_AFTER
        if not fitted.edge.models:
            self._tell("too short", f"The stored history is too short: {fitted.why_not}.")
            return
        self._take(fitted)
        log.info("%r knows all bars up to %s", fitted.edge, fitted.closed_at)
        try:
            await asyncio.to_thread(save_fit, self._history.folder, fitted)
        except StoreError as error:
            self._state.problems.note("expected edge", f"the model is used and could not be kept: {error}")

    async def _walk(self, job: EdgeJob) -> None:
        walked, begun_anew = Walked(0, 0), False
        self._tell("walking", "The screen is walked over the stored history.")
        while True:
            walked = await self._worker.call(walk_parts, replace(job, done=walked.done))
            if walked.anew is not None:
                if begun_anew:
                    raise InputError(walked.anew)
                log.warning("the walk over the stored history begins anew: %s", walked.anew)
                begun_anew = True
            done, total = walked.done * PART, walked.total * PART
            text = f"The screen is walked over the stored history: {done:,} of {total:,} bars."
            self._tell("walking", text, done=done, total=total)
            if done >= total:
                return

    def _take(self, fitted: FittedEdge) -> None:
        spans = {kind: model.span for kind, model in fitted.edge.models.items()}
        self._state.edge = fitted.edge
        self._tell("fitted", fitted.text, fitted_at=fitted.closed_at, spans=spans)

    def _let_go_of_old(self) -> None:
        """Let go of a model that is too old, or knows bars that are still to come, as where a replay began anew."""
        fitted_at, now = self._state.edge_fit.fitted_at, self._state.market_time(self._clock())
        if fitted_at is None or now is None or fitted_at <= now <= fitted_at + TOO_OLD:
            return
        known = f"The model knows all bars up to {fitted_at:%Y-%m-%d %H:%M} UTC and it is {now:%Y-%m-%d %H:%M}"
        self._next = None
        self._refuse(f"{known}: it is not used, a new one is fitted.")

    def _refuse(self, text: str) -> None:
        self._state.edge = None
        self._tell("waiting", text, fitted_at=None, spans={})
        self._state.problems.note("expected edge", text)

    def _tell(self, stage: Stage, text: str, **said: Any) -> None:
        self._state.edge_fit = replace(self._state.edge_fit, stage=stage, text=text, **said)
