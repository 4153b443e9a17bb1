"""Several addresses of one market."""

from typing import Any

import httpx
import pytest
from exchange_doubles import Clock, Exchange, client_of

from hlpairs_core.exceptions import ExchangeUnavailable, InputError, RateLimited, RequestRefused
from hlpairs_core.exchange import MAINNET_URL, TESTNET_URL, HyperliquidClient
from hlpairs_core.exchange.addresses import parse_addresses

A, B, C = "http://a.test", "http://b.test", "http://c.test"
MIDS = {"BTC": "64900.5"}
DOWN = httpx.ConnectError("refused")


class Hosts:
    """One exchange a host; remembers who was asked."""

    def __init__(self, **answers: Any) -> None:
        self.exchanges = {host: Exchange(allMids=answer) for host, answer in answers.items()}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host.split(".")[0]
        self.asked.append(host)
        return self.exchanges[host](request)

    def answer(self, host: str, answer: Any) -> None:
        self.exchanges[host].answers["allMids"] = answer

    def headers(self, host: str, **headers: str) -> None:
        self.exchanges[host].headers = {f"X-Hlpairs-{key.replace('_', '-')}": value for key, value in headers.items()}


def client_at(hosts: Hosts, *urls: str, **options: Any) -> HyperliquidClient:
    return client_of(hosts, options.pop("clock", None), base_url=urls, **options)


async def test_the_first_address_is_asked_as_long_as_it_works():
    hosts = Hosts(a=MIDS, b=MIDS)
    async with client_at(hosts, A, B) as client:
        for _ in range(3):
            await client.all_mids()
        assert client.address == A
        assert client.status().addresses == (A, B)
    assert hosts.asked == ["a", "a", "a"]


@pytest.mark.parametrize(
    "failure", [DOWN, httpx.ReadTimeout("x"), httpx.Response(502), httpx.Response(200, text="<html>")]
)
async def test_after_two_failures_in_a_row_the_next_address_is_asked_and_stays(failure: Any):
    hosts = Hosts(a=failure, b=MIDS)
    async with client_at(hosts, A, B) as client:
        for _ in range(3):
            assert await client.all_mids() == {"BTC": 64900.5}
        assert client.address == B
    assert hosts.asked == ["a", "a", "b", "b", "b"]


async def test_failures_that_do_not_follow_each_other_change_nothing():
    hosts = Hosts(a=MIDS, b=MIDS)
    async with client_at(hosts, A, B, retries=0) as client:
        for _ in range(4):
            hosts.answer("a", DOWN)
            with pytest.raises(ExchangeUnavailable):
                await client.all_mids()
            hosts.answer("a", MIDS)
            await client.all_mids()
    assert set(hosts.asked) == {"a"}


async def test_without_retries_the_calls_after_go_elsewhere():
    hosts = Hosts(a=DOWN, b=MIDS)
    async with client_at(hosts, A, B, retries=0) as client:
        for _ in range(2):
            with pytest.raises(ExchangeUnavailable):
                await client.all_mids()
        assert await client.all_mids() == {"BTC": 64900.5}


@pytest.mark.parametrize(
    ("answer", "error"), [(httpx.Response(429, text="null"), RateLimited), (httpx.Response(422), RequestRefused)]
)
async def test_a_rate_limit_or_a_refusal_is_no_reason_to_go_elsewhere(answer: Any, error: type[Exception]):
    hosts = Hosts(a=answer, b=MIDS)
    async with client_at(hosts, A, B) as client:
        with pytest.raises(error):
            await client.all_mids()
    assert set(hosts.asked) == {"a"}


async def test_after_five_minutes_the_first_is_tried_again_and_left_after_one_failure():
    hosts, clock = Hosts(a=DOWN, b=MIDS), Clock()
    async with client_at(hosts, A, B, clock=clock) as client:
        await client.all_mids()
        clock.now += 295
        await client.all_mids()
        assert hosts.asked == ["a", "a", "b", "b"]
        clock.now += 10
        await client.all_mids()
        assert hosts.asked[4:] == ["a", "b"]
        clock.now += 301
        hosts.answer("a", MIDS)
        await client.all_mids()
        await client.all_mids()
        assert hosts.asked[6:] == ["a", "a"]


async def test_all_addresses_are_tried_in_turn():
    hosts = Hosts(a=DOWN, b=DOWN, c=DOWN)
    async with client_at(hosts, A, B, C, retries=7) as client:
        with pytest.raises(ExchangeUnavailable, match="after 8 attempts"):
            await client.all_mids()
    assert hosts.asked == ["a", "a", "b", "b", "c", "c", "a", "a"]


async def test_the_stamp_follows_the_address_and_keeps_the_name_of_the_market():
    hosts = Hosts(a=DOWN, b=MIDS)
    async with client_at(hosts, A, B) as client:
        await client.all_mids()
        assert client.stamp is not None
        assert (client.stamp.kind, client.stamp.name) == ("unverified", "unverified-a.test-80")
    assert hosts.asked[-1] == "b"


async def test_an_address_that_turns_out_to_be_another_market_is_not_believed():
    hosts, clock = Hosts(a=MIDS, b={"BTC": "1.0"}), Clock()
    hosts.headers("a", Market="demo", Market_Name="seed7")
    hosts.headers("b", Market="demo", Market_Name="seed8")
    async with client_at(hosts, A, B, clock=clock, retries=3) as client:
        await client.all_mids()
        hosts.answer("a", DOWN)
        with pytest.raises(ExchangeUnavailable, match=r"http://b\.test is the market demo-seed8, not demo-seed7"):
            await client.all_mids()
        hosts.answer("a", MIDS)
        assert await client.all_mids() == {"BTC": 64900.5}
        assert client.stamp is not None
        assert client.stamp.name == "demo-seed7"


async def test_an_address_that_stops_saying_it_is_simulated_is_not_believed():
    hosts = Hosts(a=MIDS, b=MIDS)
    hosts.headers("a", Market="replay", Market_Name="x")
    async with client_at(hosts, A, B, retries=2) as client:
        await client.all_mids()
        hosts.answer("a", DOWN)
        with pytest.raises(ExchangeUnavailable, match=r"is the market unverified-a\.test-80, not replay-x"):
            await client.all_mids()


async def test_one_address_alone_may_become_another_market():
    # A simulated exchange was started anew; its stamp says so, and whoever stores data checks that.
    hosts = Hosts(a=MIDS)
    async with client_at(hosts, A) as client:
        for seed in ("seed7", "seed8"):
            hosts.headers("a", Market="demo", Market_Name=seed)
            await client.all_mids()
            assert client.stamp is not None
            assert client.stamp.name == f"demo-{seed}"


@pytest.mark.parametrize(
    "urls",
    [
        (MAINNET_URL, TESTNET_URL),
        (TESTNET_URL, A),
        (A, MAINNET_URL),
        (MAINNET_URL, "http://127.0.0.1:3001"),
        (MAINNET_URL, "http://api.hyperliquid.xyz"),  # without https it is not proven to be the mainnet
    ],
)
def test_addresses_of_different_kinds_are_refused(urls: tuple[str, ...]):
    with pytest.raises(InputError, match=r"these addresses are not of one market: .*give addresses of one kind only"):
        parse_addresses(urls)


def test_no_address_at_all_is_refused():
    with pytest.raises(InputError, match="no address of an exchange was given"):
        parse_addresses([])


def test_one_that_cannot_be_used_is_refused_among_others_too():
    with pytest.raises(InputError, match=r"cannot use 'ftp://b\.test' as the exchange's address"):
        parse_addresses([A, "ftp://b.test"])


def test_an_address_given_twice_counts_once():
    [address] = parse_addresses([MAINNET_URL, f"{MAINNET_URL}/", "https://API.hyperliquid.xyz:443"])
    assert (address.url, address.kind) == (MAINNET_URL, "live")
