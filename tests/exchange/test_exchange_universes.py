"""Perp universes: the main one, builders' dexs, and what happens when one changes."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exchange_doubles import (
    NOON,
    Exchange,
    Script,
    asset,
    builder_universe,
    client_of,
    context,
    dex,
    everything,
    predicted,
    universe,
)

from hlpairs_core.exceptions import InputError, MalformedPayload, RequestRefused


async def test_a_builders_coins_have_ids_of_their_own_and_the_names_they_trade_under():
    exchange = everything()
    exchange.answers["perpDexs"] = [None, dex("flx"), None, dex("xyz")]
    async with client_of(exchange) as client:
        main, theirs = await client.contexts(), await client.contexts("xyz")
        described = await client.universe("xyz")
    assert main["asset"].to_dict() == {"BTC": 0, "ETH": 1}
    assert theirs["asset"].to_dict() == {"xyz:TSLA": 130_000} == described.asset_ids
    assert list(theirs.columns) == list(main.columns)
    assert (described.dex, described.collateral_token) == ("xyz", 235)
    assert [(a.growth_mode, a.only_isolated) for a in described.assets] == [("enabled", True)]


async def test_the_dexs_are_asked_for_once_and_again_for_a_name_that_is_not_among_them():
    exchange = everything()
    async with client_of(exchange) as client:
        await client.contexts("xyz")
        await client.universe("xyz")
        assert exchange.count("perpDexs") == 1
        with pytest.raises(RequestRefused, match=r"the exchange has no dex 'new': perp_dexs\(\) says which it has"):
            await client.contexts("new")
        exchange.answers |= {"perpDexs": [None, dex("new")], "metaAndAssetCtxs": builder_universe("new", "X")}
        assert list((await client.contexts("new")).index) == ["new:X"]


@pytest.mark.parametrize("name", ["a:b", "x" * 65, "a\nb", None, 5])
async def test_what_can_be_no_dex_is_refused_before_anything_is_sent(name: Any):
    exchange = everything()
    async with client_of(exchange) as client:
        for call in (client.contexts, client.universe, client.all_mids):
            with pytest.raises(InputError, match="is no dex"):
                await call(name)
    assert exchange.seen == []


async def test_an_answer_with_coins_of_another_dex_is_refused():
    # A server that does not know the field answers with the main universe.
    exchange = everything()
    exchange.answers |= {"meta": universe("BTC")[0], "metaAndAssetCtxs": universe("BTC"), "allMids": {"BTC": "1.0"}}
    async with client_of(exchange) as client:
        with pytest.raises(
            MalformedPayload, match=r"at universe\[0\]\.name: expected a coin of the dex 'xyz', got 'BTC'"
        ):
            await client.universe("xyz")
        with pytest.raises(MalformedPayload, match=r"at \[0\]\.universe\[0\]\.name: expected a coin of the dex"):
            await client.contexts("xyz")
        with pytest.raises(MalformedPayload, match="at 'BTC': expected coins of the dex 'xyz'"):
            await client.all_mids("xyz")


async def test_dexs_say_what_their_fees_and_funding_depend_on():
    exchange = Exchange(
        perpDexs=[None, dex("xyz"), dex("hyna", deployerFeeScale="0.1111", feeRecipient=f"0x{'A' * 40}")]
    )
    async with client_of(exchange) as client:
        xyz, hyna = await client.perp_dexs()
    assert (xyz.name, xyz.full_name, xyz.index, xyz.first_id, xyz.fee_scale) == ("xyz", "XYZ", 1, 110_000, 1.0)
    assert xyz.deployer == "0x88806a71d74ad0a510b350545c9ae490912f0888"
    assert xyz.funding_multipliers == {"xyz:TSLA": 0.5}
    assert xyz.funding_interest_rates == {"xyz:TSLA": 0.0}
    assert xyz.open_interest_caps == {"xyz:TSLA": 1e8}
    assert (hyna.first_id, hyna.fee_scale, hyna.fee_recipient) == (120_000, 0.1111, f"0x{'a' * 40}")


@pytest.mark.parametrize(
    ("answer", "at"),
    [
        ([dex()], r"\[0\]: expected null, the main dex"),
        ([], r"\[0\]: expected null"),
        ({}, "the top: expected a list"),
        ([None, dex(), dex()], r"\[2\]\.name: 'xyz' is listed twice"),
        ([None, dex("a:b")], r"\[1\]\.name: expected no colon"),
        ([None, dex(deployer="0x12")], r"\[1\]\.deployer: expected 0x and 40"),
        ([None, dex(deployerFeeScale="-1.0")], r"\[1\]\.deployerFeeScale: expected a non-negative"),
        ([None, dex(assetToFundingMultiplier=[["xyz:A"]])], r"assetToFundingMultiplier\[0\]: expected 2 elements"),
        (
            [None, dex(assetToFundingMultiplier=[["a", "1"], ["a", "2"]])],
            r"assetToFundingMultiplier\[1\]\[0\]: no name",
        ),
        ([None, dex(assetToFundingMultiplier=[["xyz:A", 0.5]])], r"assetToFundingMultiplier\[0\]\[1\]: expected a dec"),
    ],
)
async def test_dexs_that_cannot_be_trusted_are_refused_with_the_place(answer: Any, at: str):
    async with client_of(Exchange(perpDexs=answer)) as client:
        with pytest.raises(MalformedPayload, match=f"perpDexs is malformed at .*{at}"):
            await client.perp_dexs()


async def test_predicted_fundings_are_made_comparable_by_the_hour():
    # 0.01 % per 8 h on one venue and 0.00125 % per hour on the other are the same.
    async with client_of(Exchange(predictedFundings=predicted())) as client:
        frame = await client.predicted_fundings()
    assert frame[["coin", "venue"]].values.tolist() == [["AVAX", "BinPerp"], ["AVAX", "HlPerp"], ["AVAX", "BybitPerp"]]
    np.testing.assert_allclose(frame["funding_rate"], [1.25e-5, 1.25e-5, math.nan], rtol=1e-15)
    np.testing.assert_array_equal(frame["interval_hours"], [8, 1, math.nan])
    assert frame["next_time"].tolist() == [
        pd.Timestamp("2024-12-12T00:00Z"),
        pd.Timestamp("2024-12-11T23:00Z"),
        pd.NaT,
    ]
    assert str(frame["next_time"].dtype) == "datetime64[ms, UTC]"


async def test_without_its_interval_only_the_exchanges_own_prediction_has_a_rate():
    funding = {"fundingRate": "0.0001", "nextFundingTime": 1733961600000}
    exchange = Exchange(predictedFundings=[["A", [["HlPerp", funding], ["BinPerp", funding]]]])
    async with client_of(exchange) as client:
        frame = await client.predicted_fundings()
    np.testing.assert_array_equal(frame["funding_rate"], [0.0001, math.nan])
    np.testing.assert_array_equal(frame["interval_hours"], [1, math.nan])


async def test_no_predicted_funding_at_all_is_an_empty_frame_of_the_same_types():
    async with client_of(Exchange(predictedFundings=Script([[], predicted()]))) as client:
        nothing, something = await client.predicted_fundings(), await client.predicted_fundings()
    assert nothing.empty
    pd.testing.assert_series_equal(nothing.dtypes, something.dtypes)


@pytest.mark.parametrize(
    ("answer", "at"),
    [
        (predicted(fundingRate=0.1), r"\[0\]\[1\]\[0\]\[1\]\.fundingRate: expected a decimal string"),
        (predicted(fundingIntervalHours=0), r"fundingIntervalHours: expected 1 to"),
        (predicted(nextFundingTime=5), "nextFundingTime: expected"),
        ([["A", [["V", None], ["V", None]]]], r"\[0\]\[1\]\[1\]: 'V' is given twice for 'A'"),
        ([["A", [["V", None]]], ["A", [["V", None]]]], r"\[1\]\[1\]\[0\]: 'V' is given twice for 'A'"),
        ([["A\n", [["V", None]]]], r"\[0\]\[0\]: expected a name"),
        ([["A", [[5, None]]]], r"\[0\]\[1\]\[0\]\[0\]: expected a name"),
        ([["A", {}]], r"\[0\]\[1\]: expected a list"),
        ([["A"]], r"\[0\]: expected 2 elements"),
        (None, "the top: expected a list"),
    ],
)
async def test_predicted_fundings_that_cannot_be_trusted_are_refused(answer: Any, at: str):
    async with client_of(Exchange(predictedFundings=answer)) as client:
        with pytest.raises(MalformedPayload, match=f"predictedFundings is malformed at .*{at}"):
            await client.predicted_fundings()


CHANGES: dict[str, tuple[Any, dict[str, tuple[str, ...]], bool]] = {
    "listing at the end": (["A", "B", "C", "D"], {"added": ("D",)}, False),
    "delisting": (["A", "-B", "C"], {"delisted": ("B",)}, False),
    "shrinking at the end": (["A", "B"], {"removed": ("C",)}, True),
    "shrinking in front": (["B", "C"], {"removed": ("A",), "moved": ("B", "C")}, True),
    "reordering": (["A", "C", "B"], {"moved": ("C", "B")}, True),
    "listing in between": (["A", "D", "B", "C"], {"added": ("D",), "moved": ("B", "C")}, True),
    "renaming": (["A", "X", "C"], {"added": ("X",), "removed": ("B",)}, True),
    "nothing left": ([], {"removed": ("A", "B", "C")}, True),
}


def listed(names: list[str]) -> list[Any]:
    assets = [asset(name.lstrip("-"), **({"isDelisted": True} if name[0] == "-" else {})) for name in names]
    return [{"universe": assets}, [context() for _ in names]]


@pytest.mark.parametrize("by", ["contexts", "universe"])
@pytest.mark.parametrize(("names", "said", "moves_ids"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_universe_that_changes_is_reported_once(
    names: list[str], said: dict[str, tuple[str, ...]], moves_ids: bool, by: str
):
    after = listed(names)
    exchange = Exchange(metaAndAssetCtxs=Script([listed(["A", "B", "C"]), after]), meta=after[0])
    async with client_of(exchange) as client:
        await client.contexts()
        assert client.universe_changes == ()
        for _ in range(3):
            await getattr(client, by)()
        [change] = client.universe_changes
    nothing: dict[str, tuple[str, ...]] = {"added": (), "removed": (), "moved": (), "delisted": ()}
    assert {field: getattr(change, field) for field in nothing} == nothing | said
    assert (change.number, change.dex, change.received_at, change.moves_ids) == (1, "", NOON, moves_ids)
    assert ("asset ids from before are wrong" in str(change)) == moves_ids


async def test_a_frame_never_mixes_coins_of_two_universes():
    exchange = Exchange(metaAndAssetCtxs=Script([listed(["A", "B"]), listed(["B", "A"])]))
    async with client_of(exchange) as client:
        before, after = await client.contexts(), await client.contexts()
    assert before["asset"].to_dict() == {"A": 0, "B": 1}
    assert after["asset"].to_dict() == {"B": 0, "A": 1}


async def test_changes_are_numbered_and_the_last_hundred_are_kept():
    exchange = Exchange(
        metaAndAssetCtxs=lambda body: listed(["A", "B"] if exchange.count("metaAndAssetCtxs") % 2 else ["B"])
    )
    async with client_of(exchange) as client:
        for _ in range(151):
            await client.contexts()
        assert [change.number for change in client.universe_changes] == list(range(51, 151))


async def test_the_universe_of_a_dex_changes_by_itself():
    exchange = everything()
    async with client_of(exchange) as client:
        await client.contexts()
        await client.contexts("xyz")
        exchange.answers["metaAndAssetCtxs"] = builder_universe("xyz", "TSLA", "<b>")
        await client.contexts("xyz")
        [change] = client.universe_changes
    assert (change.dex, change.added) == ("xyz", ("xyz:<b>",))
    assert str(change) == "the universe of 'xyz' changed: 1 new ('xyz:<b>')"


async def test_a_sentence_about_a_change_names_few_coins():
    exchange = Exchange(metaAndAssetCtxs=Script([listed(["Z"]), listed(["Z", *(f"C{k}" for k in range(200))])]))
    async with client_of(exchange) as client:
        await client.contexts()
        await client.contexts()
    assert str(client.universe_changes[0]) == (
        "the universe changed: 200 new ('C0', 'C1', 'C2', 'C3', 'C4' and 195 more)"
    )
