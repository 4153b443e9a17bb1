"""An endpoint that keeps failing is left alone for a while; the others are not."""

import asyncio
from typing import Any

import httpx
import pytest
from exchange_doubles import NOON, Clock, Exchange, Script, book, client_of, universe

from hlpairs_core.exceptions import (
    CircuitOpen,
    ExchangeUnavailable,
    MalformedPayload,
    RateLimited,
    RequestRefused,
    UnknownCoin,
)
from hlpairs_core.exchange import HyperliquidClient, Priority, WeightBudget

MIDS = {"BTC": "64900.5"}
DOWN = httpx.Response(503, text="down")


def breaker_of(client: HyperliquidClient, endpoint: str = "allMids") -> Any:
    [state] = [state for state in client.status().breakers if state.endpoint == endpoint]
    return state


async def fail(client: HyperliquidClient, times: int, error: type[Exception] = ExchangeUnavailable) -> None:
    for _ in range(times):
        with pytest.raises(error) as caught:
            await client.all_mids()
        assert type(caught.value) is error


async def test_after_five_failed_calls_the_next_is_not_sent_and_the_error_says_when_one_will_be():
    exchange, clock = Exchange(allMids=DOWN), Clock()
    async with client_of(exchange, clock, retries=0) as client:
        await fail(client, 5)
        with pytest.raises(
            CircuitOpen,
            match=r"^allMids: not sent, because the last 5 requests of this kind failed; it is tried again at "
            r"12:00:05 UTC, in 5 s\. The last failure: allMids: no usable answer after 1 attempt, .*503",
        ) as caught:
            await client.all_mids()
        assert caught.value.retry_at == NOON + 5
        assert isinstance(caught.value, ExchangeUnavailable)
        state = breaker_of(client)
        assert (state.state, state.failures, state.retry_at) == ("open", 5, NOON + 5)
    assert exchange.count("allMids") == 5
    assert clock.naps == []


async def test_four_failures_and_a_success_close_it_again_and_each_call_counts_once_with_all_its_retries():
    exchange = Exchange(allMids=Script([*[DOWN] * 12, MIDS, *[DOWN] * 12, MIDS]))
    async with client_of(exchange, retries=2) as client:
        for _ in range(2):
            await fail(client, 4)
            assert breaker_of(client).failures == 4
            await client.all_mids()
            assert breaker_of(client).failures == 0
            assert breaker_of(client).cause == ""


async def test_a_breaker_is_of_one_endpoint():
    exchange = Exchange(allMids=httpx.ConnectError("refused"), l2Book=book())
    async with client_of(exchange, retries=0) as client:
        await fail(client, 5)
        await fail(client, 1, CircuitOpen)
        assert (await client.l2_book("BTC")).coin == "BTC"
        assert breaker_of(client, "l2Book").state == "closed"


async def test_one_call_without_retries_tries_it_and_each_failure_doubles_the_wait():
    exchange, clock = Exchange(allMids=DOWN), Clock()
    async with client_of(exchange, clock, retries=0) as client:
        await fail(client, 5)
        for wait in (5, 10, 20, 30, 30):
            clock.now += wait - 0.5
            await fail(client, 1, CircuitOpen)
            clock.now += 0.5
            sent = exchange.count("allMids")
            await fail(client.at(Priority.URGENT, retries=4), 1)
            assert exchange.count("allMids") == sent + 1
            assert breaker_of(client).state == "open"
        exchange.answers["allMids"] = Script([MIDS, DOWN])
        clock.now += 60
        await client.all_mids()
        assert breaker_of(client).state == "closed"
        await fail(client, 5)
        await fail(client, 1, CircuitOpen)
        assert breaker_of(client).retry_at == clock.now + 5


async def test_while_one_call_tries_it_the_others_fail_at_once():
    exchange, clock, go = Exchange(allMids=DOWN), Clock(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if exchange.answers["allMids"] == "slow":
            await go.wait()
            exchange.answers["allMids"] = MIDS
        return exchange(request)

    async with client_of(answer, clock, retries=0) as client:
        await fail(client, 5)
        clock.now += 5
        exchange.answers["allMids"] = "slow"
        probe = asyncio.create_task(client.all_mids())
        await asyncio.sleep(0.01)
        assert breaker_of(client).state == "half-open"
        await fail(client, 3, CircuitOpen)
        go.set()
        assert await probe == {"BTC": 64900.5}
        assert await client.all_mids() == {"BTC": 64900.5}


async def test_a_try_that_is_cancelled_leaves_room_for_another():
    exchange, clock = Exchange(allMids=DOWN), Clock()

    async def answer(request: httpx.Request) -> httpx.Response:
        if exchange.answers["allMids"] == "hang":
            await asyncio.Event().wait()
        return exchange(request)

    async with client_of(answer, clock, retries=0) as client:
        await fail(client, 5)
        clock.now += 5
        exchange.answers["allMids"] = "hang"
        probe = asyncio.create_task(client.all_mids())
        await asyncio.sleep(0.01)
        probe.cancel()
        await asyncio.wait([probe])
        exchange.answers["allMids"] = MIDS
        await client.all_mids()


async def test_a_refusal_is_an_answer():
    exchange = Exchange(allMids=Script([*[DOWN] * 4, httpx.Response(422, text="no")]))
    async with client_of(exchange, retries=0) as client:
        await fail(client, 4)
        await fail(client, 8, RequestRefused)
        assert breaker_of(client).failures == 0


async def test_a_rate_limit_neither_opens_nor_closes_it():
    limited = httpx.Response(429, text="null")
    exchange, clock = Exchange(allMids=Script([*[DOWN] * 4, *[limited] * 9, DOWN])), Clock()
    async with client_of(exchange, clock, retries=0) as client:
        await fail(client, 4)
        await fail(client, 9, RateLimited)
        assert breaker_of(client).failures == 4
        await fail(client, 1)
        await fail(client, 1, CircuitOpen)


async def test_an_answer_that_cannot_be_trusted_counts():
    exchange = Exchange(allMids=httpx.Response(200, text="[" * 100_000))
    async with client_of(exchange) as client:
        await fail(client, 5, MalformedPayload)
        await fail(client, 1, CircuitOpen)


async def test_asking_for_coins_that_are_not_listed_does_not_open_it():
    exchange = Exchange(l2Book=httpx.Response(500, text="null"), metaAndAssetCtxs=universe("BTC"))
    async with client_of(exchange, retries=0) as client:
        for _ in range(8):
            with pytest.raises(UnknownCoin):
                await client.l2_book("NOPE")
        assert breaker_of(client, "l2Book").state == "closed"


async def test_calls_that_wait_for_the_budget_are_not_sent_once_it_is_open():
    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=clock.sleep, in_flight=3)
    exchange = Exchange(allMids=DOWN)
    async with client_of(exchange, clock, retries=0, budget=budget) as client:
        results = await asyncio.gather(*(client.all_mids() for _ in range(40)), return_exceptions=True)
        assert {type(result) for result in results} == {ExchangeUnavailable, CircuitOpen}
        assert exchange.count("allMids") <= 5 + 2  # two may be under way when it opens
        assert budget.remaining == 1200 - 2 * exchange.count("allMids")
        assert breaker_of(client).retry_at == NOON + 5


async def test_a_clock_that_is_set_back_keeps_nobody_out_for_longer():
    exchange, clock = Exchange(allMids=Script([*[DOWN] * 5, MIDS])), Clock()
    async with client_of(exchange, clock, retries=0) as client:
        await fail(client, 5)
        clock.now -= 3600
        assert await client.all_mids() == {"BTC": 64900.5}


async def test_views_of_one_client_share_their_breakers():
    exchange = Exchange(allMids=DOWN)
    async with client_of(exchange, retries=0) as client:
        await fail(client, 5)
        await fail(client.at(Priority.URGENT), 1, CircuitOpen)
