"""One attempt: a request goes out over HTTP, and its answer is read as far as it can be trusted."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from hlpairs_core.exceptions import MalformedPayload, RequestRefused
from hlpairs_core.exchange.requests import InfoRequest
from hlpairs_core.exchange.retry import Setback, read_retry_after
from hlpairs_core.exchange.stamp import Address
from hlpairs_core.exchange.tap import Tap

__all__ = ["Answer", "Sender", "read_answer"]

_SHOWN = 200
# `timeout_seconds` bounds each step of an attempt; a server that drips byte by byte meets this many of them.
_STEPS_AT_MOST = 6
# Others can inflate without bound in one step.
_ENCODINGS = ("", "identity", "gzip", "deflate")


@dataclass(frozen=True)
class Answer:
    """What came back, unread."""

    status: int
    headers: httpx.Headers
    body: bytes


class Sender:
    """``POST /info`` over HTTP.

    Parameters
    ----------
    transport : httpx.AsyncBaseTransport or None
        Of httpx; None opens real connections, through the proxy of the environment if there is one.
    tap : Tap or None
        Told of every attempt when it ends.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self, *, transport: httpx.AsyncBaseTransport | None, tap: Tap | None, clock: Callable[[], float]
    ) -> None:
        self._http = httpx.AsyncClient(
            transport=transport,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
        )
        self._tap = tap
        self._clock = clock

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._http.is_closed

    async def aclose(self) -> None:
        """Close all connections; a second call does nothing."""
        await self._http.aclose()

    async def send(self, address: Address, request: InfoRequest, *, timeout_seconds: float) -> Answer:
        """Send a request once.

        Parameters
        ----------
        timeout_seconds : float
            To connect, and for each read and write; all together may take six times that.

        Raises
        ------
        Setback
            If no whole answer came.
        MalformedPayload
            If the answer is too large, or packed in a way that is not read.
        """
        sent_at = self._clock()
        answer = None
        deadline = timeout_seconds * _STEPS_AT_MOST
        try:
            async with asyncio.timeout(deadline):
                answer = await self._post(f"{address.url}/info", request, timeout_seconds)
            return answer
        except TimeoutError as problem:
            raise Setback(f"an answer that took more than {deadline:g} s") from problem
        except (httpx.TransportError, httpx.DecodingError) as problem:
            raise _setback(problem) from problem
        finally:
            if self._tap is not None:
                self._tap.answered(
                    request.body,
                    sent_at=sent_at,
                    received_at=self._clock(),
                    status=None if answer is None else answer.status,
                    headers={} if answer is None else answer.headers,
                    reply=b"" if answer is None else answer.body,
                )

    async def _post(self, url: str, request: InfoRequest, timeout_seconds: float) -> Answer:
        async with self._http.stream("POST", url, json=request.body, timeout=timeout_seconds) as response:
            return Answer(response.status_code, response.headers, await _read(request, response))


async def _read(request: InfoRequest, response: httpx.Response) -> bytes:
    encoding = response.headers.get("Content-Encoding", "")
    if encoding.lower() not in _ENCODINGS:
        problem = f"expected gzip, deflate or none, got {encoding[:80]!r}"
        raise MalformedPayload(request.label, "header Content-Encoding", problem)
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > request.largest_body:
            raise MalformedPayload(request.label, "the body", f"more than {request.largest_body} bytes")
    return bytes(body)


def _setback(problem: httpx.TransportError | httpx.DecodingError) -> Setback:
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Setback(
                f"a certificate that is not trusted ({cause.verify_message}); where a proxy of yours signs for others, "
                "name its certificate in SSL_CERT_FILE",
                is_lasting=True,
            )
        cause = cause.__cause__ or cause.__context__
    return Setback(f"{type(problem).__name__}: {problem}".rstrip(": "))


def read_answer(request: InfoRequest, answer: Answer, *, now: float) -> object:
    """Return the JSON of an answer.

    Parameters
    ----------
    now : float
        Seconds since 1970.

    Raises
    ------
    Setback
        If it is a 429, a server error, or no JSON: that may pass.
    RequestRefused
        If it is another 4xx, or a redirect.
    MalformedPayload
        If it is JSON that cannot be trusted.
    """
    if answer.status == 200:
        return _parse_json(request.label, answer.body)
    shown = _shown(answer.body)
    if answer.status == 429 or answer.status >= 500:
        wait = read_retry_after(answer.headers.get("Retry-After"), now=now)
        raise Setback(f"HTTP {answer.status} ({shown!r})", status=answer.status, retry_after=wait)
    raise RequestRefused(f"{request.label} was refused with HTTP {answer.status}: {shown!r}")


def _shown(body: bytes) -> str:
    return body[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN]


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
        raise Setback(f"HTTP 200 with a body that is not JSON ({_shown(body)!r})", status=200) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _GivenTwice(repr(counts.most_common(1)[0][0][:_SHOWN]))
    return fields
