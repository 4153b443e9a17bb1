"""The exchange's candles are held against bars built from its trades."""

import pandas as pd
import pytest
from engine_stream import HOUR_MS, ToldStream, closed_candles, gap, quote, trades

TEN = pd.Timestamp("2026-03-01T10:00", tz="UTC")


@pytest.fixture
async def heard(make_world):
    """A world that has heard, of each coin, trades that make exactly the candle of the bar that closes."""
    stream = ToldStream()
    world = await make_world(stream=stream)
    await world.bars.step()
    world.now += 3600
    candles = await closed_candles(world, TEN)
    for one in candles:
        start, part = one.time_ms, one.volume / 4
        prices = (one.open, one.low, one.high, one.close)
        prints = [(start + (number + 1) * HOUR_MS // 5, price, part) for number, price in enumerate(prices)]
        await stream.tell(world.feed, trades(one.coin, (start - 1, 1.0, 1.0)), trades(one.coin, *prints))
    await stream.tell(world.feed, *candles)
    return world, stream


async def two_closes(world, stream, *silent):
    """Close the bar, and the next one: only then has the exchange had its say on the first."""
    await world.bars.step()
    world.pass_hour()
    heard = [coin for coin in world.contexts.listed() if coin not in silent]
    await stream.tell(world.feed, *(quote(coin, 1.0, 2.0, world.now, world.market_ms) for coin in heard))
    await world.bars.step()


async def test_candles_that_agree_with_their_trades_are_only_counted(heard):
    world, stream = heard
    await two_closes(world, stream)
    assert (world.count("bars_compared_total"), world.count("bars_mismatched_total")) == (12, 0)
    assert world.state.problems.all() == []


async def test_disagreements_are_counted_and_the_first_is_told(heard):
    world, stream = heard
    for coin in ("BTC", "ETH"):
        await stream.tell(world.feed, trades(coin, (int(TEN.timestamp() * 1000) + 1_234_567, 1e9, 1.0)))
    await two_closes(world, stream)
    assert world.count("bars_mismatched_total") == 2
    (problem,) = world.state.problems.all()
    assert "at 2026-03-01 10:00 contradicts its trades: high" in problem["text"]
    assert "of trades 1e+09; volume" in problem["text"]


async def test_bars_of_which_trades_may_be_missing_are_not_compared(heard):
    world, stream = heard
    await stream.tell(world.feed, gap("trades", "BTC", until=world.now, filled=False))
    await stream.tell(world.feed, gap("trades", "ETH", until=world.now, filled=True))
    await stream.tell(world.feed, trades("BTC", (int(TEN.timestamp() * 1000) + 3_000_000, 1e9, 1.0)))
    await two_closes(world, stream)
    assert (world.count("bars_compared_total"), world.count("bars_mismatched_total")) == (11, 0)


async def test_where_the_feed_of_a_coin_has_fallen_silent_what_it_lost_is_not_held_against_the_exchange(heard):
    world, stream = heard
    await two_closes(world, stream, "BTC", "ETH")
    assert (world.count("bars_compared_total"), world.count("bars_mismatched_total")) == (10, 0)
