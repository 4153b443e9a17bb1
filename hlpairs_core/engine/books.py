import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import pandas as pd

from hlpairs_core.exceptions import ExchangeError, ExchangeUnavailable
from hlpairs_core.exchange import HyperliquidClient, OrderBook, Priority
from hlpairs_core.exchange.book import deepened
from hlpairs_core.exchange.events import BookEvent

__all__ = ["Books"]

log = logging.getLogger(__name__)

# The feed sends a book of twenty levels about every five seconds.
FRESH_SECONDS = 10.0
# Of a coin, from the feed: enough to find the one at a bar's close a minute after it.
KEPT = 12
# Significant figures of aggregated prices, from the finest on.
_COARSER = (4, 3, 2)


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
        self._fed: dict[str, deque[OrderBook]] = {}
        self._newest: dict[str, tuple[float, OrderBook]] = {}  # with when it came

    def take(self, event: BookEvent) -> None:
        """Take a book from the feed; the fast ones show too few levels to price a trade."""
        if not event.fast:
            coin = event.book.coin
            self._fed.setdefault(coin, deque(maxlen=KEPT)).append(event.book)
            self._newest[coin] = (event.received_at, event.book)

    def keep_only(self, coins: Iterable[str]) -> None:
        """Forget the books of all coins but these."""
        kept = set(coins)
        self._fed = {coin: books for coin, books in self._fed.items() if coin in kept}
        self._newest = {coin: book for coin, book in self._newest.items() if coin in kept}

    def fresh(self, coins: Iterable[str]) -> dict[str, OrderBook]:
        """Return the newest books of these coins where they are there and new."""
        now = self._clock()
        newest = {coin: self._newest[coin] for coin in coins if coin in self._newest}
        return {coin: book for coin, (came_at, book) in newest.items() if now - came_at < FRESH_SECONDS}

    def at(self, moment: pd.Timestamp, coins: Iterable[str], *, speed: float = 1.0) -> dict[str, OrderBook]:
        """Return the books of these coins at a moment of the market's clock: the feed's last ones until then.

        Only their own times count, not when they came nor what has come since: a bar is priced alike whether its
        screen is a little earlier or later. A coin has none where the last one was older than `FRESH_SECONDS`, which
        are so many times `speed` of the market's, or came after the moment.
        """
        since = moment - pd.Timedelta(seconds=FRESH_SECONDS * speed)
        found = {}
        for coin in coins:
            until = [book for book in self._fed.get(coin, ()) if since < book.time <= moment]
            if until:
                found[coin] = max(until, key=lambda book: book.time)
        return found

    async def ask(
        self, coins: Sequence[str], priority: Priority = Priority.NORMAL, *, within: float | None = None
    ) -> tuple[dict[str, OrderBook], Mapping[str, ExchangeError]]:
        """Ask for the books of these coins, side by side; return those that came, and why the others did not.

        Parameters
        ----------
        coins : sequence of str
            Their names on the wire.
        priority : Priority
            In the weight budget.
        within : float, optional
            What has not come after so many seconds of real time is not waited for.
        """
        client = self._client.at(priority)
        answers = await _side_by_side([client.l2_book(coin) for coin in coins], within)
        books: dict[str, OrderBook] = {}
        failed: dict[str, ExchangeError] = {}
        for coin, answer in zip(coins, answers, strict=True):
            if isinstance(answer, OrderBook):
                books[coin] = answer
                self._newest[coin] = (self._clock(), answer)
            else:
                failed[coin] = answer
                log.warning("there is no book of %s: %s", coin, answer)
        return books, failed

    async def deepen(
        self, books: Mapping[str, OrderBook], priority: Priority = Priority.NORMAL, *, within: float | None = None
    ) -> dict[str, OrderBook]:
        """Return these books with what lies beyond their visible levels, as far as the exchange aggregates them.

        Those are left out of which that does not come; the parameters are those of `ask`.
        """
        client = self._client.at(priority)
        calls = [client.l2_book(coin, significant_figures=figures) for coin in books for figures in _COARSER]
        answers = iter(await _side_by_side(calls, within))
        found: dict[str, OrderBook] = {}
        for coin, book in books.items():
            of_coin = list(islice(answers, len(_COARSER)))
            further = [answer for answer in of_coin if isinstance(answer, OrderBook)]
            if len(further) == len(_COARSER):
                found[coin] = deepened(book, further)
            else:
                trouble = next(answer for answer in of_coin if not isinstance(answer, OrderBook))
                log.warning("there is no deeper book of %s: %s", coin, trouble)
        return found


async def _side_by_side(
    calls: Iterable[Coroutine[Any, Any, OrderBook]], within: float | None
) -> list[OrderBook | ExchangeError]:
    """Return the answers in order; the error where one did not come, or not in time."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=within)
        return [_answer(task, within) for task in tasks]
    finally:
        for task in tasks:
            task.cancel()


def _answer(task: asyncio.Task[OrderBook], within: float | None) -> OrderBook | ExchangeError:
    if not task.done():
        return ExchangeUnavailable(f"it did not come within {within:.1f} s")
    try:
        return task.result()
    except ExchangeError as error:
        return error
