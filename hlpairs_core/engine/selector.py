"""From the history of one closed bar to what is shown: the screen, in the worker, with the books it needs."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.edge import CalibratedEdge
from hlpairs_core.engine.books import Books
from hlpairs_core.engine.contexts import Contexts
from hlpairs_core.engine.history import History
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.provisional import Provisional
from hlpairs_core.engine.refit import Refitter, ScreenedBar, ScreenJob
from hlpairs_core.engine.spots import Spots
from hlpairs_core.engine.state import RUNNERS_UP, Selection, State
from hlpairs_core.exceptions import ExchangeError, StoreError
from hlpairs_core.exchange import OrderBook, Priority
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import MarketState
from hlpairs_core.screening import ScreenResult, ScreenSettings

__all__ = ["EXTRA_BARS", "Selector"]

# Beyond the window, so that a quiet spell at its start is not taken for the time before a listing.
EXTRA_BARS = 48
SHORTLIST = 20
PASSES_AT_MOST = 6
# A book that comes long after the close is none of the close, and the answer waits for it.
PATIENCE_SECONDS = 30.0


class Selector:
    """Screens one closed bar and makes the result the selection.

    Parameters
    ----------
    history, provisional, contexts, books, spots : History, Provisional, Contexts, Books, Spots
        What is known.
    state : State
        Where the selection goes.
    settings, costs : ScreenSettings, CostModel
        What to look for.
    refitter : Refitter
        The worker that screens.
    metrics : Metrics
        The instruments.
    shortlist : int
        Of how many of the best pairs the books are wanted.
    clock : callable
        Wall time, seconds since the epoch.

    Attributes
    ----------
    books : dict of str to OrderBook
        What the last screen was priced with.
    edge : CalibratedEdge or None
        What it asked how much of an expectation can be believed.
    patience_seconds : float
        How long one answer waits for books at most, all together, of real time.
    """

    def __init__(
        self,
        *,
        history: History,
        provisional: Provisional,
        contexts: Contexts,
        books: Books,
        spots: Spots,
        state: State,
        settings: ScreenSettings,
        costs: CostModel,
        refitter: Refitter,
        metrics: Metrics,
        shortlist: int = SHORTLIST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history, self._provisional, self._contexts = history, provisional, contexts
        self._shelf, self._spots, self._state = books, spots, state
        self._settings, self._costs, self._refitter = settings, costs, refitter
        self._metrics, self._shortlist, self._clock = metrics, shortlist, clock
        self._duration = interval_duration(settings.interval)
        self.books: dict[str, OrderBook] = {}
        self.patience_seconds = PATIENCE_SECONDS
        self._patience = 0.0  # what is left of it
        self._priced_at: pd.Timestamp | None = None
        self._deepened: set[str] = set()  # at that close: once asked for, they are not asked for again
        self.edge: CalibratedEdge | None = None
        self._edge_bar: pd.Timestamp | None = None

    def first_bar(self, last: pd.Timestamp) -> pd.Timestamp:
        """Return the open of the first bar that a screen of the bar `last` looks at."""
        return last - (self._settings.window + EXTRA_BARS) * self._duration

    async def select(
        self, coins: list[str], last: pd.Timestamp, *, wanted: int, final: bool, unconfirmed: int = 0
    ) -> None:
        """Screen these coins at the bar that opened at `last`.

        Parameters
        ----------
        wanted : int
            How many coins there should be.
        final : bool
            Whether no better answer of this bar will come.
        unconfirmed : int
            Of how many coins the exchange has not confirmed a candle.

        Raises
        ------
        ExchangeError
            If no coin has a candle of the bar.
        StoreError
            If a file turned out to be damaged: what it held has to be fetched first.
        EngineError
            If the worker died.
        """
        if wanted == len(coins):  # an answer on the way to the first whole one does not wait for spot
            await self._spots.gather(last)
        job = await self._job(coins, last)
        self._state.empty = self._too_few_bars(job.candles)
        if self._state.empty is not None:
            self._state.selection = None
            return
        screened = await self._screen(job)
        loaded = int((job.candles["time"] == last).sum())
        if screened.trouble is not None:
            self._state.problems.report("spot", screened.trouble)
        self._observe(screened.result, screened.seconds)
        self._state.selection = Selection.of(
            screened.result,
            screened.table,
            screened.seconds,
            loaded=loaded,
            wanted=wanted,
            final=final,
            unconfirmed=unconfirmed,
        )

    def _too_few_bars(self, candles: pd.DataFrame) -> str | None:
        """Say so where the window is longer than the history of all coins but one."""
        needed, held = self._settings.window + 1, candles.groupby("coin", observed=True).size()
        enough = int((held >= needed).sum())
        if enough > 1:
            return None
        return (
            f"No pair can be formed: {enough} of {len(held)} coins have the {needed:,} closed bars that a window of "
            f"{self._settings.window:,} needs; the longest history has {held.max():,}. Set HLPAIRS_WINDOW lower."
        )

    async def _job(self, coins: list[str], last: pd.Timestamp) -> ScreenJob:
        first, known = self.first_bar(last), len(self._history.problems)
        candles = await asyncio.to_thread(self._provisional.read, coins, first, last)
        if len(self._history.problems) > known:
            # What it held counts as missing only now: the next try fetches it before it screens.
            raise StoreError(self._history.problems[-1])
        if candles.empty or candles["time"].max() < last:
            closed_at = last + self._duration
            raise ExchangeError(f"the exchange has no candle yet of the bar that closed at {closed_at:%Y-%m-%d %H:%M}")
        funding = await asyncio.to_thread(self._history.funding_of_bars, coins, first, last)
        best = max(self._shortlist * 2 ** (PASSES_AT_MOST - 1), RUNNERS_UP + 1)
        return ScreenJob(
            candles,
            funding,
            last + self._duration,
            self._settings,
            self._costs,
            self._market(),
            best,
            self._edge_of(last),
            await self._spots.read(last),
        )

    def _edge_of(self, bar: pd.Timestamp) -> CalibratedEdge | None:
        """Return what says what can be believed at a bar: all screens of one bar ask the same."""
        if bar != self._edge_bar:
            self.edge, self._edge_bar = self._state.edge, bar
        return self.edge

    def _market(self) -> MarketState:
        now = self._clock()
        time = self._state.market_time(now)
        assert time is not None
        assert self._contexts.frame is not None
        return MarketState(as_of=time, contexts=self._contexts.frame, mids=self._state.ticks.mids(now))

    async def _screen(self, job: ScreenJob) -> ScreenedBar:
        """Screen until the pair in the lead is priced from the books of its coins; count the seconds of all screens.

        Asking for the books of all coins would cost most of a minute's weight: those that the feed brings are there,
        others are asked for where they count. A book may sink the pair that asked for it, and the next one in the
        lead has to be priced from books as well. Where the visible levels do not hold a leg, aggregated ones beyond
        them are asked for before it is refused.
        """
        self._patience = self.patience_seconds
        books, seconds = await self._books_at(job), 0.0
        asked, deepened = set(books), set(self._deepened) if self._priced_at == job.closed_at else set()
        for turn in range(PASSES_AT_MOST):
            market = dataclasses.replace(job.market, books=books)
            screened = await self._refitter.run(dataclasses.replace(job, market=market))
            seconds, result = seconds + screened.seconds, screened.result
            lead = result.top or result.nearest_miss
            leaders = [lead.y, lead.x] if lead is not None else []
            self._state.shortlist = tuple(_coins_of(leaders, result.candidates.head(self._shortlist)))
            thin = {coin: books[coin] for coin in _thin_coins(result) if coin in books and coin not in deepened}
            books.update(await self._deepen(thin))
            deepened.update(thin)
            if asked.issuperset(leaders) and not thin:
                break
            # Twice as many pairs each time: where books sink one leader after the other, it does not take long.
            more = _coins_of(leaders, result.candidates.head(self._shortlist * 2**turn))
            unknown = [coin for coin in more if coin not in asked]
            books = {**books, **await self._ask(unknown)}
            asked.update(unknown)
        self.books, self._priced_at, self._deepened = books, job.closed_at, deepened
        return dataclasses.replace(screened, seconds=seconds)

    async def _books_at(self, job: ScreenJob) -> dict[str, OrderBook]:
        """Return the books at a bar's close; those that it was priced from before, where it was screened before.

        Spot is asked for with its perpetuals: there are few of them, and none is in the feed.
        """
        assert self._state.stamp is not None
        books = self._shelf.at(job.closed_at, job.market.contexts.index, speed=self._state.stamp.speed)
        if self._priced_at == job.closed_at:
            books |= self.books
        legs = [] if job.spot is None else [coin for one in job.spot.matches for coin in (one.coin, one.perp)]
        return books | await self._ask([coin for coin in dict.fromkeys(legs) if coin not in books])

    async def _ask(self, coins: list[str]) -> dict[str, OrderBook]:
        with self._waiting() as within:
            found, _ = await self._shelf.ask(coins, Priority.URGENT, within=within)
        return found

    async def _deepen(self, books: dict[str, OrderBook]) -> dict[str, OrderBook]:
        with self._waiting() as within:
            return await self._shelf.deepen(books, Priority.URGENT, within=within)

    @contextmanager
    def _waiting(self) -> Iterator[float]:
        """Say for how long an answer may still wait for books, and take away what it waits."""
        began = time.monotonic()
        try:
            yield self._patience
        finally:
            self._patience = max(0.0, self._patience - (time.monotonic() - began))

    def _observe(self, result: ScreenResult, seconds: float) -> None:
        before = self._state.selection
        lead = result.top or result.nearest_miss
        self._metrics.refit.observe(seconds)
        self._metrics.coins.set(result.funnel.coins_eligible)
        self._metrics.pairs.set(result.funnel.pairs_dependent)
        self._metrics.qualifying.set(result.funnel.pairs_qualifying)
        if lead is not None:
            self._metrics.observe_lead(lead.zscore)
        if before is not None and _top_pair(before.result) != _top_pair(result):
            self._metrics.top_changes.inc()


def _thin_coins(result: ScreenResult) -> list[str]:
    """Return the coins of the pairs that have failed on nothing else before their visible books were too thin."""
    first = np.array([failed[:1] == ("slippage",) for failed in result.candidates["gates_failed"]], dtype=bool)
    thin = result.candidates[first]
    thin = thin[thin["slippage_source"] == "book"].head(SHORTLIST)
    return _coins_of([], thin)


def _coins_of(first: list[str], pairs: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys([*first, *pairs["y"], *pairs["x"]]))


def _top_pair(result: ScreenResult) -> tuple[str, str] | None:
    return (result.top.y, result.top.x) if result.top is not None else None
