"""What a broken, wrong or malicious server can send: refused or contained, and never anything but an exchange error."""

import asyncio
import json
import math
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from exchange_doubles import CALLS, Clock, Exchange, client_of, everything
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import ExchangeError, ExchangeUnavailable, MalformedPayload, RequestRefused
from hlpairs_core.exchange import HyperliquidClient, WeightBudget

HTML = "<!doctype html><html><head><title>Sign in</title></head><body><script>steal()</script></body></html>"


class Server:
    """Speaks raw bytes on loopback, so that real sockets, TLS and httpx are between it and the client."""

    def __init__(self, reply: bytes, *, context: ssl.SSLContext | None = None) -> None:
        self.reply, self.context = reply, context
        self.connections = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.read(1)
        writer.write(self.reply)
        writer.close()
        await writer.wait_closed()


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


async def failure_of(url: str, *, retries: int = 1, clock: Clock | None = None) -> str:
    """Return what the client says when it asks for all mids over a real connection."""
    clock = clock or Clock()
    budget = WeightBudget(math.inf)
    async with HyperliquidClient(url, retries=retries, clock=clock, sleep=clock.sleep, budget=budget) as client:
        with pytest.raises(ExchangeError) as caught:
            await client.all_mids()
        assert client.stamp is None
    return str(caught.value)


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that nobody vouches for."""
    x509 = pytest.importorskip("cryptography.x509", reason="makes the certificate")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_not_asked_again_and_the_error_says_what_to_do(
    self_signed: ssl.SSLContext,
):
    server, clock = Server(http(b'{"BTC": "1.0"}'), context=self_signed), Clock()
    # The server's side of the handshake ends in an error that asyncio reports to the loop.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with server.running() as port:
        said = await failure_of(f"https://localhost:{port}", retries=5, clock=clock)
    assert "after 1 attempt, the last failure was a certificate that is not trusted (self" in said
    assert "name its certificate in SSL_CERT_FILE" in said
    assert server.connections == 0
    assert clock.naps == []


async def test_tls_towards_a_server_without_it_fails_and_so_does_the_reverse(self_signed: ssl.SSLContext):
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with Server(http(b"{}")).running() as port:
        assert "ConnectError" in await failure_of(f"https://127.0.0.1:{port}")
    async with Server(http(b"{}"), context=self_signed).running() as port:
        assert "after 2 attempts" in await failure_of(f"http://127.0.0.1:{port}")


REPLIES = {
    "a page": (http(HTML.encode(), "Content-Type: text/html"), "a body that is not JSON ('<!doctype html>"),
    "a gateway's page": (http(HTML.encode(), status="502 Bad Gateway"), "HTTP 502 ('<!doctype"),
    "a sign-in": (http(b"", "Location: https://portal.test/", status="302 Found"), "was refused with HTTP 302"),
    "another service": (http(b"no such page", status="404 Not Found"), "was refused with HTTP 404: 'no such page'"),
    "truncated JSON": (http(b'{"BTC": "649'), "a body that is not JSON"),
    "a body cut short": (http(b'{"BTC": "1.0"}', length=4000), "RemoteProtocolError"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", "RemoteProtocolError"),
    "nothing": (b"", "RemoteProtocolError"),
    "a list": (http(b"[1, 2]"), "malformed at the top: expected an object"),
    "a number": (http(b"5"), "malformed at the top: expected an object"),
    "NaN": (http(b'{"BTC": NaN}'), "malformed at BTC: expected a decimal string, got nan"),
    "ten megabytes": (http(json.dumps({f"C{k}": "1.0" for k in range(700_000)}).encode()), "more than 4194304 bytes"),
    "garbled gzip": (http(b"not gzip", "Content-Encoding: gzip"), "DecodingError"),
}


@pytest.mark.parametrize(("reply", "said"), REPLIES.values(), ids=REPLIES.keys())
async def test_an_answer_that_is_none_is_refused_over_a_real_connection(reply: bytes, said: str):
    async with Server(reply).running() as port:
        assert said in await failure_of(f"http://127.0.0.1:{port}")


async def test_an_address_where_nobody_listens_says_so():
    async with Server(b"").running() as port:
        pass
    assert "ConnectError" in await failure_of(f"http://127.0.0.1:{port}")


async def test_a_host_that_does_not_exist_says_so():
    assert "ConnectError" in await failure_of("http://no-such-host.invalid")


async def test_an_answer_of_megabytes_does_not_stall_the_event_loop():
    rows = [["C" + "x" * 40 + str(k), "1.0"] for k in range(60_000)]
    exchange = Exchange(allMids=httpx.Response(200, json=dict(rows)))
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    async with client_of(exchange) as client:
        watcher = asyncio.create_task(watch())
        assert len(await client.all_mids()) == 60_000
        watcher.cancel()
        await asyncio.wait([watcher])
    assert longest < 2


# What says, in its own shape, that there is nothing.
EMPTY = {
    ("all_mids", "{}"),
    ("all_mids of a dex", "{}"),
    ("perp_dexs", "[null]"),
    ("predicted_fundings", "[]"),
}


async def test_every_call_meets_a_wrong_server_with_the_same_errors():
    for name, call in CALLS.items():
        for answer in (HTML, "null", "[]", "{}", "5", '"x"', "[null]", "[[]]", '{"universe": null}', "[[[[]]]]"):
            exchange = everything()
            asked = exchange.answers
            exchange.answers = dict.fromkeys(asked, httpx.Response(200, text=answer))
            async with client_of(exchange, retries=0) as client:
                if (name, answer) in EMPTY:
                    await call(client)
                else:
                    with pytest.raises(ExchangeError):
                        await call(client)


# Every answer, changed at random places: only the documented errors may come of it, whatever it does.
def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, element in inside for place in places(element, (*path, key))]


def changed(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    result = changed(value[path[0]], path[1:], change)
    if result is GONE:
        del copy[path[0]]
    else:
        copy[path[0]] = result
    return copy


GONE = object()
NUMBERS = [None, True, False, 0, -1, 1, 2**63, 10**400, 1.5, -0.0, 1e308]
DECIMALS = ["", "0", "0.0", "-1.0", "NaN", "inf", "1e999", "1e-320", "9" * 400]
NAMES = ["../../x", "<b>", "\x00", "\u202e", "BTC", "USDC", "x" * 10_000]
JUNK = st.sampled_from([*NUMBERS, *DECIMALS, *NAMES, [], {}, [[]], [None], {"a": 1}])
CHANGES = st.one_of(
    st.just(lambda value: GONE),
    JUNK.map(lambda junk: lambda value: junk),
    st.just(lambda value: value * 2 if isinstance(value, list) else [value]),
    st.just(lambda value: value[::-1] if isinstance(value, list | str) else {"x": value}),
    st.just(lambda value: str(value)),
    st.integers(-2, 2).map(lambda by: lambda value: value + by if type(value) is int else value),
)


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_answer_is_read_or_refused_and_never_crashes(name: str, data: st.DataObject):
    exchange = everything()
    endpoint = data.draw(st.sampled_from(sorted(_asked_by(name))))
    answer = exchange.answers[endpoint]
    if callable(answer):
        answer = answer({"dex": "xyz"} if name.endswith("dex") else {})
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(answer)[1:] or [()]))
        answer = changed(answer, path, data.draw(CHANGES))
        if answer is GONE:
            answer = None

    async def run() -> None:
        exchange.answers[endpoint] = httpx.Response(200, text=json.dumps(answer))
        async with client_of(exchange, retries=0) as client:
            try:
                await CALLS[name](client)
            except (MalformedPayload, RequestRefused):
                pass
            else:
                assert client.stamp is not None

    asyncio.run(run())


def _asked_by(name: str) -> set[str]:
    exchange = everything()

    async def run() -> None:
        async with client_of(exchange) as client:
            await CALLS[name](client)

    asyncio.run(run())
    return {body["type"] for body in exchange.seen}


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=300), status=st.sampled_from([200, 200, 200, 204, 299, 304, 401, 429, 500]))
def test_any_bytes_at_all_are_an_exchange_error(body: bytes, status: int):
    async def run() -> None:
        async with client_of(Exchange(metaAndAssetCtxs=httpx.Response(status, content=body)), retries=0) as client:
            with pytest.raises(ExchangeError):
                await client.contexts()

    asyncio.run(run())


@pytest.mark.parametrize("name", CALLS)
async def test_an_error_is_short_however_long_the_answer(name: str):
    exchange = everything()
    exchange.answers = dict.fromkeys(exchange.answers, httpx.Response(200, json=["x" * 1_000_000] * 2))
    async with client_of(exchange, retries=0) as client:
        with pytest.raises((MalformedPayload, ExchangeUnavailable)) as caught:
            await CALLS[name](client)
    assert len(str(caught.value)) < 500
