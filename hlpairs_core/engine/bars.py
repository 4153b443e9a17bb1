"""The slow cadence: when a bar has closed, gather its candles, fit and select."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pandas as pd

from hlpairs_core.engine.agreement import Agreement
from hlpairs_core.engine.closes import Closes
from hlpairs_core.engine.contexts import CONTEXT_SECONDS, Contexts
from hlpairs_core.engine.gatherer import Gatherer, Open
from hlpairs_core.engine.history import History
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.selector import Selector
from hlpairs_core.engine.state import State
from hlpairs_core.engine.waiting import woken
from hlpairs_core.exchange import Priority
from hlpairs_core.intervals import interval_duration
from hlpairs_core.screening import ScreenSettings

__all__ = ["Bars"]

# A closed candle reaches the exchange's answers a moment after the bar's end.
GRACE_SECONDS = 1.0
# Enough for a first answer; the rest of the universe follows.
FIRST_COINS = 30
# So many that are still to be asked for are worth an answer without them.
MANY_COINS = 16
# How long a bar's answer may still change (the candles of all coins weigh three and a half minutes of the exchange's
# budget), and how often what did not come is asked for again meanwhile.
LATE_SECONDS = 240.0
ASK_SECONDS = 10.0


class Bars:
    """Screens each closed bar. Only here does the selection change.

    A bar's answer is final when it rests on the exchange's own candles of all coins, or when it is too late for them:
    until then one that comes in late, or other than it was guessed, is screened too.

    Parameters
    ----------
    gatherer : Gatherer
        Brings in the candles of a bar.
    history, contexts, closes : History, Contexts, Closes
        What is known of this market.
    agreement : Agreement
        Holds the exchange's candles of a bar against its trades.
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
        gatherer: Gatherer,
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
        self._gatherer, self._history, self._contexts, self._closes = gatherer, history, contexts, closes
        self._agreement, self._selector = agreement, selector
        self._state, self._settings, self._metrics, self._chosen = state, settings, metrics, chosen
        self._clock, self._sleep = clock, sleep
        self._duration = interval_duration(settings.interval)
        # What is not settled of which bar, and whether the exchange has contradicted what it was screened with.
        self._open, self._asked = Open(), set[str]()
        self._open_bar: pd.Timestamp | None = None
        self._differs = False
        # Wall times: when the last bar was screened, and when open candles of it were last asked for.
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
        elif self._open:
            await self._catch_up(last)
        else:
            await self._gatherer.store()
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

    def _seconds_to_close(self, last: pd.Timestamp) -> float:
        """Wall time until the bar after `last` can be asked for."""
        left = self._state.wall_seconds(last + 2 * self._duration - self._now())
        return max(0.0, left) + min(GRACE_SECONDS, 0.1 * self._state.wall_seconds(self._duration))

    async def _close_bar(self, last: pd.Timestamp) -> None:
        # What is open may be of this very bar, where a try to screen it has failed half-way.
        if self._open and self._open_bar == self._state.screened:
            self._conclude()
        self._open = Open()
        before, coins = self._state.screened, self.eligible()
        if len(coins) < 2:
            self._state.selection, self._state.empty = None, self._too_few_trade(coins)
        else:
            await self._gather(coins, last)
            await self._select(coins, last, wanted=len(coins))
        self._count(last)
        self._state.screened, self._state.loading = last, None
        self._closed_at = self._asked_at = self._clock()
        self._asked = set(self._open.late)
        self._chosen(not self._open)
        if before is not None:
            heard = self._gatherer.heard_since(coins, last)
            self._agreement.compare(await asyncio.to_thread(self._said_by_the_exchange, heard, before))

    def _said_by_the_exchange(self, coins: list[str], bar: pd.Timestamp) -> pd.DataFrame:
        """Return the candles of a bar, but for those that are doubted."""
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
        """Bring in the candles of a bar; an answer on the way where it takes long.

        The most liquid coins come first: enough for a first answer after a cold start, and after a close too, where
        the feed could not tell of many coins what their candle is.
        """
        await self._gatherer.hear(coins, last)
        await self._gatherer.fetch(coins[:FIRST_COINS], last, total=len(coins))
        lacking = set(await self._gatherer.lacking(coins, last))
        if len(lacking) > (MANY_COINS if self._state.screened is not None else 0):
            await self._select([coin for coin in coins if coin not in lacking], last, wanted=len(coins), final=False)
            self._chosen(False)
        await self._gatherer.fetch(coins, last, total=len(coins))

    async def _select(self, coins: list[str], last: pd.Timestamp, *, wanted: int, final: bool = True) -> None:
        self._differs |= await self._gatherer.settle()
        still = await self._gatherer.open(coins, last)
        await self._selector.select(
            coins, last, wanted=wanted, unconfirmed=len(still.unconfirmed), final=final and not still
        )
        self._differs, self._open, self._open_bar = False, still, last

    async def _catch_up(self, last: pd.Timestamp) -> None:
        """Get what is open, and screen the bar again where that changes it; after a while take it as it is."""
        await self._ask(last)
        coins = self.eligible()
        # Until a screen has succeeded: one that fails must not leave the answer as if nothing had changed.
        self._differs |= await self._gatherer.settle()
        still = await self._gatherer.open(coins, last)
        if not still.late:
            self._state.problems.report("candles", None)
        if self._differs or len(still.late) < len(self._open.late):
            await self._select(coins, last, wanted=len(coins))
            self._chosen(not self._open)
        else:
            self._confirm(still)
        if self._open and not 0 <= self._clock() - self._closed_at < LATE_SECONDS:
            self._conclude()

    async def _ask(self, last: pd.Timestamp) -> None:
        """Ask for some of what is open; where all was asked for a moment ago, wait for the feed."""
        if not 0 <= self._clock() - self._asked_at < ASK_SECONDS:
            self._asked.clear()
        coins = [coin for coin in self._open.coins if coin not in self._asked][:MANY_COINS]
        if not coins:
            await woken(self._closes.news, ASK_SECONDS, self._sleep)
            return
        self._asked.update(coins)
        await self._gatherer.ask(coins, last)
        self._asked_at = self._clock()

    def _confirm(self, still: Open) -> None:
        """Let the answer stand, for what has come since is what was guessed; it is final where nothing is open."""
        self._open = still
        self._settle(final=not still)
        if not still:
            self._chosen(True)

    def _settle(self, *, final: bool) -> None:
        selection, unconfirmed = self._state.selection, len(self._open.unconfirmed)
        if selection is not None:
            self._state.selection = replace(selection, is_final=final, coins_unconfirmed=unconfirmed)

    def _conclude(self) -> None:
        """Take the bar's answer as it is for its final one, and say what it rests on."""
        self._settle(final=True)
        selection, coins = self._state.selection, self._open.unconfirmed
        if selection is not None and coins:
            closed_at, names = f"{selection.result.closed_at:%Y-%m-%d %H:%M}", ", ".join(coins[:5])
            text = f"{len(coins)} of {selection.coins_wanted} coins ({names}) that the exchange has not confirmed"
            self._state.problems.note("candles", f"the bar that closed at {closed_at} rests on candles of {text}")
        self._open = Open()
        self._chosen(True)
