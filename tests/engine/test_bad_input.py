"""What an exchange, a disk or a user may do to the engine: stated, visible, and nothing lost."""

import asyncio
import json
import math
from contextlib import suppress

import httpx
import pandas as pd
import pytest

from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.engine.problems import NOTE_SECONDS
from hlpairs_core.exceptions import ExchangeError, StoreError

HOUR = pd.Timedelta(hours=1)


def answer_of(request_type, answer):
    """Return a fault: requests of this type (all, when None) get this answer."""
    return lambda request: answer if request_type in (None, request["type"]) else None


def universe(*names):
    context = {"funding": "0.0", "openInterest": "1.0", "prevDayPx": "1.0", "dayNtlVlm": "1e9", "premium": "0.0"}
    context |= {"oraclePx": "1.0", "markPx": "1.0", "midPx": "1.0", "impactPxs": ["1.0", "1.0"], "dayBaseVlm": "1.0"}
    coins = [{"szDecimals": 1, "name": name, "maxLeverage": 5} for name in names]
    return json.dumps([{"universe": coins}, [context] * len(coins)])


async def test_a_window_longer_than_the_history_is_said_so(make_world):
    world = await make_world(window=4998, start=pd.Timestamp("2025-02-01T10:30", tz="UTC"))
    await world.bars.step()
    payload = world.hub.current
    assert payload["phase"] == "empty"
    assert "0 of 12 coins have the 4,999 closed bars that a window of 4,998 needs" in payload["verdict"]["text"]
    assert "the longest history has 754. Set HLPAIRS_WINDOW lower." in payload["verdict"]["text"]
    await world.settle()


@pytest.mark.parametrize("names", [(), ("BTC",)])
async def test_a_universe_of_no_coin_or_one_is_said_so(world, names):
    world.wire.fault = answer_of("metaAndAssetCtxs", universe(*names))
    await world.bars.step()
    assert world.hub.current["phase"] == "empty"
    assert f"{len(names)} of {len(names)} listed coins trade" in world.hub.current["verdict"]["text"]
    frame = await world.source.frame("universe", coins=None, bars=1, interval=None)
    assert frame.startswith(b"PAR1")


async def test_pairs_are_back_when_the_universe_is(world):
    world.wire.fault = answer_of("metaAndAssetCtxs", universe("BTC"))
    await world.bars.step()
    world.wire.fault = lambda _: None
    world.now += 3600
    await world.tick()
    await world.bars.step()
    assert world.hub.current["phase"] == "ready"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("null", 429, "rate limited"),
        ("<html>502 Bad Gateway</html>", 502, "HTTP 502"),
        ("<html>welcome</html>", 200, "not JSON"),
        ("[1, 2", 200, "not JSON"),
        ('{"BTC": "NaN"}', 200, "malformed"),
        ("null", 200, "malformed"),
        ("Failed to deserialize", 422, "refused"),
    ],
)
async def test_garbage_from_the_exchange_is_shown_and_the_last_answer_stays(world, body, status, said):
    await world.tick()
    await world.bars.step()
    mids, verdict = world.mids, world.hub.current["verdict"]
    world.wire.fault = answer_of(None, httpx.Response(status, text=body))
    world.now += 3600
    await world.tick()
    with pytest.raises(ExchangeError, match=said):
        await world.bars.step()
    payload = world.hub.current
    assert said in payload["problems"][0]["text"]
    assert payload["message_age_seconds"] == 3600
    assert (world.mids, payload["verdict"]) == (mids, verdict)
    assert world.source.health()["ok"] is False
    world.wire.fault = lambda _: None
    async with asyncio.timeout(30):  # after a 429 nothing is sent for a moment
        while any(one["source"] == "exchange" for one in world.hub.current["problems"]):
            await world.tick()
    await world.bars.step()
    assert world.hub.current["problems"] == []
    assert world.hub.current["bar"]["closed_at"] == "2026-03-01T11:00:00.000Z"


async def test_books_that_cannot_be_fetched_are_replaced_by_the_model_and_marked_so(world):
    world.wire.fault = answer_of("l2Book", httpx.Response(500))
    await world.bars.step()
    rows = [world.hub.current["top"] or world.hub.current["nearest_miss"], *world.hub.current["runners_up"]]
    assert {row["slippage_source"] for row in rows} == {"model"}


async def test_a_notional_beyond_every_book_qualifies_nothing_and_says_why(make_world):
    world = await make_world(notional_usd=1e15)
    await world.bars.step()
    payload = world.hub.current
    assert payload["phase"] == "ready"
    assert payload["verdict"]["qualifies"] is False
    rows = [row for row in (payload["nearest_miss"], *payload["runners_up"]) if row is not None]
    assert all(not row["qualifies"] and row["misses"] for row in rows)
    json.dumps(payload, allow_nan=False)


async def test_a_coin_that_disappears_leaves_the_next_selection_and_one_that_comes_back_joins_it(world):
    await world.tick()
    await world.bars.step()

    def delisted(request, answer):
        if request["type"] == "metaAndAssetCtxs":
            next(coin for coin in answer[0]["universe"] if coin["name"] == "ETH")["isDelisted"] = True
        return answer

    world.wire.change = delisted
    coins = world.hub.current["bar"]["coins"]
    world.now += 3600
    await world.tick()
    await world.bars.step()
    assert world.hub.current["bar"]["coins"] == coins - 1
    world.wire.change = lambda _, answer: answer
    world.now += 3600
    await world.tick()
    await world.bars.step()
    assert world.hub.current["bar"]["coins"] == coins


async def test_a_leg_without_a_mid_has_no_z_instead_of_an_old_one(world):
    await world.tick()
    await world.bars.step()
    row = world.hub.current["top"] or world.hub.current["nearest_miss"]
    world.wire.fault = answer_of("allMids", json.dumps({row["x"]: "1.5"}))
    await world.tick()
    row = world.hub.current["top"] or world.hub.current["nearest_miss"]
    assert (row["zscore"], row["net_edge_bps"], row["mark_state"]) == (None, None, "unknown")
    assert math.isfinite(row["signal_zscore"])


async def test_a_full_disk_is_visible_on_health_until_there_is_room(world):
    world.disk.full = True
    await world.tick()
    await world.bars.step()
    health = world.source.health()
    assert health["ok"] is False
    assert [problem["source"] for problem in health["problems"]] == ["store"]
    assert "rows wait in memory" in health["problems"][0]["text"]
    assert world.source.status()["rows_waiting"] > 0
    assert world.hub.current["phase"] == "ready"
    await world.settle()
    assert world.source.health()["ok"] is False, "still full when all was fetched"
    world.disk.full = False
    await world.bars.step()
    assert world.source.health()["ok"] is True
    assert world.source.status()["rows_waiting"] == 0


async def test_a_disk_that_is_full_at_the_end_is_named_in_the_log(world, caplog):
    world.disk.full = True
    await world.bars.step()
    world.engine.store_the_rest()
    assert "rows wait in memory" in caplog.text
    assert "fetches them again at its next start" in caplog.text


async def test_a_damaged_file_is_reported_fetched_again_and_then_forgotten(world, make_world):
    await world.bars.step()
    world.engine.store_the_rest()
    for path in (world.market_folder / "candles-1h").glob("*.parquet"):
        path.write_bytes(b"junk")
    again = await make_world()
    await again.tick()
    with suppress(StoreError):  # where the damage is noticed only when the rows are read
        await again.bars.step()
    await again.bars.step()
    await again.tick()
    assert again.hub.current["bar"]["coins"] == world.hub.current["bar"]["coins"], "nothing is missing from the screen"
    assert any("was set aside" in problem["text"] for problem in again.source.health()["problems"])
    again.now += NOTE_SECONDS
    await again.tick()
    assert again.source.health()["ok"] is True
    assert any("was set aside" in text for text in again.source.status()["set_aside"])


async def test_when_one_fetch_fails_by_a_defect_the_others_stop_too(world):
    def broken(_):
        raise ZeroDivisionError

    world.wire.fault = broken
    coins = [f"C{number}" for number in range(100)]
    end = pd.Timestamp("2026-03-01T09:00", tz="UTC")
    asked = len(world.wire.asked)
    with pytest.raises(ExceptionGroup):
        await Ingest(world.client, world.history).candles(coins, end - HOUR, end)
    assert len(world.wire.asked) - asked < len(coins)
