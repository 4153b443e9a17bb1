"""Fetches, in the background, the history that no screen waits for."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hlpairs_core.engine.contexts import Contexts
from hlpairs_core.engine.history import History, Range
from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.engine.state import State
from hlpairs_core.engine.weights import candles_weight, funding_weight
from hlpairs_core.exchange import HyperliquidClient, Priority, WeightBudget
from hlpairs_core.intervals import interval_duration

__all__ = ["Filler"]

# The exchange keeps 5000 candles, the unfinished one among them.
DEEP_BARS = 4999
AT_A_TIME = 4
NAP_SECONDS = 1.0
# What failed is tried again after a rest, so often in all until the next bar.
REST_SECONDS = 60.0
TRIES = 3


@dataclass(frozen=True)
class _Job:
    """The missing history of one coin: which kind, from where on, and what it weighs."""

    stage: str
    coin: str
    first: pd.Timestamp
    weight: int


class Filler:
    """Completes the history, after the first screen and again after each: what is screened first, then all there is.

    First the funding inside the window, whose place the contexts' running estimate takes until it is there; then the
    candles that the exchange keeps, and their funding. What fails is tried again after a rest; a hole that the exchange
    does not fill is asked for again when the next bar has been screened.

    Parameters
    ----------
    client : HyperliquidClient
        Asked last of all: everything else goes before this.
    budget : WeightBudget
        The one that the client spends from.
    history, contexts, state : History, Contexts, State
        What is held, which coins there are, and which bar was screened.
    eligible : callable
        The coins that are screened, most liquid first.
    spots : callable
        The spot pairs that are held against them: these have candles, and no funding.
    window_start : callable
        From the open of the newest screened bar to that of the first bar of its screen.
    at_a_time : int
        How many coins are asked for at once; the next kind of history may begin while the last coins of the one
        before it are on their way.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        budget: WeightBudget,
        history: History,
        contexts: Contexts,
        state: State,
        eligible: Callable[[], list[str]],
        spots: Callable[[], list[str]],
        window_start: Callable[[pd.Timestamp], pd.Timestamp],
        at_a_time: int = AT_A_TIME,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._history, self._contexts, self._state, self._budget = history, contexts, state, budget
        self._eligible, self._spots, self._window_start = eligible, spots, window_start
        self._at_a_time, self._clock, self._sleep = at_a_time, clock, sleep
        self._ingest = Ingest(client.at(Priority.BACKGROUND), history)
        self._tried: set[tuple[str, str]] = set()
        # Of what failed: how often, and the wall time of the last time.
        self._failed: dict[tuple[str, str], tuple[int, float]] = {}
        self._bar: pd.Timestamp | None = None
        self._done: pd.Timestamp | None = None  # the newest bar with nothing left to ask for
        self._left: list[_Job] = []
        self._begun_at: float | None = None
        self._weight_done = 0

    async def step(self) -> None:
        """Fetch what is missing until a new bar was screened; nap where nothing is."""
        if self._state.screened is None or self._state.loading is not None:
            await self._sleep(NAP_SECONDS)
            return
        if self._state.screened != self._bar:
            # Once a bar: a hole that stays is not worth asking for again and again.
            self._bar, self._tried, self._failed = self._state.screened, set(), {}
        self._rested()
        self._left = await asyncio.to_thread(self._plan, self._bar)
        if not self._left:
            self._done = self._bar
            await self._sleep(NAP_SECONDS)
            return
        if self._begun_at is None:
            self._begun_at = self._clock()
        queue = iter(self._left)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_a_time):
                group.create_task(self._work(queue, self._bar))
        self._state.problems.report("store", await self._ingest.flush())

    @property
    def is_done(self) -> bool:
        """Whether all history up to the newest screened bar was asked for, and what came is stored."""
        return self._state.screened is not None and self._done == self._state.screened and not self._left

    def status(self) -> dict[str, Any]:
        """Say how far it has come; unknown times are None."""
        coins = self._contexts.listed()
        unfinished = {job.coin for job in self._left}
        weight = sum(job.weight for job in self._left)
        per_minute = self._budget.per_minute
        return {
            "stage": self._left[0].stage if self._left else None,
            "coins_done": len(set(coins) - unfinished) if self._bar is not None else 0,
            "coins_total": len(coins),
            "rows_fetched": self._ingest.rows,
            "weight_left": weight,
            "weight_per_minute": None if math.isinf(per_minute) else per_minute,
            "budget_share_used": None if math.isinf(per_minute) else 1 - self._budget.remaining / per_minute,
            "eta_seconds": self._eta(weight),
        }

    def _eta(self, weight: int) -> float | None:
        if not weight:
            return 0.0 if self._bar is not None else None
        elapsed = 0.0 if self._begun_at is None else self._clock() - self._begun_at
        pace = self._weight_done / elapsed if elapsed > 0 else 0.0
        # Until the pace is known, that of the budget.
        pace = pace or (self._budget.per_minute / 60 if math.isfinite(self._budget.per_minute) else 0.0)
        return round(weight / pace, 1) if pace else None

    async def _work(self, queue: Iterator[_Job], bar: pd.Timestamp) -> None:
        for job in queue:
            self._tried.add((job.stage, job.coin))
            fetch = self._ingest.candles if job.stage == "candles" else self._ingest.funding
            if await fetch([job.coin], job.first, bar):
                times, _ = self._failed.get((job.stage, job.coin), (0, 0.0))
                self._failed[job.stage, job.coin] = (times + 1, self._clock())
            # Not in place: `status` may be walking through it in another thread.
            self._left = [one for one in self._left if one is not job]
            self._weight_done += job.weight
            self._state.problems.report("store", self._history.trouble)
            if self._state.screened != bar:
                return

    def _rested(self) -> None:
        """Let be tried again what failed long enough ago."""
        now = self._clock()
        again = {
            what for what, (times, at) in self._failed.items() if times < TRIES and not 0 <= now - at < REST_SECONDS
        }
        self._tried -= again

    def _plan(self, last: pd.Timestamp) -> list[_Job]:
        return [job for job in self._jobs(last) if (job.stage, job.coin) not in self._tried and job.weight]

    def _jobs(self, last: pd.Timestamp) -> Iterator[_Job]:
        step, everyone = interval_duration(self._history.interval), self._contexts.listed()
        window, deep = self._window_start(last), last - (DEEP_BARS - 1) * step

        def candles(hole: Range) -> int:
            return candles_weight(hole, step)

        rounds = (
            ("funding of the window", self._history.funding, self._eligible(), window, funding_weight),
            ("candles", self._history.candles, [*everyone, *self._spots()], deep, candles),
            ("funding", self._history.funding, everyone, deep, funding_weight),
        )
        for stage, part, coins, first, weigh in rounds:
            for coin in coins:
                yield _Job(stage, coin, first, sum(map(weigh, part.missing(coin, first, last))))
