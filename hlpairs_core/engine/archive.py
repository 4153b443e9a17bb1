"""Candles, funding and books for readers: what is held, and what is missing through the weight budget."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from hlpairs_core.engine.books import Books
from hlpairs_core.engine.contexts import Contexts
from hlpairs_core.engine.history import Buffered, History, Range
from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.engine.state import State
from hlpairs_core.engine.weights import candles_weight, funding_weight
from hlpairs_core.exceptions import ExchangeError, InputError
from hlpairs_core.exchange import HyperliquidClient, OrderBook, Priority
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import perp_rows

__all__ = ["Archive"]

# One request of a reader may ask for as much as the exchange allows in a minute.
WEIGHT_AT_MOST = 1200
BOOKS_AT_MOST = 100


class Archive:
    """Answers readers. Where coins are named the answer is complete; else it is what is held.

    Parameters
    ----------
    client : HyperliquidClient
        Where to ask for what is missing.
    history, contexts, books, state : History, Contexts, Books, State
        What is held, which coins there are, and what time it is.
    clock : callable
        Wall time, seconds since the epoch.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        history: History,
        contexts: Contexts,
        books: Books,
        state: State,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history, self._contexts, self._books, self._state = history, contexts, books, state
        self._clock = clock
        self._ingest = Ingest(client.at(Priority.NORMAL), history)

    def universe(self) -> pd.DataFrame:
        """Return the exchange's contexts.

        Raises
        ------
        ExchangeError
            If it has not answered yet.
        """
        if self._contexts.frame is None:
            raise ExchangeError("the exchange has not answered yet: ask again in a moment")
        return self._contexts.frame

    async def candles(self, coins: Sequence[str] | None, bars: int, interval: str | None) -> pd.DataFrame:
        """Return the newest closed candles, of all perpetuals where no coin is named.

        Raises
        ------
        InputError
            If a coin or interval is unknown, or more is missing than one request may ask the exchange for.
        ExchangeError
            If what is missing could not be fetched.
        """
        first, last = self._ends(bars, interval)
        part = await asyncio.to_thread(self._history.candles_of, interval or self._history.interval)
        if coins is not None:
            step = interval_duration(interval or self._history.interval)
            await self._check(coins, part, (first, last), lambda hole: candles_weight(hole, step))
            _raise_first(await self._ingest.candles(coins, first, last, interval=interval))
        held = await asyncio.to_thread(part.read, coins, first, last)
        return perp_rows(held) if coins is None else held

    async def funding(self, coins: Sequence[str] | None, bars: int, interval: str | None) -> pd.DataFrame:
        """Return the settled funding of the newest closed bars; raises as `candles`."""
        first, last = self._ends(bars, interval)
        closed_at = last + interval_duration(interval or self._history.interval)
        hours = (first.ceil("h"), (closed_at - pd.Timedelta(milliseconds=1)).floor("h"))
        if coins is not None and hours[0] <= hours[1]:
            await self._check(coins, self._history.funding, hours, funding_weight)
            _raise_first(await self._ingest.funding(coins, *hours))
        return await asyncio.to_thread(self._history.funding_of_bars, coins, first, last, interval)

    async def books(self, coins: Sequence[str]) -> dict[str, OrderBook]:
        """Return books of these coins that are at most some seconds old.

        Raises
        ------
        InputError
            If a coin is unknown, or too many are named.
        ExchangeError
            If one could not be fetched.
        """
        self._check_listed(coins)
        if len(coins) > BOOKS_AT_MOST:
            raise InputError(f"coins names {len(coins)} coins: ask for the books of at most {BOOKS_AT_MOST} at once")
        held = self._books.fresh(coins)
        asked, failed = await self._books.ask([coin for coin in dict.fromkeys(coins) if coin not in held])
        for error in failed.values():
            raise error
        return {**held, **asked}

    def ticks(self, coins: Sequence[str] | None) -> pd.DataFrame:
        """Return the newest quote, mark and funding estimate of these coins, of all that trade when None."""
        return self._state.ticks.frame(self._named_or_all(coins), self._clock())

    def seconds(self, coins: Sequence[str] | None) -> pd.DataFrame:
        """Return the one-second bars of these coins' mids, of all that trade when None."""
        return self._state.seconds.frame(self._named_or_all(coins))

    def _named_or_all(self, coins: Sequence[str] | None) -> Sequence[str]:
        if coins is None:
            return self._contexts.listed()
        self._check_listed(coins)
        return coins

    def _ends(self, bars: int, interval: str | None) -> Range:
        """Return the opens of the first and the last of the newest closed bars."""
        duration = interval_duration(interval or self._history.interval)
        self.universe()
        now = self._state.market_time(self._clock())
        assert now is not None
        # Bars of more than a day need not open on multiples of their length: any that began so long ago has closed.
        last = now.floor(duration) - duration if duration <= pd.Timedelta(days=1) else now - duration
        return last - (bars - 1) * duration, last

    def _check_listed(self, coins: Iterable[str]) -> None:
        listed = self.universe().index
        unknown = [coin for coin in coins if coin not in listed]
        if unknown:
            raise InputError(f"the exchange lists no coin {unknown[0]!r}: see /universe for those it does")

    async def _check(self, coins: Sequence[str], part: Buffered, span: Range, weigh: Callable[[Range], int]) -> None:
        self._check_listed(coins)
        weight = await asyncio.to_thread(
            lambda: sum(weigh(hole) for coin in set(coins) for hole in part.missing(coin, *span))
        )
        if weight > WEIGHT_AT_MOST:
            raise InputError(
                f"what is missing of {len(coins)} coins weighs {weight:,} units of the exchange's budget, and one "
                f"request may use {WEIGHT_AT_MOST:,}: ask for fewer coins or bars at once, or wait for the backfill"
            )


def _raise_first(failed: dict[str, str]) -> None:
    for coin, reason in failed.items():
        raise ExchangeError(f"{len(failed)} coins could not be fetched, {coin} among them: {reason}")
