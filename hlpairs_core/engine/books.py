import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient, OrderBook, Priority
from hlpairs_core.exchange.events import BookEvent

__all__ = ["Books"]

log = logging.getLogger(__name__)

# The feed sends a book of twenty levels about every five seconds.
FRESH_SECONDS = 10.0
# Of a coin: enough to find the one at a bar's close a while after it.
KEPT = 6


class Books:
    """The newest order books of each coin: from the feed, or asked for where that has none.

    Parameters
    ----------
    client : HyperliquidClient
        Where to ask.
    clock : callable
        Wall time, seconds since the epoch.
    """

    def __init__(self, client: HyperliquidClient, *, clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = client, clock
        self._held: dict[str, deque[OrderBook]] = {}
        self._came_at: dict[str, float] = {}

    def take(self, event: BookEvent) -> None:
        """Take a book from the feed; the fast ones show too few levels to price a trade."""
        if not event.fast:
            self._keep(event.book, event.received_at)

    def keep_only(self, coins: Iterable[str]) -> None:
        """Forget the books of all coins but these."""
        for coin in self._held.keys() - set(coins):
            del self._held[coin], self._came_at[coin]

    def fresh(self, coins: Iterable[str]) -> dict[str, OrderBook]:
        """Return the newest books of these coins where they are there and new."""
        now = self._clock()
        return {coin: self._held[coin][-1] for coin in coins if self._is_fresh(coin, now)}

    def at(self, moment: pd.Timestamp, coins: Iterable[str]) -> dict[str, OrderBook]:
        """Return the books of these coins at a moment of the market's clock, where the newest came just now.

        That is the last one until then, whatever has come since: a bar is priced alike whether its screen is a little
        earlier or later. Where there is none from before, it is the first one after it.
        """
        now, found = self._clock(), {}
        for coin in coins:
            if self._is_fresh(coin, now):
                found[coin] = _at(moment, self._held[coin])
        return found

    async def ask(
        self, coins: Sequence[str], priority: Priority = Priority.NORMAL
    ) -> tuple[dict[str, OrderBook], Mapping[str, ExchangeError]]:
        """Ask for the books of these coins, side by side; return those that came, and why the others did not."""
        client = self._client.at(priority)
        answers = await asyncio.gather(*(client.l2_book(coin) for coin in coins), return_exceptions=True)
        books: dict[str, OrderBook] = {}
        failed: dict[str, ExchangeError] = {}
        for coin, answer in zip(coins, answers, strict=True):
            if isinstance(answer, OrderBook):
                books[coin] = answer
                self._keep(answer, self._clock())
            elif isinstance(answer, ExchangeError):
                failed[coin] = answer
                log.warning("there is no book of %s: %s", coin, answer)
            else:
                raise answer
        return books, failed

    def _is_fresh(self, coin: str, now: float) -> bool:
        return now - self._came_at.get(coin, -math.inf) < FRESH_SECONDS

    def _keep(self, book: OrderBook, came_at: float) -> None:
        self._held.setdefault(book.coin, deque(maxlen=KEPT)).append(book)
        self._came_at[book.coin] = came_at


def _at(moment: pd.Timestamp, held: Iterable[OrderBook]) -> OrderBook:
    """Return the last book until a moment, else the first after it; one that was asked for may have come late."""
    ordered = sorted(held, key=lambda book: book.time)
    return next((book for book in reversed(ordered) if book.time <= moment), ordered[0])
