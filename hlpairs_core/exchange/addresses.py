"""Several addresses of one market: which one to ask now."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.retry import Setback
from hlpairs_core.exchange.stamp import Address, MarketStamp, parse_address

__all__ = ["Addresses", "parse_addresses"]

_FAILURES_TO_LEAVE = 2
_BACK_AFTER = 300.0


def parse_addresses(base_urls: str | Sequence[str]) -> tuple[Address, ...]:
    """Check one or several addresses of one market; the first is the preferred one.

    Addresses that are not Hyperliquid's get the name of the first, for they are one market.

    Raises
    ------
    InputError
        If one cannot be used, there is none, or they prove to be of different kinds: a client never goes from
        the mainnet to another market.
    """
    given: list[Any] = list(base_urls) if isinstance(base_urls, list | tuple) else [base_urls]
    addresses = tuple(dict.fromkeys(parse_address(url) for url in given))
    if not addresses:
        raise InputError("no address of an exchange was given")
    if len({address.kind for address in addresses}) > 1:
        shown = ", ".join(f"{address.url} ({address.kind})" for address in addresses)
        raise InputError(f"these addresses are not of one market: {shown}; give addresses of one kind only")
    return tuple(replace(address, name=addresses[0].name) for address in addresses)


class Addresses:
    """Says which address to ask: the first that works, for as long as it does.

    After two failures in a row the next one is asked, and after five minutes away from it the first is tried
    again; one failure then is enough to leave it. A failure is a connection that did not come about or broke,
    a timeout, a server error or an answer that is no JSON; a 429 is none: another address would be no cure.

    Parameters
    ----------
    addresses : tuple of Address
        Of one market, best first.
    clock : callable
        Seconds.
    """

    def __init__(self, addresses: tuple[Address, ...], *, clock: Callable[[], float]) -> None:
        self.all = addresses
        self._clock = clock
        self._current = 0
        self._failures = 0
        self._left_at = 0.0
        self._market: MarketStamp | None = None

    @property
    def current(self) -> Address:
        """The address in use."""
        return self.all[self._current]

    def pick(self) -> Address:
        """Return the address to ask now."""
        away = self._clock() - self._left_at
        if self._current and not 0 <= away < _BACK_AFTER:
            self._current, self._failures = 0, _FAILURES_TO_LEAVE - 1
        return self.current

    def answered(self, address: Address) -> None:
        """Note that an address gave a usable answer."""
        if address is self.current:
            self._failures = 0

    def failed(self, address: Address) -> None:
        """Note that an address gave none; it may be left for the next."""
        if address is not self.current:
            return
        self._failures += 1
        if self._failures >= _FAILURES_TO_LEAVE and len(self.all) > 1:
            self._left_at = self._left_at if self._current else self._clock()
            self._current, self._failures = (self._current + 1) % len(self.all), 0

    def confirm(self, address: Address, stamp: MarketStamp) -> None:
        """Check that an answer is of the market that answered first; one address alone may change it.

        Raises
        ------
        Setback
            If it is of another: its data must not be mixed with what is known.
        """
        self._market = self._market or stamp
        if len(self.all) > 1 and (stamp.kind, stamp.name) != (self._market.kind, self._market.name):
            raise Setback(f"{address.url} is the market {stamp.name}, not {self._market.name}")
