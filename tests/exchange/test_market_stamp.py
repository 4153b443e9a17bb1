import random
from email.utils import formatdate

import httpx
import pandas as pd
import pytest
from exchange_doubles import HOUR_MS, LOCAL, NOON, Clock, Exchange, candle, client_of

from hlpairs_core.exceptions import InputError, MalformedPayload
from hlpairs_core.exchange import MAINNET_URL, TESTNET_URL, HyperliquidClient, parse_address

FAKE = {
    "X-Hlpairs-Market": "replay",
    "X-Hlpairs-Market-Name": "replay-1h-deadbeef",
    "X-Hlpairs-Speed": "60",
    "X-Hlpairs-Time": str(NOON * 1000 - 5 * HOUR_MS),
}


async def stamp_of(base_url: str, headers: dict[str, str], clock: Clock | None = None):
    exchange = Exchange(allMids={"BTC": "1.5"})
    exchange.headers = headers
    async with client_of(exchange, clock, base_url=base_url) as client:
        assert client.stamp is None
        await client.all_mids()
        return client.stamp


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        (MAINNET_URL, "live", "mainnet"),
        (TESTNET_URL, "testnet", "testnet"),
        ("https://api.hyperliquid.xyz/", "live", "mainnet"),
        ("https://API.Hyperliquid.XYZ:443", "live", "mainnet"),
        ("http://api.hyperliquid.xyz", "unverified", "unverified-api.hyperliquid.xyz-80"),
        ("http://api.hyperliquid.xyz:443", "unverified", "unverified-api.hyperliquid.xyz-443"),
        ("https://api.hyperliquid.xyz:8443", "unverified", "unverified-api.hyperliquid.xyz-8443"),
        ("https://api.hyperliquid.xyz.evil.com", "unverified", "unverified-api.hyperliquid.xyz.evil.com-443"),
        (
            "https://api.hyperliquid.xyz。evil.com",
            "unverified",
            "unverified-api.hyperliquid.xyz.evil.com-443",
        ),
        ("https://api.hyperliquid.xyz.", "unverified", "unverified-api.hyperliquid.xyz.-443"),
        ("https://hyperliquid.xyz", "unverified", "unverified-hyperliquid.xyz-443"),
        ("https://evil-api.hyperliquid.xyz", "unverified", "unverified-evil-api.hyperliquid.xyz-443"),
        ("http://127.0.0.1:3001", "unverified", "unverified-127.0.0.1-3001"),
        ("http://[::1]:3001", "unverified", "unverified-__1-3001"),
    ],
)
async def test_only_hyperliquids_own_addresses_over_https_are_live_or_testnet(url: str, kind: str, name: str):
    stamp = await stamp_of(url, {})
    assert (stamp.kind, stamp.name, stamp.speed) == (kind, name, 1.0)


@pytest.mark.parametrize("claim", ["live", "LIVE", "testnet", "mainnet", "demo, live", "", "Demo"])
@pytest.mark.parametrize("url", [LOCAL, "http://api.hyperliquid.xyz", "https://api.hyperliquid.xyz.evil.com"])
async def test_a_false_claim_makes_another_address_nothing_but_unverified(url: str, claim: str):
    stamp = await stamp_of(url, FAKE | {"X-Hlpairs-Market": claim, "X-Hlpairs-Market-Name": "mainnet"})
    assert stamp.kind == "unverified"
    assert stamp.name.startswith("unverified-")


@pytest.mark.parametrize(("url", "kind"), [(MAINNET_URL, "live"), (TESTNET_URL, "testnet")])
async def test_hyperliquids_addresses_ignore_the_headers_of_a_simulator(url: str, kind: str):
    stamp = await stamp_of(url, FAKE | {"Date": formatdate(NOON, usegmt=True)})
    assert (stamp.kind, stamp.speed, stamp.time) == (kind, 1.0, pd.Timestamp("2026-01-01T12:00Z"))


async def test_a_simulated_market_says_what_it_is():
    stamp = await stamp_of(LOCAL, FAKE, Clock(NOON + 0.25))
    assert (stamp.kind, stamp.name, stamp.speed) == ("replay", "replay-1h-deadbeef", 60.0)
    assert stamp.time == pd.Timestamp("2026-01-01T07:00Z")
    assert stamp.received_at == NOON + 0.25


@pytest.mark.parametrize(
    ("said", "name"),
    [("mainnet", "demo-mainnet"), ("replay-1h", "demo-replay-1h"), ("Demo-Seed7-60", "demo-seed7-60")],
)
async def test_a_simulated_markets_name_always_begins_with_its_kind(said: str, name: str):
    headers = {"X-Hlpairs-Market": "demo", "X-Hlpairs-Market-Name": said}
    assert (await stamp_of(LOCAL, headers)).name == name


async def test_a_simulated_market_without_a_name_is_named_by_its_address():
    assert (await stamp_of(LOCAL, {"X-Hlpairs-Market": "demo"})).name == "demo-unverified-127.0.0.1-3001"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("X-Hlpairs-Market-Name", "../../etc"),
        ("X-Hlpairs-Market-Name", ".."),
        ("X-Hlpairs-Market-Name", ""),
        ("X-Hlpairs-Market-Name", "a b"),
        ("X-Hlpairs-Market-Name", "a" * 65),
        ("X-Hlpairs-Speed", "fast"),
        ("X-Hlpairs-Speed", "nan"),
        ("X-Hlpairs-Speed", "-1"),
        ("X-Hlpairs-Speed", "9999999"),
        ("X-Hlpairs-Time", "noon"),
        ("X-Hlpairs-Time", "0"),
        ("X-Hlpairs-Time", "-1767268800000"),
        ("X-Hlpairs-Time", "9999999999999"),
        ("X-Hlpairs-Time", "1767268800000.5"),
    ],
)
async def test_an_unfit_header_of_a_simulator_is_refused_by_name(field: str, value: str):
    with pytest.raises(MalformedPayload, match=f"answer to allMids is malformed at header {field}"):
        await stamp_of(LOCAL, FAKE | {field: value})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.hyperliquid.xyz",
        "localhost:3001",
        "ftp://api.hyperliquid.xyz",
        "file:///etc/passwd",
        "http://",
        "http://user@127.0.0.1",
        "https://api.hyperliquid.xyz@evil.com",
        "https://api.hyperliquid.xyz\\@evil.com",
        "https://api.hyperliquid.xyz%2eevil.com",
        "https://api.hyperliquid.xyz/info",
        "https://api.hyperliquid.xyz//",
        "https://api.hyperliquid.xyz?",
        "https://api.hyperliquid.xyz?a=b",
        "https://api.hyperliquid.xyz#a",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:port",
        "http://a b",
        "http://127.0.0.1\n",
        None,
        3001,
    ],
)
def test_an_address_that_is_no_plain_http_origin_is_refused(url: object):
    with pytest.raises(InputError, match="as the exchange's address: "):
        HyperliquidClient(url, transport=httpx.MockTransport(Exchange()), rng=random.Random(1))  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://me:hunter2@127.0.0.1", "http://me:hunter2@127.0.0.1:port"])
def test_a_password_in_an_address_is_not_repeated(url: str):
    with pytest.raises(InputError) as caught:
        parse_address(url)
    assert "hunter2" not in str(caught.value)


def test_a_long_host_still_gives_a_folder_name():
    name = parse_address(f"http://{'a' * 60}.{'b' * 60}.com").name
    assert name.startswith("unverified-")
    assert len(name) <= 64


LAST = NOON * 1000 - HOUR_MS  # the bar that closes at noon


@pytest.mark.parametrize(
    ("wall", "headers", "closed"),
    [
        # The clock of this machine decides only where the answer says nothing.
        (NOON, {}, True),
        (NOON - 1, {}, False),
        (NOON, {"Date": "nonsense"}, True),
        (NOON - 3600, {"Date": formatdate(NOON, usegmt=True)}, True),
        (NOON + 3600, {"Date": formatdate(NOON - 1, usegmt=True)}, False),
        (NOON + 3600, {"Date": "Thu, 01 Jan 2026 11:59:59 -0000"}, False),
        # A simulator's clock goes before both.
        (NOON - 3600, {"Date": formatdate(NOON - 60, usegmt=True), "X-Hlpairs-Time": str(NOON * 1000)}, True),
        (
            NOON + 3600,
            {"Date": formatdate(NOON + 60, usegmt=True), "X-Hlpairs-Time": str(NOON * 1000 - 1)},
            False,
        ),
    ],
)
async def test_a_bar_is_closed_when_the_markets_clock_says_so(wall: float, headers: dict[str, str], closed: bool):
    exchange = Exchange(candleSnapshot=[candle(LAST - HOUR_MS), candle(LAST), candle(LAST + HOUR_MS)])
    exchange.headers = headers
    async with client_of(exchange, Clock(wall)) as client:
        bars = await client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-02T00:00Z")
        every = await client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-02T00:00Z", include_open=True)
    assert len(every) == 3
    assert bars["time"].iloc[-1] == pd.Timestamp(LAST if closed else LAST - HOUR_MS, unit="ms", tz="UTC")


async def test_a_bar_is_judged_by_the_answer_it_came_with_not_by_a_later_one():
    early = httpx.Response(200, json=[candle(LAST)], headers={"X-Hlpairs-Time": str(NOON * 1000 - 1)})
    late = httpx.Response(200, json=[candle(LAST)], headers={"X-Hlpairs-Time": str(NOON * 1000)})
    answers = iter([late, early])
    async with client_of(lambda request: next(answers)) as client:
        assert len(await client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-02T00:00Z")) == 1
        assert len(await client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-02T00:00Z")) == 0
