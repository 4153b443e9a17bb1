import asyncio
from collections.abc import Callable
from typing import Any

import ccxt
import pytest
from hyperliquid.info import Info

from hlpairs_core.simulation import SimulatedExchange

HOUR = 3_600_000


async def test_the_official_sdk_reads_everything_unchanged(exchange: SimulatedExchange) -> None:
    now = exchange.market.clock.time_ms()

    def read() -> dict[str, Any]:
        info = Info(exchange.base_url, skip_ws=True, timeout=5)
        with info.session:
            return {
                "asset": info.name_to_asset("ETH"),
                "meta": info.meta(),
                "mids": info.all_mids(),
                "candles": info.candles_snapshot("ETH", "15m", now - 20 * HOUR, now),
                "funding": info.funding_history("ETH", now - 20 * HOUR, now),
                "book": info.l2_snapshot("ETH"),
                "contexts": info.meta_and_asset_ctxs(),
                "spot": info.spot_meta(),
            }

    seen = await asyncio.to_thread(read)
    assert seen["asset"] == 1
    assert [coin["name"] for coin in seen["meta"]["universe"]][:2] == ["BTC", "ETH"]
    assert seen["candles"][-1]["t"] <= now <= seen["candles"][-1]["T"]
    assert len(seen["candles"]) == 81
    assert len(seen["funding"]) == 20
    assert len(seen["contexts"][0]["universe"]) == len(seen["contexts"][1])
    bid, ask = (float(side[0]["px"]) for side in seen["book"]["levels"])
    assert float(seen["mids"]["ETH"]) == pytest.approx((bid + ask) / 2, rel=1e-12)
    assert seen["spot"]["universe"][0]["name"] == "PURR/USDC"


async def test_ccxt_reads_everything_unchanged(exchange: SimulatedExchange) -> None:
    def read(act: Callable[[Any], Any]) -> Any:
        urls = {"api": {"public": exchange.base_url, "private": exchange.base_url}}
        client = ccxt.hyperliquid({"urls": urls, "enableRateLimit": False})
        # Its request budget is for the real exchange; its clock has to be the market's.
        client.milliseconds = exchange.market.clock.time_ms
        try:
            client.load_markets()
            return act(client)
        finally:
            client.session.close()

    symbol = "ETH/USDC:USDC"
    seen = await asyncio.to_thread(
        read,
        lambda client: {
            "active": {name: market["active"] for name, market in client.markets.items()},
            "candles": client.fetch_ohlcv(symbol, "1h", limit=50),
            "funding": client.fetch_funding_rate_history(symbol),
            "rates": client.fetch_funding_rates(),
            "book": client.fetch_order_book(symbol),
            "tickers": client.fetch_tickers(),
        },
    )
    assert seen["active"][symbol] is True
    assert False in seen["active"].values()
    assert len(seen["candles"]) > 0
    assert len(seen["funding"]) == 500
    assert abs(seen["rates"][symbol]["fundingRate"]) < 0.04
    assert seen["book"]["bids"][0][0] < seen["book"]["asks"][0][0]
    assert seen["tickers"][symbol]["last"] is not None
