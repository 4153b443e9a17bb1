"""The engine with the real stream, on a simulated exchange whose hours pass in seconds."""

import asyncio
from contextlib import AsyncExitStack

import pandas as pd
import pytest

from hlpairs_core.engine.problems import forever
from hlpairs_core.exchange import HyperliquidStream

SPEED = 600.0


async def until(true, seconds=40.0):
    """Wait until something is so, at most for some seconds."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - of many kinds
            await asyncio.sleep(0.05)


@pytest.fixture
async def running(make_world):
    """An engine that works, ten market minutes before a bar closes."""
    async with AsyncExitStack() as stack:
        start = pd.Timestamp("2026-03-01T10:50", tz="UTC")
        options = {"n_coins": 6, "speed": SPEED, "start": start, "window": 60}
        world = await make_world(stream=lambda client: HyperliquidStream(client, settle_from="1w"), **options)
        await stack.enter_async_context(world.stream)
        works = world.engine.works.items()
        tasks = [asyncio.ensure_future(forever(name, step, world.state.problems, world.sleep)) for name, step in works]
        yield world
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_bars_close_from_the_feed_agree_with_their_trades_and_are_recorded(running):
    world = running
    await until(lambda: world.count("bars_compared_total") >= 2)
    assert world.count("bars_mismatched_total") == 0
    assert world.count("bars_skipped_total") <= 1
    status = world.source.status()
    assert status["stream"]["subscribed"] == 1 + 5 * len(world.contexts.listed())
    assert world.source.health()["stream_connected"] is True
    assert [problem["text"] for problem in world.state.problems.all()] == []
    world.engine.store_the_rest()
    minutes = world.history.minutes.read()
    assert minutes["coin"].nunique() == len(world.contexts.listed())
    assert (minutes["ask"] > minutes["bid"]).sum() > 0.9 * len(minutes)
    assert len(world.journal.verdicts()) >= 2


async def test_an_exchange_that_goes_away_and_comes_back_is_told_and_then_forgotten(running):
    world = running
    await until(lambda: world.state.feed_at is not None and world.state.selection is not None)
    port = int(world.exchange.base_url.rsplit(":", 1)[1])
    await world.exchange.stop()
    await until(lambda: "exchange" in world.state.problems and "stream" in world.state.problems)
    await world.exchange.start(port)
    gone_until = world.clock()
    await until(lambda: (world.state.feed_at or 0) > gone_until and not world.state.problems.all(), 60)
    assert world.source.health()["ok"] is True
    assert world.metrics.registry.get_sample_value("hlpairs_stream_reconnects") >= 1
