import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exchange_doubles import Clock, Exchange, client_of, context

pytestmark = pytest.mark.recordings

RECORDED = [
    "all_mids",
    "candle_snapshot",
    "funding_history",
    "l2_book",
    "meta_2023",
    "meta_and_asset_ctxs",
    "perp_dexs",
]
AGGREGATED = {"l2book_btc_nsf3": (3, None), "l2book_btc_nsf5_m5": (5, 5)}


@pytest.fixture(scope="module")
def ccxt_client() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ccxt
    return ccxt.hyperliquid()


def entries(protocol: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((protocol / f"{name}.json").read_text())


def answer_to(protocol: Path, name: str, kind: str) -> tuple[dict[str, Any], Any]:
    [entry] = [entry for entry in entries(protocol, name) if entry["request"]["type"] == kind]
    return entry["request"], entry["response"]


def time(milliseconds: int) -> pd.Timestamp:
    return pd.Timestamp(milliseconds, unit="ms", tz="UTC")


async def replayed(request: dict[str, Any], response: Any) -> Any:
    kind = request["type"]
    if kind == "meta":  # the client asks for it together with the contexts
        kind, response = "metaAndAssetCtxs", [response, [context() for _ in response["universe"]]]
    exchange = Exchange(**{kind: response})
    async with client_of(exchange, Clock(1.8e9)) as client:
        if kind == "metaAndAssetCtxs":
            return await client.contexts()
        if kind == "allMids":
            return await client.all_mids()
        if kind == "perpDexs":
            return await client.perp_dexs()
        if kind == "l2Book":
            return await client.l2_book(request["coin"])
        if kind == "fundingHistory":
            return await client.funding_history(request["coin"], time(request["startTime"]), time(request["endTime"]))
        asked = request["req"]
        return await client.candles(asked["coin"], asked["interval"], time(asked["startTime"]), time(asked["endTime"]))


@pytest.mark.parametrize("name", RECORDED)
async def test_every_recorded_answer_is_read(protocol: Path, name: str):
    for entry in entries(protocol, name):
        assert entry["status"] == 200
        assert len(await replayed(entry["request"], entry["response"])) > 0 if name != "l2_book" else True
        assert await replayed(entry["request"], entry["response"]) is not None


async def test_recorded_candles_read_as_ccxt_reads_them(protocol: Path, ccxt_client: Any):
    request, response = answer_to(protocol, "candle_snapshot", "candleSnapshot")
    frame = await replayed(request, response)
    theirs = np.array([ccxt_client.parse_ohlcv(row) for row in response], dtype=float)
    start = request["req"]["startTime"]
    assert theirs[0, 0] < start  # the exchange sends the bar that contains the start
    theirs = theirs[theirs[:, 0] >= start]
    assert len(theirs) == 23
    np.testing.assert_array_equal(frame["time"].astype("int64"), theirs[:, 0])
    np.testing.assert_array_equal(frame[["open", "high", "low", "close", "volume"]], theirs[:, 1:])


async def test_recorded_funding_reads_as_ccxt_reads_it(protocol: Path, ccxt_client: Any):
    request, response = answer_to(protocol, "funding_history", "fundingHistory")
    frame = await replayed(request, response)
    rates = [ccxt_client.safe_number(row, "fundingRate") for row in response]
    times = [ccxt_client.safe_integer(row, "time") for row in response]
    np.testing.assert_array_equal(frame["funding_rate"], rates)
    np.testing.assert_array_equal(frame["time"].astype("int64"), times)


async def test_the_recorded_book_reads_as_ccxt_reads_it(protocol: Path, ccxt_client: Any):
    request, response = answer_to(protocol, "l2_book", "l2Book")
    ours = await replayed(request, response)
    sides = dict(zip(["bids", "asks"], response["levels"], strict=True))
    theirs = ccxt_client.parse_order_book(sides, "DYDX", response["time"], "bids", "asks", "px", "sz")
    np.testing.assert_array_equal(ours.bids, theirs["bids"])
    np.testing.assert_array_equal(ours.asks, theirs["asks"])
    assert ours.time == time(theirs["timestamp"])
    assert ours.coin == "DYDX"


@pytest.mark.parametrize(("name", "aggregation"), AGGREGATED.items())
async def test_recorded_aggregated_books_read_as_ccxt_reads_them(
    protocol: Path, ccxt_client: Any, name: str, aggregation: tuple[int, int | None]
):
    response = json.loads((protocol / f"{name}.json").read_text())
    exchange = Exchange(l2Book=response)
    async with client_of(exchange) as client:
        ours = await client.l2_book("BTC", significant_figures=aggregation[0], mantissa=aggregation[1])
    sides = dict(zip(["bids", "asks"], response["levels"], strict=True))
    theirs = ccxt_client.parse_order_book(sides, "BTC", response["time"], "bids", "asks", "px", "sz")
    np.testing.assert_array_equal(ours.bids, theirs["bids"])
    np.testing.assert_array_equal(ours.asks, theirs["asks"])
    assert exchange.seen[0]["nSigFigs"] == aggregation[0]
    assert len(ours.bids) == len(ours.asks) == 20


async def test_recorded_contexts_read_as_ccxt_reads_them(protocol: Path, ccxt_client: Any):
    request, response = answer_to(protocol, "meta_and_asset_ctxs", "metaAndAssetCtxs")
    frame = await replayed(request, response)
    theirs = [
        ccxt_client.parse_market(meta | ctx) for meta, ctx in zip(response[0]["universe"], response[1], strict=True)
    ]
    assert [market["baseName"] for market in theirs] == list(frame.index)
    assert [not market["active"] for market in theirs] == frame["is_delisted"].tolist()
    assert (len(frame), int(frame["is_delisted"].sum()), int(frame["only_isolated"].sum())) == (229, 39, 9)
    keys = {
        "mid_price": "midPx",
        "mark_price": "markPx",
        "open_interest": "openInterest",
        "premium": "premium",
    }
    for column, key in keys.items():
        numbers = [ccxt_client.safe_number(market["info"], key, np.nan) for market in theirs]
        np.testing.assert_array_equal(frame[column], numbers)
    assert frame["mid_price"].isna().tolist() == frame["is_delisted"].tolist()


async def test_recorded_asset_ids_are_those_of_the_official_sdk(protocol: Path):
    from hyperliquid.info import Info

    request, response = answer_to(protocol, "meta_and_asset_ctxs", "metaAndAssetCtxs")
    frame = await replayed(request, response)
    sdk = Info("http://127.0.0.1:9", skip_ws=True, meta=response[0], spot_meta={"universe": [], "tokens": []})
    assert sdk.coin_to_asset == frame["asset"].to_dict()
    assert {sdk.coin_to_asset[coin]: places for coin, places in frame["size_decimals"].items()} == (
        sdk.asset_to_sz_decimals
    )


async def test_recorded_mids_are_all_there(protocol: Path, ccxt_client: Any):
    request, response = answer_to(protocol, "all_mids", "allMids")
    assert await replayed(request, response) == {coin: ccxt_client.safe_number(response, coin) for coin in response}


async def test_recorded_dexs_have_the_ids_and_coins_that_the_recording_names(protocol: Path):
    request, response = answer_to(protocol, "perp_dexs", "perpDexs")
    dexs = await replayed(request, response)
    assert [dex.name for dex in dexs] == ["xyz", "flx", "vntl", "hyna", "km", "abcd", "cash", "para", "mkts"]
    # The official SDK counts from the first after the null: 110000 + i * 10000.
    assert [dex.first_id for dex in dexs] == [110_000 + i * 10_000 for i in range(len(dexs))]
    assert {dex.name: dex.fee_scale for dex in dexs if dex.fee_scale != 1} == {"hyna": 0.1111}
    for dex, raw in zip(dexs, response[1:], strict=True):
        assert dex.open_interest_caps == {coin: float(cap) for coin, cap in raw["assetToStreamingOiCap"]}
        assert dex.funding_multipliers == {coin: float(by) for coin, by in raw["assetToFundingMultiplier"]}
        named = {*dex.open_interest_caps, *dex.funding_multipliers, *dex.funding_interest_rates}
        assert all(coin.startswith(f"{dex.name}:") for coin in named)


async def test_recorded_trades_read_as_ccxt_reads_them(protocol: Path, ccxt_client: Any):
    frames = [json.loads(line)["frame"] for line in (protocol / "ws_frames.jsonl").read_text().splitlines()]
    [fills] = [frame["data"] for frame in frames if frame["channel"] == "trades"]  # as REST gives them
    async with client_of(Exchange(recentTrades=fills)) as client:
        ours = await client.recent_trades("BTC")
    theirs = sorted((ccxt_client.parse_trade(fill) for fill in fills), key=lambda fill: (fill["timestamp"], fill["id"]))
    assert ours["tid"].tolist() == [int(fill["id"]) for fill in theirs]
    assert ours["price"].tolist() == [fill["price"] for fill in theirs]
    assert ours["is_buy"].tolist() == [fill["side"] == "buy" for fill in theirs]


async def test_the_recorded_universe_reads_the_same_without_its_contexts(protocol: Path):
    request, response = answer_to(protocol, "meta_and_asset_ctxs", "metaAndAssetCtxs")
    frame = await replayed(request, response)
    async with client_of(Exchange(meta=response[0])) as client:
        universe = await client.universe()
    assert universe.asset_ids == frame["asset"].to_dict()
    assert [asset.is_delisted for asset in universe.assets] == frame["is_delisted"].tolist()
    assert universe.collateral_token == response[0].get("collateralToken")
