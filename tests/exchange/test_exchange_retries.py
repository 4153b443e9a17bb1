import asyncio
import dataclasses
import gzip
import random
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from exchange_doubles import LOCAL, NOON, Clock, Exchange, Script, book, client_of, universe

from hlpairs_core.exceptions import (
    ExchangeUnavailable,
    InputError,
    MalformedPayload,
    RateLimited,
    RequestRefused,
)
from hlpairs_core.exchange import Priority, WeightBudget
from hlpairs_core.exchange.requests import all_mids
from hlpairs_core.exchange.retry import Backoff, Setback
from hlpairs_core.exchange.sender import Sender, read_answer
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


async def sent_to(response: httpx.Response, *, timeout_seconds: float = 10.0, **request: Any) -> Any:
    """Send one request to an exchange that gives this response, and read the answer."""
    asked = dataclasses.replace(all_mids(), **request)
    sender = Sender(transport=httpx.MockTransport(lambda _: response), tap=None, clock=Clock())
    answer = await sender.send(parse_address(LOCAL), asked, timeout_seconds=timeout_seconds)
    return read_answer(asked, answer, now=NOON)


async def test_an_endless_body_is_cut_off_at_the_cap():
    stream = Stream(b" " * 1000, 10**9)
    with pytest.raises(MalformedPayload, match="malformed at the body: more than 10000 bytes"):
        await sent_to(httpx.Response(200, stream=stream), largest_body=10_000)
    assert stream.sent == 11


async def test_the_cap_counts_decompressed_bytes():
    packed = gzip.compress(b" " * 10**6)
    assert len(packed) < 10_000
    response = httpx.Response(200, stream=Stream(packed, 1), headers={"Content-Encoding": "gzip"})
    with pytest.raises(MalformedPayload, match="more than 10000 bytes"):
        await sent_to(response, largest_body=10_000)


async def test_a_compressed_answer_is_read():
    packed = gzip.compress(b'{"BTC": "1.5"}')
    response = httpx.Response(200, stream=Stream(packed, 1), headers={"Content-Encoding": "gzip"})
    assert await sent_to(response) == {"BTC": "1.5"}


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
async def test_an_encoding_that_can_inflate_without_bound_is_refused(encoding: str):
    response = httpx.Response(200, stream=Stream(b"x", 1), headers={"Content-Encoding": encoding})
    with pytest.raises(MalformedPayload, match="header Content-Encoding"):
        await sent_to(response)


async def test_a_body_that_never_ends_is_given_up():
    response = httpx.Response(200, stream=Stream(b" ", 3, hangs=True))
    with pytest.raises(Setback, match=r"an answer that took more than 0\.06 s"):
        await sent_to(response, timeout_seconds=0.01)


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


@pytest.mark.parametrize(("priority", "most"), [(Priority.URGENT, 8), (Priority.NORMAL, 7), (Priority.BACKGROUND, 6)])
async def test_few_requests_are_in_flight_and_places_are_kept_for_more_urgent_ones(priority: Priority, most: int):
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
        await asyncio.gather(*(client.at(priority).all_mids() for _ in range(30)))
    assert peak == most


@pytest.mark.parametrize("retries", [0, 3])
async def test_after_a_429_everybody_waits_as_long_as_the_one_who_met_it(retries: int):
    clock = Clock()
    limited = httpx.Response(429, text="null", headers={"Retry-After": "30"})
    exchange = Exchange(allMids=Script([limited, MIDS]), l2Book=book())
    sent: list[float] = []
    met = asyncio.Event()

    def watch(request: httpx.Request) -> httpx.Response:
        sent.append(clock.now)
        met.set()
        return exchange(request)

    async with client_of(watch, clock, retries=retries) as client:
        first = asyncio.create_task(client.all_mids())
        await met.wait()
        await client.at(Priority.URGENT).l2_book("BTC")
        await asyncio.wait([first])
        assert isinstance(first.exception(), RateLimited) == (retries == 0)
    assert min(sent[1:]) - sent[0] == pytest.approx(30, abs=0.01)


async def test_a_view_of_another_priority_shares_everything_else():
    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=clock.sleep)
    exchange = Exchange(allMids=MIDS, metaAndAssetCtxs=universe("BTC"), candleSnapshot=[])
    async with client_of(exchange, clock, budget=budget) as client:
        view = client.at(Priority.BACKGROUND)
        await view.all_mids()
        await view.contexts()
        assert client.stamp is view.stamp is not None
        assert budget.remaining == 1200 - 22
        assert (await client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-01T11:00Z")).empty
        assert exchange.count("metaAndAssetCtxs") == 1  # the names are shared
    with pytest.raises(InputError, match="this client is closed"):
        await view.all_mids()


class Recorder:
    """A tap; only what is asked over HTTP comes here."""

    def __init__(self) -> None:
        self.attempts: list[dict[str, Any]] = []

    def answered(self, body: dict[str, object], **rest: Any) -> None:
        self.attempts.append({"body": body, **rest})

    opened = sent = received = closed = None


async def test_the_tap_sees_every_attempt_as_it_came():
    answers = [
        httpx.ReadTimeout("x"),
        httpx.Response(429, text="null"),
        httpx.Response(200, text=HTML),
        httpx.Response(200, text='{"BTC":  "1.5"}'),
    ]
    clock, tap = Clock(), Recorder()
    async with client_of(Exchange(allMids=Script(answers)), clock, tap=tap) as client:
        await client.all_mids()
    assert [attempt["body"] for attempt in tap.attempts] == [{"type": "allMids"}] * 4
    assert [(attempt["status"], attempt["reply"]) for attempt in tap.attempts] == [
        (None, b""),
        (429, b"null"),
        (200, HTML.encode()),
        (200, b'{"BTC":  "1.5"}'),
    ]
    assert [attempt["headers"].get("content-length") for attempt in tap.attempts[:2]] == [None, "4"]
    times = [moment for attempt in tap.attempts for moment in (attempt["sent_at"], attempt["received_at"])]
    assert times == sorted(times)
    assert times[0] == NOON
    assert times[-1] == clock.now


async def test_an_attempt_that_is_cancelled_reaches_the_tap_and_frees_its_place():
    started, tap = asyncio.Event(), Recorder()

    async def hang(request: httpx.Request) -> httpx.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=clock.sleep, in_flight=3)
    async with client_of(hang, clock, tap=tap, budget=budget) as client:
        for _ in range(5):
            started.clear()
            task = asyncio.create_task(client.all_mids())
            await started.wait()
            task.cancel()
            await asyncio.wait([task])
    assert [(attempt["status"], attempt["reply"]) for attempt in tap.attempts] == [(None, b"")] * 5


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
