import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_market import HOUR, NOW, NOW_MS, hand_made_market

from hlpairs_core.exceptions import SettingsError
from hlpairs_core.exchange import HyperliquidClient, WeightBudget
from hlpairs_core.simulation import Limits, SimulatedExchange
from hlpairs_core.simulation.limits import WeightMeter, action_weight, info_weight

LIMIT = 1200
META = {"type": "meta"}
MIDS = {"type": "allMids"}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 5_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def limited(clock: Callable[[], float], **limits: int) -> AsyncIterator[tuple[SimulatedExchange, Any]]:
    """An exchange with limits, and a function that asks it."""
    exchange = SimulatedExchange(hand_made_market(), limits=Limits(**limits), clock=clock)
    async with exchange, httpx.AsyncClient(base_url=exchange.base_url or "") as client:
        yield exchange, client


# The reference's table; rows cost one unit per 20, candles per 60, a started unit in full.
@pytest.mark.parametrize(
    ("kind", "rows", "weight"),
    [
        *(((kind, 0, 2)) for kind in ("allMids", "l2Book", "clearinghouseState", "spotClearinghouseState")),
        *(((kind, 0, 2)) for kind in ("orderStatus", "exchangeStatus")),
        *(((kind, 0, 20)) for kind in ("meta", "metaAndAssetCtxs", "allPerpMetas", "predictedFundings")),
        *(((kind, 0, 20)) for kind in ("spotMeta", "perpDexs", "userFees", "openOrders", "userRateLimit")),
        ("userRole", 0, 60),
        ("candleSnapshot", 0, 20),
        ("candleSnapshot", 1, 21),
        ("candleSnapshot", 500, 29),
        ("candleSnapshot", 5000, 104),
        ("fundingHistory", 500, 45),
        ("recentTrades", 10, 21),
        ("no such type", 0, 20),
    ],
)
def test_requests_weigh_what_the_exchange_says(kind: str, rows: int, weight: int) -> None:
    assert info_weight({"type": kind}, rows) == weight


@pytest.mark.parametrize("request_", [None, [], "meta", {}, {"type": 7}, {"type": ["meta"]}])
def test_what_cannot_be_read_weighs_as_much_as_most(request_: Any) -> None:
    assert info_weight(request_) == 20


@pytest.mark.parametrize(
    ("request_", "weight"),
    [
        ({"action": {"type": "order", "orders": [{}] * 39}}, 1),
        ({"action": {"type": "order", "orders": [{}] * 40}}, 2),
        ({"action": {"type": "cancel", "cancels": [{}] * 80}}, 3),
        ({"action": {"type": "updateLeverage"}}, 1),
        ({"action": {"orders": "many"}}, 1),
        ({"action": []}, 1),
        (None, 1),
    ],
)
def test_a_batch_of_actions_weighs_one_more_for_every_forty(request_: Any, weight: int) -> None:
    assert action_weight(request_) == weight


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(1, 60), st.integers(0, 10)), max_size=60))
def test_no_minute_holds_more_than_the_limit_but_for_the_rows_of_what_was_let_in(
    requests: list[tuple[float, int, int]],
) -> None:
    clock = Clock()
    meter = WeightMeter(Limits(100), clock)
    let_in: list[tuple[float, int, int]] = []
    for pause, weight, rows in requests:
        clock.now += pause
        lately = [(base, more) for time, base, more in let_in if time > clock.now - 60]
        used = sum(base + more for base, more in lately)
        assert meter.used("a") == used
        assert meter.admit("a", weight) is (used + weight <= 100)
        if used + weight <= 100:
            meter.charge("a", rows)
            let_in.append((clock.now, weight, rows))
    assert meter.total == sum(base + more for _, base, more in let_in)
    assert meter.refused == len(requests) - len(let_in)


async def test_over_the_limit_the_answer_is_429_with_null_and_no_hint_when_to_try_again(clock: Clock) -> None:
    async with limited(clock) as (exchange, client):
        replies = [await client.post("/info", json=META) for _ in range(61)]
        assert [reply.status_code for reply in replies] == [200] * 60 + [429]
        assert replies[-1].text == "null"
        assert replies[-1].headers["Content-Type"] == "application/json"
        assert "Retry-After" not in replies[-1].headers
        assert [int(reply.headers["X-Hlpairs-Weight-Used"]) for reply in replies] == [
            *range(20, LIMIT + 1, 20),
            LIMIT,
        ]
        assert (exchange.meter.total, exchange.meter.refused) == (LIMIT, 1)
        assert (await client.post("/info", json=MIDS)).status_code == 429


async def test_weight_comes_back_a_minute_after_it_was_spent(clock: Clock) -> None:
    async with limited(clock, weight_per_minute=40) as (exchange, client):
        for pause, status in ((0, 200), (30, 200), (29.999, 429), (0.001, 200), (0, 429), (30, 200)):
            clock.now += pause
            assert (await client.post("/info", json=META)).status_code == status
        clock.now += 60
        assert exchange.meter.used() == 0


async def test_rows_are_charged_once_they_are_known(clock: Clock) -> None:
    candles = {"coin": "BTC", "interval": "1h", "startTime": NOW_MS - 119 * HOUR}
    async with limited(clock, weight_per_minute=62) as (exchange, client):
        reply = await client.post("/info", json={"type": "candleSnapshot", "req": candles})
        assert len(reply.json()) == 120
        assert reply.headers["X-Hlpairs-Weight-Used"] == "22"
        reply = await client.post("/info", json={"type": "recentTrades", "coin": "BTC"})
        assert exchange.meter.used() == 43
        # Its own weight does not fit any more, whatever its rows would add.
        assert (await client.post("/info", json={"type": "recentTrades", "coin": "BTC"})).status_code == 429


async def test_actions_spend_from_the_same_minute_and_malformed_requests_too(clock: Clock) -> None:
    async with limited(clock, weight_per_minute=41) as (exchange, client):
        assert (await client.post("/info", content=b"{")).status_code == 422
        assert (await client.post("/exchange", json={"action": {}})).status_code == 422
        assert exchange.meter.used() == 21
        assert (await client.post("/info", json=META)).status_code == 200
        assert (await client.post("/exchange", json={})).status_code == 429


async def test_every_address_has_a_minute_of_its_own(clock: Clock) -> None:
    async with limited(clock, weight_per_minute=20) as (exchange, client):
        other = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(base_url=exchange.base_url or "", transport=other) as second:
            statuses = [(await asked.post("/info", json=META)).status_code for asked in (client, client, second)]
        assert statuses == [200, 429, 200]
        assert (exchange.meter.used(), exchange.meter.used("127.0.0.2")) == (20, 20)


async def test_without_limits_weight_is_counted_and_nothing_refused() -> None:
    exchange = SimulatedExchange(hand_made_market())
    async with exchange, httpx.AsyncClient(base_url=exchange.base_url or "") as client:
        replies = [await client.post("/info", json={"type": "userRole", "user": "0x" + "0" * 40}) for _ in range(30)]
    assert {reply.status_code for reply in replies} == {200}
    assert replies[-1].headers["X-Hlpairs-Weight-Used"] == "1800"


async def test_our_own_budget_uses_nearly_all_of_the_limit_and_is_never_refused(clock: Clock) -> None:
    used_while_waiting: list[int] = []
    started = clock.now
    async with limited(clock) as (exchange, _):

        async def sleep(seconds: float) -> None:
            if clock.now - started > 60:  # in its first minute it keeps room for urgent requests
                used_while_waiting.append(exchange.meter.used())
            clock.now += seconds

        budget = WeightBudget(LIMIT, clock=clock, sleep=sleep)
        async with HyperliquidClient(
            exchange.base_url or "", budget=budget, clock=clock, sleep=sleep, retries=0
        ) as client:
            for coin in ("BTC", "ETH", "HYPE", "kPEPE") * 20:
                await client.candles(coin, "1h", NOW - pd.Timedelta(hours=900), NOW)
        assert exchange.meter.refused == 0
        assert exchange.meter.total == 80 * (20 + 16)
    assert len(used_while_waiting) > 30
    assert min(used_while_waiting) >= 0.95 * LIMIT


@pytest.mark.parametrize(("options", "last"), [(["--limits"], 429), ([], 200)])
def test_the_command_line_switches_limits_on(options: list[str], last: int) -> None:
    command = [sys.executable, "-m", "hlpairs_core.cli", "simulate", "--coins", "2", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            with httpx.Client(base_url=process.stdout.readline().strip()) as client:
                statuses = [client.post("/info", json=META).status_code for _ in range(61)]
        finally:
            process.terminate()
    assert statuses == [200] * 60 + [last]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="weight_per_minute must be at least 1, got 0"):
        Limits(weight_per_minute=0)
