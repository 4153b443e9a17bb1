"""Calls about one coin, whatever it is: a perp, a builder's perp (``xyz:TSLA``) or a spot pair (``@107``)."""

import asyncio

import pandas as pd

from hlpairs_core.exceptions import ExchangeUnavailable, MalformedPayload, RequestRefused
from hlpairs_core.exchange import requests
from hlpairs_core.exchange.arguments import check_coin, check_range, to_milliseconds
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.exchange.connection import Reply
from hlpairs_core.exchange.payloads import parse_book, parse_candles, parse_funding, parse_trades, utc_ms
from hlpairs_core.exchange.session import InfoCalls, unknown
from hlpairs_core.intervals import interval_duration

__all__ = ["CoinCalls"]

_PAGES_AT_MOST = 1000


class CoinCalls(InfoCalls):
    """Part of `HyperliquidClient`."""

    async def candles(
        self, coin: str, interval: str, start: object, end: object, *, include_open: bool = False
    ) -> pd.DataFrame:
        """Fetch candles whose open time lies in ``start … end``, both included.

        The exchange keeps the last 5000 candles of each interval and silently leaves out what is older. It
        also sends the candle that contains `start`; one that opened before is dropped here.

        Parameters
        ----------
        coin : str
            Name on the wire.
        interval : str
            One of `hlpairs_core.intervals.INTERVALS`.
        start, end : anything `pandas.Timestamp` takes, with a time zone
            First and last open time.
        include_open : bool
            Whether to keep candles that the market's clock (see `MarketStamp.time`) has not closed yet.

        Returns
        -------
        pandas.DataFrame
            ``time`` (open time, ``datetime64[ms, UTC]``, ascending, unique), ``open, high, low, close``
            (USD), ``volume`` (base units). Empty where a listed coin has none.

        Raises
        ------
        InputError
            If an argument cannot be worked with.
        UnknownCoin
            If the exchange does not list the coin.
        """
        duration = interval_duration(interval)
        first, last = check_range(start, end)
        request = requests.candle_snapshot(check_coin(coin), interval, first, last)
        reply = await self._ask_about(coin, request)
        # In a thread: five thousand candles take a tenth of a second, in which the event loop should do other things.
        frame = await asyncio.to_thread(parse_candles, request.label, _rows(reply), coin=coin, interval=interval)
        self._accept(reply)
        frame = _within(frame, first, last)
        if not include_open:
            frame = frame[frame["time"] + duration <= reply.stamp.time].reset_index(drop=True)
        return frame

    async def funding_history(self, coin: str, start: object, end: object | None = None) -> pd.DataFrame:
        """Fetch the funding rates paid in ``start … end``, both included, page by page.

        Parameters
        ----------
        coin : str
            Name on the wire.
        start, end : anything `pandas.Timestamp` takes, with a time zone
            None for `end` is now.

        Returns
        -------
        pandas.DataFrame
            ``time`` (``datetime64[ms, UTC]``, ascending, unique; as sent: some milliseconds to a second after
            the hour), ``funding_rate`` (fraction per hour), ``premium`` (fraction; NaN where null).

        Raises
        ------
        InputError
            If an argument cannot be worked with.
        UnknownCoin
            If the exchange does not list the coin.
        RequestRefused
            If it is a spot pair: those have no funding.
        ExchangeUnavailable
            Also if the address became another market between two pages.
        """
        self._check_pays_funding(check_coin(coin))
        if end is None:
            first, last = to_milliseconds("start", start, round_up=True), None
        else:
            first, last = check_range(start, end)
        pages = await self._funding_pages(coin, first, last)
        frame = pd.concat(pages, ignore_index=True).drop_duplicates("time", keep="last")
        return _within(frame.sort_values("time"), first, last)

    async def l2_book(
        self, coin: str, *, significant_figures: int | None = None, mantissa: int | None = None
    ) -> OrderBook:
        """Fetch the best levels (20 a side) of a coin's order book.

        Parameters
        ----------
        coin : str
            Name on the wire.
        significant_figures : {2, 3, 4, 5}, optional
            Aggregate prices to so many figures: bids are rounded down, asks up.
        mantissa : {1, 2, 5}, optional
            With 5 figures: step of the last one.

        Raises
        ------
        InputError
            If an argument cannot be worked with.
        UnknownCoin
            If the exchange does not list the coin.
        """
        request = requests.l2_book(check_coin(coin), significant_figures, mantissa)
        reply = await self._ask_about(coin, request)
        if reply.payload is None:
            raise unknown(coin)
        book = parse_book(request.label, reply.payload, coin=coin)
        self._accept(reply)
        return book

    async def recent_trades(self, coin: str) -> pd.DataFrame:
        """Fetch a coin's last trades, about ten.

        Returns
        -------
        pandas.DataFrame
            ``time`` (UTC, ascending), ``price`` (USD), ``size`` (base units), ``is_buy`` (whether the taker
            bought), ``tid`` (unique for the coin). Empty where a listed coin has none.

        Raises
        ------
        InputError
            If `coin` can be no name.
        UnknownCoin
            If the exchange does not list the coin.
        """
        request = requests.recent_trades(check_coin(coin))
        reply = await self._ask_about(coin, request)
        trades = parse_trades(request.label, _rows(reply), coin=coin)
        self._accept(reply)
        return trades

    def _check_pays_funding(self, coin: str) -> None:
        # The exchange would answer with a server error, which is tried again and looks like an outage.
        may_be_pair = coin.startswith("@") or ("/" in coin and ":" not in coin)
        if may_be_pair and not self._session.listings.lists(coin, ""):
            raise RequestRefused(f"{coin!r} is a spot pair: only perps pay funding")

    async def _funding_pages(self, coin: str, first: int, last: int | None) -> list[pd.DataFrame]:
        pages: list[pd.DataFrame] = []
        cursor, market = first, ""
        while len(pages) < _PAGES_AT_MOST:
            request = requests.funding_history(coin, cursor, last)
            reply = await self._ask_about(coin, request)
            payload = _rows(reply)
            pages.append(parse_funding(request.label, payload, coin=coin))
            self._accept(reply)
            # The stamp that callers look at is that of the last page.
            if market not in ("", reply.stamp.name):
                text = f"{request.label}: the exchange became {reply.stamp.name} between two pages of {market}"
                raise ExchangeUnavailable(f"{text}: ask again")
            market = reply.stamp.name
            if not isinstance(payload, list) or len(payload) < requests.FUNDING_PAGE:
                return pages
            newest = to_milliseconds("time", pages[-1]["time"].iloc[-1])
            if newest <= cursor:
                raise MalformedPayload(request.label, "time", f"a full page ends at {newest}, asked from {cursor} on")
            cursor = newest  # the exchange repeats this row, as its documentation says
        raise MalformedPayload(f"fundingHistory {coin}", "the pages", f"no end after {_PAGES_AT_MOST} full pages")


def _rows(reply: Reply) -> object:
    # Some servers say null for a listed coin that has no rows.
    return [] if reply.payload is None else reply.payload


def _within(frame: pd.DataFrame, first: int, last: int | None) -> pd.DataFrame:
    start, end = utc_ms([first, first if last is None else last])
    inside = frame["time"] >= start
    if last is not None:
        inside &= frame["time"] <= end
    return frame[inside].reset_index(drop=True)
