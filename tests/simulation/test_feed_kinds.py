"""The feed of a market with builders' perpetuals and spot pairs besides the exchange's own."""

from collections.abc import Callable
from typing import Any

import pytest
from feed_doubles import USER, Ear, feed_by_hand
from mixed_market import hand_made_market

Ask = Callable[..., Any]


@pytest.mark.parametrize("coin", ["BTC", "xyz:TSLA", "flx:OIL", "PURR/USDC", "@107", "@142"])
async def test_a_coin_of_any_kind_can_be_subscribed_to(wall: Any, ask: Ask, coin: str) -> None:
    market = hand_made_market(clock=wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for kind in ("bbo", "trades", "l2Book", "activeAssetCtx"):
            ear.subscribe(kind, coin=coin)
        ear.subscribe("candle", coin=coin, interval="1h")
        heard = {item["channel"]: item["data"] for item in ear.heard()}
    is_spot = coin.startswith("@") or "/" in coin
    assert set(heard) == {
        "subscriptionResponse",
        "bbo",
        "trades",
        "l2Book",
        "candle",
        "activeSpotAssetCtx" if is_spot else "activeAssetCtx",
    }
    assert heard["l2Book"] == ask(market, {"type": "l2Book", "coin": coin})
    assert heard["bbo"]["bbo"] == [side[0] for side in heard["l2Book"]["levels"]]
    assert heard["trades"][::-1][:10] == ask(market, {"type": "recentTrades", "coin": coin})
    if is_spot:
        contexts = {item["coin"]: item for item in ask(market, {"type": "spotMetaAndAssetCtxs"})[1]}
        assert heard["activeSpotAssetCtx"] == {"coin": coin, "ctx": contexts[coin]}
    else:
        dex = coin.partition(":")[0] if ":" in coin else ""
        meta, states = ask(market, {"type": "metaAndAssetCtxs", "dex": dex})
        names = [entry["name"] for entry in meta["universe"]]
        assert heard["activeAssetCtx"] == {"coin": coin, "ctx": states[names.index(coin)]}


async def test_each_dex_has_mids_and_contexts_of_its_own(wall: Any, ask: Ask) -> None:
    market = hand_made_market(clock=wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for dex in ("xyz", "flx"):
            ear.subscribe("allMids", dex=dex)
            ear.subscribe("assetCtxs", dex=dex)
            (mids, contexts) = (item["data"] for item in ear.heard() if item["channel"] in ("allMids", "assetCtxs"))
            assert mids == {"dex": dex, "mids": ask(market, {"type": "allMids", "dex": dex})}
            assert contexts == {"dex": dex, "ctxs": ask(market, {"type": "metaAndAssetCtxs", "dex": dex})[1]}
        ear.subscribe("allDexsAssetCtxs")
        (everything,) = ear.heard("allDexsAssetCtxs")
    assert [dex for dex, _ in everything["ctxs"]] == ["", "xyz", "flx"]
    for dex, contexts in everything["ctxs"]:
        assert contexts == ask(market, {"type": "metaAndAssetCtxs", "dex": dex})[1]


async def test_an_account_is_empty_on_every_dex(wall: Any) -> None:
    async with feed_by_hand(hand_made_market(clock=wall), wall) as feed:
        ear = Ear(feed)
        ear.subscribe("clearinghouseState", user=USER, dex="xyz")
        ear.subscribe("openOrders", user=USER, dex="flx")
        ear.subscribe("allDexsClearinghouseState", user=USER)
        heard = {item["channel"]: item["data"] for item in ear.heard()}
    assert heard["clearinghouseState"]["dex"] == "xyz"
    assert heard["openOrders"] == {"dex": "flx", "user": USER, "orders": []}
    assert [dex for dex, _ in heard["allDexsClearinghouseState"]["clearinghouseStates"]] == ["", "xyz", "flx"]


async def test_names_of_another_dex_or_without_theirs_do_not_exist(wall: Any) -> None:
    """As measured at the exchange: an upper-case dex and a bare name cost the connection."""
    for coin in ("XYZ:TSLA", "TSLA", "xyz:tsla", "@1", "PURR"):
        async with feed_by_hand(hand_made_market(clock=wall), wall) as feed:
            ear = Ear(feed)
            ear.subscribe("l2Book", coin=coin)
            assert ear.dropped is not None, coin


async def test_a_spot_pair_has_no_margin(wall: Any) -> None:
    async with feed_by_hand(hand_made_market(clock=wall), wall) as feed:
        ear = Ear(feed)
        ear.subscribe("activeAssetData", user=USER, coin="@107")
        assert ear.heard("error") == [
            f'Invalid subscription {{"type":"activeAssetData","user":"{USER}","coin":"@107"}}'
        ]
