import dataclasses
import json
import math

import pandas as pd
import pytest

from hlpairs_core.engine.snapshot import without_sparklines
from hlpairs_core.exceptions import ExchangeUnavailable
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import screen

HOUR = pd.Timedelta(hours=1)


def pairs(payload):
    return [(row["y"], row["x"]) for row in payload["runners_up"]]


async def test_the_first_bar_is_fetched_screened_and_published(world):
    await world.bars.step()
    payload = world.hub.current
    assert payload["phase"] == "ready"
    assert payload["bar"]["time"] == "2026-03-01T09:00:00.000Z"
    assert payload["bar"]["closed_at"] == "2026-03-01T10:00:00.000Z"
    assert payload["market"]["label"] == "DEMO"
    assert payload["loading"] is None
    assert world.finals == [True]


async def test_the_published_numbers_are_those_of_a_screen_done_by_hand(world):
    await world.ticks.step()
    await world.bars.step()
    last = pd.Timestamp("2026-03-01T09:00", tz="UTC")
    candles = pd.concat(
        [
            (await world.client.candles(coin, "1h", last - 168 * HOUR, last)).assign(coin=coin)
            for coin in world.bars.eligible()
        ]
    )
    market = MarketState(as_of=last, contexts=world.bars.contexts, books=world.bars.books)
    expected = screen(Panel.from_candles(candles), settings=world.settings, market=market)
    lead = expected.top or expected.nearest_miss
    row = world.hub.current["top"] or world.hub.current["nearest_miss"]
    assert (row["y"], row["x"], row["qualifies"]) == (lead.y, lead.x, lead.qualifies)
    assert row["signal_zscore"] == pytest.approx(lead.zscore, rel=1e-12)
    assert row["signal_net_edge_bps"] == pytest.approx(lead.net_edge_bps, rel=1e-12)
    assert world.hub.current["verdict"]["text"] == expected.verdict.text


async def test_ticks_re_mark_but_change_neither_selection_nor_verdict(world):
    await world.bars.step()
    before = world.hub.current
    z = set()
    for _ in range(20):
        world.now += 60
        await world.ticks.step()
        after = world.hub.current
        row = after["top"] or after["nearest_miss"]
        z.add(row["zscore"])
        assert after["verdict"] == before["verdict"]
        assert [one["y"] + one["x"] for one in after["runners_up"]] == [
            one["y"] + one["x"] for one in before["runners_up"]
        ]
        assert row["signal_zscore"] == (before["top"] or before["nearest_miss"])["signal_zscore"]
    assert len(z) > 10


async def test_a_marked_z_is_the_newest_mids_under_the_frozen_parameters(world):
    await world.bars.step()
    world.now += 600
    await world.ticks.step()
    row = world.hub.current["top"] or world.hub.current["nearest_miss"]
    one = world.state.selection.result.candidate(row["y"], row["x"])
    mids = world.state.mids
    z = (math.log(mids[one.y]) - one.alpha - one.beta * math.log(mids[one.x]) - one.mean) / one.sigma
    assert row["zscore"] == pytest.approx(z, rel=1e-12)
    assert row["sparkline"]["z"][-1] == pytest.approx(z, abs=1e-4)


async def test_the_selection_moves_on_when_the_next_bar_has_closed_and_not_before(world):
    await world.bars.step()
    first = world.state.selection
    world.now += 29 * 60  # 10:59 in the market
    await world.ticks.step()
    await world.settle()
    assert world.state.selection is first
    world.now += 2 * 60  # 11:01
    await world.ticks.step()
    await world.bars.step()
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T11:00:00.000Z"


async def test_bars_that_passed_meanwhile_are_skipped_and_counted(world):
    await world.bars.step()
    world.now += 5 * 3600
    await world.ticks.step()
    await world.bars.step()
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T15:00:00.000Z"
    assert world.metrics.registry.get_sample_value("hlpairs_bars_skipped_total") == 4
    assert world.metrics.registry.get_sample_value("hlpairs_bars_total") == 2


async def test_between_bars_it_fills_in_history_and_then_waits_for_the_close(world):
    await world.bars.step()
    await world.settle()
    assert world.naps[0] == pytest.approx(60.0)
    stored = world.history.candles.read(["BTC"])
    assert len(stored) == 4999
    assert len(world.history.funding.read(["BTC"])) > 4900
    world.now += 28 * 60 + 50
    await world.ticks.step()
    world.naps.clear()
    await world.bars.step()
    assert 0 < world.naps[-1] <= 72


async def test_a_restart_fetches_only_what_is_missing(world, make_world, tmp_path):
    await world.bars.step()
    await world.bars._ingest.flush()
    asked = []
    second = await make_world()
    second.now = world.now
    original = second.client.candles

    async def counted(coin, interval, start, end):
        asked.append((coin, start, end))
        return await original(coin, interval, start, end)

    second.client.candles = counted
    await second.bars.step()
    assert asked == []
    second.now += 3600
    await second.ticks.step()
    await second.bars.step()
    assert {(start, end) for _, start, end in asked} == {(pd.Timestamp("2026-03-01T10:00", tz="UTC"),) * 2}


async def test_a_coin_that_cannot_be_fetched_is_named_and_the_others_go_on(world):
    original = world.client.candles

    async def failing(coin, *args):
        if coin == "ETH":
            raise ExchangeUnavailable("candleSnapshot ETH 1h: no answer")
        return await original(coin, *args)

    world.client.candles = failing
    await world.bars.step()
    assert world.hub.current["phase"] == "ready"
    text = " ".join(problem["text"] for problem in world.hub.current["problems"])
    assert "1 of" in text
    assert "(ETH)" in text
    rows = [world.hub.current["top"] or world.hub.current["nearest_miss"], *world.hub.current["runners_up"]]
    assert "ETH" not in {row["y"] for row in rows} | {row["x"] for row in rows}


async def test_an_outage_shows_the_last_numbers_with_their_age_and_what_is_wrong(world):
    await world.ticks.step()
    await world.bars.step()
    await world.exchange.stop()
    world.now += 30
    await world.ticks.step()
    payload = world.hub.current
    assert payload["phase"] == "ready"
    assert payload["message_age_seconds"] == 30
    assert [problem["source"] for problem in payload["problems"]] == ["exchange"]
    assert world.source.health()["ok"] is False


async def test_an_empty_universe_is_said_so(make_world):
    world = await make_world(min_day_notional_usd=1e15)
    await world.bars.step()
    assert world.hub.current["phase"] == "empty"
    assert "No pair can be formed: 0 of 12 listed coins" in world.hub.current["verdict"]["text"]
    assert world.hub.current["top"] is None


async def test_a_large_universe_answers_after_thirty_coins_and_says_that_it_is_provisional(make_world):
    world = await make_world(n_coins=40)
    seen = []
    publish = world.ticks.publish

    def watch():
        publish()
        seen.append(world.hub.current["verdict"]["text"])

    world.ticks.publish = watch
    await world.bars.step()
    assert world.finals == [False, True]
    assert "Provisional: the history of 30 of" in seen[0]
    assert "Provisional" not in seen[-1]


async def test_an_answer_is_json_without_nan_and_the_journal_keeps_it_without_sparklines(world):
    await world.ticks.step()
    await world.bars.step()
    await world.ticks.step()
    text = json.dumps(world.hub.current, allow_nan=False)
    assert json.loads(text) == world.hub.current
    kept = without_sparklines(world.hub.current)
    lead = world.hub.current["top"] or world.hub.current["nearest_miss"]
    assert len(lead["sparkline"]["z"]) > 0
    assert all(not row["sparkline"]["z"] for row in [kept["top"] or kept["nearest_miss"], *kept["runners_up"]])
    assert json.loads(text) == world.hub.current, "the answer itself is left alone"


async def test_snapshots_are_kept_and_served_by_window(world):
    await world.bars.step()
    for _ in range(5):
        world.now += 60
        await world.ticks.step()
    rows = world.source.history(150)
    assert len(rows) == 3
    lead = world.hub.current["top"]
    assert rows[-1]["zscore"] == (lead["zscore"] if lead else None)
    assert rows[-1]["market_time"] == world.hub.current["market"]["time"]


async def test_the_source_serves_candles_books_and_universe(world):
    await world.bars.step()
    from io import BytesIO

    candles = pd.read_parquet(BytesIO(await world.source.frame("candles", coins=["BTC"], bars=24)))
    assert len(candles) == 24
    assert candles["time"].iloc[-1] == pd.Timestamp("2026-03-01T09:00", tz="UTC")
    universe = pd.read_parquet(BytesIO(await world.source.frame("universe", coins=None, bars=1)))
    assert len(universe) == 12
    assert set(world.source.books()) == set(world.bars.books)
    assert world.source.status()["market"]["name"] == "demo-seed7-12"


async def test_the_pair_in_the_lead_is_priced_from_books_even_if_the_first_leaders_books_sink_them(make_world):
    world = await make_world(shortlist=1)
    asked = []
    original = world.client.l2_book

    async def thin(coin):
        book = await original(coin)
        asked.append(coin)
        if len(asked) > 4:
            return book
        return dataclasses.replace(book, bids=book.bids[:1] * [1, 1e-6], asks=book.asks[:1] * [1, 1e-6])

    world.client.l2_book = thin
    await world.bars.step()
    lead = world.hub.current["top"] or world.hub.current["nearest_miss"]
    assert len(asked) > 2, "the first leader's books should have sunk it"
    assert len(asked) == len(set(asked)), "no book is asked for twice in one bar"
    assert {lead["y"], lead["x"]} <= set(asked)
    assert lead["slippage_source"] == "book" or lead["slippage_bps"] is None
