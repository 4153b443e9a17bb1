"""Sends requests: within the weight budget, few at a time, again where that helps."""

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from hlpairs_core.exceptions import InputError, MalformedPayload, RequestRefused
from hlpairs_core.exchange.budget import WeightBudget
from hlpairs_core.exchange.requests import InfoRequest
from hlpairs_core.exchange.retry import Backoff, Setback, read_retry_after
from hlpairs_core.exchange.stamp import Address, MarketStamp, read_stamp

__all__ = ["InfoConnection", "Reply"]

_logger = logging.getLogger(__name__)

_LARGEST_BODY = 64 * 2**20
_IN_FLIGHT = 8
_SHOWN = 200
# `timeout_seconds` bounds each step of an attempt; a server that drips byte by byte meets this many of them.
_STEPS_AT_MOST = 6
# Others can inflate without bound in one step.
_ENCODINGS = ("", "identity", "gzip", "deflate")


@dataclass(frozen=True)
class Reply:
    """A JSON answer and where it came from."""

    payload: object
    stamp: MarketStamp


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes


class InfoConnection:
    """``POST /info`` of one exchange.

    Parameters
    ----------
    address : Address
        Where the exchange is.
    transport : httpx.AsyncBaseTransport or None
        Of httpx; None opens real connections, through the proxy of the environment if there is one.
    budget : WeightBudget
        Every attempt spends from it.
    timeout_seconds : float
        To connect, and for each read and write; an attempt as a whole may take six times that.
    retries : int
        Attempts after the first.
    clock, sleep, rng
        Seconds since 1970; awaitable sleep; jitter.
    largest_body : int
        An answer of more bytes (decompressed) is refused.
    """

    def __init__(
        self,
        address: Address,
        *,
        transport: httpx.AsyncBaseTransport | None,
        budget: WeightBudget,
        timeout_seconds: float,
        retries: int,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        rng: random.Random,
        largest_body: int = _LARGEST_BODY,
    ) -> None:
        if not 0 < timeout_seconds < float("inf"):
            raise InputError(f"timeout_seconds must be a positive number, got {timeout_seconds!r}")
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise InputError(f"retries must be 0 or more, got {retries!r}")
        self.address = address
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=timeout_seconds,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
        )
        self._budget = budget
        self._deadline = timeout_seconds * _STEPS_AT_MOST
        self._retries = retries
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._backoff = Backoff()
        self._largest_body = largest_body
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    async def aclose(self) -> None:
        """Close all connections; a second call does nothing."""
        await self._http.aclose()

    async def post(self, request: InfoRequest) -> Reply:
        """Send a request until it is answered.

        Raises
        ------
        RateLimited
            If the last answer was 429.
        ExchangeUnavailable
            If no usable answer came: no connection, a timeout, 5xx, or a body that is not JSON.
        RequestRefused
            If the answer was another 4xx, or a redirect (never followed).
        MalformedPayload
            If the answer is too large, or JSON that cannot be trusted.
        InputError
            If the connection is closed.
        """
        retry = 0
        while True:
            if self._http.is_closed:
                raise InputError(f"{request.label}: this client is closed; open another")
            try:
                return await self._attempt(request)
            except Setback as setback:
                if retry == self._retries:
                    raise setback.final(request.label, retry + 1) from setback
                retry += 1
                wait = self._backoff.wait(retry, setback, self._rng)
                _logger.info("%s: %s; retry %d in %.1f s", request.label, setback, retry, wait)
            await self._sleep(wait)

    async def _attempt(self, request: InfoRequest) -> Reply:
        async with self._slots:
            charge = await self._budget.spend(request.weight(request.rows_expected))
            rows = request.rows_expected  # all that is known until an answer was read
            try:
                answer = await self._send(request)
                if answer.status != 200:
                    rows = 0
                payload = self._judge(request, answer)
                rows = len(payload) if isinstance(payload, list) else 0
            finally:
                self._budget.settle(charge, request.weight(rows))
        stamp = read_stamp(self.address, answer.headers, request=request.label, received_at=self._clock())
        return Reply(payload, stamp)

    async def _send(self, request: InfoRequest) -> _Answer:
        url = f"{self.address.url}/info"
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._http.stream("POST", url, json=request.body) as response,
            ):
                return _Answer(response.status_code, response.headers, await self._read(request, response))
        except TimeoutError as problem:
            raise Setback(f"an answer that took more than {self._deadline:g} s") from problem
        except (httpx.TransportError, httpx.DecodingError) as problem:
            raise Setback(f"{type(problem).__name__}: {problem}".rstrip(": ")) from problem

    async def _read(self, request: InfoRequest, response: httpx.Response) -> bytes:
        encoding = response.headers.get("Content-Encoding", "")
        if encoding.lower() not in _ENCODINGS:
            problem = f"expected gzip, deflate or none, got {encoding[:80]!r}"
            raise MalformedPayload(request.label, "header Content-Encoding", problem)
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._largest_body:
                raise MalformedPayload(request.label, "the body", f"more than {self._largest_body} bytes")
        return bytes(body)

    def _judge(self, request: InfoRequest, answer: _Answer) -> object:
        if answer.status == 200:
            return _parse_json(request.label, answer.body)
        shown = answer.body[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN]
        if answer.status == 429 or answer.status >= 500:
            wait = read_retry_after(answer.headers.get("Retry-After"), now=self._clock())
            raise Setback(f"HTTP {answer.status} ({shown!r})", status=answer.status, retry_after=wait)
        raise RequestRefused(f"{request.label} was refused with HTTP {answer.status}: {shown!r}")


class _GivenTwice(Exception):
    pass


def _parse_json(label: str, body: bytes) -> object:
    try:
        return json.loads(body, object_pairs_hook=_object)
    except _GivenTwice as problem:
        raise MalformedPayload(label, str(problem), "given twice in one object") from None
    except RecursionError:
        raise MalformedPayload(label, "the body", "nested too deeply") from None
    except ValueError:
        shown = body[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN]
        raise Setback(f"HTTP 200 with a body that is not JSON ({shown!r})", status=200) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _GivenTwice(repr(counts.most_common(1)[0][0][:_SHOWN]))
    return fields
