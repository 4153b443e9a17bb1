"""What the client of the exchange notices by itself reaches those who read the engine."""

import json
import logging

import httpx
import pytest
from engine_world import START
from prometheus_client import generate_latest

from hlpairs_core.engine.client_watch import LOOK_SECONDS
from hlpairs_core.exceptions import CircuitOpen, ExchangeError
from widgets.markup import notices_html
from widgets.view_model import page_view

HOSTILE = "<img src=x onerror=alert(1)>"


class Universe:
    """Changes what the exchange lists."""

    def __init__(self, world) -> None:
        self.added: list[str] = []
        self.delisted: set[str] = set()
        world.wire.change = self._change

    def _change(self, request, answer):
        if request["type"] == "metaAndAssetCtxs":
            meta, contexts = answer
            for coin in self.added:
                meta["universe"].append({**meta["universe"][-1], "name": coin})
                contexts.append(contexts[-1])
            for asset in meta["universe"]:
                if asset["name"] in self.delisted:
                    asset["isDelisted"] = True
        return answer


@pytest.fixture
async def universe(world) -> Universe:
    universe = Universe(world)
    await world.contexts.refresh()
    return universe


def told(world) -> list[tuple[str, str]]:
    return [(problem["source"], problem["text"]) for problem in world.state.problems.all()]


async def look(world) -> None:
    await world.contexts.refresh()
    await world.watch.step()


async def test_the_universe_as_it_was_first_is_no_news(world, universe):
    await look(world)
    await look(world)
    assert told(world) == []
    assert world.source.status()["requests"]["universe_changes"] == []
    assert world.naps[-1] == LOOK_SECONDS


async def test_a_listing_and_a_delisting_are_each_told_once_and_stay_in_the_status(world, universe, caplog):
    universe.added = ["NEW"]
    with caplog.at_level(logging.WARNING):
        await look(world)
        universe.delisted = {"BTC"}
        await look(world)
        await look(world)
    expected = ["the universe changed: 1 new ('NEW')", "the universe changed: 1 delisted ('BTC')"]
    assert told(world) == [("universe", text) for text in expected]
    assert [record.message for record in caplog.records] == [f"universe: {text}" for text in expected]
    first, second = world.source.status()["requests"]["universe_changes"]
    assert (first["number"], first["added"], first["text"]) == (1, ("NEW",), expected[0])
    assert (second["number"], second["delisted"]) == (2, ("BTC",))
    json.dumps(world.source.status(), allow_nan=False)
    world.now += 3600
    assert told(world) == []
    assert len(world.source.status()["requests"]["universe_changes"]) == 2


async def test_a_coin_that_is_listed_twice_is_told_twice(world, universe):
    for added in (["NEW"], [], ["NEW"]):
        universe.added = added
        await look(world)
    news = "the universe changed: 1 new ('NEW')"
    gone = "the universe changed: 1 gone ('NEW'); asset ids from before are wrong"
    assert [text for _, text in told(world)] == [news, gone, news]


async def test_what_is_new_in_the_universe_is_nothing_that_is_wrong(world, universe):
    await world.tick()
    universe.added = ["NEW"]
    await look(world)
    assert len(world.source.health()["problems"]) == 1
    assert world.source.health()["ok"] is True


async def test_a_coin_whose_name_is_markup_is_shown_as_text(world, universe):
    universe.added = [HOSTILE]
    await look(world)
    await world.tick()
    page = notices_html(page_view(world.hub.current))
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert HOSTILE not in page


async def fail(world, calls: int) -> None:
    for _ in range(calls):
        with pytest.raises(ExchangeError):
            await world.client.candles("BTC", "1h", START, START)


async def test_requests_that_are_held_back_are_a_problem_until_they_go_through_again(world):
    world.wire.fault = lambda body: httpx.Response(500, text="down") if body["type"] == "candleSnapshot" else None
    await fail(world, 4)
    await world.watch.step()
    assert told(world) == []
    assert world.count("requests_held_back") == 0
    await fail(world, 1)
    with pytest.raises(CircuitOpen) as refused:
        await world.client.candles("BTC", "1h", START, START)
    assert refused.value.retry_at == world.now + 5
    world.now += 2
    await world.watch.step()
    (problem,) = world.state.problems.all()
    assert problem["source"] == "requests for candleSnapshot"
    assert problem["text"].startswith(
        "candleSnapshot is not asked for until 2001-09-09T01:46:45.000Z, because the last 5 requests of this kind "
        "failed. The last failure: candleSnapshot BTC 1h: no usable answer"
    )
    assert problem["retry_in_seconds"] == 3
    assert world.count("requests_held_back") == 1
    held_back = world.source.status()["requests"]["held_back"]
    assert held_back["candleSnapshot"]["retry_at"] == "2001-09-09T01:46:45.000Z"
    assert held_back["candleSnapshot"]["failures"] == 5
    world.wire.fault = lambda _: None
    world.now += 3
    await world.client.candles("BTC", "1h", START, START)
    await world.watch.step()
    assert told(world) == []
    assert world.count("requests_held_back") == 0
    assert world.source.status()["requests"]["held_back"] == {}


async def test_the_page_warns_of_requests_that_are_held_back(world):
    world.wire.fault = lambda body: (
        httpx.Response(500, text="<b>down</b>") if body["type"] == "candleSnapshot" else None
    )
    await fail(world, 5)
    await world.watch.step()
    world.wire.fault = lambda _: None
    await world.tick()
    page = notices_html(page_view(world.hub.current))
    assert "hlp-notice-warning" in page
    assert "candleSnapshot is not asked for until" in page
    assert "<b>down" not in page


async def test_answers_that_say_too_many_requests_are_counted(world):
    assert world.source.status()["requests"]["rate_limited"] == 0
    world.wire.fault = lambda body: httpx.Response(429) if body["type"] == "candleSnapshot" else None
    await fail(world, 2)
    await world.watch.step()
    assert world.source.status()["requests"]["rate_limited"] == 2
    assert world.count("rate_limited") == 2
    assert b"hlpairs_rate_limited 2.0" in generate_latest(world.metrics.registry)
    assert told(world) == [], "the budget waits: nothing is wrong"
