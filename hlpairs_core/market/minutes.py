"""What the feed said, gathered by minute and coin."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.exchange.events import BookEvent, QuoteEvent, TradesEvent
from hlpairs_core.market.depth import depth_within
from hlpairs_core.market.trade_bars import TradeBars

__all__ = ["MINUTE_MS", "MinuteRow", "Minutes", "minutes_frame", "minutes_spans"]

MinuteRow: TypeAlias = tuple[Any, ...]

MINUTE_MS = 60_000
DEPTHS_BPS = (10, 25, 50)
COLUMNS = (
    "coin",
    "time",
    *("bid", "ask", "bid_size", "ask_size"),
    *(f"{side}_depth_{bps}bps_usd" for bps in DEPTHS_BPS for side in ("bid", "ask")),
    *("trades", "buy_volume", "sell_volume", "notional_usd"),
)
_UNQUOTED = (np.nan,) * 4
_NO_DEPTH = (np.nan,) * 2 * len(DEPTHS_BPS)


class Minutes:
    """Each minute's last quote, the depth of its last book and the sums of its trades.

    A quote stands until the next one. A coin has no row in a minute in which a trade may have been missed.

    Parameters
    ----------
    kept : int
        So many minutes may wait to be turned into rows.
    """

    def __init__(self, kept: int) -> None:
        self._trades = TradeBars(MINUTE_MS, kept=kept)
        self._quotes: dict[str, dict[int, QuoteEvent]] = {}
        self._books: dict[str, dict[int, OrderBook]] = {}
        self._standing: dict[str, QuoteEvent] = {}

    def take_quote(self, quote: QuoteEvent) -> None:
        """Take a coin's best bid and ask."""
        self._quotes.setdefault(quote.coin, {})[quote.time_ms // MINUTE_MS] = quote

    def take_book(self, event: BookEvent) -> None:
        """Take a book; the fast ones show too few levels."""
        if not event.fast:
            minute = int(event.book.time.timestamp() * 1000) // MINUTE_MS
            self._books.setdefault(event.book.coin, {})[minute] = event.book

    def take_trades(self, event: TradesEvent) -> None:
        """Take new trades of a coin."""
        self._trades.take(event.coin, event.trades)

    def interrupt_quotes(self, until: float, coin: str | None = None) -> None:
        """Say that a coin's quote (every coin's, when None) may have changed unheard up to wall time `until`."""
        for one in list(self._standing) if coin is None else [coin]:
            quote = self._standing.get(one)
            if quote is not None and quote.received_at < until:
                del self._standing[one]

    def interrupt_trades(self, coin: str) -> None:
        """Say that trades of a coin may have been missed, up to its next ones."""
        self._trades.interrupt(coin)

    def keep_only(self, coins: Iterable[str]) -> None:
        """Forget all coins but these."""
        kept = set(coins)
        self._trades.keep_only(kept)
        held: dict[str, Any]
        for held in (self._quotes, self._books, self._standing):
            for coin in held.keys() - kept:
                del held[coin]

    def rows(self, minute: int) -> Iterator[MinuteRow]:
        """Yield the rows of a minute (its number since 1970); minutes are asked for in order, each once."""
        for coin, quotes in self._quotes.items():
            trades = self._trades.bar(coin, minute * MINUTE_MS)
            if minute in quotes:
                self._standing[coin] = quotes.pop(minute)
            if trades is None or not trades.is_complete:
                continue
            quote, book = self._standing.get(coin), self._books.get(coin, {}).get(minute)
            yield (
                coin,
                minute * MINUTE_MS,
                *(_UNQUOTED if quote is None else (quote.bid, quote.ask, quote.bid_size, quote.ask_size)),
                *(_NO_DEPTH if book is None else depth_within(book, DEPTHS_BPS).ravel().tolist()),
                *(trades.trades, trades.buy_volume, trades.sell_volume, trades.notional),
            )

    def go_on_from(self, minute: int) -> None:
        """Forget what was said before a minute, but for the quotes that stand."""
        self._trades.keep_from(minute * MINUTE_MS)
        for coin, quotes in self._quotes.items():
            for old in sorted(one for one in quotes if one < minute):
                self._standing[coin] = quotes.pop(old)
        for books in self._books.values():
            for old in [one for one in books if one < minute]:
                del books[old]


def minutes_frame(rows: list[MinuteRow]) -> pd.DataFrame:
    """Return rows as a frame with the columns of `hlpairs_core.store.MinuteStore`."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True).dt.as_unit("ms")
    return frame.astype(dict.fromkeys(COLUMNS[2:], "float64"))


def minutes_spans(rows: list[MinuteRow]) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
    """Return the minutes of each coin as ranges, both ends included; rows of a coin are ascending."""
    minutes: dict[str, list[int]] = {}
    for row in rows:
        minutes.setdefault(row[0], []).append(row[1])
    spans = []
    for coin, times in minutes.items():
        breaks = [number for number, (before, after) in enumerate(pairwise(times), 1) if after != before + MINUTE_MS]
        for first, stop in pairwise([0, *breaks, len(times)]):
            ends = [pd.Timestamp(time, unit="ms", tz="UTC") for time in (times[first], times[stop - 1])]
            spans.append((coin, ends[0], ends[1]))
    return spans
