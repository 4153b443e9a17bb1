"""What every call goes through, and what all views of one client know."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hlpairs_core.exceptions import ExchangeError, ExchangeUnavailable, RequestRefused, UnknownCoin
from hlpairs_core.exchange.breaker import Breakers
from hlpairs_core.exchange.connection import InfoConnection, Manner, Reply
from hlpairs_core.exchange.dexs import PerpDex
from hlpairs_core.exchange.listings import Listings
from hlpairs_core.exchange.requests import InfoRequest
from hlpairs_core.exchange.retry import Setback
from hlpairs_core.exchange.stamp import MarketStamp

__all__ = ["InfoCalls", "Session", "unknown"]

T = TypeVar("T")


@dataclass
class Session:
    """Shared by all views of one client.

    Attributes
    ----------
    connection : InfoConnection
        To the exchange.
    breakers : Breakers
        One for each type of request.
    listings : Listings
        What is listed, as far as it was asked.
    dexs : tuple of PerpDex
        Builders' dexs, as last answered.
    stamp : MarketStamp or None
        Of the last usable reply.
    """

    connection: InfoConnection
    breakers: Breakers
    listings: Listings = field(default_factory=Listings)
    dexs: tuple[PerpDex, ...] = ()
    stamp: MarketStamp | None = None


class InfoCalls(ABC):
    """Base of the groups of calls: sends a request, and tells a coin that is not listed from other failures."""

    _session: Session
    _manner: Manner

    @abstractmethod
    async def is_listed(self, coin: str) -> bool:
        """Whether the exchange lists a coin, be it delisted; asks for the universe it would be in if need be.

        Perps, builders' perps (``dex:COIN``) and spot pairs (``@107``, ``PURR/USDC``) are looked up; what no
        universe names, such as outcomes (``#5``), is not listed.
        """

    async def _ask(self, request: InfoRequest, read: Callable[[str, object], T]) -> T:
        with self._session.breakers.of(request.endpoint).call() as admission:
            reply = await self._session.connection.post(request, self._manner, admission)
        result = read(request.label, reply.payload)
        self._accept(reply)
        return result

    async def _ask_about(self, coin: str, request: InfoRequest) -> Reply:
        # For a coin it does not know the exchange may answer null, [], 422 or 500: only the universe tells.
        with self._session.breakers.of(request.endpoint).call() as admission:
            try:
                reply = await self._session.connection.post(request, self._manner, admission)
            except (RequestRefused, ExchangeUnavailable) as error:
                if _may_mean_unknown(error) and await self._is_surely_unlisted(coin):
                    raise unknown(coin) from error
                raise
        if reply.payload in (None, []) and not await self._may_be_listed(coin, reply.payload):
            raise unknown(coin)
        return reply

    def _accept(self, reply: Reply) -> None:
        """Take over the stamp of an answer that was read to its end."""
        self._session.stamp = reply.stamp

    async def _is_surely_unlisted(self, coin: str) -> bool:
        try:
            return not await self._may_be_listed(coin, [])
        except ExchangeError:
            return False

    async def _may_be_listed(self, coin: str, payload: object) -> bool:
        # No universe has outcomes: of those null alone says that there is none.
        return payload is not None if coin.startswith("#") else await self.is_listed(coin)


def unknown(coin: str) -> UnknownCoin:
    """Return the error for a coin that is not listed."""
    return UnknownCoin(f"the exchange does not list {coin!r}: contexts() and spot_meta() say what it lists")


def _may_mean_unknown(error: ExchangeError) -> bool:
    if isinstance(error, RequestRefused):
        return True
    return isinstance(error.__cause__, Setback) and error.__cause__.is_server_error
