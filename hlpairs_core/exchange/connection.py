"""Sends requests until they are answered: within the weight budget, again where that helps, elsewhere if need be."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.addresses import Addresses
from hlpairs_core.exchange.breaker import Admission
from hlpairs_core.exchange.budget import Priority, WeightBudget
from hlpairs_core.exchange.requests import InfoRequest
from hlpairs_core.exchange.retry import Backoff, Setback
from hlpairs_core.exchange.sender import Answer, Sender, read_answer
from hlpairs_core.exchange.stamp import MarketStamp, read_stamp

__all__ = ["InfoConnection", "Manner", "Reply"]

_logger = logging.getLogger(__name__)

# A larger body is parsed in a thread, so that the event loop does other things meanwhile (about 1 ms here).
_LARGE_BODY = 100_000


@dataclass(frozen=True)
class Reply:
    """A JSON answer and where it came from."""

    payload: object
    stamp: MarketStamp


@dataclass(frozen=True)
class Manner:
    """How a request is asked.

    Attributes
    ----------
    priority : Priority
        In the weight budget.
    retries : int
        Attempts after the first.
    timeout_seconds : float
        To connect, and for each read and write; an attempt as a whole may take six times that.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    priority: Priority = Priority.NORMAL
    retries: int = 5
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.timeout_seconds < float("inf"):
            raise InputError(f"timeout_seconds must be a positive number, got {self.timeout_seconds!r}")
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise InputError(f"retries must be 0 or more, got {self.retries!r}")


class InfoConnection:
    """``POST /info`` of one exchange.

    Parameters
    ----------
    addresses : Addresses
        Where the exchange is.
    sender : Sender
        What carries an attempt there and back.
    budget : WeightBudget
        Every attempt spends from it, and has a place in it while it is under way.
    clock, sleep, rng
        Seconds since 1970; awaitable sleep; jitter.

    Attributes
    ----------
    rate_limited : int
        Answers that were 429.
    """

    def __init__(
        self,
        addresses: Addresses,
        *,
        sender: Sender,
        budget: WeightBudget,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        rng: random.Random,
    ) -> None:
        self.addresses = addresses
        self.budget = budget
        self._sender = sender
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._backoff = Backoff()
        self.rate_limited = 0

    async def aclose(self) -> None:
        """Close all connections; a second call does nothing."""
        await self._sender.aclose()

    async def post(self, request: InfoRequest, manner: Manner, admission: Admission) -> Reply:
        """Send a request until it is answered.

        While one waits after a 429, no other of the same budget is sent either.

        Raises
        ------
        RateLimited
            If the last answer was 429.
        CircuitOpen
            If meanwhile others failed so often that the endpoint is not asked for now.
        ExchangeUnavailable
            If no usable answer came: no connection, a timeout, 5xx, or a body that is not JSON.
        RequestRefused
            If the answer was another 4xx, or a redirect (never followed).
        MalformedPayload
            If the answer is too large, or JSON that cannot be trusted.
        InputError
            If the connection is closed.
        """
        retries = 0 if admission.is_probe else manner.retries
        retry = 0
        while True:
            if self._sender.is_closed:
                raise InputError(f"{request.label}: this client is closed; open another")
            try:
                return await self._attempt(request, manner, admission)
            except Setback as setback:
                wait = self._backoff.wait(retry + 1, setback, self._rng)
                if setback.is_rate_limit:
                    self.rate_limited += 1
                    self.budget.pause(wait)
                if retry == retries or (setback.is_lasting and len(self.addresses.all) == 1):
                    raise setback.final(request.label, retry + 1) from setback
                retry += 1
                _logger.info("%s: %s; retry %d in %.1f s", request.label, setback, retry, wait)
            await self._sleep(wait)

    async def _attempt(self, request: InfoRequest, manner: Manner, admission: Admission) -> Reply:
        charge = await self.budget.spend(request.weight(request.rows_expected), manner.priority)
        weight = 0.0
        try:
            admission.check()
            address = self.addresses.pick()
            weight = charge.weight  # all that is known until an answer was read
            answer = await self._sender.send(address, request, timeout_seconds=manner.timeout_seconds)
            if answer.status != 200:
                weight = request.weight(0)
            payload = await self._read(request, answer)
            weight = request.weight(len(payload) if isinstance(payload, list) else 0)
            stamp = read_stamp(address, answer.headers, request=request.label, received_at=self._clock())
            self.addresses.confirm(address, stamp)
        except Setback as setback:
            if not setback.is_rate_limit:
                self.addresses.failed(address)
            raise
        finally:
            self.budget.settle(charge, weight)
        self.addresses.answered(address)
        return Reply(payload, stamp)

    async def _read(self, request: InfoRequest, answer: Answer) -> object:
        if len(answer.body) <= _LARGE_BODY:
            return read_answer(request, answer, now=self._clock())
        return await asyncio.to_thread(read_answer, request, answer, now=self._clock())
