import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from exchange_doubles import LOCAL, NOON, Clock, Exchange, Script, client_of

from hlpairs_core.exceptions import (
    ExchangeUnavailable,
    InputError,
    MalformedPayload,
    RateLimited,
    RequestRefused,
)
from hlpairs_core.exchange import WeightBudget
from hlpairs_core.exchange.connection import InfoConnection
from hlpairs_core.exchange.requests import all_mids
from hlpairs_core.exchange.retry import Backoff, Setback
from hlpairs_core.exchange.stamp import parse_address

MIDS = {"BTC": "64900.5"}
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"

PASSING = {
    "connect timeout": httpx.ConnectTimeout("no answer"),
    "read timeout": httpx.ReadTimeout("no answer"),
    "refused": httpx.ConnectError("refused"),
    "reset": httpx.ReadError("reset by peer"),
    "write error": httpx.WriteError("broken pipe"),
    "protocol error": httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    "garbled encoding": httpx.DecodingError("bad gzip"),
    "429 null": httpx.Response(429, text="null"),
    "500": httpx.Response(500, text="null"),
    "502 page": httpx.Response(502, text=HTML),
    "503": httpx.Response(503),
    "504": httpx.Response(504),
    "200 page": httpx.Response(200, text=HTML),
    "200 truncated": httpx.Response(200, text='{"BTC": "649'),
    "200 empty": httpx.Response(200, text=""),
    "200 bad utf-8": httpx.Response(200, content=b'{"BTC": "\xff"}'),
}


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING.keys())
async def test_a_failure_that_may_pass_is_tried_again(failure: Any):
    exchange = Exchange(allMids=Script([failure, failure, MIDS]))
    clock = Clock()
    async with client_of(exchange, clock) as client:
        assert await client.all_mids() == {"BTC": 64900.5}
    assert exchange.count("allMids") == 3
    assert len(clock.naps) == 2


@pytest.mark.parametrize(
    ("name", "kind", "cause"),
    [
        ("read timeout", ExchangeUnavailable, "ReadTimeout: no answer"),
        ("reset", ExchangeUnavailable, "ReadError: reset by peer"),
        ("502 page", ExchangeUnavailable, r"HTTP 502 \('<html>"),
        ("200 page", ExchangeUnavailable, r"HTTP 200 with a body that is not JSON \('<html>"),
        ("429 null", RateLimited, r"HTTP 429 \('null'\)"),
    ],
)
async def test_after_the_last_retry_the_error_names_request_attempts_and_cause(
    name: str, kind: type[Exception], cause: str
):
    exchange = Exchange(allMids=PASSING[name])
    clock = Clock()
    async with client_of(exchange, clock, retries=3) as client:
        with pytest.raises(kind, match=f"^allMids: .* after 4 attempts, .*{cause}") as caught:
            await client.all_mids()
    assert type(caught.value) is kind
    assert exchange.count("allMids") == 4
    assert len(clock.naps) == 3
    assert client.stamp is None


async def test_without_retries_one_attempt_is_made():
    clock = Clock()
    async with client_of(Exchange(allMids=httpx.Response(503)), clock, retries=0) as client:
        with pytest.raises(ExchangeUnavailable, match="after 1 attempt,"):
            await client.all_mids()
    assert clock.naps == []


@pytest.mark.parametrize("status", [204, 301, 302, 307, 400, 403, 404, 418, 422])
async def test_a_refusal_is_not_tried_again(status: int):
    refusal = httpx.Response(status, text="Failed to deserialize", headers={"Location": "https://evil.com/info"})
    exchange = Exchange(allMids=refusal)
    async with client_of(exchange) as client:
        with pytest.raises(RequestRefused, match=f"allMids was refused with HTTP {status}: 'Failed to deserialize'"):
            await client.all_mids()
    assert exchange.methods == [("POST", f"{LOCAL}/info")]


async def test_a_refusal_shows_at_most_two_hundred_characters_of_the_body():
    async with client_of(Exchange(allMids=httpx.Response(422, text="x" * 10_000 + "secret"))) as client:
        with pytest.raises(RequestRefused) as caught:
            await client.all_mids()
    assert str(caught.value).count("x") == 200


async def test_every_attempt_spends_weight_again():
    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=clock.sleep)
    async with client_of(Exchange(allMids=httpx.ReadTimeout("x")), clock, budget=budget, retries=2) as client:
        with pytest.raises(ExchangeUnavailable):
            await client.all_mids()
    assert budget.remaining == 1200 - 3 * 2


def test_waits_grow_exponentially_with_full_jitter_and_an_upper_end():
    backoff, rng, failure = Backoff(), random.Random(5), Setback("x")
    for retry, most in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (200, 60)]:
        waits = [backoff.wait(retry, failure, rng) for _ in range(400)]
        assert 0 <= min(waits) < 0.1 * most
        assert 0.9 * most < max(waits) <= most


def test_a_rate_limit_is_waited_out_longer():
    rng = random.Random(5)
    waits = [Backoff().wait(1, Setback("x", status=429), rng) for _ in range(400)]
    assert 3.6 < max(waits) <= 4.0


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("30", 30, 30),
        (formatdate(NOON + 30, usegmt=True), 30, 30),
        ("86400", 60, 60),
        ("9" * 400, 60, 60),
        (formatdate(NOON - 30, usegmt=True), 0, 4),
        ("soon", 0, 4),
        ("-5", 0, 4),
    ],
)
async def test_retry_after_is_honoured_within_a_minute(header: str, least: float, most: float):
    limited = httpx.Response(429, text="null", headers={"Retry-After": header})
    clock = Clock()
    async with client_of(Exchange(allMids=Script([limited, MIDS])), clock) as client:
        await client.all_mids()
    [nap] = clock.naps
    assert least <= nap <= most


class Stream(httpx.AsyncByteStream):
    def __init__(self, chunk: bytes, times: int, *, hangs: bool = False) -> None:
        self.chunk, self.times, self.hangs = chunk, times, hangs
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.times):
            self.sent += 1
            yield self.chunk
        if self.hangs:
            await asyncio.Event().wait()


def connection_to(response: httpx.Response, **options: Any) -> InfoConnection:
    clock = Clock()
    settings = {"timeout_seconds": 10.0, "retries": 0} | options
    return InfoConnection(
        parse_address(LOCAL),
        transport=httpx.MockTransport(lambda request: response),
        budget=WeightBudget(clock=clock, sleep=clock.sleep),
        clock=clock,
        sleep=clock.sleep,
        rng=random.Random(1),
        **settings,
    )


async def test_an_endless_body_is_cut_off_at_the_cap():
    stream = Stream(b" " * 1000, 10**9)
    connection = connection_to(httpx.Response(200, stream=stream), largest_body=10_000)
    with pytest.raises(MalformedPayload, match="malformed at the body: more than 10000 bytes"):
        await connection.post(all_mids())
    assert stream.sent == 11


async def test_the_cap_counts_decompressed_bytes():
    packed = gzip.compress(b" " * 10**6)
    assert len(packed) < 10_000
    response = httpx.Response(200, stream=Stream(packed, 1), headers={"Content-Encoding": "gzip"})
    with pytest.raises(MalformedPayload, match="more than 10000 bytes"):
        await connection_to(response, largest_body=10_000).post(all_mids())


async def test_a_compressed_answer_is_read():
    packed = gzip.compress(b'{"BTC": "1.5"}')
    response = httpx.Response(200, stream=Stream(packed, 1), headers={"Content-Encoding": "gzip"})
    assert (await connection_to(response).post(all_mids())).payload == {"BTC": "1.5"}


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
async def test_an_encoding_that_can_inflate_without_bound_is_refused(encoding: str):
    response = httpx.Response(200, stream=Stream(b"x", 1), headers={"Content-Encoding": encoding})
    with pytest.raises(MalformedPayload, match="header Content-Encoding"):
        await connection_to(response).post(all_mids())


async def test_a_body_that_never_ends_is_given_up():
    response = httpx.Response(200, stream=Stream(b" ", 3, hangs=True))
    with pytest.raises(ExchangeUnavailable, match=r"an answer that took more than 0\.06 s"):
        await connection_to(response, timeout_seconds=0.01).post(all_mids())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"BTC": "1.5", "ETH": "2", "BTC": "1.6"}', "malformed at 'BTC': given twice in one object"),
        ("[" * 200_000, "malformed at the body: nested too deeply"),
    ],
)
async def test_json_that_cannot_be_trusted_is_refused_at_once(body: str, problem: str):
    exchange = Exchange(allMids=httpx.Response(200, text=body))
    async with client_of(exchange) as client:
        with pytest.raises(MalformedPayload, match=problem):
            await client.all_mids()
    assert exchange.count("allMids") == 1


async def test_no_more_than_eight_requests_are_in_flight():
    flying = peak = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal flying, peak
        flying += 1
        peak = max(peak, flying)
        for _ in range(20):
            await asyncio.sleep(0)
        flying -= 1
        return httpx.Response(200, json=MIDS)

    async with client_of(slow) as client:
        await asyncio.gather(*(client.all_mids() for _ in range(30)))
    assert peak == 8


async def test_a_closed_client_says_so_and_closing_twice_is_harmless():
    client = client_of(Exchange(allMids=MIDS))
    await client.aclose()
    await client.aclose()
    with pytest.raises(InputError, match="allMids: this client is closed"):
        await client.all_mids()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("retries", -1),
        ("retries", 2.5),
        ("retries", True),
        ("timeout_seconds", 0),
        ("timeout_seconds", float("nan")),
    ],
)
def test_a_setting_out_of_range_is_refused(option: str, value: Any):
    with pytest.raises(InputError, match=f"{option} must be"):
        client_of(Exchange(), **{option: value})
