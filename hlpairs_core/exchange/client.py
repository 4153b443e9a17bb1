"""Asks the exchange over HTTP."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import httpx
import pandas as pd

from hlpairs_core.exceptions import (
    ExchangeError,
    ExchangeUnavailable,
    MalformedPayload,
    RequestRefused,
    UnknownCoin,
)
from hlpairs_core.exchange import requests
from hlpairs_core.exchange.arguments import check_coin, check_range, to_milliseconds
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.exchange.budget import WeightBudget
from hlpairs_core.exchange.connection import InfoConnection, Reply
from hlpairs_core.exchange.payloads import (
    is_perp_name,
    parse_book,
    parse_candles,
    parse_contexts,
    parse_funding,
    parse_mids,
    utc_ms,
)
from hlpairs_core.exchange.retry import Setback
from hlpairs_core.exchange.stamp import MAINNET_URL, MarketStamp, parse_address
from hlpairs_core.intervals import interval_duration

__all__ = ["HyperliquidClient"]

_PAGES_AT_MOST = 1000


class HyperliquidClient:
    """Client of Hyperliquid's public information, or of a simulated exchange that speaks its wire.

    Every request is checked before it is sent, spends from a weight budget, is tried again where that helps
    (lost connections, timeouts, 429, 5xx, bodies that are no JSON) and is read strictly: a field that is
    missing or unfit raises `MalformedPayload` with its path. Redirects are never followed. Proxies and
    certificates from the environment (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` …) are honoured, as
    httpx does.

    Parameters
    ----------
    base_url : str
        ``http(s)://host[:port]``; a trailing slash is dropped.
    transport : httpx.AsyncBaseTransport, optional
        Where requests go instead of the network.
    budget : WeightBudget, optional
        Shared by all clients of one IP address; by default 1200 units a minute for this client alone. Give
        ``WeightBudget(math.inf)`` for a simulated exchange.
    timeout_seconds : float
        To connect, and for each read and write; an attempt as a whole may take six times that.
    retries : int
        Attempts after the first.
    clock : callable
        Seconds since 1970.
    sleep : callable
        Awaitable sleep in seconds, for backoff and budget.
    rng : random.Random, optional
        Jitter of the backoff.

    Raises
    ------
    InputError
        If the address cannot be used, or a number is out of range.

    Notes
    -----
    Every method may raise `ExchangeUnavailable` (or `RateLimited`), `RequestRefused` and `MalformedPayload`.

    Examples
    --------
    >>> async with HyperliquidClient() as client:  # doctest: +SKIP
    ...     bars = await client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-08T00:00Z")
    """

    def __init__(
        self,
        base_url: str = MAINNET_URL,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: WeightBudget | None = None,
        timeout_seconds: float = 10.0,
        retries: int = 5,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._connection = InfoConnection(
            parse_address(base_url),
            transport=transport,
            budget=budget if budget is not None else WeightBudget(clock=clock, sleep=sleep),
            timeout_seconds=timeout_seconds,
            retries=retries,
            clock=clock,
            sleep=sleep,
            rng=rng if rng is not None else random.Random(),
        )
        self._stamp: MarketStamp | None = None
        self._listed: frozenset[str] = frozenset()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; a second call does nothing."""
        await self._connection.aclose()

    @property
    def address(self) -> str:
        """The exchange's address, normalised."""
        return self._connection.address.url

    @property
    def stamp(self) -> MarketStamp | None:
        """Origin and market time of the last usable reply; None before the first."""
        return self._stamp

    async def contexts(self) -> pd.DataFrame:
        """Fetch the universe and what the exchange says of each coin now.

        Returns
        -------
        pandas.DataFrame, indexed by ``coin``
            All coins in the exchange's order, delisted ones too: ``asset`` (the id in orders: the position in
            that order), ``size_decimals``, ``max_leverage``, ``only_isolated``, ``is_delisted``,
            ``funding_rate`` (fraction per hour, running estimate), ``open_interest`` (base units),
            ``oracle_price, mark_price, mid_price`` (USD), ``premium`` (fraction), ``impact_bid, impact_ask,
            prev_day_price`` (USD), ``day_notional_usd``, ``day_base_volume``. NaN where the exchange says
            null, as for the mid of a coin without a book.
        """
        request = requests.meta_and_contexts()
        frame = parse_contexts(request.label, (await self._post(request)).payload)
        self._listed = frozenset(frame.index)
        return frame

    async def all_mids(self) -> dict[str, float]:
        """Fetch all mid prices (USD) by coin, spot pairs such as ``@107`` among them.

        The mid of a coin without a book is its last trade, which may be old.
        """
        request = requests.all_mids()
        return parse_mids(request.label, (await self._post(request)).payload)

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
        reply = await self._post_about(coin, request)
        # In a thread: five thousand candles take a tenth of a second, in which the event loop should do other things.
        frame = await asyncio.to_thread(parse_candles, request.label, _rows(reply), coin=coin, interval=interval)
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
        """
        check_coin(coin)
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
        reply = await self._post_about(coin, request)
        if reply.payload is None:
            raise _unknown(coin)
        return parse_book(request.label, reply.payload, coin=coin)

    async def _funding_pages(self, coin: str, first: int, last: int | None) -> list[pd.DataFrame]:
        pages: list[pd.DataFrame] = []
        cursor = first
        while len(pages) < _PAGES_AT_MOST:
            request = requests.funding_history(coin, cursor, last)
            payload = _rows(await self._post_about(coin, request))
            pages.append(parse_funding(request.label, payload, coin=coin))
            if not isinstance(payload, list) or len(payload) < requests.FUNDING_PAGE:
                return pages
            newest = to_milliseconds("time", pages[-1]["time"].iloc[-1])
            if newest <= cursor:
                raise MalformedPayload(request.label, "time", f"a full page ends at {newest}, asked from {cursor} on")
            cursor = newest  # the exchange repeats this row, as its documentation says
        raise MalformedPayload(f"fundingHistory {coin}", "the pages", f"no end after {_PAGES_AT_MOST} full pages")

    async def _post(self, request: requests.InfoRequest) -> Reply:
        reply = await self._connection.post(request)
        self._stamp = reply.stamp
        return reply

    async def _post_about(self, coin: str, request: requests.InfoRequest) -> Reply:
        # For a coin it does not know the exchange may answer null, [], 422 or 500: only the universe tells.
        try:
            reply = await self._post(request)
        except (RequestRefused, ExchangeUnavailable) as error:
            try:
                unlisted = _may_mean_unknown(error) and await self._is_unlisted(coin)
            except ExchangeError:
                unlisted = False
            if unlisted:
                raise _unknown(coin) from error
            raise
        if reply.payload is None and not is_perp_name(coin):
            raise _unknown(coin)
        if reply.payload in (None, []) and await self._is_unlisted(coin):
            raise _unknown(coin)
        return reply

    async def _is_unlisted(self, coin: str) -> bool:
        if coin in self._listed or not is_perp_name(coin):
            return False
        await self.contexts()
        return coin not in self._listed


def _may_mean_unknown(error: ExchangeError) -> bool:
    if isinstance(error, RequestRefused):
        return True
    return isinstance(error.__cause__, Setback) and error.__cause__.is_server_error


def _unknown(coin: str) -> UnknownCoin:
    return UnknownCoin(f"the exchange does not list {coin!r}: see contexts() for the coins it lists")


def _rows(reply: Reply) -> object:
    # Some servers say null for a listed coin that has no rows.
    return [] if reply.payload is None else reply.payload


def _within(frame: pd.DataFrame, first: int, last: int | None) -> pd.DataFrame:
    start, end = utc_ms([first, first if last is None else last])
    inside = frame["time"] >= start
    if last is not None:
        inside &= frame["time"] <= end
    return frame[inside].reset_index(drop=True)
