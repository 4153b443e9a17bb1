import base64
import itertools
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feed_doubles import USER, Ear, feed_by_hand, timed, with_coins

from hlpairs_core.exceptions import SettingsError
from hlpairs_core.intervals import INTERVALS
from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.book import best_levels, book_side
from hlpairs_core.simulation.feed_settings import FeedSettings, Pace
from hlpairs_core.simulation.tape import last_trades, trades_between
from hlpairs_core.simulation.trades import trade_rows
from hlpairs_core.simulation.view import MarketView

START = "2025-09-01T12:34:56.789Z"
HOUR = 3_600_000

Ask = Callable[..., Any]


def key(trade: dict[str, Any]) -> tuple[int, int]:
    return trade["time"], trade["tid"]


async def test_trades_after_the_replay_come_once_each_and_none_is_missing(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall, speed=20)
    begin = market.clock.time_ms()
    async with feed_by_hand(market, wall) as feed:
        first, second = Ear(feed), Ear(feed)
        first.subscribe("trades", coin="BTC")
        replay = first.heard("trades")
        assert len(replay) == 1
        assert len(replay[0]) == 30
        frames: list[list[dict[str, Any]]] = []
        for number in range(120):
            wall.seconds += 0.1
            if number == 57:
                second.subscribe("trades", coin="BTC")
            feed.tick()
            frames += first.heard("trades")
        late = [trade for frame in second.heard("trades") for trade in frame]
    seen = [key(trade) for frame in frames for trade in frame]
    view = MarketView.at(market, market.clock.time_ms())
    coin = view.names["BTC"]
    expected = trade_rows("BTC", trades_between(view, coin, begin, view.time_ms))
    assert [trade for frame in frames for trade in frame] == expected
    assert len(expected) > 100
    assert len(set(seen)) == len(seen)
    assert not {key(trade) for trade in replay[0]} & set(seen)
    # Who came late has no double and no gap either.
    assert late[30:] == expected[-len(late[30:]) :]
    assert len({key(trade) for trade in late}) == len(late)
    times = [trade["time"] for trade in late]
    assert times == sorted(times)


async def test_a_subscription_in_the_middle_of_a_block_repeats_and_misses_nothing(
    demo: SimulatedMarket, wall: Any
) -> None:
    market = timed(demo, START, wall, speed=60)
    async with feed_by_hand(market, wall) as feed:
        quick, steady, late = Ear(feed), Ear(feed), Ear(feed)
        quick.subscribe("bbo", coin="BTC")
        steady.subscribe("trades", coin="BTC")
        heard_of = quick.transmit

        def tell(text: str) -> None:
            quick.transmit = heard_of  # type: ignore[method-assign]
            late.subscribe("trades", coin="BTC")

        quick.transmit = tell  # type: ignore[method-assign]
        steady.heard()
        for _ in range(20):
            wall.seconds += 0.5
            feed.tick()
        expected = [key(trade) for frame in steady.heard("trades") for trade in frame]
        seen = [key(trade) for frame in late.heard("trades") for trade in frame]
    assert len(seen) > 60
    assert len(set(seen)) == len(seen)
    assert seen[30:] == expected[-len(seen[30:]) :]


async def test_the_replay_is_the_last_thirty_trades(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall)
    view = MarketView.at(market, market.clock.time_ms())
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe("trades", coin="ETH")
        assert ear.heard("trades") == [trade_rows("ETH", last_trades(view, view.names["ETH"], 30))]


async def test_many_trades_are_split_into_frames(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall, speed=3600)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe("trades", coin="BTC")
        ear.heard()
        wall.seconds += 1
        feed.tick()
        frames = ear.heard("trades")
        assert len(frames) > 1
        assert max(map(len, frames)) <= 200


@pytest.mark.parametrize("interval", ["1m", "15m", "1h", "1d"])
@pytest.mark.parametrize("speed", [60.0, 3600.0])
async def test_the_last_word_on_every_closed_candle_is_sent_and_agrees_with_rest(
    demo: SimulatedMarket, wall: Any, ask: Ask, interval: str, speed: float
) -> None:
    market = timed(demo, START, wall, speed=speed)
    begin = market.clock.time_ms()
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe("candle", coin="ETH", interval=interval)
        for pause in [0.1, 0.1, 2.3, 0.1, 0.7] * 8:
            wall.seconds += pause
            feed.tick()
        frames = ear.heard("candle")
    request = {"coin": "ETH", "interval": interval, "startTime": begin, "endTime": market.clock.time_ms()}
    rows = ask(market, {"type": "candleSnapshot", "req": request})
    opens = [frame["t"] for frame in frames]
    assert opens == sorted(opens)
    finals = {frame["t"]: frame for frame in frames}
    assert [finals[row["t"]] for row in rows[:-1]] == rows[:-1]
    assert set(finals) == {row["t"] for row in rows}
    assert len(rows) == (market.clock.time_ms() // span(interval)) - begin // span(interval) + 1


def span(interval: str) -> int:
    return int(INTERVALS[interval].total_seconds() * 1000)


async def test_an_open_candle_is_updated_at_its_pace_and_only_when_it_changed(
    demo: SimulatedMarket, wall: Any, ask: Ask
) -> None:
    market = timed(demo, "2025-09-01T12:34:01Z", wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe("candle", coin="BTC", interval="1m")
        for _ in range(80):
            wall.seconds += 0.1
            feed.tick()
        frames = ear.heard("candle")
        assert 3 <= len(frames) <= 11
        assert all(frame != before for before, frame in itertools.pairwise(frames))
        assert len({frame["t"] for frame in frames}) == 1
        for _ in range(20):
            feed.tick()
        assert ear.heard() == []


async def test_the_best_prices_are_those_of_the_book_and_sent_only_when_they_changed(
    demo: SimulatedMarket, wall: Any, ask: Ask
) -> None:
    market = timed(demo, START, wall, speed=10)
    seen = 0
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for coin in ("BTC", "kPEPE", "AAVE"):
            ear.subscribe("bbo", coin=coin)
        last = {}
        for _ in range(60):
            for frame in ear.heard("bbo"):
                book = ask(market, {"type": "l2Book", "coin": frame["coin"]})
                assert frame["time"] == book["time"]
                assert frame["bbo"] == [side[0] for side in book["levels"]]
                assert frame["bbo"] != last.get(frame["coin"])
                last[frame["coin"]] = frame["bbo"]
                seen += 1
            wall.seconds += 0.1
            feed.tick()
    assert seen > 60


def test_the_best_levels_of_all_coins_at_once_are_those_of_each_book(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    for asks in (False, True):
        best = best_levels(view, asks=asks)
        for coin in range(len(demo.coins)):
            side = book_side(view, coin, asks=asks)
            if len(side.price):
                assert (best.price[coin], best.size[coin], best.orders[coin]) == (
                    side.price[0],
                    side.size[0],
                    side.orders[0],
                )
            else:
                assert np.isnan(best.price[coin])


@pytest.mark.parametrize(
    ("kind", "fields", "request_"),
    [
        ("l2Book", {"coin": "BTC"}, {"type": "l2Book", "coin": "BTC"}),
        (
            "l2Book",
            {"coin": "BTC", "nSigFigs": 5, "mantissa": 2},
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
        ),
    ],
)
async def test_a_book_is_the_one_of_rest(
    demo: SimulatedMarket, wall: Any, ask: Ask, kind: str, fields: dict[str, Any], request_: dict[str, Any]
) -> None:
    market = timed(demo, START, wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe(kind, **fields)
        assert ear.heard(kind) == [ask(market, request_)]


async def test_a_fast_book_has_five_levels_and_says_so(demo: SimulatedMarket, wall: Any, ask: Ask) -> None:
    market = timed(demo, START, wall)
    whole = ask(market, {"type": "l2Book", "coin": "BTC"})
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe("l2Book", coin="BTC", fast=True)
        assert ear.heard("l2Book") == [whole | {"levels": [side[:5] for side in whole["levels"]], "fast": True}]


async def test_contexts_and_mids_are_those_of_rest(demo: SimulatedMarket, wall: Any, ask: Ask) -> None:
    market = timed(demo, START, wall)
    meta, contexts = ask(market, {"type": "metaAndAssetCtxs"})
    spot = ask(market, {"type": "spotMetaAndAssetCtxs"})[1]
    names = [entry["name"] for entry in meta["universe"]]
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for kind in ("allMids", "assetCtxs", "allDexsAssetCtxs", "spotAssetCtxs"):
            ear.subscribe(kind)
        ear.subscribe("activeAssetCtx", coin="SOL")
        heard = {item["channel"]: item["data"] for item in ear.heard()}
    assert heard["allMids"] == {"mids": ask(market, {"type": "allMids"})}
    assert heard["assetCtxs"] == {"dex": "", "ctxs": contexts}
    assert heard["allDexsAssetCtxs"]["ctxs"][0] == ["", contexts]
    assert heard["spotAssetCtxs"] == spot
    assert heard["activeAssetCtx"] == {"coin": "SOL", "ctx": contexts[names.index("SOL")]}


def inflated(data: str) -> dict[str, Any]:
    return json.loads(zlib.decompress(base64.b64decode(data), wbits=-15))  # type: ignore[no-any-return]


async def test_fast_contexts_are_whole_first_and_then_only_what_changed(
    demo: SimulatedMarket, wall: Any, ask: Ask
) -> None:
    market = timed(demo, START, wall, speed=5)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe("fastAssetCtxs")
        (first,) = ear.heard("fastAssetCtxs")
        known = inflated(first)
        n_changes = []
        for _ in range(30):
            wall.seconds += 0.5
            feed.tick()
            for frame in ear.heard("fastAssetCtxs"):
                n_changes.append(len(inflated(frame)))
                for coin, prices in inflated(frame).items():
                    assert prices.items() - known[coin].items() == prices.items()
                    known[coin] |= prices
    meta, contexts = ask(market, {"type": "metaAndAssetCtxs"})
    for entry, context in zip(meta["universe"], contexts, strict=True):
        assert known[entry["name"]] == {key: context[key] for key in ("markPx", "midPx")}
    assert len(n_changes) == 15
    assert max(n_changes) < len(known)


def test_the_test_vector_of_the_exchange_can_be_inflated_the_same_way() -> None:
    # From the exchange's own documentation.
    vector = "q1ZyCnFWsqpWyk0syg6oULJSsjQ3NTDQM1Wq1VFyDfFAkTI2MzXQMwJLVVRWWfmFuTiiyBuamOoZKdXWAgA="
    assert inflated(vector)["BTC"] == {"markPx": "97500.5"}


@pytest.mark.parametrize(
    ("kind", "fields", "every"),
    [
        ("allMids", {}, 1.0),
        ("activeAssetCtx", {"coin": "BTC"}, 1.0),
        ("l2Book", {"coin": "BTC"}, 5.0),
        ("l2Book", {"coin": "BTC", "fast": True}, 0.5),
        ("allDexsAssetCtxs", {}, 13.0),
        ("clearinghouseState", {"user": USER}, 5.0),
    ],
)
async def test_states_are_sent_again_at_their_pace_in_wall_time(
    demo: SimulatedMarket, wall: Any, kind: str, fields: dict[str, Any], every: float
) -> None:
    market = timed(demo, START, wall, speed=600)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        ear.subscribe(kind, **fields)
        ear.heard()
        seconds = 60
        for _ in range(seconds * 10):
            wall.seconds += 0.1
            feed.tick()
        assert len(ear.heard(kind)) == pytest.approx(seconds / every, abs=1)


async def test_all_streams_of_one_pace_send_at_the_same_time(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for coin in ("BTC", "ETH", "SOL"):
            ear.subscribe("l2Book", coin=coin)
            wall.seconds += 0.7
        ear.heard()
        for _ in range(150):
            wall.seconds += 0.1
            feed.tick()
        times: dict[int, int] = {}
        for frame in ear.heard("l2Book"):
            times[frame["time"]] = times.get(frame["time"], 0) + 1
        assert set(times.values()) == {3}


async def test_times_never_run_backwards(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall, speed=30)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for coin in ("BTC", "ETH"):
            for kind in ("bbo", "l2Book"):
                ear.subscribe(kind, coin=coin)
        for _ in range(100):
            wall.seconds += 0.1
            feed.tick()
        times = [item["data"]["time"] for item in ear.heard() if item["channel"] in ("bbo", "l2Book")]
        assert times == sorted(times)
        assert len(set(times)) > 50


async def test_each_message_is_made_once_for_all(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall, speed=10)
    async with feed_by_hand(market, wall, FeedSettings()) as feed:
        ears = [Ear(feed) for _ in range(3)]
        for ear in ears:
            ear.subscribe("bbo", coin="BTC")
            ear.texts.clear()
        for _ in range(10):
            wall.seconds += 0.1
            feed.tick()
        assert len(ears[0].texts) > 5
        for first, *others in zip(*(ear.texts for ear in ears), strict=True):
            assert all(other is first for other in others)


def when(market: SimulatedMarket, bars: Any) -> pd.Timestamp:
    history, _ = market.history.upto(market.clock.time_ms())
    return pd.Timestamp(history.start_ms + int(bars) * history.interval_ms, unit="ms", tz="UTC")


async def test_a_coin_that_is_listed_while_running_can_be_subscribed_from_then_on(
    demo: SimulatedMarket, wall: Any
) -> None:
    history, _ = demo.history.upto(demo.clock.time_ms())
    coin = int(np.where((demo.kinds == "perp") & (history.listed < history.n_bars), history.listed, -1).argmax())
    name = demo.coins[coin].name
    market = timed(demo, when(demo, history.listed[coin]) - pd.Timedelta("3s"), wall)
    async with feed_by_hand(market, wall) as feed:
        early = Ear(feed)
        early.subscribe("activeAssetCtx", coin=name)
        assert "Invalid subscription" in early.heard("error")[0]
        early.subscribe("trades", coin=name)
        assert early.dropped == f"unknown coin {name!r}"
        wall.seconds += 5
        feed.tick()
        ear = Ear(feed)
        for kind in ("bbo", "trades", "l2Book", "activeAssetCtx"):
            ear.subscribe(kind, coin=name)
        ear.subscribe("candle", coin=name, interval="1m")
        ear.subscribe("allMids")
        heard = {item["channel"]: item["data"] for item in ear.heard()}
        assert {"bbo", "l2Book", "activeAssetCtx", "candle", "allMids"} <= set(heard)
        assert name in heard["allMids"]["mids"]
        assert heard["activeAssetCtx"]["ctx"]["midPx"] is not None


async def test_a_delisted_coin_falls_silent_and_its_context_loses_its_prices(demo: SimulatedMarket, wall: Any) -> None:
    history, _ = demo.history.upto(demo.clock.time_ms())
    coin = int(np.flatnonzero((history.last < history.n_bars - 1) & (demo.kinds == "perp"))[0])
    name = demo.coins[coin].name
    end = when(demo, history.last[coin] + 3)
    market = timed(demo, end - pd.Timedelta("10s"), wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for kind in ("bbo", "trades", "l2Book", "activeAssetCtx"):
            ear.subscribe(kind, coin=name)
        ear.subscribe("candle", coin=name, interval="1h")
        live = {item["channel"]: item["data"] for item in ear.heard()}
        assert live["activeAssetCtx"]["ctx"]["midPx"] is not None
        assert len(live["bbo"]["bbo"]) == 2
        wall.seconds += 20
        feed.tick()
        ear.heard()
        for _ in range(300):
            wall.seconds += 0.1
            feed.tick()
        after = ear.heard()
        assert {item["channel"] for item in after} == {"l2Book", "activeAssetCtx"}
        for item in after:
            if item["channel"] == "l2Book":
                assert item["data"]["levels"] == [[], []]
            else:
                context = item["data"]["ctx"]
                assert (context["midPx"], context["premium"], context["impactPxs"]) == (None, None, None)
        # Subscribing to it is no mistake: it is acknowledged and stays silent.
        late = Ear(feed)
        late.subscribe("bbo", coin=name)
        assert [item["channel"] for item in late.heard()] == ["subscriptionResponse"]


async def test_an_hour_of_trades_reads_the_same_in_one_look_as_in_many(demo: SimulatedMarket, wall: Any) -> None:
    looks = []
    for steps in (1, 40):
        wall.seconds = 1_000_000.0
        market = timed(demo, START, wall, speed=600)
        async with feed_by_hand(market, wall) as feed:
            ear = Ear(feed)
            ear.subscribe("trades", coin="AAVE")
            ear.heard()
            for _ in range(steps):
                wall.seconds += 6 / steps
                feed.tick()
            looks.append([trade for frame in ear.heard("trades") for trade in frame])
    assert looks[0] == looks[1]
    assert len(looks[0]) > 50


def test_a_pace_that_stands_still_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"pace mids must be above 0 seconds, got 0\.0"):
        Pace(mids=0.0)
    with pytest.raises(SettingsError, match="pace block must be above 0 seconds, got nan"):
        Pace(block=float("nan"))


async def test_the_spot_pair_of_a_market_without_any_has_a_context_and_empty_books(
    demo: SimulatedMarket, wall: Any, ask: Ask
) -> None:
    """Clients find it in `spotMeta`: subscribing to it must not cost them the connection."""
    market = timed(with_coins(demo, [0, 1, 2]), START, wall)
    async with feed_by_hand(market, wall) as feed:
        ear = Ear(feed)
        for kind in ("bbo", "trades", "l2Book", "activeAssetCtx"):
            ear.subscribe(kind, coin="PURR/USDC")
        ear.subscribe("candle", coin="PURR/USDC", interval="1m")
        heard = [(item["channel"], item["data"]) for item in ear.heard() if item["channel"] != "subscriptionResponse"]
    context = ask(market, {"type": "spotMetaAndAssetCtxs"})[1][0]
    book = {"coin": "PURR/USDC", "time": market.clock.time_ms(), "levels": [[], []]}
    assert heard == [("l2Book", book), ("activeSpotAssetCtx", {"coin": "PURR/USDC", "ctx": context})]
