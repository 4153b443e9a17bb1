"""What readers are served: what is held, and what is missing through the weight budget."""

from io import BytesIO

import httpx
import pandas as pd
import pytest
from engine_stream import ToldStream, quote

from hlpairs_core.exceptions import ExchangeError, InputError
from hlpairs_core.exchange.events import BookEvent, MidsEvent

LAST = pd.Timestamp("2026-03-01T09:00", tz="UTC")


@pytest.fixture
async def known(world):
    """A world that knows the universe and has stored nothing."""
    await world.contexts.refresh()
    world.wire.asked.clear()
    return world


async def frame(world, kind, coins=None, bars=24, interval=None) -> pd.DataFrame:
    return pd.read_parquet(BytesIO(await world.source.frame(kind, coins=coins, bars=bars, interval=interval)))


async def test_before_the_exchange_has_answered_there_is_nothing_to_serve(world):
    for kind in ("candles", "funding", "universe", "ticks"):
        with pytest.raises(ExchangeError, match="has not answered yet: ask again"):
            await frame(world, kind, ["BTC"])


async def test_missing_candles_of_named_coins_are_fetched_once_and_stored(known):
    asked = await frame(known, "candles", ["BTC", "ETH"])
    assert asked.groupby("coin")["time"].agg(["size", "max"]).values.tolist() == [[24, LAST]] * 2
    assert {one["coin"] for one in known.wire.candles_asked()} == {"BTC", "ETH"}
    known.wire.asked.clear()
    pd.testing.assert_frame_equal(await frame(known, "candles", ["BTC", "ETH"]), asked)
    assert known.wire.asked == []
    known.engine.store_the_rest()
    assert len(known.history.candles.read(["BTC"])) == 24


@pytest.mark.parametrize(
    ("interval", "last"), [("5m", "2026-03-01T10:25"), ("4h", "2026-03-01T04:00"), ("1d", "2026-02-28")]
)
async def test_other_intervals_are_kept_beside_the_one_that_is_screened(known, interval, last):
    candles = await frame(known, "candles", ["BTC"], bars=10, interval=interval)
    assert len(candles) == 10
    assert candles["time"].iloc[-1] == pd.Timestamp(last, tz="UTC")
    expected = await known.client.candles("BTC", interval, candles["time"].iloc[0], candles["time"].iloc[-1])
    pd.testing.assert_frame_equal(candles.drop(columns="coin"), expected)
    known.engine.store_the_rest()
    assert (known.market_folder / f"candles-{interval}").is_dir()
    assert known.history.candles.read().empty


async def test_bars_of_three_days_are_closed_ones_too(known):
    candles = await frame(known, "candles", ["BTC"], bars=5, interval="3d")
    assert candles["time"].iloc[-1] + pd.Timedelta(days=3) <= known.state.market_time(known.now)
    assert len(candles) in (4, 5)


async def test_funding_is_that_of_the_bars_asked_for(known):
    funding = await frame(known, "funding", ["BTC"], bars=24)
    assert len(funding) == 24
    assert funding["time"].iloc[-1].floor("h") == LAST
    assert {"funding_rate", "premium"} <= set(funding.columns)
    coarse = await frame(known, "funding", ["BTC"], bars=2, interval="4h")
    assert [time.hour for time in coarse["time"]] == list(range(8))
    assert (await frame(known, "funding", ["BTC"], bars=1, interval="5m")).empty, "no hour begins in that bar"


async def test_without_names_only_what_is_held_is_served(known):
    assert (await frame(known, "candles")).empty
    await frame(known, "candles", ["ETH"])
    assert set((await frame(known, "candles"))["coin"]) == {"ETH"}


async def test_an_unknown_coin_or_interval_is_refused_before_anything_is_asked_for(known):
    for kind in ("candles", "funding", "ticks", "seconds"):
        with pytest.raises(InputError, match="lists no coin 'NOPE'"):
            await frame(known, kind, ["BTC", "NOPE"])
    with pytest.raises(InputError, match="unknown interval '7m'"):
        await frame(known, "candles", ["BTC"], interval="7m")
    with pytest.raises(InputError, match="lists no coin 'NOPE'"):
        await known.source.books(["NOPE"])
    assert known.wire.asked == []


async def test_more_than_a_minute_s_weight_is_refused_with_the_numbers(known):
    coins = known.contexts.listed()
    # 12 coins of 5000 candles at 20 + 84 units each; then 500 at 20 + 9.
    with pytest.raises(InputError, match=r"missing of 12 coins weighs 1,248 units .* may use 1,200: ask"):
        await frame(known, "candles", coins, bars=5000)
    assert known.wire.asked == []
    await frame(known, "candles", coins, bars=500)
    with pytest.raises(InputError, match="weighs"):
        await frame(known, "funding", coins, bars=5000)


async def test_what_the_exchange_does_not_give_is_told(known):
    known.wire.fault = lambda request: httpx.Response(500) if request["type"] != "allMids" else None
    with pytest.raises(ExchangeError, match="1 coins could not be fetched, BTC among them: candleSnapshot BTC 1h"):
        await frame(known, "candles", ["BTC"])
    with pytest.raises(ExchangeError, match="l2Book BTC"):
        await known.source.books(["BTC"])


async def test_books_are_those_of_the_feed_where_they_are_new_and_asked_for_where_not(make_world):
    stream = ToldStream()
    world = await make_world(stream=stream)
    await world.contexts.refresh()
    book = await world.client.l2_book("BTC")
    await stream.tell(world.feed, BookEvent(book, False, world.now))
    world.wire.asked.clear()
    books = await world.source.books(["ETH", "BTC", "ETH"])
    assert set(books) == {"ETH", "BTC"}
    assert books["BTC"]["bids"] == book.bids.tolist()
    assert [asked["coin"] for asked in world.wire.asked] == ["ETH"]
    await world.source.books(["ETH", "BTC"])
    assert len(world.wire.asked) == 1, "asked for a moment ago"
    world.now += 60
    await world.source.books(["BTC"])
    assert len(world.wire.asked) == 2
    with pytest.raises(InputError, match="at most 100 at once"):
        await world.source.books(["BTC"] * 101)


async def test_ticks_and_seconds_are_served_of_the_coins_that_trade(make_world):
    stream = ToldStream()
    world = await make_world(stream=stream)
    await world.contexts.refresh()
    await stream.tell(world.feed, MidsEvent({"ETH": 7.0}, world.now), quote("BTC", 99.0, 101.0, world.now))
    ticks = (await frame(world, "ticks")).set_index("coin")
    assert list(ticks.index) == world.contexts.listed()
    assert ticks.loc["BTC", ["bid", "ask", "mid"]].tolist() == [99.0, 101.0, 100.0]
    assert ticks.loc["ETH", "mid"] == 7.0
    assert ticks["mark_price"].notna().all()
    assert (await frame(world, "seconds", ["BTC"]))[["open", "close"]].values.tolist() == [[100.0, 100.0]]
    assert set((await frame(world, "seconds"))["coin"]) == {"BTC", "ETH"}
