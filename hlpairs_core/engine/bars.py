"""The slow cadence: fetch, fit and select on each closed bar; fill in history between bars."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable

import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.history import History
from hlpairs_core.engine.ingest import Ingest, by_liquidity
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.payload import Loading
from hlpairs_core.engine.refit import Refitter, ScreenJob
from hlpairs_core.engine.snapshot import Selection, State
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient, OrderBook
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import MarketState
from hlpairs_core.screening import ScreenResult, ScreenSettings

__all__ = ["Bars"]

log = logging.getLogger(__name__)

CONTEXT_SECONDS = 60.0
# A closed candle reaches the exchange's answers a moment after the bar's end.
GRACE_SECONDS = 1.0
# Enough for a first answer; the rest of the universe follows.
FIRST_COINS = 30
# Beyond the window, so that a quiet spell at its start is not taken for the time before a listing.
EXTRA_BARS = 48
SHORTLIST = 20
# The exchange keeps 5000 candles, the unfinished one among them.
DEEP_BARS = 4999


class Bars:
    """Screens each closed bar once. Only here does the selection change.

    Parameters
    ----------
    client : HyperliquidClient
        With retries.
    history : History
        Of this market.
    state : State
        Where the selection goes.
    settings, costs : ScreenSettings, CostModel
        What to look for.
    refitter : Refitter
        The worker that screens.
    metrics : Metrics
        The instruments.
    chosen : callable
        Called when a selection was made: with True when it is the bar's final one.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        history: History,
        state: State,
        settings: ScreenSettings,
        costs: CostModel,
        refitter: Refitter,
        metrics: Metrics,
        chosen: Callable[[bool], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client, self._history, self._state = client, history, state
        self._settings, self._costs, self._refitter = settings, costs, refitter
        self._metrics, self._chosen = metrics, chosen
        self._clock, self._sleep = clock, sleep
        self._ingest = Ingest(client, history)
        self._duration = interval_duration(settings.interval)
        self._contexts_at = 0.0
        self._screened: pd.Timestamp | None = None
        self._tried: set[tuple[int, str]] = set()
        self.contexts = pd.DataFrame()
        self.books: dict[str, OrderBook] = {}

    async def step(self) -> None:
        """Screen the last closed bar if it is new; else fill in history, or wait for the next close."""
        if self._clock() - self._contexts_at >= CONTEXT_SECONDS or self._screened is None:
            await self._refresh_contexts()
        last = self._now().floor(self._duration) - self._duration
        if last != self._screened:
            await self._close_bar(last)
        elif not await self._fill_in(last):
            await self._sleep(min(CONTEXT_SECONDS, self._seconds_to_close()))

    def eligible(self) -> list[str]:
        """Return the coins with enough notional to be screened, most liquid first."""
        enough = self.contexts["day_notional_usd"] >= self._settings.min_day_notional_usd
        return [coin for coin in by_liquidity(self.contexts) if enough[coin]]

    def _now(self) -> pd.Timestamp:
        time = self._state.market_time(self._clock())
        if time is None:
            raise ExchangeError("the exchange has not answered yet: the market's time is unknown")
        return time

    def _seconds_to_close(self) -> float:
        """Wall time until the present bar can be asked for."""
        assert self._state.stamp is not None
        speed = max(self._state.stamp.speed, 1e-9)
        now = self._now()
        left: float = (now.floor(self._duration) + self._duration - now).total_seconds() / speed
        length: float = self._duration.total_seconds() / speed
        return left + min(GRACE_SECONDS, 0.1 * length)

    async def _refresh_contexts(self) -> None:
        self.contexts = await self._client.contexts()
        self._contexts_at = self._clock()
        if self._state.stamp is None:
            self._state.stamp = self._client.stamp

    async def _close_bar(self, last: pd.Timestamp) -> None:
        if self._screened is not None:
            self._metrics.bars_skipped.inc(max(0, round((last - self._screened) / self._duration) - 1))
            await self._refresh_contexts()
        coins = self.eligible()
        self._state.empty = None if len(coins) > 1 else self._why_empty(coins)
        if self._state.empty is not None:
            self._state.selection, self._state.loading, self._screened = None, None, last
            self._chosen(True)
            return
        if self._screened is None and len(coins) > FIRST_COINS:
            await self._fetch(coins[:FIRST_COINS], last, total=len(coins))
            await self._select(coins[:FIRST_COINS], last, wanted=len(coins))
            self._chosen(False)
        await self._fetch(coins, last, total=len(coins))
        self._state.loading = None
        await self._select(coins, last, wanted=len(coins))
        self._screened = last
        self._tried.clear()
        self._metrics.bars.inc()
        self._chosen(True)

    def _why_empty(self, coins: list[str]) -> str:
        return (
            f"No pair can be formed: {len(coins)} of {len(self.contexts)} listed coins trade at least "
            f"{self._settings.min_day_notional_usd:,.0f} USD a day."
        )

    def _first_bar(self, last: pd.Timestamp) -> pd.Timestamp:
        return last - (self._settings.window + EXTRA_BARS) * self._duration

    async def _fetch(self, coins: list[str], last: pd.Timestamp, *, total: int) -> None:
        def progress(done: int) -> None:
            if self._screened is None:
                text = f"{done} of {total} coins"
                self._state.loading = Loading(stage="candles", done=done, total=total, text=text)

        progress(0)
        failed = await self._ingest.candles(coins, self._first_bar(last), last, progress=progress)
        self._state.problems.report("store", await self._ingest.flush() or "; ".join(self._history.problems) or None)
        names = ", ".join(list(failed)[:5])
        text = f"{len(failed)} of {len(coins)} coins could not be fetched ({names}): screened without what is missing"
        self._state.problems.report("candles", text if failed else None)
        if coins and len(failed) == len(coins):
            raise ExchangeError(f"no candles could be fetched: {next(iter(failed.values()))}")

    async def _select(self, coins: list[str], last: pd.Timestamp, *, wanted: int) -> None:
        job = await self._job(coins, last)
        result, seconds = await self._refitter.run(job)
        # Books of all coins would cost most of a minute's budget: those of the head decide.
        self.books = await self._books_of(result)
        priced = dataclasses.replace(job, market=dataclasses.replace(job.market, books=self.books))
        result, again = await self._refitter.run(priced)
        loaded = int(job.candles["coin"].nunique())
        self._observe(result, seconds + again)
        self._state.selection = Selection.of(result, seconds + again, loaded=loaded, wanted=wanted)

    async def _job(self, coins: list[str], last: pd.Timestamp) -> ScreenJob:
        first = self._first_bar(last)
        candles = await asyncio.to_thread(self._history.candles.read, coins, first, last)
        if candles.empty:
            raise ExchangeError(f"none of {len(coins)} coins has a closed candle yet")
        funding = await asyncio.to_thread(self._history.funding.read, coins, first, last)
        market = MarketState(as_of=self._now(), contexts=self.contexts, mids=self._state.mids)
        return ScreenJob(candles, funding, last + self._duration, self._settings, self._costs, market)

    async def _books_of(self, result: ScreenResult) -> dict[str, OrderBook]:
        head = result.candidates.head(SHORTLIST)
        coins = list(dict.fromkeys([*head["y"], *head["x"]]))
        answers = await asyncio.gather(*(self._client.l2_book(coin) for coin in coins), return_exceptions=True)
        books: dict[str, OrderBook] = {}
        for coin, answer in zip(coins, answers, strict=True):
            if isinstance(answer, OrderBook):
                books[coin] = answer
            elif isinstance(answer, ExchangeError):
                log.warning("priced without the book of %s: %s", coin, answer)
            else:
                raise answer
        return books

    def _observe(self, result: ScreenResult, seconds: float) -> None:
        before = self._state.selection
        lead = result.top or result.nearest_miss
        self._metrics.refit.observe(seconds)
        self._metrics.coins.set(result.funnel.coins_eligible)
        self._metrics.pairs.set(result.funnel.pairs_dependent)
        self._metrics.qualifying.set(result.funnel.pairs_qualifying)
        if lead is not None:
            self._metrics.top_abs_zscore.observe(abs(lead.zscore))
        if before is not None and _top_pair(before.result) != _top_pair(result):
            self._metrics.top_changes.inc()

    async def _fill_in(self, last: pd.Timestamp) -> bool:
        """Fetch one coin's missing history, funding of the window first; False when all is there."""
        job = await asyncio.to_thread(self._next_missing, last)
        if job is None:
            await self._ingest.flush()
            return False
        number, coin, first = job
        self._tried.add((number, coin))  # once a bar: a hole that stays is not worth asking for again and again
        fetch = self._ingest.candles if number == 1 else self._ingest.funding
        await fetch([coin], first, last)
        self._state.problems.report("store", self._ingest.trouble or "; ".join(self._history.problems) or None)
        return True

    def _next_missing(self, last: pd.Timestamp) -> tuple[int, str, pd.Timestamp] | None:
        deep, everyone = last - (DEEP_BARS - 1) * self._duration, by_liquidity(self.contexts)
        rounds = (
            (self._history.funding, self.eligible(), self._first_bar(last)),
            (self._history.candles, everyone, deep),
            (self._history.funding, everyone, deep),
        )
        for number, (part, coins, first) in enumerate(rounds):
            for coin in coins:
                if (number, coin) not in self._tried and part.missing(coin, first, last):
                    return number, coin, first
        return None


def _top_pair(result: ScreenResult) -> tuple[str, str] | None:
    return (result.top.y, result.top.x) if result.top is not None else None
