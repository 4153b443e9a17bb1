"""Asks the exchange over HTTP."""

import asyncio
import copy
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import httpx

from hlpairs_core.exceptions import RequestRefused
from hlpairs_core.exchange.addresses import Addresses, parse_addresses
from hlpairs_core.exchange.breaker import Breakers, BreakerState
from hlpairs_core.exchange.budget import Priority, WeightBudget
from hlpairs_core.exchange.coin_calls import CoinCalls
from hlpairs_core.exchange.connection import InfoConnection, Manner
from hlpairs_core.exchange.listings import UniverseChange
from hlpairs_core.exchange.payloads import is_perp_name
from hlpairs_core.exchange.perp_calls import PerpCalls
from hlpairs_core.exchange.sender import Sender
from hlpairs_core.exchange.session import Session
from hlpairs_core.exchange.spot_calls import SpotCalls
from hlpairs_core.exchange.stamp import MAINNET_URL, MarketStamp
from hlpairs_core.exchange.tap import Tap
from hlpairs_core.exchange.user_calls import UserCalls

__all__ = ["ClientStatus", "HyperliquidClient"]


@dataclass(frozen=True)
class ClientStatus:
    """How a client fares.

    Attributes
    ----------
    address : str
        The one in use.
    addresses : tuple of str
        All that were given.
    breakers : tuple of BreakerState
        One for each type of request that was sent.
    weight_left : float
        Units an urgent request could spend now.
    under_way, waiting : int
        Requests that are sent and not answered, and those that wait for room; of all who share the budget.
    rate_limited : int
        Answers that were 429, too many requests.
    """

    address: str
    addresses: tuple[str, ...]
    breakers: tuple[BreakerState, ...]
    weight_left: float
    under_way: int
    waiting: int
    rate_limited: int


class HyperliquidClient(PerpCalls, CoinCalls, SpotCalls, UserCalls):
    """Client of Hyperliquid's public information, or of a simulated exchange that speaks its wire.

    Every request is checked before it is sent, spends from a weight budget, is tried again where that helps
    (lost connections, timeouts, 429, 5xx, bodies that are no JSON) and is read strictly: a field that is
    missing or unfit raises `MalformedPayload` with its path. A type of request that keeps failing is not sent
    for a while (`CircuitOpen`). Redirects are never followed. Proxies and certificates from the environment
    (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` …) are honoured, as httpx does.

    Parameters
    ----------
    base_url : str or sequence of str
        ``http(s)://host[:port]``; a trailing slash is dropped. Of several addresses of one market the first
        is asked as long as it works, see `Addresses`.
    transport : httpx.AsyncBaseTransport, optional
        Where requests go instead of the network.
    budget : WeightBudget, optional
        Shared by all clients of one IP address; by default 1200 units a minute for this client alone. Give
        ``WeightBudget(math.inf)`` for a simulated exchange.
    tap : Tap, optional
        Told of every attempt when it ends, for recording.
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
        If an address cannot be used, they are not of one kind, or a number is out of range.

    Notes
    -----
    Every call may raise `ExchangeUnavailable` (or `RateLimited`, `CircuitOpen`), `RequestRefused` and
    `MalformedPayload`.

    Examples
    --------
    >>> async with HyperliquidClient() as client:  # doctest: +SKIP
    ...     bars = await client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-08T00:00Z")
    """

    def __init__(
        self,
        base_url: str | Sequence[str] = MAINNET_URL,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: WeightBudget | None = None,
        tap: Tap | None = None,
        timeout_seconds: float = 10.0,
        retries: int = 5,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._manner = Manner(Priority.NORMAL, retries, timeout_seconds)
        connection = InfoConnection(
            Addresses(parse_addresses(base_url), clock=clock),
            sender=Sender(transport=transport, tap=tap, clock=clock),
            budget=budget if budget is not None else WeightBudget(clock=clock, sleep=sleep),
            clock=clock,
            sleep=sleep,
            rng=rng if rng is not None else random.Random(),
        )
        self._session = Session(connection, Breakers(clock=clock))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; a second call does nothing."""
        await self._session.connection.aclose()

    def at(
        self, priority: Priority, *, retries: int | None = None, timeout_seconds: float | None = None
    ) -> "HyperliquidClient":
        """Return this client with another priority for what is asked through it.

        Connections, budget, breakers, stamp and what is known of the universes are shared; closing either
        closes both.

        Parameters
        ----------
        priority : Priority
            In the weight budget.
        retries, timeout_seconds : optional
            As for the client itself; None keeps them.

        Raises
        ------
        InputError
            If a number is out of range.
        """
        manner = replace(self._manner, priority=priority)
        if retries is not None:
            manner = replace(manner, retries=retries)
        if timeout_seconds is not None:
            manner = replace(manner, timeout_seconds=timeout_seconds)
        view = copy.copy(self)
        view._manner = manner
        return view

    @property
    def address(self) -> str:
        """The exchange's address in use, normalised."""
        return self._session.connection.addresses.current.url

    @property
    def stamp(self) -> MarketStamp | None:
        """Origin and market time of the last usable reply; None before the first."""
        return self._session.stamp

    @property
    def universe_changes(self) -> tuple[UniverseChange, ...]:
        """How universes changed between answers, oldest first, the last hundred; each has its `number`."""
        return tuple(self._session.listings.changes)

    def status(self) -> ClientStatus:
        """Return how this client fares."""
        connection = self._session.connection
        return ClientStatus(
            address=self.address,
            addresses=tuple(address.url for address in connection.addresses.all),
            breakers=self._session.breakers.states(),
            weight_left=connection.budget.remaining,
            under_way=connection.budget.under_way,
            waiting=connection.budget.waiting,
            rate_limited=connection.rate_limited,
        )

    async def is_listed(self, coin: str) -> bool:
        """Whether the exchange lists a coin, be it delisted; asks for the universe it would be in if need be.

        Perps, builders' perps (``dex:COIN``) and spot pairs (``@107``, ``PURR/USDC``) are looked up; what no
        universe names, such as outcomes (``#5``), is not listed.
        """
        listings = self._session.listings
        if not listings.lists(coin):
            await self._look_up(coin)
        return listings.lists(coin)

    async def _look_up(self, coin: str) -> None:
        dex, colon, _ = coin.partition(":")
        if is_perp_name(coin):
            await self.contexts()
        elif colon:
            try:
                await self.contexts(dex)
            except RequestRefused:
                return  # there is no such dex
        elif not coin.startswith("#"):
            await self.spot_meta()
