"""Spot tokens and pairs."""

import math
from typing import Any

import numpy as np
import pytest
from exchange_doubles import Exchange, client_of, pair, spot_context, spot_meta, token

from hlpairs_core.exceptions import MalformedPayload
from hlpairs_core.exchange import SpotMeta


async def meta_of(answer: Any) -> SpotMeta:
    async with client_of(Exchange(spotMeta=answer)) as client:
        return await client.spot_meta()


async def test_pairs_name_their_tokens_by_index_not_by_position():
    meta = await meta_of(spot_meta())
    assert [(p.coin, p.base.name, p.quote.name, p.size_decimals, p.asset) for p in meta.pairs] == [
        ("@142", "UBTC", "USDC", 5, 10_142),
        ("PURR/USDC", "PURR", "USDC", 0, 10_000),
        ("@107", "HYPE", "USDC", 2, 10_107),
    ]
    assert [t.name for t in meta.tokens] == ["USDC", "HYPE", "UBTC", "PURR"]
    assert (meta.pairs[0].base.full_name, meta.pairs[0].quote.full_name) == ("Unit Bitcoin", "")
    assert meta.pairs[0].base.deployer_fee_share == 1.0


async def test_ids_and_decimals_are_those_of_the_official_sdk():
    from hyperliquid.info import Info

    answer = spot_meta()
    sdk = Info("http://127.0.0.1:9", skip_ws=True, meta={"universe": []}, spot_meta=answer)
    pairs = (await meta_of(answer)).pairs
    assert {p.coin: p.asset for p in pairs} == sdk.coin_to_asset
    assert {p.asset: p.size_decimals for p in pairs} == sdk.asset_to_sz_decimals
    assert {f"{p.base.name}/{p.quote.name}": p.coin for p in pairs}.items() <= sdk.name_to_coin.items()


async def test_a_token_without_what_older_servers_do_not_say_is_read():
    old = token("USDC", 0)
    del old["deployerTradingFeeShare"], old["fullName"]
    meta = await meta_of({"tokens": [old], "universe": []})
    assert math.isnan(meta.tokens[0].deployer_fee_share)
    assert meta.tokens[0].full_name == ""


async def test_contexts_belong_to_pairs_by_name_not_by_position():
    contexts = [
        spot_context("@999"),  # of a pair that is not listed
        spot_context("@107", markPx="25.5", midPx=None),
        spot_context("@142"),
    ]
    async with client_of(Exchange(spotMetaAndAssetCtxs=[spot_meta(), contexts])) as client:
        frame = await client.spot_contexts()
        assert await client.is_listed("PURR/USDC")
        assert client.universe_changes == ()
    assert list(frame.index) == ["@142", "PURR/USDC", "@107"]
    assert frame["base"].tolist() == ["UBTC", "PURR", "HYPE"]
    assert frame["quote"].tolist() == ["USDC"] * 3
    assert frame["asset"].tolist() == [10_142, 10_000, 10_107]
    assert frame["size_decimals"].tolist() == [5, 0, 2]
    np.testing.assert_array_equal(frame["mark_price"], [64900.0, math.nan, 25.5])
    np.testing.assert_array_equal(frame["mid_price"], [64900.5, math.nan, math.nan])
    expected = [64000.0, 1234567.5, 19.0, 2000.5, 21e6]
    numbers = ["prev_day_price", "day_notional", "day_base_volume", "circulating_supply", "total_supply"]
    assert frame.loc["@142", numbers].tolist() == expected


async def test_no_spot_market_at_all_is_an_empty_frame():
    empty: dict[str, Any] = {"tokens": [], "universe": []}
    async with client_of(Exchange(spotMetaAndAssetCtxs=[empty, []])) as client:
        frame = await client.spot_contexts()
    assert frame.empty
    assert "mid_price" in frame.columns


@pytest.mark.parametrize(
    ("pairs", "at"),
    [
        ([pair("@1", 1, [5, 0])], r"universe\[0\]\.tokens: expected two tokens that are listed, got \[5, 0\]"),
        ([pair("@1", 1, [True, 0])], r"universe\[0\]\.tokens: expected two tokens"),
        ([pair("@1", 1, [0])], r"universe\[0\]\.tokens: expected 2 elements"),
        ([pair("@1", -1, [1, 0])], r"universe\[0\]\.index: expected 0 to"),
        ([pair("@1", 1, [1, 0]), pair("@1", 2, [1, 0])], r"universe\[1\]\.name: '@1' is listed twice"),
        ([pair("", 1, [1, 0])], r"universe\[0\]\.name: expected a name"),
    ],
)
async def test_a_pair_that_cannot_be_trusted_is_refused(pairs: list[Any], at: str):
    with pytest.raises(MalformedPayload, match=f"spotMeta is malformed at {at}"):
        await meta_of(spot_meta(*pairs))


@pytest.mark.parametrize(
    ("tokens", "at"),
    [
        ([token("A", 1), token("B", 1)], r"tokens\[1\]\.index: token 1 is listed twice"),
        ([token("A", 1, szDecimals=19)], r"tokens\[0\]\.szDecimals: expected 0 to 18"),
        ([token("A", 1, deployerTradingFeeShare="-1")], r"tokens\[0\]\.deployerTradingFeeShare: expected a non-neg"),
        ([token("A", 1, fullName=5)], r"tokens\[0\]\.fullName: expected a text"),
        ("none", "tokens: expected a list"),
    ],
)
async def test_a_token_that_cannot_be_trusted_is_refused(tokens: Any, at: str):
    with pytest.raises(MalformedPayload, match=f"spotMeta is malformed at {at}"):
        await meta_of({"tokens": tokens, "universe": []})


@pytest.mark.parametrize(
    ("contexts", "at"),
    [
        ([spot_context(), spot_context()], r"\[1\]\[1\]\.coin: '@142' is there twice"),
        ([spot_context(markPx="-1.0")], r"\[1\]\[0\]\.markPx: expected a non-negative"),
        ([spot_context(midPx="NaN")], r"\[1\]\[0\]\.midPx: expected a decimal string"),
        ({}, r"\[1\]: expected a list"),
    ],
)
async def test_spot_contexts_that_cannot_be_trusted_are_refused(contexts: Any, at: str):
    async with client_of(Exchange(spotMetaAndAssetCtxs=[spot_meta(), contexts])) as client:
        with pytest.raises(MalformedPayload, match=f"spotMetaAndAssetCtxs is malformed at {at}"):
            await client.spot_contexts()
