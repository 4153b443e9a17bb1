import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exchange_doubles import (
    HOUR_MS,
    NOON,
    Exchange,
    asset,
    book,
    candle,
    client_of,
    context,
    level,
    payment,
    universe,
)

from hlpairs_core.exceptions import MalformedPayload
from hlpairs_core.exchange import HyperliquidClient
from hlpairs_core.exchange.universe import parse_universe

START, END = "2026-01-01T00:00Z", "2026-01-02T00:00Z"
MISSING = object()

NOT_DECIMAL = [
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "",
    " 1",
    "1 ",
    "1_000",
    "0x10",
    "1,5",
    "1.",
    ".5",
    "+1",
    "١",
    "1\n",
]
NOT_FINITE = ["1e999", "-1e999", "9" * 400]
NOT_TEXT = [1.5, 1, True, False, [], {}, ["1"]]
NUMBER = [*NOT_DECIMAL, *NOT_FINITE, *NOT_TEXT, MISSING]
PRICE = [*NUMBER, "-1.0", "0.0", "0", "1e-999"]
AMOUNT = [*NUMBER, "-0.1"]
TIME = ["1767268800000", 1.5, 0, -1, True, 10**15, None, MISSING]
NAME = ["", "x" * 65, "A\x00B", "A\nB", "\u202eBTC", "\x1b[31m", 5, None, True, MISSING]


def put(record: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    rest = {key: kept for key, kept in record.items() if key != field}
    return rest if value is MISSING else rest | {field: value}


def spelled(matrix: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(field, value, id=f"{field}={'missing' if value is MISSING else repr(value)[:20]}")
        for field, values in matrix.items()
        for value in values
    ]


async def ask(method: str, exchange: Exchange) -> Any:
    async with client_of(exchange) as client:
        return await CALLS[method](client)


CALLS: dict[str, Any] = {
    "contexts": HyperliquidClient.contexts,
    "mids": HyperliquidClient.all_mids,
    "candles": lambda client: client.candles("BTC", "1h", START, END, include_open=True),
    "funding": lambda client: client.funding_history("BTC", START, END),
    "book": lambda client: client.l2_book("BTC"),
}


@pytest.mark.parametrize(
    ("field", "value"),
    spelled(
        {
            "t": TIME,
            "s": ["ETH", "btc", 5, None, MISSING],
            "i": ["1d", None, MISSING],
            "o": [*PRICE, None],
            "h": [*PRICE, None],
            "l": [*PRICE, None],
            "c": [*PRICE, None],
            "v": [*AMOUNT, None],
        }
    ),
)
async def test_a_candle_with_an_unfit_field_is_refused_with_its_path(field: str, value: Any):
    exchange = Exchange(candleSnapshot=[candle(), put(candle(), field, value)])
    with pytest.raises(MalformedPayload, match="answer to candleSnapshot BTC 1h is malformed at") as caught:
        await ask("candles", exchange)
    assert caught.value.request == "candleSnapshot BTC 1h"
    assert caught.value.field == f"[1].{field}"
    assert exchange.count("candleSnapshot") == 1


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"l": "29260.0"}, "[0].l"),  # above the close
        ({"l": "29300.0", "c": "29301.0"}, "[0].l"),  # above the open
        ({"h": "29290.0"}, "[0].h"),  # below the open
        ({"h": "29296.0", "c": "29297.0"}, "[0].h"),  # below the close
    ],
)
async def test_a_candle_whose_prices_are_out_of_order_is_refused(fields: dict[str, str], at: str):
    with pytest.raises(MalformedPayload, match=r"is (above|below) the open") as caught:
        await ask("candles", Exchange(candleSnapshot=[candle(**fields)]))
    assert caught.value.field == at


async def test_a_candle_of_trades_without_a_volume_is_refused():
    with pytest.raises(MalformedPayload, match="there is no volume in 12 trades") as caught:
        await ask("candles", Exchange(candleSnapshot=[candle(v="0.0", n=12)]))
    assert caught.value.field == "[0].v"


async def test_a_candle_without_trades_has_no_volume():
    frame = await ask("candles", Exchange(candleSnapshot=[candle(v="0.0", n=0)]))
    assert frame["volume"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("field", "value"),
    spelled(
        {
            "coin": ["ETH", None, MISSING],
            "time": TIME,
            "fundingRate": [*NUMBER, None],
            "premium": NUMBER,
        }
    ),
)
async def test_a_payment_with_an_unfit_field_is_refused_with_its_path(field: str, value: Any):
    with pytest.raises(MalformedPayload, match="answer to fundingHistory BTC is malformed at") as caught:
        await ask("funding", Exchange(fundingHistory=[put(payment(), field, value)]))
    assert caught.value.field == f"[0].{field}"


@pytest.mark.parametrize(
    ("field", "value"),
    spelled(
        {
            "funding": NUMBER,
            "openInterest": [*AMOUNT, None],
            "prevDayPx": AMOUNT,
            "dayNtlVlm": [*AMOUNT, None],
            "dayBaseVlm": [*AMOUNT, None],
            "premium": NUMBER,
            "oraclePx": PRICE,
            "markPx": PRICE,
            "midPx": PRICE,
            "impactPxs": ["1.0", [], ["1.0"], ["1.0", "2.0", "3.0"], MISSING],
        }
    ),
)
async def test_a_context_with_an_unfit_field_is_refused_with_its_path(field: str, value: Any):
    payload = [{"universe": [asset(), asset("ETH")]}, [context(), put(context(), field, value)]]
    with pytest.raises(MalformedPayload, match="answer to metaAndAssetCtxs is malformed at") as caught:
        await ask("contexts", Exchange(metaAndAssetCtxs=payload))
    assert caught.value.field == f"[1][1].{field}"


@pytest.mark.parametrize("value", [price for price in PRICE if price is not MISSING])
@pytest.mark.parametrize("side", [0, 1])
async def test_an_unfit_impact_price_is_refused_with_its_path(side: int, value: Any):
    prices: list[Any] = ["1.0", "1.0"]
    prices[side] = value
    payload = [{"universe": [asset()]}, [context(impactPxs=prices)]]
    with pytest.raises(MalformedPayload) as caught:
        await ask("contexts", Exchange(metaAndAssetCtxs=payload))
    assert caught.value.field == f"[1][0].impactPxs[{side}]"


@pytest.mark.parametrize(
    ("field", "value"),
    spelled(
        {
            "name": NAME,
            "szDecimals": ["5", 1.5, -1, 19, True, None, MISSING],
            "maxLeverage": ["40", 0, 1001, False, None, MISSING],
            "isDelisted": ["true", 1, None],
            "onlyIsolated": ["true", 0, None],
            "marginMode": [5, None],
        }
    ),
)
async def test_an_asset_with_an_unfit_field_is_refused_with_its_path(field: str, value: Any):
    payload = [{"universe": [put(asset(), field, value)]}, [context()]]
    with pytest.raises(MalformedPayload) as caught:
        await ask("contexts", Exchange(metaAndAssetCtxs=payload))
    assert caught.value.field == f"[0].universe[0].{field}"


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (None, "at the top: expected a list, got None"),
        ({}, "at the top: expected a list"),
        ([], "at the top: expected 2 elements, got 0"),
        ([{"universe": []}], "expected 2 elements, got 1"),
        ([None, []], r"at \[0\]: expected an object"),
        ([{}, []], r"at \[0\].universe: missing"),
        ([{"universe": {}}, []], r"at \[0\].universe: expected a list"),
        ([{"universe": [None]}, [context()]], r"at \[0\].universe\[0\]: expected an object"),
        ([{"universe": [asset()]}, []], r"at \[1\]: expected 1 elements, got 0"),
        ([{"universe": [asset()]}, None], r"at \[1\]: expected a list"),
        ([{"universe": [asset()]}, [None]], r"at \[1\]\[0\]: expected an object"),
        (universe("BTC", "ETH", "BTC"), r"at \[0\].universe\[2\].name: 'BTC' is listed twice"),
    ],
)
async def test_a_universe_of_the_wrong_shape_is_refused(payload: Any, problem: str):
    with pytest.raises(MalformedPayload, match=problem):
        await ask("contexts", Exchange(metaAndAssetCtxs=payload))


@pytest.mark.parametrize("value", [price for price in [*PRICE, None] if price is not MISSING])
async def test_an_unfit_mid_is_refused_by_its_coin(value: Any):
    with pytest.raises(MalformedPayload) as caught:
        await ask("mids", Exchange(allMids={"ETH": "1.0", "BTC": value}))
    assert caught.value.field == "BTC"


@pytest.mark.parametrize("name", [name for name in NAME if isinstance(name, str)])
async def test_a_mid_of_no_coin_is_refused(name: str):
    with pytest.raises(MalformedPayload, match="this is no name of a coin"):
        await ask("mids", Exchange(allMids={name: "1.0"}))


@pytest.mark.parametrize("payload", [None, [], "BTC", 5])
async def test_mids_that_are_no_map_are_refused(payload: Any):
    with pytest.raises(MalformedPayload, match="at the top: expected an object"):
        await ask("mids", Exchange(allMids=payload))


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"coin": "ETH"}, "coin"),
        ({"time": "1767268800000"}, "time"),
        ({"levels": None}, "levels"),
        ({"levels": [[]]}, "levels"),
        ({"levels": [[], None]}, "levels[1]"),
        ({"levels": [[None], []]}, "levels[0][0]"),
        *[({"levels": [[], [level(), put(level(), "px", px)]]}, "levels[1][1].px") for px in [*PRICE, None]],
        *[({"levels": [[put(level(), "sz", sz)], []]}, "levels[0][0].sz") for sz in [*PRICE, None]],
        ({"levels": [[level("1.0"), level("2.0")], []]}, "levels[0]"),
        ({"levels": [[level("1.0"), level("1.0")], []]}, "levels[0]"),
        ({"levels": [[], [level("2.0"), level("1.0")]]}, "levels[1]"),
        ({"levels": [[level("2.0")], [level("1.0")]]}, "levels"),
        ({"levels": [[level("2.0")], [level("2.0")]]}, "levels"),
    ],
)
async def test_a_book_of_the_wrong_shape_or_order_is_refused(fields: dict[str, Any], at: str):
    with pytest.raises(MalformedPayload, match="answer to l2Book BTC is malformed") as caught:
        await ask("book", Exchange(l2Book=book(**fields)))
    assert caught.value.field == at


@pytest.mark.parametrize("method", ["candles", "funding"])
@pytest.mark.parametrize("payload", [{}, "[]", 0, False, [None], [[]], {"error": "x"}])
async def test_rows_that_are_no_list_of_objects_are_refused(method: str, payload: Any):
    with pytest.raises(MalformedPayload, match=r"expected (a list|an object)"):
        await ask(method, Exchange(candleSnapshot=payload, fundingHistory=payload))


async def test_a_huge_unfit_value_is_shown_shortened():
    with pytest.raises(MalformedPayload) as caught:
        await ask("mids", Exchange(allMids={"BTC": "x" * 100_000}))
    assert len(str(caught.value)) < 200


async def test_contexts_are_typed_and_keep_the_order_of_the_universe():
    quiet = dict.fromkeys(["premium", "midPx", "impactPxs"]) | {
        "oraclePx": "0.0",
        "markPx": "0.0",
        "funding": "0.0",
    }
    assets = [
        asset("ETH", szDecimals=4),
        asset("MATIC", isDelisted=True),
        asset("HPOS", marginMode="noCross"),
    ]
    contexts = [context(midPx=None, impactPxs=["70739.0", None]), context(**quiet), context(prevDayPx="0.0")]
    frame = await ask("contexts", Exchange(metaAndAssetCtxs=[{"universe": assets}, contexts]))
    assert list(frame.index) == ["ETH", "MATIC", "HPOS"]
    assert frame.index.name == "coin"
    assert list(frame.columns) == [
        *[
            "asset",
            "size_decimals",
            "max_leverage",
            "only_isolated",
            "is_delisted",
            "funding_rate",
            "open_interest",
        ],
        *["oracle_price", "mark_price", "mid_price", "premium", "impact_bid", "impact_ask", "prev_day_price"],
        *["day_notional_usd", "day_base_volume"],
    ]
    assert frame["asset"].tolist() == [0, 1, 2]
    assert frame["only_isolated"].tolist() == [False, False, True]
    assert frame["is_delisted"].tolist() == [False, True, False]
    eth, matic = frame.loc["ETH"], frame.loc["MATIC"]
    assert eth["funding_rate"] == 0.0000125
    assert eth["day_notional_usd"] == 3631161834.2844824791
    assert (eth["impact_bid"], eth["premium"]) == (70739.0, -0.0004239084)
    assert math.isnan(eth["mid_price"])
    assert math.isnan(eth["impact_ask"])
    assert matic[["premium", "mid_price", "impact_bid", "impact_ask"]].isna().all()
    assert set(map(str, frame.dtypes)) == {"int64", "bool", "float64"}


async def test_a_universe_without_coins_has_the_same_columns_and_types():
    empty = await ask("contexts", Exchange(metaAndAssetCtxs=universe()))
    one = await ask("contexts", Exchange(metaAndAssetCtxs=universe("BTC")))
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, one.dtypes)
    assert empty.index.dtype == one.index.dtype


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "BTC'; DROP TABLE", "币安人生", "🚀", "kPEPE", "xyz:TSLA"]
)
async def test_a_name_is_data_whatever_it_spells(name: str):
    frame = await ask("contexts", Exchange(metaAndAssetCtxs=universe(name)))
    assert list(frame.index) == [name]


def test_the_shape_of_2023_is_read_too():
    universe = parse_universe("meta", {"universe": [{"szDecimals": 5, "name": "BTC", "maxLeverage": 50}]})
    assets = universe.assets
    assert [(a.coin, a.max_leverage, a.is_delisted, a.only_isolated) for a in assets] == [("BTC", 50, False, False)]


async def test_mids_keep_spot_pairs_which_may_be_worth_nothing():
    mids = await ask("mids", Exchange(allMids={"BTC": "80868.5", "@142": "0.0", "PURR/USDC": "0.067131", "#5": "0"}))
    assert mids == {"BTC": 80868.5, "@142": 0.0, "PURR/USDC": 0.067131, "#5": 0.0}


async def test_candles_come_sorted_and_the_last_of_duplicates_is_kept():
    t = NOON * 1000 - 6 * HOUR_MS
    rows = [candle(t + HOUR_MS), candle(t, v="1.0"), candle(t + 2 * HOUR_MS), candle(t, v="2.5")]
    frame = await ask("candles", Exchange(candleSnapshot=rows))
    assert frame["time"].tolist() == [pd.Timestamp(t + k * HOUR_MS, unit="ms", tz="UTC") for k in range(3)]
    assert frame["volume"].tolist() == [2.5, 0.98639, 0.98639]
    assert list(frame.index) == [0, 1, 2]
    assert {str(frame[column].dtype) for column in ["open", "high", "low", "close", "volume"]} == {"float64"}
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    assert frame.iloc[1, 1:5].tolist() == [29295.0, 29309.0, 29250.0, 29258.0]


async def test_a_null_premium_is_not_a_number():
    frame = await ask("funding", Exchange(fundingHistory=[payment(premium=None)]))
    assert frame["premium"].isna().all()
    assert frame["funding_rate"].tolist() == [0.0000125]


async def test_a_book_has_a_side_without_orders_as_an_empty_array():
    empty = await ask("book", Exchange(l2Book=book(levels=[[], [level("2.0", "1e-3")]])))
    assert empty.bids.shape == (0, 2)
    np.testing.assert_array_equal(empty.asks, [[2.0, 0.001]])
    assert empty.time == pd.Timestamp("2026-01-01T12:00Z")
    assert empty.time.unit == "ms"
    assert math.isnan(empty.mid)
