import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from mixed_market import (
    BACKFILLED,
    HOUR,
    LISTED_LATE,
    NOW_MS,
    PERPS,
    REQUEST,
    START_MS,
    blind,
    hand_made_market,
)

from hlpairs_core.exceptions import EngineError, SettingsError
from hlpairs_core.exchange.spot import parse_spot_meta
from hlpairs_core.market import match_spot
from hlpairs_core.simulation import SimulatedExchange, SimulatedMarket
from hlpairs_core.simulation.candles import CANDLE_HORIZON, CANDLE_INTERVALS
from hlpairs_core.simulation.coins import Coin
from hlpairs_core.simulation.handlers import INFO_TYPES, answer
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import number, numbers, on_tick

MALFORMED = "Failed to deserialize the JSON body into the target type"


def recorded(path: Path, kind: str) -> Any:
    return next(item["response"] for item in json.loads(path.read_text()) if item["request"]["type"] == kind)


def shape(value: Any) -> Any:
    """Keys and types, without values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def differences(ours: Any, real: list[Any], where: str = "$") -> list[str]:
    """Where an answer has other keys or types than those that were recorded for the same place.

    A key is optional where some recorded object lacks it; a list is compared item by item with all recorded items.
    """
    types = {type(item).__name__ for item in real}
    if type(ours).__name__ not in types:
        return [f"{where} is {type(ours).__name__}, recorded {sorted(types)}"]
    if isinstance(ours, dict):
        peers = [item for item in real if isinstance(item, dict)]
        found = [f"{where} lacks {key}" for key in set.intersection(*map(set, peers)) - set(ours)]
        for key, item in ours.items():
            same = [peer[key] for peer in peers if key in peer]
            found += differences(item, same, f"{where}.{key}") if same else [f"{where} has {key}"]
        return found
    if isinstance(ours, list):
        items = [item for peer in real if isinstance(peer, list) for item in peer]
        return [text for item in ours for text in differences(item, items, f"{where}[]")]
    return []


@pytest.mark.parametrize(
    ("file", "request_"),
    [
        ("all_mids", {"type": "allMids"}),
        ("candle_snapshot", {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1h", "startTime": 0}}),
        ("funding_history", {"type": "fundingHistory", "coin": "xyz:TSLA", "startTime": 0}),
        ("l2_book", {"type": "l2Book", "coin": "@107"}),
        ("meta_and_asset_ctxs", {"type": "metaAndAssetCtxs"}),
        ("perp_dexs", {"type": "perpDexs"}),
    ],
)
def test_answers_have_the_recorded_keys_and_types_and_no_others(
    ask: Callable[..., Any], protocol: Path, file: str, request_: dict[str, Any]
) -> None:
    market = hand_made_market()
    real = recorded(protocol / f"{file}.json", request_["type"])
    ours = ask(market, request_)
    if request_["type"] == "allMids":  # a map by coin: its keys are data
        ours, real = list(ours.values()), list(real.values())
    assert differences(ours, [real]) == []
    assert len(ours) > 1


def test_contexts_have_the_recorded_keys_types_and_order(
    demo: SimulatedMarket, ask: Callable[..., Any], protocol: Path
) -> None:
    meta, contexts = ask(demo, {"type": "metaAndAssetCtxs"})
    real_meta, real_contexts = recorded(protocol / "meta_and_asset_ctxs.json", "metaAndAssetCtxs")
    assert list(meta) == list(real_meta)
    assert meta["marginTables"] == real_meta["marginTables"]

    def by_delisted(entries: list[dict[str, Any]], states: list[dict[str, Any]], wanted: bool) -> Any:
        plain = [pair for pair in zip(entries, states, strict=True) if "onlyIsolated" not in pair[0]]
        return next(pair for pair in plain if pair[0].get("isDelisted", False) is wanted)

    for delisted in (False, True):
        ours = by_delisted(meta["universe"], contexts, delisted)
        real = by_delisted(real_meta["universe"], real_contexts, delisted)
        assert json.dumps(shape(ours[0])) == json.dumps(shape(real[0]))
        assert json.dumps(shape(ours[1])) == json.dumps(shape(real[1]))


@pytest.mark.parametrize(("figures", "mantissa", "file"), [(3, None, "nsf3"), (5, 5, "nsf5_m5")])
def test_an_aggregated_book_has_the_recorded_shape_and_tells_the_true_spread(
    demo: SimulatedMarket,
    ask: Callable[..., Any],
    protocol: Path,
    figures: int,
    mantissa: int | None,
    file: str,
) -> None:
    full = ask(demo, {"type": "l2Book", "coin": "BTC"})
    ours = ask(demo, {"type": "l2Book", "coin": "BTC", "nSigFigs": figures, "mantissa": mantissa})
    assert "spread" not in full
    assert shape(ours) == shape(json.loads((protocol / f"l2book_btc_{file}.json").read_text()))
    best = [float(side[0]["px"]) for side in full["levels"]]
    assert float(ours["spread"]) == pytest.approx(best[1] - best[0])
    for side, edge, sign in zip(ours["levels"], best, (1, -1), strict=True):
        prices = np.array([float(level["px"]) for level in side])
        step = 10.0 ** (np.floor(np.log10(prices)) - figures + 1) * (mantissa or 1)
        assert np.allclose(np.mod(prices / step + 0.5, 1), 0.5, atol=1e-6)
        assert sign * (edge - prices[0]) >= 0
        assert (sign * np.diff(prices) < 0).all()
        assert len(side) == 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (70736.0, "70736.0"),
        (1e-05, "0.00001"),
        (1.25e-05, "0.0000125"),
        (-3e-07, "-0.0000003"),
        (0.0, "0.0"),
        (1e17, "100000000000000000.0"),
    ],
)
def test_numbers_are_written_in_plain_decimals(value: float, text: str) -> None:
    assert number(value) == text
    assert numbers(np.array([value, 1.5])) == [text, "1.5"]


@pytest.mark.parametrize(
    ("price", "decimals", "down", "up"),
    [
        (1234.56, 1, 1234.5, 1234.6),
        (0.0012345, 0, 0.001234, 0.001235),
        (123456.7, 0, 123456, 123457),
        (0.3, 1, 0.3, 0.3),
    ],
)
def test_prices_obey_the_tick_rule(price: float, decimals: int, down: float, up: float) -> None:
    assert float(on_tick(price, decimals, towards="down")) == down
    assert float(on_tick(price, decimals, towards="up")) == up


def test_quoted_prices_and_sizes_sit_on_ticks_and_lots(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    universe = ask(demo, {"type": "meta"})["universe"]
    for coin in universe:
        book = ask(demo, {"type": "l2Book", "coin": coin["name"]})
        if coin.get("isDelisted"):
            assert book["levels"] == [[], []]
            continue
        prices = [[float(level["px"]) for level in side] for side in book["levels"]]
        assert prices[0] == sorted(prices[0], reverse=True)
        assert prices[1] == sorted(prices[1])
        assert 0 < prices[0][0] < prices[1][0]
        for level in book["levels"][0] + book["levels"][1]:
            assert float(f"{float(level['px']):.5g}") == float(level["px"]) or float(level["px"]).is_integer()
            assert len(level["px"].split(".")[1].rstrip("0")) <= 6 - coin["szDecimals"]
            assert len(level["sz"].split(".")[1].rstrip("0")) <= coin["szDecimals"]
            assert float(level["sz"]) > 0


@pytest.mark.parametrize("interval", CANDLE_INTERVALS)
def test_the_candle_that_contains_the_start_is_included_and_the_last_is_unfinished(
    demo: SimulatedMarket, ask: Callable[..., Any], interval: str
) -> None:
    now = demo.clock.time_ms()
    candles = ask(
        demo,
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": interval, "startTime": now - 1, "endTime": now}},
    )
    assert len(candles) == 1
    assert candles[0]["t"] <= now - 1 < now <= candles[0]["T"]
    assert float(candles[0]["l"]) <= float(candles[0]["c"]) <= float(candles[0]["h"])


def test_only_the_most_recent_5000_candles_exist(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    def asked(start: int, end: int) -> list[dict[str, Any]]:
        request = {"coin": "BTC", "interval": "1m", "startTime": start, "endTime": end}
        return ask(demo, {"type": "candleSnapshot", "req": request})

    now = demo.clock.time_ms()
    candles = asked(0, now)
    assert len(candles) == CANDLE_HORIZON
    assert {after["t"] - before["t"] for before, after in itertools.pairwise(candles)} == {60_000}
    assert asked(0, now - CANDLE_HORIZON * 60_000 - 60_000) == []
    assert asked(now, now - HOUR) == []


def test_funding_pages_hold_500_rows_from_the_start_and_never_the_future(
    demo: SimulatedMarket, ask: Callable[..., Any]
) -> None:
    now = demo.clock.time_ms()
    page = ask(demo, {"type": "fundingHistory", "coin": "BTC", "startTime": now - 700 * HOUR})
    assert len(page) == 500
    assert page[0]["time"] - (now - 700 * HOUR) < HOUR + 2000
    rest = ask(demo, {"type": "fundingHistory", "coin": "BTC", "startTime": page[-1]["time"], "endTime": now + HOUR})
    assert rest[0] == page[-1]
    assert now - HOUR - 2000 < rest[-1]["time"] <= now
    assert {row["time"] % HOUR < 1500 for row in page} == {True}


def test_premia_turn_into_their_funding_by_the_published_formula(
    demo: SimulatedMarket, ask: Callable[..., Any]
) -> None:
    rows = ask(demo, {"type": "fundingHistory", "coin": "SOL", "startTime": demo.clock.time_ms() - 480 * HOUR})
    premium = np.array([float(row["premium"]) for row in rows])
    expected = (premium + np.clip(1e-4 - premium, -5e-4, 5e-4)) / 8
    assert np.allclose(expected, [float(row["fundingRate"]) for row in rows], atol=1e-9)


def test_the_context_shows_the_last_settled_rate(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    now = demo.clock.time_ms() // HOUR * HOUR
    history = ask(demo, {"type": "fundingHistory", "coin": "ETH", "startTime": now - 3 * HOUR}, now + HOUR // 2)
    for moment in (history[-1]["time"] - 1, history[-1]["time"]):
        context = ask(demo, {"type": "metaAndAssetCtxs"}, moment)[1][1]
        settled = [row["fundingRate"] for row in history if row["time"] <= moment]
        assert context["funding"] == settled[-1]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"{", 422, MALFORMED),
        (b"[]", 422, MALFORMED),
        (b"\xff\xfe", 422, MALFORMED),
        (b"[" * 60_000, 422, MALFORMED),
        (b'{"type":"noSuchType"}', 422, MALFORMED),
        (b'{"type":["meta"]}', 422, MALFORMED),
        (b'{"type":"l2Book"}', 422, MALFORMED),
        (b'{"type":"l2Book","coin":"BTC","nSigFigs":7}', 422, MALFORMED),
        (b'{"type":"l2Book","coin":"BTC","nSigFigs":4,"mantissa":2}', 422, MALFORMED),
        (b'{"type":"metaAndAssetCtxs","dex":"xyz"}', 422, MALFORMED),
        (b'{"type":"fundingHistory","coin":"BTC"}', 422, MALFORMED),
        (b'{"type":"fundingHistory","coin":"BTC","startTime":"0"}', 422, MALFORMED),
        (b'{"type":"fundingHistory","coin":"BTC","startTime":1e400}', 422, MALFORMED),
        (b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"2m","startTime":0}}', 422, MALFORMED),
        (b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1h","startTime":' + b"9" * 19 + b"}}", 200, "[]"),
        (
            b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1h","startTime":' + b"9" * 40 + b"}}",
            422,
            MALFORMED,
        ),
        (b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1h","startTime":-1}}', 422, MALFORMED),
        (b'{"type":"perpDexs","unused":NaN}', 422, MALFORMED),
        (b'{"type":"perpDexs","unused":-Infinity}', 422, MALFORMED),
        (b"", 422, MALFORMED),
        (b'{"type":"candleSnapshot","req":{"coin":"NOPE","interval":"1h","startTime":0}}', 500, "null"),
        (b'{"type":"fundingHistory","coin":"NOPE","startTime":0}', 500, "null"),
        (b'{"type":"l2Book","coin":"NOPE"}', 200, "null"),
        (b'{"type":"recentTrades","coin":"NOPE"}', 500, "null"),
        (b" " * 70_000, 413, "the request is too large"),
    ],
)
async def test_bad_requests_are_answered_as_the_exchange_does(
    http: httpx.AsyncClient, body: bytes, status: int, text: str
) -> None:
    reply = await http.post("/info", content=body)
    assert (reply.status_code, reply.text) == (status, text)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        ("GET", "/info", {}, 405),
        ("POST", "/info", {}, 422),
        ("GET", "/nowhere", {}, 404),
        ("POST", "/info", {"Host": "attacker.example"}, 403),
        ("GET", "/", {"Host": "attacker.example"}, 403),
    ],
)
async def test_every_reply_says_which_market_it_is(
    http: httpx.AsyncClient, demo: SimulatedMarket, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    reply = await http.request(method, path, headers=headers)
    assert reply.status_code == status
    assert reply.headers["X-Hlpairs-Market"] == "demo"
    assert reply.headers["X-Hlpairs-Market-Name"] == "demo-v2-seed7-40"
    assert reply.headers["X-Hlpairs-Speed"] == "1"
    assert reply.headers["X-Hlpairs-Time"] == str(demo.clock.time_ms())
    assert reply.headers["X-Hlpairs-Synthetic"] == "all"


def test_impact_prices_are_those_of_20000_usd_for_the_two_largest_and_of_6000_for_others(
    ask: Callable[..., Any],
) -> None:
    meta, contexts = ask(hand_made_market(hour_usd=2e3), {"type": "metaAndAssetCtxs"})
    spread = {}
    for coin, context in zip(meta["universe"], contexts, strict=True):
        if context["impactPxs"] is not None:
            bid, offer = map(float, context["impactPxs"])
            assert bid < float(context["midPx"]) < offer
            spread[coin["name"]] = offer / bid - 1
    assert min(spread["BTC"], spread["ETH"]) > 1.5 * max(spread["HYPE"], spread["kPEPE"], spread["HPOS"])


@pytest.mark.parametrize(
    ("coin", "price_decimals", "dex", "pair_index"),
    [
        (Coin("BTC", 5, 40, 56), 1, "", 0),
        (Coin("xyz:TSLA", 3, 10, 10, kind="builder"), 3, "xyz", 0),
        (Coin("PURR/USDC", 0, 1, 0, kind="spot", token="PURR"), 8, "", 0),
        (Coin("@142", 5, 1, 0, kind="spot", token="UBTC"), 3, "", 142),
    ],
    ids=lambda value: value.name if isinstance(value, Coin) else None,
)
def test_a_coins_decimals_dex_and_pair_follow_from_its_kind_and_name(
    coin: Coin, price_decimals: int, dex: str, pair_index: int
) -> None:
    assert (coin.price_decimals, coin.dex, coin.pair_index) == (price_decimals, dex, pair_index)


def test_predicted_fundings_are_of_the_exchanges_own_live_perpetuals(ask: Callable[..., Any]) -> None:
    rows = ask(hand_made_market(), {"type": "predictedFundings"})
    assert [coin for coin, _ in rows] == ["BTC", "ETH", "kPEPE", "HYPE", "HPOS", "NEW"]
    venues = dict(rows[1][1])
    assert venues["BinPerp"] is None
    assert venues["HlPerp"]["fundingIntervalHours"] == 1
    assert NOW_MS < venues["HlPerp"]["nextFundingTime"] <= NOW_MS + HOUR
    assert isinstance(venues["HlPerp"]["fundingRate"], str)


def test_the_dex_parameter_chooses_whose_coins_are_answered(ask: Callable[..., Any]) -> None:
    market = hand_made_market()
    for dex, names in (
        ("", [coin.name for coin, _ in PERPS]),
        ("xyz", ["xyz:TSLA", "xyz:GOLD"]),
        ("flx", ["flx:OIL"]),
    ):
        meta, contexts = ask(market, {"type": "metaAndAssetCtxs", "dex": dex})
        assert [coin["name"] for coin in meta["universe"]] == names
        assert len(contexts) == len(names)
        assert ask(market, {"type": "meta", "dex": dex}) == meta
        mids = ask(market, {"type": "allMids", "dex": dex})
        assert [name for name in mids if not name.startswith(("@", "PURR"))] == names
        assert [mids[name] for name in names[:2]] == [context["midPx"] for context in contexts[:2]]
    assert [len(meta["universe"]) for meta in ask(market, {"type": "allPerpMetas"})] == [len(PERPS), 2, 1]
    assert [dex["name"] for dex in ask(market, {"type": "perpDexs"})[1:]] == ["xyz", "flx"]


@pytest.mark.parametrize("kind", ["meta", "metaAndAssetCtxs", "allMids", "clearinghouseState", "openOrders"])
async def test_an_unknown_dex_is_refused(kind: str) -> None:
    body = {"type": kind, "dex": "nope", "user": "0x" + "0" * 40}
    async with SimulatedExchange(hand_made_market()) as exchange, httpx.AsyncClient() as client:
        reply = await client.post(f"{exchange.base_url}/info", json=body)
    assert (reply.status_code, reply.text) == (422, MALFORMED)


def test_spot_contexts_stand_at_their_pairs_index_which_is_neither_position_nor_token(ask: Callable[..., Any]) -> None:
    market = hand_made_market()
    meta, contexts = ask(market, {"type": "spotMetaAndAssetCtxs"})
    assert meta == ask(market, {"type": "spotMeta"})
    assert [token["index"] for token in meta["tokens"]] == [0, 1, 2, 3]
    assert meta["tokens"][0]["name"] == "USDC"
    tokens = {token["index"]: token for token in meta["tokens"]}
    pairs = {pair["name"]: pair for pair in meta["universe"]}
    assert {name: tokens[pair["tokens"][0]]["name"] for name, pair in pairs.items()} == {
        "PURR/USDC": "PURR",
        "@107": "HYPE",
        "@142": "UBTC",
    }
    assert {name: pair["index"] for name, pair in pairs.items()} == {"PURR/USDC": 0, "@107": 107, "@142": 142}
    assert pairs["PURR/USDC"] == {"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True}
    assert len(contexts) == 143
    mids = ask(market, {"type": "allMids"})
    for name, pair in pairs.items():
        assert contexts[pair["index"]]["coin"] == name
        assert contexts[pair["index"]]["midPx"] == mids[name]
    assert contexts[5]["midPx"] is None
    assert {key for context in contexts for key in context} == {
        *("prevDayPx", "dayNtlVlm", "markPx", "midPx", "circulatingSupply", "coin", "totalSupply", "dayBaseVlm"),
    }


def test_spot_is_matched_with_perpetuals_as_on_mainnet(ask: Callable[..., Any]) -> None:
    meta = parse_spot_meta("spotMeta", ask(hand_made_market(), {"type": "spotMeta"}))
    found = match_spot(meta, ["BTC", "HYPE", "PURR"])
    assert {(one.coin, one.perp) for one in found} == {("PURR/USDC", "PURR"), ("@107", "HYPE"), ("@142", "BTC")}


def test_a_tokens_details_are_found_by_its_identifier(ask: Callable[..., Any]) -> None:
    market = hand_made_market()
    meta, contexts = ask(market, {"type": "spotMetaAndAssetCtxs"})
    for token in meta["tokens"]:
        details = ask(market, {"type": "tokenDetails", "tokenId": token["tokenId"]})
        assert (details["name"], details["szDecimals"]) == (token["name"], token["szDecimals"])
    assert details["markPx"] == contexts[107]["markPx"]
    assert ask(market, {"type": "tokenDetails", "tokenId": "0x" + "0" * 32}) is None


@pytest.mark.parametrize("name", ["BTC", "xyz:GOLD", "@107", "PURR/USDC"])
def test_recent_trades_are_the_last_ten_newest_first(ask: Callable[..., Any], name: str) -> None:
    market = hand_made_market()
    trades = ask(market, {"type": "recentTrades", "coin": name})
    assert len(trades) == 10
    times = [trade["time"] for trade in trades]
    assert times == sorted(times, reverse=True)
    assert times[0] <= NOW_MS
    assert len({trade["tid"] for trade in trades}) == 10
    for trade in trades:
        assert list(trade) == ["coin", "side", "px", "sz", "time", "hash", "tid", "users"]
        assert (trade["coin"], trade["side"] in ("A", "B")) == (name, True)
        assert float(trade["px"]) > 0
        assert float(trade["sz"]) > 0
        assert re.fullmatch("0x[0-9a-f]{64}", trade["hash"])
        assert [bool(re.fullmatch("0x[0-9a-f]{40}", user)) for user in trade["users"]] == [True, True]
    assert ask(market, {"type": "recentTrades", "coin": name}) == trades


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from strings(item)
    if isinstance(value, str):
        yield value


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("moment", [NOW_MS, START_MS + LISTED_LATE * HOUR, START_MS + 60 * HOUR + 1])
@pytest.mark.parametrize("other", [{}, {"dex": ""}, {"coin": "@107", "req": REQUEST["req"] | {"coin": "flx:OIL"}}])
def test_no_answer_knows_the_future_and_all_numbers_are_plain(moment: int, other: dict[str, Any]) -> None:
    market = hand_made_market()
    for kind in INFO_TYPES:
        views = MarketView.at(market, moment), MarketView.at(blind(market, moment), moment)
        seen, blindly = (answer(view, REQUEST | other | {"type": kind}) for view in views)
        assert seen.body == blindly.body, kind
        for text in filter(is_number, strings(seen.payload)):
            assert re.fullmatch(r"-?[0-9]+\.[0-9]+", text), (kind, text)


def test_a_coin_appears_when_it_is_listed_with_bars_from_before_that_have_no_volume(ask: Callable[..., Any]) -> None:
    market = hand_made_market()
    listed = START_MS + LISTED_LATE * HOUR

    def names(moment: int) -> list[str]:
        return [coin["name"] for coin in ask(market, {"type": "meta"}, moment)["universe"]]

    assert names(listed - 1) == [coin.name for coin, _ in PERPS[:-1]]
    assert names(listed) == [coin.name for coin, _ in PERPS]
    request = {"type": "candleSnapshot", "req": {"coin": "NEW", "interval": "1h", "startTime": 0}}
    candles = ask(market, request)
    assert candles[0]["t"] == listed - BACKFILLED * HOUR
    assert [candle["v"] for candle in candles[:BACKFILLED]] == ["0.0"] * BACKFILLED
    assert float(candles[BACKFILLED]["v"]) > 0


async def test_a_taken_port_is_named(exchange: SimulatedExchange, demo: SimulatedMarket) -> None:
    port = int((exchange.base_url or "").rsplit(":", 1)[1])
    with pytest.raises(EngineError, match=f"cannot listen on 127.0.0.1:{port}"):
        await SimulatedExchange(demo).start(port)
    with pytest.raises(SettingsError, match="port must be from 0 to 65535, got 70000"):
        await SimulatedExchange(demo).start(70000)


async def test_stopping_twice_is_fine_and_frees_the_port(demo: SimulatedMarket) -> None:
    exchange = SimulatedExchange(demo)
    port = int((await exchange.start()).rsplit(":", 1)[1])
    await exchange.stop()
    await exchange.stop()
    assert exchange.base_url is None
    async with SimulatedExchange(demo) as other:
        await other.stop()
        assert await other.start(port) == f"http://127.0.0.1:{port}"
