"""From a screen of the engine to its reader: what was found of a pair, bar by bar."""

import asyncio
from itertools import combinations

import httpx
import numpy as np
import pandas as pd
import pytest
from prometheus_client import CollectorRegistry

from hlpairs_core.engine.client import EngineClient
from hlpairs_core.engine.server import Hub, Tokens, listen
from hlpairs_core.engine.source import EngineSource, Parts
from hlpairs_core.exceptions import EngineError, ExchangeError, InputError, UnknownPair
from hlpairs_core.store import ScreenHistory, Screens, ScreenTable
from hlpairs_core.store.pair_rows import NUMBERS, ROW
from hlpairs_core.store.screen_history import PAIR_COLUMNS

HOUR = 3600


def serve(source, clock=lambda: 0.0):
    """Listen for a source alone, and return the address and how to end that."""
    tokens = Tokens(read="r" * 20, admin="a" * 20)
    around = {"hub": Hub({}), "tokens": tokens, "registry": CollectorRegistry(), "stop": lambda: None}
    return listen(source=source, port=0, clock=clock, **around)


@pytest.fixture
async def stored(tmp_path):
    """Three hourly screens of BTC, ETH and SOL, each pair with a z of the hour, and where they are served."""
    screens = Screens(tmp_path / "screens.sqlite", lambda: 0.0)
    for hour in range(3):
        rows = np.zeros(3, dtype=ROW)
        rows["y"], rows["x"], rows["zscore"] = [0, 0, 1], [1, 2, 2], hour
        table = ScreenTable(
            bar_ms=hour * HOUR * 1000,
            closed_ms=(hour + 1) * HOUR * 1000,
            asked={},
            gates=("entry",),
            coins=("ETH", "BTC", "SOL"),
            rows=rows,
            n_pairs=3,
            expected_by_luck=0.15,
            fee_bps=9.0,
            qualifies=False,
            verdict="No pair qualifies.",
        )
        screens.add(table, final=True)
    source = EngineSource(None)
    source.open(Parts(None, None, None, None, None, None, None, screens, None))
    url, close = serve(source)
    yield url, screens.path
    await close()
    screens.close()


async def asked(url, *arguments, **options) -> pd.DataFrame:
    with EngineClient(url) as client:
        return await asyncio.to_thread(client.pair_history, *arguments, **options)


async def test_every_pair_that_the_engine_tested_has_a_past_and_the_shown_one_is_what_the_page_said(make_world):
    world = await make_world(n_coins=5)
    for _ in range(2):
        await world.bars.step()
        await world.kept_screens.step()
        world.now += HOUR
    url, close = serve(world.source)
    pasts = {pair: await asked(url, *pair) for pair in combinations(world.bars.eligible(), 2)}
    await close()
    assert [len(past) for past in pasts.values()] == [2] * 10

    answer = world.hub.current
    row = answer["top"] or answer["nearest_miss"]
    (past,) = (past for pair, past in pasts.items() if set(pair) == {row["y"], row["x"]})
    assert past["is_final"].tolist() == [True, True]
    last = past.iloc[-1]
    assert last["closed_at"] == pd.Timestamp(answer["bar"]["closed_at"])
    candidates = world.state.selection.result.candidates
    kept = candidates[(candidates["y"] == last["y"]) & (candidates["x"] == last["x"])].iloc[0]
    for name in (*NUMBERS, "fee_bps", "net_edge_bps"):
        assert last[name] == pytest.approx(kept[name], rel=1e-6, abs=1e-6, nan_ok=True), name
    assert last["gates_failed"] == ", ".join(kept["gates_failed"])


async def test_either_order_of_the_coins_finds_the_pair_and_its_rows_say_which_was_tested(stored):
    url, path = stored
    past = await asked(url, "BTC", "ETH")
    assert tuple(past.columns) == PAIR_COLUMNS
    assert past[["y", "x", "zscore"]].values.tolist() == [["ETH", "BTC", float(hour)] for hour in range(3)]
    pd.testing.assert_frame_equal(await asked(url, "ETH", "BTC"), past)
    pd.testing.assert_frame_equal(ScreenHistory(path).pair("ETH", "BTC"), past)


async def test_a_past_begins_when_it_is_asked_to(stored):
    url, _ = stored
    assert len(await asked(url, "BTC", "ETH", since=pd.Timestamp("1970-01-01T02:00Z"))) == 2
    assert len(await asked(url, "BTC", "ETH", since="1970-01-01T03:30+01:00")) == 1
    assert (await asked(url, "BTC", "ETH", since="1970-01-02T00:00Z")).empty


@pytest.mark.parametrize(
    ("params", "status", "said"),
    [
        ({"y": "BTC", "x": "NOPE"}, 404, "no screen that is kept has the coin 'NOPE'"),
        ({"y": "../BTC", "x": "'; DROP TABLE pairs; --"}, 404, "has the coin '../BTC'"),
        ({"y": " BTC", "x": "ETH"}, 404, "has the coin ' BTC'"),
        ({"y": "BTC\x00", "x": "ETH"}, 404, r"has the coin 'BTC\x00'"),
        ({"y": "BTC", "x": "BTC"}, 400, "'BTC' is named twice"),
        ({"y": "BTC"}, 400, "name both coins of the pair: /pairs/history?y=ETH&x=BTC"),
        ({}, 400, "name both coins"),
        ({"y": "BTC", "x": "E" * 1000}, 400, "x has 1000 bytes: use at most 200"),
        ({"y": "BTC", "x": "ETH", "since": "long ago"}, 400, "since is 'long ago', which is no time"),
        ({"y": "BTC", "x": "ETH", "since": "2026-03-01"}, 400, "without a time zone"),
        ({"y": "BTC", "x": "ETH", "since": "9" * 150}, 400, "which is no time"),
    ],
)
async def test_what_cannot_be_looked_up_is_refused_in_words(stored, params, status, said):
    url, _ = stored
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        refused = await http.get("/pairs/history", params=params)
    assert (refused.status_code, refused.headers["Content-Type"]) == (status, "text/plain; charset=utf-8")
    assert said in refused.text


async def test_bytes_that_are_no_text_are_refused(stored):
    url, _ = stored
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        refused = await http.get("/pairs/history?y=%ff%fe&x=BTC")
    assert refused.status_code == 400


async def test_the_client_raises_what_the_engine_said(stored):
    url, _ = stored
    with pytest.raises(UnknownPair, match="has the coin 'NOPE'"):
        await asked(url, "BTC", "NOPE")
    with pytest.raises(InputError, match="named twice"):
        await asked(url, "BTC", "BTC")


def test_another_program_s_404_is_no_unknown_pair():
    transport = httpx.MockTransport(lambda _: httpx.Response(404, text="not here"))
    with (
        EngineClient("http://127.0.0.1:9", transport=transport) as client,
        pytest.raises(EngineError, match="404 not here"),
    ):
        client.top()


def test_before_the_exchange_has_answered_there_is_no_past():
    with pytest.raises(ExchangeError, match="has not answered yet"):
        EngineSource(None).pair_history("BTC", "ETH", since=None)


async def test_what_waits_when_the_engine_stops_is_stored(make_world):
    world = await make_world(n_coins=4)
    await world.bars.step()
    assert world.kept_screens.waiting == 1
    world.engine.store_the_rest()
    assert len(ScreenHistory(world.screens.path).pair("BTC", "ETH")) == 1
