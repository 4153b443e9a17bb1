import json
import math

import httpx
import pandas as pd
import pytest

from hlpairs_core.engine.bars import ASK_SECONDS, LATE_SECONDS
from hlpairs_core.engine.snapshot import without_sparklines
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
    assert world.state.selection.is_final
    assert world.diary.waiting == 1


async def test_the_published_numbers_are_those_of_a_screen_done_by_hand(world):
    await world.tick()
    await world.bars.step()
    last = pd.Timestamp("2026-03-01T09:00", tz="UTC")
    candles = pd.concat(
        [
            (await world.client.candles(coin, "1h", last - 168 * HOUR, last)).assign(coin=coin)
            for coin in world.bars.eligible()
        ]
    )
    market = MarketState(as_of=last, contexts=world.contexts.frame, books=world.selector.books)
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
        await world.tick()
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
    await world.tick()
    row = world.hub.current["top"] or world.hub.current["nearest_miss"]
    one = world.state.selection.result.candidate(row["y"], row["x"])
    mids = world.mids
    z = (math.log(mids[one.y]) - one.alpha - one.beta * math.log(mids[one.x]) - one.mean) / one.sigma
    assert row["zscore"] == pytest.approx(z, rel=1e-12)
    assert row["sparkline"]["z"][-1] == pytest.approx(z, abs=1e-4)


async def test_the_selection_moves_on_when_the_next_bar_has_closed_and_not_before(world):
    await world.bars.step()
    first = world.state.selection
    world.now += 29 * 60  # 10:59 in the market
    await world.tick()
    await world.settle()
    assert world.state.selection is first
    world.now += 2 * 60  # 11:01
    await world.tick()
    await world.bars.step()
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T11:00:00.000Z"


async def test_bars_that_passed_meanwhile_are_skipped_and_counted(world):
    await world.bars.step()
    world.now += 5 * 3600
    await world.tick()
    await world.bars.step()
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T15:00:00.000Z"
    assert world.count("bars_skipped_total") == 4
    assert world.count("bars_total") == 2


async def test_between_bars_it_fills_in_history_and_then_waits_for_the_close(world):
    await world.bars.step()
    await world.settle()
    assert world.naps[0] == pytest.approx(60.0)
    stored = world.history.candles.read(["BTC"])
    assert len(stored) == 4999
    assert len(world.history.funding.read(["BTC"])) > 4900
    world.now += 28 * 60 + 50
    await world.tick()
    world.naps.clear()
    await world.bars.step()
    assert 0 < world.naps[-1] <= 72


async def test_a_restart_fetches_only_what_is_missing(world, make_world):
    await world.bars.step()
    world.engine.store_the_rest()
    second = await make_world()
    await second.bars.step()
    assert second.wire.candles_asked() == []
    second.now += 3600
    await second.tick()
    await second.bars.step()
    ten = pd.Timestamp("2026-03-01T10:00", tz="UTC").timestamp() * 1000
    assert {(asked["startTime"], asked["endTime"]) for asked in second.wire.candles_asked()} == {(ten, ten)}


def no_candles_of(coin):
    """Return a fault: the exchange fails whenever it is asked for these candles."""

    def fail(request):
        asked_for = request["type"] == "candleSnapshot" and request["req"]["coin"] == coin
        return httpx.Response(500) if asked_for else None

    return fail


async def test_a_coin_that_cannot_be_fetched_is_named_and_the_others_go_on(world):
    world.wire.fault = no_candles_of("ETH")
    await world.bars.step()
    payload = world.hub.current
    assert payload["phase"] == "ready"
    assert "Provisional: the history of 11 of 12 coins" in payload["verdict"]["text"]
    text = " ".join(problem["text"] for problem in payload["problems"])
    assert "1 of 12 coins could not be fetched (ETH)" in text
    rows = [payload["top"] or payload["nearest_miss"], *payload["runners_up"]]
    assert "ETH" not in {row["y"] for row in rows} | {row["x"] for row in rows}
    assert world.diary.waiting == 0, "what may still change is not kept for ever"


async def test_a_candle_that_comes_late_is_screened_with_the_others(world):
    world.wire.fault = no_candles_of("ETH")
    await world.bars.step()
    world.wire.fault = lambda _: None
    world.now += ASK_SECONDS
    await world.bars.step()
    payload = world.hub.current
    assert payload["problems"] == []
    assert payload["bar"]["closed_at"] == "2026-03-01T10:00:00.000Z"
    assert "Provisional" not in payload["verdict"]["text"]
    assert world.state.selection.coins_loaded == 12
    assert (world.diary.waiting, world.count("bars_total")) == (1, 1)
    asked = len(world.wire.candles_asked())
    await world.bars.step()
    assert len(world.wire.candles_asked()) == asked, "a final answer is not touched again"


async def test_a_candle_that_is_too_late_is_not_waited_for(world):
    world.wire.fault = no_candles_of("ETH")
    await world.bars.step()
    world.now += LATE_SECONDS
    await world.bars.step()
    assert world.diary.waiting == 1
    world.wire.fault = lambda _: None
    world.now += ASK_SECONDS
    await world.bars.step()
    assert world.state.selection.coins_loaded == 11
    await world.tick()
    assert "Screened without 1 of 12 coins, whose candles did not come." in world.hub.current["verdict"]["text"]


async def test_each_bar_has_one_final_answer_even_if_the_next_one_closes_before_its_candles_came(world):
    world.wire.fault = no_candles_of("ETH")
    await world.bars.step()
    world.now += 3600
    await world.tick()
    await world.bars.step()
    world.now += 3600
    await world.tick()
    await world.bars.step()
    await world.tick()
    closed = [pd.Timestamp(entry["bar_ms"], unit="ms").hour for entry in world.journal.verdicts()]
    assert sorted(closed) == [10, 11]


async def test_an_outage_shows_the_last_numbers_with_their_age_and_what_is_wrong(world):
    await world.tick()
    await world.bars.step()
    await world.exchange.stop()
    world.now += 30
    await world.tick()
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
    await world.bars.step()
    first, last = (payload["verdict"]["text"] for payload in world.hub.heard)
    assert "Provisional: the history of 30 of" in first
    assert "Provisional" not in last
    assert world.diary.waiting == 1, "only the final answer of a bar is kept for ever"


async def test_a_cold_start_says_how_far_it_has_come(world):
    said = []
    world.wire.edit = lambda request: said.append(world.state.loading) if "req" in request else None
    await world.bars.step()
    assert said[0] == {"stage": "candles", "done": 0, "total": 12, "text": "0 of 12 coins"}
    assert [one["done"] for one in said] == sorted(one["done"] for one in said)
    assert said[-1]["done"] > 0
    assert world.state.loading is None


async def test_an_answer_is_json_without_nan_and_the_journal_keeps_it_without_sparklines(world):
    await world.tick()
    await world.bars.step()
    await world.tick()
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
        await world.tick()
    rows = world.source.history(150)
    assert len(rows) == 3
    lead = world.hub.current["top"]
    assert rows[-1]["zscore"] == (lead["zscore"] if lead else None)
    assert rows[-1]["market_time"] == world.hub.current["market"]["time"]


async def test_the_source_serves_candles_books_and_universe(world):
    await world.bars.step()
    from io import BytesIO

    candles = pd.read_parquet(BytesIO(await world.source.frame("candles", coins=["BTC"], bars=24, interval=None)))
    assert len(candles) == 24
    assert candles["time"].iloc[-1] == pd.Timestamp("2026-03-01T09:00", tz="UTC")
    universe = pd.read_parquet(BytesIO(await world.source.frame("universe", coins=None, bars=1, interval=None)))
    assert len(universe) == 12
    assert set(await world.source.books(None)) == set(world.selector.books)
    assert world.source.status()["market"]["name"] == "demo-v2-seed7-12"


async def test_the_pair_in_the_lead_is_priced_from_books_even_if_the_first_leaders_books_sink_them(make_world):
    world = await make_world(shortlist=1)
    asked = []

    def thin(request, answer):
        if request["type"] == "l2Book":
            asked.append(request["coin"])
            if len(asked) <= 4:
                answer["levels"] = [[{**side[0], "sz": "0.00001"}] for side in answer["levels"]]
        return answer

    world.wire.change = thin
    await world.bars.step()
    lead = world.hub.current["top"] or world.hub.current["nearest_miss"]
    assert len(asked) > 2, "the first leader's books should have sunk it"
    assert len(asked) == len(set(asked)), "no book is asked for twice in one bar"
    assert {lead["y"], lead["x"]} <= set(asked)
    assert lead["slippage_source"] == "book" or lead["slippage_bps"] is None
