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
from hlpairs_core.exceptions import ExchangeError, StoreError
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
PASSES_AT_MOST = 4
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
    shortlist : int
        Of how many of the best pairs the books are asked for.
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
        shortlist: int = SHORTLIST,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client, self._history, self._state = client, history, state
        self._settings, self._costs, self._refitter = settings, costs, refitter
        self._metrics, self._chosen, self._shortlist = metrics, chosen, shortlist
        self._clock, self._sleep = clock, sleep
        self._ingest = Ingest(client, history)
        self._duration = interval_duration(settings.interval)
        self._contexts_at = 0.0
        self._screened: pd.Timestamp | None = None
        self._tried: set[tuple[int, str]] = set()
        self.contexts: pd.DataFrame | None = None
        self.books: dict[str, OrderBook] = {}

    async def step(self) -> None:
        """Screen the last closed bar if it is new; else fill in history, or wait for the next close."""
        last = self._screened
        if last is None or self._stale() or self._last_bar(self._now()) != last:
            # Between messages the market's time is an estimate, which runs on where a replay has ended: whether a
            # bar has closed is for the exchange's own clock to say.
            last = self._last_bar(await self._refresh_contexts())
        if last != self._screened:
            await self._close_bar(last)
        elif not await self._fill_in(last):
            await self._sleep(min(CONTEXT_SECONDS, self._seconds_to_close(last)))

    def eligible(self) -> list[str]:
        """Return the coins with enough notional to be screened, most liquid first."""
        assert self.contexts is not None
        enough = self.contexts["day_notional_usd"] >= self._settings.min_day_notional_usd
        return [coin for coin in by_liquidity(self.contexts) if enough[coin]]

    def _stale(self) -> bool:
        # A wall clock that was set back makes the age negative.
        return not 0 <= self._clock() - self._contexts_at < CONTEXT_SECONDS

    def _now(self) -> pd.Timestamp:
        time = self._state.market_time(self._clock())
        assert time is not None
        return time

    def _last_bar(self, now: pd.Timestamp) -> pd.Timestamp:
        """Open of the newest bar that has closed by market time `now`."""
        return now.floor(self._duration) - self._duration

    def _seconds_to_close(self, last: pd.Timestamp) -> float:
        """Wall time until the bar after `last` can be asked for."""
        assert self._state.stamp is not None
        speed = max(self._state.stamp.speed, 1e-9)
        left: float = (last + 2 * self._duration - self._now()).total_seconds() / speed
        length: float = self._duration.total_seconds() / speed
        return max(0.0, left) + min(GRACE_SECONDS, 0.1 * length)

    async def _refresh_contexts(self) -> pd.Timestamp:
        """Ask for the universe; return the market time of the answer."""
        contexts = await self._client.contexts()
        assert self._client.stamp is not None
        self._state.hear(self._client.stamp)
        self.contexts, self._contexts_at = contexts, self._clock()
        return self._client.stamp.time

    async def _close_bar(self, last: pd.Timestamp) -> None:
        coins = self.eligible()
        if len(coins) < 2:
            self._state.selection, self._state.empty = None, self._too_few_trade(coins)
        else:
            if self._screened is None and len(coins) > FIRST_COINS:
                await self._fetch(coins[:FIRST_COINS], last, total=len(coins))
                await self._select(coins[:FIRST_COINS], last, wanted=len(coins))
                self._chosen(False)
            await self._fetch(coins, last, total=len(coins))
            await self._select(coins, last, wanted=len(coins))
        if self._screened is not None:
            self._metrics.bars_skipped.inc(max(0, round((last - self._screened) / self._duration) - 1))
        self._screened, self._state.loading = last, None
        self._tried.clear()
        self._metrics.bars.inc()
        self._chosen(True)

    def _too_few_trade(self, coins: list[str]) -> str:
        assert self.contexts is not None
        return (
            f"No pair can be formed: {len(coins)} of {len(self.contexts)} listed coins trade at least "
            f"{self._settings.min_day_notional_usd:,.0f} USD a day."
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

    def _first_bar(self, last: pd.Timestamp) -> pd.Timestamp:
        return last - (self._settings.window + EXTRA_BARS) * self._duration

    async def _fetch(self, coins: list[str], last: pd.Timestamp, *, total: int) -> None:
        def progress(done: int) -> None:
            if self._screened is None:
                text = f"{done} of {total} coins"
                self._state.loading = Loading(stage="candles", done=done, total=total, text=text)

        progress(0)
        failed = await self._ingest.candles(coins, self._first_bar(last), last, progress=progress)
        await self._store()
        names = ", ".join(list(failed)[:5])
        text = f"{len(failed)} of {len(coins)} coins could not be fetched ({names}): screened without what is missing"
        self._state.problems.report("candles", text if failed else None)
        if coins and len(failed) == len(coins):
            raise ExchangeError(f"no candles could be fetched: {next(iter(failed.values()))}")

    async def _store(self) -> None:
        self._state.problems.report("store", await self._ingest.flush())
        for text in self._history.problems:
            self._state.problems.note("store", text)

    async def _select(self, coins: list[str], last: pd.Timestamp, *, wanted: int) -> None:
        job = await self._job(coins, last)
        self._state.empty = self._too_few_bars(job.candles)
        if self._state.empty is not None:
            self._state.selection = None
            return
        result, seconds = await self._screen(job)
        loaded = int(job.candles["coin"].nunique())
        self._observe(result, seconds)
        self._state.selection = Selection.of(result, seconds, loaded=loaded, wanted=wanted)

    async def _screen(self, job: ScreenJob) -> tuple[ScreenResult, float]:
        """Screen until the pair in the lead is priced from the books of its coins; return also the seconds it took.

        Books of all coins would cost most of a minute's budget. A book may sink the pair that asked for it, and the
        next one in the lead has to be priced from books as well.
        """
        asked: set[str] = set()
        self.books, seconds = {}, 0.0
        for _ in range(PASSES_AT_MOST):
            market = dataclasses.replace(job.market, books=self.books)
            result, took = await self._refitter.run(dataclasses.replace(job, market=market))
            seconds += took
            lead = result.top or result.nearest_miss
            if lead is None or {lead.y, lead.x} <= asked:
                break
            head = result.candidates.head(self._shortlist)
            coins = [coin for coin in dict.fromkeys([*head["y"], *head["x"], lead.y, lead.x]) if coin not in asked]
            self.books = {**self.books, **await self._books_of(coins)}
            asked.update(coins)
        return result, seconds

    async def _job(self, coins: list[str], last: pd.Timestamp) -> ScreenJob:
        first, known = self._first_bar(last), len(self._history.problems)
        candles = await asyncio.to_thread(self._history.candles.read, coins, first, last)
        if len(self._history.problems) > known:
            # What it held counts as missing only now: the next try fetches it before it screens.
            raise StoreError(self._history.problems[-1])
        if candles.empty or candles["time"].max() < last:
            closed_at = last + self._duration
            raise ExchangeError(f"the exchange has no candle yet of the bar that closed at {closed_at:%Y-%m-%d %H:%M}")
        assert self.contexts is not None
        funding = await asyncio.to_thread(self._history.funding_of_bars, coins, first, last)
        market = MarketState(as_of=self._now(), contexts=self.contexts, mids=self._state.mids)
        return ScreenJob(candles, funding, last + self._duration, self._settings, self._costs, market)

    async def _books_of(self, coins: list[str]) -> dict[str, OrderBook]:
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
            await self._store()
            return False
        number, coin, first = job
        self._tried.add((number, coin))  # once a bar: a hole that stays is not worth asking for again and again
        fetch = self._ingest.candles if number == 1 else self._ingest.funding
        await fetch([coin], first, last)
        self._state.problems.report("store", self._ingest.trouble)
        return True

    def _next_missing(self, last: pd.Timestamp) -> tuple[int, str, pd.Timestamp] | None:
        assert self.contexts is not None
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
