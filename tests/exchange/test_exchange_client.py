from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from exchange_doubles import (
    ACCOUNT,
    CALLS,
    HOUR_MS,
    NOON,
    Clock,
    Exchange,
    book,
    candle,
    client_of,
    everything,
    payment,
    universe,
)

import hlpairs_core.exchange as package
from hlpairs_core.exceptions import (
    ExchangeUnavailable,
    InputError,
    MalformedPayload,
    RequestRefused,
    UnknownCoin,
)
from hlpairs_core.exchange import HyperliquidClient, WeightBudget

START, END = "2026-01-01T00:00Z", "2026-01-01T11:00Z"
MIDNIGHT = NOON * 1000 - 12 * HOUR_MS

SERIES: dict[str, Any] = {
    "candleSnapshot": lambda client, coin: client.candles(coin, "1h", START, END),
    "fundingHistory": lambda client, coin: client.funding_history(coin, START, END),
}
COIN_CALLS = SERIES | {
    "l2Book": lambda client, coin: client.l2_book(coin),
    "recentTrades": lambda client, coin: client.recent_trades(coin),
}


def test_every_public_name_is_exported_in_order():
    assert list(package.__all__) == sorted(package.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(package, name) for name in package.__all__)


BODIES: dict[str, list[dict[str, Any]]] = {
    "universe": [{"type": "meta"}],
    "universe of a dex": [{"type": "perpDexs"}, {"type": "meta", "dex": "xyz"}],
    "contexts": [{"type": "metaAndAssetCtxs"}],
    "contexts of a dex": [{"type": "perpDexs"}, {"type": "metaAndAssetCtxs", "dex": "xyz"}],
    "all_mids": [{"type": "allMids"}],
    "all_mids of a dex": [{"type": "allMids", "dex": "xyz"}],
    "perp_dexs": [{"type": "perpDexs"}],
    "predicted_fundings": [{"type": "predictedFundings"}],
    "candles": [
        {
            "type": "candleSnapshot",
            "req": {
                "coin": "BTC",
                "interval": "1h",
                "startTime": MIDNIGHT,
                "endTime": MIDNIGHT + 12 * HOUR_MS,
            },
        }
    ],
    "funding_history": [
        {"type": "fundingHistory", "coin": "BTC", "startTime": MIDNIGHT, "endTime": MIDNIGHT + 13 * HOUR_MS}
    ],
    "l2_book": [{"type": "l2Book", "coin": "BTC"}],
    "recent_trades": [{"type": "recentTrades", "coin": "BTC"}],
    "spot_meta": [{"type": "spotMeta"}],
    "spot_contexts": [{"type": "spotMetaAndAssetCtxs"}],
    "user_fees": [{"type": "userFees", "user": ACCOUNT}],
    "user_rate_limit": [{"type": "userRateLimit", "user": ACCOUNT}],
}


@pytest.mark.parametrize("name", CALLS)
async def test_requests_have_the_documented_bodies(name: str):
    exchange = everything()
    async with client_of(exchange) as client:
        await CALLS[name](client)
    assert exchange.seen == BODIES[name]


async def test_optional_fields_are_sent_only_where_they_say_something():
    exchange = Exchange(fundingHistory=[payment()], l2Book=book())
    async with client_of(exchange) as client:
        await client.funding_history("BTC", START)
        await client.l2_book("BTC", significant_figures=5, mantissa=2)
        await client.l2_book("BTC", significant_figures=5, mantissa=1)
    assert exchange.seen == [
        {"type": "fundingHistory", "coin": "BTC", "startTime": MIDNIGHT},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5},
    ]


@pytest.mark.parametrize("name", CALLS)
async def test_every_call_spends_what_the_documented_table_says(name: str):
    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=clock.sleep)
    exchange = everything()
    async with client_of(exchange, clock, budget=budget) as client:
        await CALLS[name](client)
    light = {"allMids": 2, "l2Book": 2}
    by_rows = ("candleSnapshot", "fundingHistory", "recentTrades")  # one row is one more unit
    spent = sum(light.get(body["type"], 20) + (body["type"] in by_rows) for body in exchange.seen)
    assert budget.remaining == 1200 - spent


@pytest.mark.parametrize("call", COIN_CALLS.values(), ids=COIN_CALLS.keys())
@pytest.mark.parametrize("coin", ["", "x" * 65, "A\nB", "\x00", None, 5])
async def test_a_coin_that_is_no_name_is_refused_before_anything_is_sent(call: Any, coin: Any):
    exchange = Exchange()
    async with client_of(exchange) as client:
        with pytest.raises(InputError, match="is no coin"):
            await call(client, coin)
    assert exchange.seen == []


@pytest.mark.parametrize(
    ("interval", "start", "end", "problem"),
    [
        ("7m", START, END, "unknown interval '7m'"),
        ("1M", START, END, "unknown interval '1M'"),
        (None, START, END, "unknown interval None"),
        ("1h", "2026-01-01", END, "start has no time zone"),
        ("1h", START, pd.Timestamp("2026-01-01"), "end has no time zone"),
        ("1h", 1_767_225_600_000, END, "start has no time zone"),
        ("1h", "yesterday-ish", END, "start is no time"),
        ("1h", None, END, "start is no time"),
        ("1h", pd.NaT, END, "start is no time"),
        ("1h", "1969-12-31T00:00Z", END, "start must lie between 1970 and 2100"),
        ("1h", START, "2400-01-01T00:00Z", "end must lie between 1970 and 2100"),
        ("1h", END, START, "is before start"),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(interval: Any, start: Any, end: Any, problem: str):
    exchange = Exchange()
    async with client_of(exchange) as client:
        with pytest.raises(InputError, match=problem):
            await client.candles("BTC", interval, start, end)
        if interval == "1h":
            with pytest.raises(InputError, match=problem):
                await client.funding_history("BTC", start, end)
    assert exchange.seen == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"significant_figures": 6}, "significant_figures must be"),
        ({"significant_figures": 1}, "significant_figures must be"),
        ({"significant_figures": 5, "mantissa": 3}, "mantissa must be"),
        ({"significant_figures": 4, "mantissa": 2}, "mantissa needs significant_figures=5"),
        ({"mantissa": 5}, "mantissa needs significant_figures=5"),
    ],
)
async def test_an_aggregation_the_exchange_does_not_have_is_refused(options: dict[str, int], problem: str):
    async with client_of(Exchange()) as client:
        with pytest.raises(InputError, match=problem):
            await client.l2_book("BTC", **options)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (START, END, list(range(12))),
        ("2026-01-01T03:00Z", "2026-01-01T05:00Z", [3, 4, 5]),
        # The exchange also sends the bar that contains the start; it opened before and is dropped.
        ("2026-01-01T03:00:00.001Z", "2026-01-01T05:59:59.999Z", [4, 5]),
        ("2026-01-01T03:30Z", "2026-01-01T03:40Z", []),
        ("2026-01-01T04:00+01:00", "2026-01-01T05:00+01:00", [3, 4]),
    ],
)
async def test_only_bars_that_open_between_start_and_end_are_kept(start: str, end: str, hours: list[int]):
    exchange = Exchange(candleSnapshot=[candle(MIDNIGHT + hour * HOUR_MS) for hour in range(12)])
    async with client_of(exchange) as client:
        frame = await client.candles("BTC", "1h", start, end)
    assert frame["time"].dt.hour.tolist() == hours
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"


async def test_a_listed_coin_without_rows_gives_empty_frames_of_the_same_types():
    full = Exchange(candleSnapshot=[candle()], fundingHistory=[payment(MIDNIGHT + 7)])
    async with client_of(full) as client:
        bars, paid = [await call(client, "BTC") for call in SERIES.values()]
    for nothing in ([], None):
        bare = Exchange(candleSnapshot=nothing, fundingHistory=nothing, metaAndAssetCtxs=universe("ETH", "BTC"))
        async with client_of(bare) as client:
            no_bars, no_paid = [await call(client, "BTC") for call in SERIES.values()]
        assert (len(bars), len(paid), len(no_bars), len(no_paid)) == (1, 1, 0, 0)
        pd.testing.assert_series_equal(no_bars.dtypes, bars.dtypes)
        pd.testing.assert_series_equal(no_paid.dtypes, paid.dtypes)
        assert bare.count("metaAndAssetCtxs") == 1  # the names are kept


def answered(status: int, text: str) -> httpx.Response:
    return httpx.Response(status, text=text)


@pytest.mark.parametrize("kind", COIN_CALLS)
@pytest.mark.parametrize("answer", [(200, "null"), (200, "[]"), (422, "Failed to deserialize"), (500, "null")])
async def test_a_coin_that_is_not_listed_is_unknown_however_the_exchange_says_it(kind: str, answer: tuple[int, str]):
    exchange = Exchange(metaAndAssetCtxs=universe("BTC", "ETH"), **{kind: answered(*answer)})
    async with client_of(exchange, retries=1) as client:
        with pytest.raises(UnknownCoin, match="the exchange does not list 'NOPE'"):
            await COIN_CALLS[kind](client, "NOPE")


@pytest.mark.parametrize("kind", COIN_CALLS)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((422, "Failed to deserialize"), RequestRefused),
        ((500, "null"), ExchangeUnavailable),
        ((429, "null"), ExchangeUnavailable),
    ],
)
async def test_an_error_about_a_listed_coin_stays_that_error(
    kind: str, answer: tuple[int, str], error: type[Exception]
):
    exchange = Exchange(metaAndAssetCtxs=universe("BTC"), **{kind: answered(*answer)})
    async with client_of(exchange, retries=1) as client:
        with pytest.raises(error) as caught:
            await COIN_CALLS[kind](client, "BTC")
    assert not isinstance(caught.value, UnknownCoin)


@pytest.mark.parametrize("kind", COIN_CALLS)
async def test_an_error_stays_that_error_when_the_universe_cannot_be_asked(kind: str):
    exchange = Exchange(metaAndAssetCtxs=answered(503, ""), **{kind: answered(422, "no")})
    async with client_of(exchange, retries=1) as client:
        with pytest.raises(RequestRefused, match="was refused with HTTP 422"):
            await COIN_CALLS[kind](client, "NOPE")


async def test_an_empty_answer_is_not_believed_while_the_universe_cannot_be_asked():
    exchange = Exchange(metaAndAssetCtxs=answered(503, ""), candleSnapshot=[])
    async with client_of(exchange, retries=1) as client:
        with pytest.raises(ExchangeUnavailable, match="metaAndAssetCtxs"):
            await client.candles("NOPE", "1h", START, END)


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("x"), httpx.ConnectError("x")])
async def test_a_lost_connection_says_nothing_about_the_coin(failure: Exception):
    exchange = Exchange(candleSnapshot=failure)
    async with client_of(exchange, retries=1) as client:
        with pytest.raises(ExchangeUnavailable, match="candleSnapshot NOPE 1h"):
            await client.candles("NOPE", "1h", START, END)
    assert exchange.count("metaAndAssetCtxs") == 0


LOOKED_UP = {
    "BTC": ["metaAndAssetCtxs"],
    "@107": ["spotMeta"],
    "PURR/USDC": ["spotMeta"],
    "xyz:TSLA": ["perpDexs", "metaAndAssetCtxs"],
}


@pytest.mark.parametrize("coin", LOOKED_UP)
@pytest.mark.parametrize("nothing", [[], None])
async def test_a_coin_of_any_kind_without_rows_is_looked_up_in_its_own_universe_once(coin: str, nothing: Any):
    exchange = everything()
    exchange.answers |= {"candleSnapshot": nothing, "recentTrades": nothing}
    async with client_of(exchange) as client:
        for _ in range(2):
            assert (await client.candles(coin, "1h", START, END)).empty
            assert (await client.recent_trades(coin)).empty
        asked = [body["type"] for body in exchange.seen if "coin" not in body and "req" not in body]
        assert asked == LOOKED_UP[coin]
        assert await client.is_listed(coin)


UNLISTED_PERPS = ["NOPE", "xyz:NOPE", "nope:TSLA", ":TSLA", "xyz:TSLA:X", "a/b:c"]
UNLISTED = [(kind, coin) for kind in COIN_CALLS for coin in UNLISTED_PERPS] + [
    (kind, coin) for kind in COIN_CALLS if kind != "fundingHistory" for coin in ("@999", "NOPE/USDC")
]


@pytest.mark.parametrize(("kind", "coin"), UNLISTED)
async def test_a_coin_of_any_kind_that_is_not_listed_is_unknown(kind: str, coin: str):
    exchange = everything()
    exchange.answers[kind] = None
    async with client_of(exchange) as client:
        with pytest.raises(UnknownCoin, match=f"does not list '{coin}'"):
            await COIN_CALLS[kind](client, coin)
        assert not await client.is_listed(coin)


async def test_a_spot_pair_has_no_funding_and_is_not_asked_for_it():
    exchange = everything()
    async with client_of(exchange) as client:
        for coin in ("@107", "PURR/USDC"):
            with pytest.raises(RequestRefused, match=f"'{coin}' is a spot pair: only perps pay funding"):
                await client.funding_history(coin, START, END)
    assert exchange.seen == []


async def test_a_perp_that_is_named_like_a_spot_pair_has_funding():
    exchange = Exchange(metaAndAssetCtxs=universe("A/B"), fundingHistory=[])
    async with client_of(exchange) as client:
        await client.contexts()
        assert (await client.funding_history("A/B", START, END)).empty


async def test_of_an_outcome_null_alone_says_that_there_is_none():
    exchange = Exchange(candleSnapshot=[], fundingHistory=None)
    async with client_of(exchange) as client:
        assert (await client.candles("#5", "1h", START, END)).empty
        with pytest.raises(UnknownCoin, match="#5"):
            await client.funding_history("#5", START, END)
        assert not await client.is_listed("#5")
    assert exchange.count("metaAndAssetCtxs") == 0


async def test_names_with_markup_or_path_characters_are_data():
    names = ["<script>alert(1)</script>", "../../etc/passwd", "A&B;rm -rf", "'; DROP TABLE x", "C:\\x", "%s{0}"]
    exchange = everything()
    exchange.answers |= {"metaAndAssetCtxs": universe(*names), "candleSnapshot": []}
    async with client_of(exchange) as client:
        assert list((await client.contexts()).index) == names
        for name in names:
            assert (await client.candles(name, "1h", START, END)).empty
    assert [body["req"]["coin"] for body in exchange.seen if "req" in body] == names


async def test_a_coin_listed_since_the_last_look_is_found():
    exchange = Exchange(metaAndAssetCtxs=universe("BTC"), candleSnapshot=[])
    async with client_of(exchange) as client:
        await client.contexts()
        exchange.answers["metaAndAssetCtxs"] = universe("BTC", "NEW")
        assert (await client.candles("NEW", "1h", START, END)).empty


def paged(times: list[int], page: int = 500) -> Any:
    def answer(body: dict[str, Any]) -> list[dict[str, Any]]:
        end = body.get("endTime", NOON * 1000)
        return [payment(t) for t in times if body["startTime"] <= t <= end][:page]

    return answer


@pytest.mark.parametrize(("rows", "requests"), [(1, 1), (499, 1), (500, 2), (501, 2), (998, 2), (999, 3), (1998, 5)])
async def test_funding_is_fetched_page_by_page_without_repeating_rows(rows: int, requests: int):
    last = NOON * 1000
    times = [last - k * HOUR_MS + (k * 37) % 1400 for k in reversed(range(1, rows + 1))]
    exchange = Exchange(fundingHistory=paged(times))
    async with client_of(exchange) as client:
        frame = await client.funding_history("BTC", "2024-01-01T00:00Z")
    np.testing.assert_array_equal(frame["time"].dt.as_unit("ms").astype("int64"), times)
    assert list(frame.columns) == ["time", "funding_rate", "premium"]
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    assert exchange.count("fundingHistory") == requests


async def test_pages_of_two_markets_are_no_history_of_either():
    """A simulated exchange that is restarted with another seed answers at the same address."""
    times = [NOON * 1000 - k * HOUR_MS for k in reversed(range(1, 701))]
    exchange = Exchange()

    def page(body: dict[str, Any]) -> Any:
        seed = exchange.count("fundingHistory")
        exchange.headers = {"X-Hlpairs-Market": "demo", "X-Hlpairs-Market-Name": f"demo-seed{seed}"}
        return paged(times)(body)

    exchange.answers["fundingHistory"] = page
    async with client_of(exchange) as client:
        with pytest.raises(ExchangeUnavailable, match=r"became demo-seed2 between two pages of demo-seed1: ask again"):
            await client.funding_history("BTC", "2024-01-01T00:00Z")
        assert client.stamp is not None
        assert client.stamp.name == "demo-seed2", "so that the engine learns of it"


async def test_funding_outside_the_range_is_left_out_and_the_jitter_stays():
    times = [MIDNIGHT - HOUR_MS, MIDNIGHT + 39, MIDNIGHT + HOUR_MS + 1433, MIDNIGHT + 12 * HOUR_MS]
    async with client_of(Exchange(fundingHistory=[payment(t) for t in times])) as client:
        frame = await client.funding_history("BTC", START, END)
    assert frame["time"].tolist() == [
        pd.Timestamp("2026-01-01T00:00:00.039Z"),
        pd.Timestamp("2026-01-01T01:00:01.433Z"),
    ]


async def test_an_exchange_that_repeats_one_full_page_for_ever_is_refused():
    page = [payment(MIDNIGHT + k) for k in range(500)]
    exchange = Exchange(fundingHistory=page)
    async with client_of(exchange) as client:
        with pytest.raises(MalformedPayload, match="a full page ends at"):
            await client.funding_history("BTC", START, END)
    assert exchange.count("fundingHistory") == 2


async def test_the_true_number_of_rows_is_charged_not_the_estimate():
    clock = Clock()
    budget = WeightBudget(clock=clock, sleep=clock.sleep)
    exchange = Exchange(
        candleSnapshot=[candle(MIDNIGHT + hour * HOUR_MS) for hour in range(12)],
        fundingHistory=[payment(MIDNIGHT + hour * HOUR_MS) for hour in range(12)],
    )
    before: list[float] = []

    def watch(request: httpx.Request) -> httpx.Response:
        before.append(budget.remaining)
        return exchange(request)

    async with client_of(watch, clock, budget=budget) as client:
        await client.candles("BTC", "1h", "2020-01-01T00:00Z", END)
        assert before == [1200 - 104]  # as if all 5000 came
        assert budget.remaining == 1200 - 21
        await client.funding_history("BTC", "2020-01-01T00:00Z", END)
        assert before[1] == 1200 - 21 - 45  # as if a full page came
        assert budget.remaining == 1200 - 21 - 21


async def test_a_pull_of_the_whole_exchange_keeps_to_the_budget():
    clock = Clock()
    rows = [candle(MIDNIGHT + hour * HOUR_MS) for hour in range(12)]
    sent: list[float] = []

    def watch(request: httpx.Request) -> httpx.Response:
        sent.append(clock.now)
        return httpx.Response(200, json=rows)

    async with client_of(watch, clock) as client:
        for _ in range(130):
            await client.candles("BTC", "1h", START, END)
    for end in sent:
        assert sum(21 for when in sent if end - 60 < when <= end) <= 1200
    assert 60 < sent[-1] - sent[0] < 150


async def test_the_default_address_is_the_mainnet():
    async with HyperliquidClient(transport=httpx.MockTransport(Exchange(allMids={}))) as client:
        assert client.address == "https://api.hyperliquid.xyz"
        assert await client.all_mids() == {}
        assert client.stamp is not None
        assert client.stamp.kind == "live"
