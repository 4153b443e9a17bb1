"""The slow cadence: when a bar has closed, gather its candles, fit and select."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pandas as pd

from hlpairs_core.engine.agreement import Agreement
from hlpairs_core.engine.closes import Closes
from hlpairs_core.engine.contexts import CONTEXT_SECONDS, Contexts
from hlpairs_core.engine.history import History
from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.payload import Loading
from hlpairs_core.engine.selector import Selector
from hlpairs_core.engine.state import State
from hlpairs_core.engine.waiting import woken
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient, Priority
from hlpairs_core.intervals import interval_duration
from hlpairs_core.screening import ScreenSettings

__all__ = ["Bars"]

# A closed candle reaches the exchange's answers a moment after the bar's end, and the feed with the next trade.
GRACE_SECONDS = 1.0
FEED_SECONDS = 2.0
# What a socket brings so long after a bar's end comes behind all of its trades.
AFTER_SECONDS = 0.3
# Enough for a first answer; the rest of the universe follows.
FIRST_COINS = 30
# So many that are still to be asked for are worth an answer without them.
MANY_COINS = 16
# How long a bar's answer may still change, and how often late candles are asked for meanwhile.
LATE_SECONDS = 120.0
ASK_SECONDS = 10.0


class Bars:
    """Screens each closed bar. Only here does the selection change.

    A bar's answer is final when all its candles are there, or too late: until then one that comes in is screened too.

    Parameters
    ----------
    client : HyperliquidClient
        Asked for the candles that the feed did not bring; with retries.
    history, contexts, closes : History, Contexts, Closes
        What is known of this market.
    agreement : Agreement
        Says what trades make of a bar, and holds the exchange's candles of it against that, once they are there.
    selector : Selector
        How a bar is screened.
    state : State
        Of the engine.
    settings : ScreenSettings
        What to look for.
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
        contexts: Contexts,
        closes: Closes,
        agreement: Agreement,
        selector: Selector,
        state: State,
        settings: ScreenSettings,
        metrics: Metrics,
        chosen: Callable[[bool], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._history, self._contexts, self._closes = history, contexts, closes
        self._agreement, self._selector = agreement, selector
        self._state, self._settings, self._metrics, self._chosen = state, settings, metrics, chosen
        self._clock, self._sleep = clock, sleep
        self._ingest = Ingest(client.at(Priority.NORMAL), history)
        self._duration = interval_duration(settings.interval)
        self._late: list[str] = []
        # Wall times: when the last bar was screened, and when its late candles were asked for.
        self._closed_at = self._asked_at = 0.0

    async def step(self) -> None:
        """Screen the last closed bar if it is new, or what came late of it; else wait for the next close."""
        last = self._state.screened
        over = last is None or self._last_bar(self._now()) != last
        if over or self._contexts.is_stale:
            # Between messages the market's time is an estimate, which runs on where a replay has ended: whether a
            # bar has closed is for the exchange's own clock to say.
            last = self._last_bar(await self._contexts.refresh(Priority.URGENT if over else Priority.NORMAL))
        assert last is not None
        if last != self._state.screened:
            await self._close_bar(last)
        elif self._late:
            await self._catch_up(last)
        else:
            await self._store()
            await self._sleep(min(CONTEXT_SECONDS, self._seconds_to_close(last)))

    def eligible(self) -> list[str]:
        """Return the coins with enough notional to be screened, most liquid first."""
        return self._contexts.traded(self._settings.min_day_notional_usd)

    def _now(self) -> pd.Timestamp:
        time = self._state.market_time(self._clock())
        assert time is not None
        return time

    def _last_bar(self, now: pd.Timestamp) -> pd.Timestamp:
        """Open of the newest bar that has closed by market time `now`."""
        return now.floor(self._duration) - self._duration

    def _wall_seconds(self, market: pd.Timedelta) -> float:
        assert self._state.stamp is not None
        return float(market.total_seconds() / max(self._state.stamp.speed, 1e-9))

    def _seconds_to_close(self, last: pd.Timestamp) -> float:
        """Wall time until the bar after `last` can be asked for."""
        left = self._wall_seconds(last + 2 * self._duration - self._now())
        return max(0.0, left) + min(GRACE_SECONDS, 0.1 * self._wall_seconds(self._duration))

    async def _close_bar(self, last: pd.Timestamp) -> None:
        if self._late:
            self._conclude()
        before, coins = self._state.screened, self.eligible()
        if len(coins) < 2:
            self._state.selection, self._state.empty = None, self._too_few_trade(coins)
            self._late = []
        else:
            await self._gather(coins, last)
            await self._select(coins, last, wanted=len(coins))
        self._count(last)
        self._state.screened, self._state.loading = last, None
        self._closed_at = self._asked_at = self._clock()
        self._chosen(not self._late)
        if before is not None:
            heard = self._heard_since(coins, last)
            self._agreement.compare(await asyncio.to_thread(self._said_by_the_exchange, heard, before))

    def _said_by_the_exchange(self, coins: list[str], bar: pd.Timestamp) -> pd.DataFrame:
        """Return the candles of a bar, but for those that were built from trades and not yet replaced."""
        said = [coin for coin in coins if not self._history.candles.missing(coin, bar, bar)]
        return self._history.candles.read(said, bar, bar)

    def _count(self, last: pd.Timestamp) -> None:
        before = self._state.screened
        if before is not None:
            self._metrics.bars_skipped.inc(max(0, round((last - before) / self._duration) - 1))
        self._metrics.bars.inc()

    def _too_few_trade(self, coins: list[str]) -> str:
        assert self._contexts.frame is not None
        return (
            f"No pair can be formed: {len(coins)} of {len(self._contexts.frame)} listed coins trade at least "
            f"{self._settings.min_day_notional_usd:,.0f} USD a day."
        )

    async def _gather(self, coins: list[str], last: pd.Timestamp) -> None:
        """Bring in the candles of a bar: those of the feed, then by request; an answer on the way where it takes long.

        The most liquid coins come first: enough for a first answer after a cold start, and after a close too, where
        many coins have not traded since and the feed could not tell that their bar is over.
        """
        await self._hear(coins, last)
        first = coins[:FIRST_COINS]
        await self._fetch(first, last, total=len(coins))
        lacking = await asyncio.to_thread(self._closes.lacking, coins, last)
        if len(lacking) > (MANY_COINS if self._state.screened is not None else 0):
            await self._select([coin for coin in coins if coin not in lacking], last, wanted=len(coins), final=False)
            self._chosen(False)
        await self._fetch(coins, last, total=len(coins))

    async def _hear(self, coins: list[str], last: pd.Timestamp) -> None:
        """Give the feed a moment to say that the bar is over, and take what it said: candles, else trades."""
        left = min(FEED_SECONDS, 0.1 * self._wall_seconds(self._duration))
        while left > 0 and (self._closes.expected(coins, last) or self._falls_silent(coins, last)):
            nap = min(left, 0.25)
            await woken(self._closes.news, nap, self._sleep)
            left -= nap
        lacking = await asyncio.to_thread(self._closes.lacking, coins, last)
        self._closes.build(self._heard_since(lacking, last), last, self._agreement.bar)
        self._closes.store()

    def _ended_at(self, last: pd.Timestamp) -> float:
        """Wall time at which the bar that opened at `last` was over."""
        return self._clock() - self._wall_seconds(self._now() - last - self._duration)

    def _heard_since(self, coins: list[str], last: pd.Timestamp) -> list[str]:
        """Return the coins of which the feed has spoken since a bar was over: none of its trades is on its way.

        The stream keeps the feeds of a coin on one socket. Of one that has died nobody knows yet what it lost.
        """
        ended = self._ended_at(last) + AFTER_SECONDS
        return [coin for coin in coins if self._state.ticks.heard_at(coin) > ended]

    def _falls_silent(self, coins: list[str], last: pd.Timestamp) -> bool:
        """Whether there are coins of which the feed spoke shortly before a bar was over, but not since."""
        ended, heard = self._ended_at(last), map(self._state.ticks.heard_at, coins)
        return any(ended - FEED_SECONDS < at <= ended + AFTER_SECONDS for at in heard)

    async def _fetch(self, coins: list[str], last: pd.Timestamp, *, total: int) -> None:
        """Ask for what these coins lack."""
        first = self._selector.first_bar(last)
        wanting = await asyncio.to_thread(self._closes.wanting, coins, first, last)

        def progress(done: int) -> None:
            if self._state.screened is None:
                done += len(coins) - len(wanting)
                text = f"{done} of {total} coins"
                self._state.loading = Loading(stage="candles", done=done, total=total, text=text)

        progress(0)
        failed = await self._ingest.candles(wanting, first, last, progress=progress)
        await self._store()
        names = ", ".join(list(failed)[:5])
        text = f"{len(failed)} of {len(coins)} coins could not be fetched ({names}): screened without what is missing"
        self._state.problems.report("candles", text if failed else None)
        if coins and len(failed) == len(coins):
            raise ExchangeError(f"no candles could be fetched: {next(iter(failed.values()))}")

    async def _store(self) -> None:
        self._closes.store()
        self._state.problems.report("store", await self._ingest.flush())
        for text in self._history.problems:
            self._state.problems.note("store", text)

    async def _select(self, coins: list[str], last: pd.Timestamp, *, wanted: int, final: bool = True) -> None:
        late = await asyncio.to_thread(self._closes.lacking, coins, last)
        await self._selector.select(coins, last, wanted=wanted, final=final and not late)
        self._late = late

    async def _catch_up(self, last: pd.Timestamp) -> None:
        """Screen the bar again where candles of it came late; after a while take it as it is."""
        await woken(self._closes.news, ASK_SECONDS, self._sleep)
        if not 0 <= self._clock() - self._asked_at < ASK_SECONDS:
            self._asked_at = self._clock()
            await self._ingest.candles(self._late, self._selector.first_bar(last), last)
        lacking = await asyncio.to_thread(self._closes.lacking, self._late, last)
        if len(lacking) < len(self._late):
            coins = self.eligible()
            await self._store()
            await self._select(coins, last, wanted=len(coins))
            if not self._late:
                self._state.problems.report("candles", None)
            self._chosen(not self._late)
        if self._late and not 0 <= self._clock() - self._closed_at < LATE_SECONDS:
            self._conclude()

    def _conclude(self) -> None:
        """Take the bar's answer as it is for its final one."""
        self._late = []
        if self._state.selection is not None:
            self._state.selection = replace(self._state.selection, is_final=True)
        self._chosen(True)
