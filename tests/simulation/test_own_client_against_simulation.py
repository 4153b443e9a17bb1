import math
from collections.abc import AsyncIterator

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import UnknownCoin
from hlpairs_core.exchange import HyperliquidClient, WeightBudget
from hlpairs_core.simulation import SimulatedExchange


async def _no_sleep(_: float) -> None:
    """Retry at once."""


@pytest.fixture
async def client(exchange: SimulatedExchange) -> AsyncIterator[HyperliquidClient]:
    budget = WeightBudget(math.inf)
    async with HyperliquidClient(exchange.base_url or "", budget=budget, sleep=_no_sleep, retries=1) as ours:
        yield ours


async def test_it_reads_the_market_and_its_stamp(client: HyperliquidClient, exchange: SimulatedExchange) -> None:
    contexts, mids = await client.contexts(), await client.all_mids()
    live = contexts[~contexts["is_delisted"]]
    assert contexts.index[:2].tolist() == ["BTC", "ETH"]
    assert contexts["is_delisted"].sum() == 1
    assert np.allclose(live["mid_price"], [mids[coin] for coin in live.index])
    assert (live["impact_bid"] <= live["mid_price"]).all()
    assert (live["impact_ask"] >= live["mid_price"]).all()
    assert client.stamp is not None
    assert (client.stamp.kind, client.stamp.name) == ("demo", exchange.market.name)
    assert client.stamp.time == exchange.market.now()


async def test_it_reads_closed_candles_funding_and_books(
    client: HyperliquidClient, exchange: SimulatedExchange
) -> None:
    now = exchange.market.now()
    start = now.floor("h") - pd.Timedelta(hours=600)
    candles = await client.candles("ETH", "1h", start, now)
    funding = await client.funding_history("ETH", start, now)
    book = await client.l2_book("ETH")
    assert len(candles) == 600
    assert candles["time"].iloc[-1] == now.floor("h") - pd.Timedelta(hours=1)
    assert len(funding) == 601
    assert book.bids.shape == book.asks.shape == (20, 2)


async def test_an_unknown_coin_is_named(client: HyperliquidClient, exchange: SimulatedExchange) -> None:
    now = exchange.market.now()
    with pytest.raises(UnknownCoin, match="NOPE"):
        await client.candles("NOPE", "1h", now - pd.Timedelta(hours=3), now)
