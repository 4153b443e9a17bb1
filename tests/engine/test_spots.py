"""Spot pairs in the live engine: matched, fetched, screened with the perpetuals, shown in both directions."""

import asyncio
import json
from dataclasses import replace
from io import BytesIO

import httpx
import pandas as pd
import pytest

from hlpairs_core.exceptions import EngineError
from hlpairs_core.market import KNOWN_SPOT


@pytest.fixture
async def spotted(make_world):
    """Thirty coins: the simulated exchange has spot of six of them."""
    return await make_world(n_coins=30, spot_tokens=KNOWN_SPOT)


async def screened(world):
    await world.polls.step()
    await world.bars.step()
    world.engine.ticks.publish()
    return world.hub.current


async def test_spot_is_screened_with_its_perpetual_and_shown_in_both_directions(spotted):
    payload = await screened(spotted)
    json.dumps(payload, allow_nan=False)
    rows = {(row["y"], row["x"]): row for row in payload["carry"]}
    assert ("@142", "BTC") in rows
    assert rows["@142", "BTC"]["spot_token"] == "UBTC"
    assert rows["@142", "BTC"]["slippage_source"] == "book"
    assert rows["BTC", "@142"]["spot_leg"] == "x"
    assert "spot cannot be sold short" in rows["BTC", "@142"]["misses"][0]
    assert payload["funnel"]["carry_pairs"] == len(rows) // 2
    assert len(payload["runners_up"]) <= 10


async def test_the_first_answer_knows_the_funding_and_later_ones_do_not_hang_on_the_backfill(spotted):
    """What a bar's answer says is the same in a session that is played back, however fast its backfill is."""

    async def funding():
        rows = {(row["y"], row["x"]): row["funding_bps"] for row in (await screened(spotted))["carry"]}
        return rows["@142", "BTC"]

    assert await funding() is not None
    spotted.pass_hour()
    without = await funding()
    spotted.naps.clear()
    while not spotted.naps:
        await spotted.filler.step()
    coins, last = spotted.bars.eligible(), spotted.state.screened
    await spotted.selector.select(coins, last, wanted=len(coins), final=True)
    spotted.engine.ticks.publish()
    with_it = {(row["y"], row["x"]): row["funding_bps"] for row in spotted.hub.current["carry"]}["@142", "BTC"]
    assert with_it == pytest.approx(without, rel=1e-12)


async def test_candles_and_tokens_of_spot_are_asked_for_once(spotted):
    await screened(spotted)
    coins = [asked["coin"] for asked in spotted.wire.candles_asked()]
    assert coins.count("@142") == 1
    spotted.wire.asked.clear()
    spotted.pass_hour()
    await screened(spotted)
    assert not [one for one in spotted.wire.asked if one["type"] == "spotMeta"]
    assert [asked["coin"] for asked in spotted.wire.candles_asked()].count("@142") == 1


@pytest.mark.parametrize("lost", ["spotMeta", "candleSnapshot"])
async def test_a_screen_does_not_fail_for_spot_that_does_not_come(spotted, lost):
    def fails(request):
        of_spot = request["type"] == "spotMeta" or request.get("req", {}).get("coin") == "@142"
        return httpx.Response(500) if request["type"] == lost and of_spot else None

    spotted.wire.fault = fails
    payload = await screened(spotted)
    assert payload["phase"] == "ready"
    assert "@142" not in [row["y"] for row in payload["carry"]]
    assert any(problem["source"] == "spot" for problem in payload["problems"])
    spotted.wire.fault = lambda _: None
    spotted.pass_hour()
    payload = await screened(spotted)
    assert "@142" in [row["y"] for row in payload["carry"]]
    assert not any(problem["source"] == "spot" for problem in payload["problems"])


async def test_the_perpetuals_do_not_wait_for_spot_that_never_answers(spotted):
    def hangs(request):
        return asyncio.Event().wait() if request.get("req", {}).get("coin") == "@142" else None

    spotted.wire.fault, spotted.engine.spots.patience_seconds = hangs, 0.3
    async with asyncio.timeout(60):
        payload = await screened(spotted)
    assert payload["phase"] == "ready"
    assert "@142" not in [row["y"] for row in payload["carry"]]
    (problem,) = [problem for problem in payload["problems"] if problem["source"] == "spot"]
    assert "spot pairs were not fetched within 0.3 s: screened without what is missing" in problem["text"]


async def test_an_answer_does_not_wait_for_books_that_never_come(spotted):
    spotted.wire.fault = lambda request: asyncio.Event().wait() if request["type"] == "l2Book" else None
    spotted.selector.patience_seconds = 0.1
    async with asyncio.timeout(60):
        payload = await screened(spotted)
    assert payload["phase"] == "ready"
    assert {row["slippage_source"] for row in payload["carry"]} == {"model"}


async def test_spot_that_is_matched_is_screened_also_while_it_cannot_be_matched_anew(spotted):
    await screened(spotted)
    spotted.wire.fault = lambda request: httpx.Response(500) if request["type"] == "spotMeta" else None
    for _ in range(7):  # hours: by then the match is old
        spotted.pass_hour()
    payload = await screened(spotted)
    assert "@142" in [row["y"] for row in payload["carry"]]
    (problem,) = [problem for problem in payload["problems"] if problem["source"] == "spot"]
    assert "which spot pairs there are is not known" in problem["text"]


async def test_a_token_that_only_bears_the_name_is_not_matched(spotted):
    def spoofed(request, answer):
        if request["type"] == "spotMeta":
            for token in answer["tokens"]:
                if token["name"] == "UBTC":
                    token["tokenId"] = "0x" + "ab" * 16
        return answer

    spotted.wire.change = spoofed
    payload = await screened(spotted)
    assert payload["carry"]
    assert "@142" not in [row["y"] for row in payload["carry"]]


async def test_readers_who_name_no_coin_are_given_perpetuals(spotted):
    """They make a panel of them: spot would be tested against its own perpetual."""
    await screened(spotted)
    held = pd.read_parquet(BytesIO(await spotted.source.frame("candles", coins=None, bars=24, interval=None)))
    assert "@142" in set(spotted.history.candles.read()["coin"])
    assert set(held["coin"]) == set(spotted.contexts.listed())


async def test_the_fit_of_the_expected_edge_is_told_which_spot_is_which(spotted):
    jobs = []

    async def call(work, job):
        jobs.append(job)
        raise EngineError("not here")

    def recent(request, answer):
        return answer[-400:] if request["type"] in ("candleSnapshot", "fundingHistory") else answer

    spotted.wire.change = recent
    await screened(spotted)
    spotted.idler.call = call
    fit = spotted.engine.works["expected edge"]
    await spotted.settle()
    await fit()
    assert {one.coin: one.perp for one in jobs[0].matches}["@142"] == "BTC"


async def test_the_backfill_brings_all_candles_of_spot_and_asks_for_no_funding_of_it(spotted):
    await screened(spotted)
    spotted.wire.asked.clear()
    spotted.naps.clear()
    while not spotted.naps:
        await spotted.filler.step()
    assert len(spotted.history.candles.store.read(["@142"])) > 1000
    assert "@142" not in [one.get("coin") for one in spotted.wire.asked if one["type"] == "fundingHistory"]
    spotted.pass_hour()
    payload = await screened(spotted)
    row = next(row for row in payload["carry"] if row["y"] == "@142")
    assert row["funding_bps"] is not None
    assert row["net_edge_bps"] == pytest.approx(row["funding_bps"] - row["fee_bps"] - row["slippage_bps"])
    assert row["mark_state"] == "held"


async def test_pairs_are_screened_where_spot_cannot_be(spotted):
    """Its bars open at another minute: no reason to be without an answer."""

    await screened(spotted)
    assert spotted.state.selection.result.funnel.carry_pairs
    read = spotted.engine.spots.read

    async def broken(last):
        spot = await read(last)
        return replace(spot, candles=spot.candles.assign(time=spot.candles["time"] - pd.Timedelta(minutes=30)))

    spotted.engine.spots.read = broken
    spotted.pass_hour()
    payload = await screened(spotted)
    assert payload["phase"] == "ready"
    assert payload["carry"] == []
    (said,) = [problem["text"] for problem in payload["problems"] if problem["source"] == "spot"]
    assert "spot cannot be screened: none of" in said
