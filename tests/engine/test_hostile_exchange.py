"""An exchange that is not there, is not one, has become another, or names its coins to do harm."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from resilience_world import HOUR, ResilienceWorld, small_market

from hlpairs_core.simulation import SimulatedMarket

BOUND_SECONDS = 60.0
NAMES = ("<b>X</b>", "../../etc", "\"';--", "<img src=x onerror=alert(1)>", "..", "a b", "%2e%2e%2f", "$(id)")


@pytest.fixture
async def make(tmp_path) -> AsyncIterator[Callable[..., ResilienceWorld]]:
    worlds: list[ResilienceWorld] = []

    def build(**options) -> ResilienceWorld:
        worlds.append(ResilienceWorld(tmp_path / "data", **options))
        return worlds[-1]

    yield build
    for world in worlds:
        await world.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whoever begins with TLS in plain text."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


def hostile_market() -> SimulatedMarket:
    """Twelve coins, of which eight are named to do harm."""
    market = small_market(seed=12)
    coins = [replace(coin, name=name) for coin, name in zip(market.coins, NAMES, strict=False)]
    return replace(market, coins=(*coins, *market.coins[len(coins) :]))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:{nobody}", "ConnectError"),
        ("https://127.0.0.1:{plain}", "WRONG_VERSION_NUMBER"),
        ("http://nobody.invalid", "ConnectError"),
    ],
)
async def test_an_address_that_is_wrong_is_said_once_and_the_engine_waits_for_it(make, address, reason):
    world = make()
    plain = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    world.url = address.format(nobody=free_port(), plain=plain.sockets[0].getsockname()[1])
    await world.start_engine()
    await world.until(lambda: "exchange" in world.problems, within=BOUND_SECONDS, what="it says so")
    assert [one["source"] for one in world.hub.current["problems"]] == ["exchange"]
    assert world.problems["exchange"].startswith("allMids: no usable answer")
    assert re.search(reason, world.problems["exchange"])
    assert world.source.health()["ok"] is False
    assert not any(world.folder.glob("*/candles*")), "nothing is stored of a market that nobody knows"
    assert world.hub.faulty == []
    plain.close()
    await plain.wait_closed()


async def test_an_exchange_that_is_restarted_is_followed_and_nothing_is_lost(make):
    world = await make().open()
    await world.well(BOUND_SECONDS)
    world.hub.forget()
    await world.exchange.stop()
    await world.until(lambda: "bars" in world.problems, within=BOUND_SECONDS, what="it says so")
    await world.until(lambda: "exchange" in world.problems, within=BOUND_SECONDS, what="it says so of quotes")
    assert world.source.health()["ok"] is False
    await world.restart_exchange()
    print(f"\n| exchange restarted | recovery {await world.well(BOUND_SECONDS):.1f} s")
    assert world.wrong() == []
    await world.stop_engine()
    assert world.wrong_on_disk() == []


async def test_another_market_at_the_same_address_is_refused_and_nothing_of_it_is_stored(make):
    world = await make().open()
    await world.well(BOUND_SECONDS)
    await world.exchange.stop()
    await world.restart_exchange(small_market(seed=99))
    text = "is now the market demo-v2-seed99-12, not demo-v2-seed11-12"
    await world.until(
        lambda: any(text in one for one in world.problems.values()), within=BOUND_SECONDS, what="it says so"
    )
    bar = world.state.screened
    await world.until(
        lambda: {"bars", "exchange", "feed"} & world.problems.keys() and not world.is_well,
        within=BOUND_SECONDS,
        what="it goes on saying so",
    )
    assert world.state.screened == bar
    assert sorted(path.name for path in world.folder.glob("demo-*")) == ["demo-v2-seed11-12"]
    await world.exchange.stop()
    await world.restart_exchange()
    await world.well(BOUND_SECONDS)
    assert world.wrong() == []


async def test_coins_named_to_do_harm_are_screened_and_stay_text(make, tmp_path):
    world = await make(market=hostile_market()).open()
    await world.well(BOUND_SECONDS)
    await world.until(
        lambda: world.state.screened is not None and len(world.source.parts.history.candles.read()) > 0,
        within=BOUND_SECONDS,
        what="candles are stored",
    )
    assert world.wrong() == []
    held = set(world.source.parts.history.candles.read()["coin"])
    assert set(NAMES) <= held
    await world.stop_engine()
    assert world.wrong_on_disk() == []
    inside = {path.relative_to(world.folder).parts[0] for path in world.folder.rglob("*")}
    assert inside == {world.market.name}
    assert list(tmp_path.iterdir()) == [world.folder], "nothing is written beside the data folder"
    paths = [str(path) for path in world.folder.rglob("*")]
    assert not any(name in path for path in paths for name in NAMES if name != "..")


async def test_the_page_shows_such_names_as_text(make):
    world = await make(market=hostile_market()).open()
    await world.well(BOUND_SECONDS)
    bar = world.state.screened
    seen: set[str] = set()

    def shown() -> bool:
        rows = [world.hub.current[name] for name in ("top", "nearest_miss")] + world.hub.current["runners_up"]
        seen.update(name for row in rows if row for name in (row["y"], row["x"]))
        return world.state.screened - bar >= 2 * HOUR

    await world.until(shown, within=BOUND_SECONDS, what="two more bars")
    assert seen & set(NAMES)
    assert not any(name in world.hub.page["html"] for name in NAMES if "<" in name)
    assert world.hub.faulty == []
