import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.bars import BarHistory, FundingHistory, PremiumHistory
from hlpairs_core.simulation.book import book_side
from hlpairs_core.simulation.market import RecordedHistory
from hlpairs_core.simulation.tape import trades_between
from hlpairs_core.simulation.view import MarketView

HOUR = 3_600_000
DAY = 24 * HOUR
MINUTES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480, "12h": 720}
MINUTES |= {"1d": 1440, "3d": 4320, "1w": 10080}


def without_future(market: SimulatedMarket, time_ms: int) -> SimulatedMarket:
    """The same market with everything after the bar in progress replaced by nothing."""
    bars, funding = market.history.upto(time_ms)
    kept = bars.index(time_ms) + 1
    arrays = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    cut = BarHistory(bars.start_ms, bars.interval_ms, *(array[:kept].copy() for array in arrays))
    rate = np.where(funding.time_ms <= time_ms, funding.rate, np.nan)
    assert funding.premium is not None
    premium = PremiumHistory(funding.premium.open[:kept].copy(), funding.premium.mean[:kept].copy())
    history = RecordedHistory(cut, FundingHistory(funding.start_ms, rate, funding.time_ms, premium))
    return replace(market, history=history)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(elapsed=st.integers(0, 60 * DAY))
def test_no_answer_changes_when_the_future_is_taken_away(
    demo: SimulatedMarket, ask: Callable[..., Any], elapsed: int
) -> None:
    moment = demo.clock.time_ms() + elapsed
    blind = without_future(demo, moment)
    name = demo.coins[demo.kinds.tolist().index("builder") - 1].name
    requests: list[dict[str, Any]] = [
        {"type": "metaAndAssetCtxs"},
        {"type": "allMids"},
        {"type": "predictedFundings"},
        {"type": "l2Book", "coin": "SOL"},
        {"type": "fundingHistory", "coin": "SOL", "startTime": moment - 5 * DAY, "endTime": moment + 5 * DAY},
    ]
    for interval in ("1m", "15m", "1h", "1d", "1M"):
        window = {"startTime": moment - 2 * DAY, "endTime": moment + 2 * DAY}
        requests += [
            {"type": "candleSnapshot", "req": {"coin": coin, "interval": interval, **window}} for coin in ("SOL", name)
        ]
    for request in requests:
        seen = json.dumps(ask(demo, request, moment))
        assert json.dumps(ask(blind, request, moment)) == seen, request
        assert '"nan"' not in seen
        assert '"inf"' not in seen


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(elapsed=st.integers(0, 60 * DAY))
def test_no_trade_and_no_quote_changes_when_the_future_is_taken_away(demo: SimulatedMarket, elapsed: int) -> None:
    moment = demo.clock.time_ms() + elapsed
    seen, blind = (MarketView.at(market, moment) for market in (demo, without_future(demo, moment)))
    for name in ("bid", "ask", "mid"):
        assert np.array_equal(getattr(blind.quotes, name), getattr(seen.quotes, name), equal_nan=True)
    for coin in (0, 9, 21, 32):
        tapes = [trades_between(view, coin, moment - 3 * HOUR, moment + DAY) for view in (seen, blind)]
        books = [book_side(view, coin, asks=True) for view in (seen, blind)]
        for one, other in (tapes, books):
            assert all(np.array_equal(getattr(one, item.name), getattr(other, item.name)) for item in fields(one))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(elapsed=st.integers(0, 3 * DAY), minutes=st.integers(1, 90))
def test_what_was_shown_stays_true(demo: SimulatedMarket, ask: Callable[..., Any], elapsed: int, minutes: int) -> None:
    moment = demo.clock.time_ms() + elapsed
    req = {"coin": "XRP", "interval": "1m", "startTime": moment - 3 * HOUR, "endTime": moment}
    earlier = ask(demo, {"type": "candleSnapshot", "req": req}, moment)
    later = ask(demo, {"type": "candleSnapshot", "req": req}, moment + minutes * 60_000)
    assert earlier[:-1] == later[:-1]
    assert earlier[-1]["n"] <= later[-1]["n"]
    if not earlier[-1]["n"]:
        # Flat at the last price, until the first trade opens it.
        return
    assert earlier[-1]["o"] == later[-1]["o"]
    assert float(earlier[-1]["h"]) <= float(later[-1]["h"])
    assert float(earlier[-1]["l"]) >= float(later[-1]["l"])
    assert float(earlier[-1]["v"]) <= float(later[-1]["v"])


@pytest.mark.parametrize("coin", ["BTC", "kPEPE", "XRP"])
@pytest.mark.parametrize("interval", [name for name in MINUTES if name != "1m"])
def test_every_interval_is_made_of_the_same_minutes(
    demo: SimulatedMarket, ask: Callable[..., Any], coin: str, interval: str
) -> None:
    length = MINUTES[interval] * 60_000
    now = demo.clock.time_ms()
    if length > DAY:
        # The exchange's horizon of minutes ends three and a half days back.
        now = (now // length + 1) * length + 3 * DAY + 12_345
    start = now // length * length - (2 * length if length < DAY else 0)
    window = {"coin": coin, "startTime": start, "endTime": now}
    candles = ask(demo, {"type": "candleSnapshot", "req": {**window, "interval": interval}}, now)
    fine = ask(demo, {"type": "candleSnapshot", "req": {**window, "interval": "1m"}}, now)
    assert fine[0]["t"] == start
    for candle in candles:
        parts = [part for part in fine if candle["t"] <= part["t"] <= candle["T"]]
        # Minutes without a trade are flat at a price from before.
        parts = [part for part in parts if part["n"]] or parts
        assert candle["T"] == candle["t"] + length - 1
        assert candle["o"] == parts[0]["o"]
        assert candle["c"] == parts[-1]["c"]
        assert float(candle["h"]) == max(float(part["h"]) for part in parts)
        assert float(candle["l"]) == min(float(part["l"]) for part in parts)
        assert float(candle["v"]) == pytest.approx(sum(float(part["v"]) for part in parts), rel=1e-9)
        assert candle["n"] == sum(part["n"] for part in parts)


def test_coins_that_move_together_do_so_inside_the_hour(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    now = demo.clock.time_ms()

    def correlation(interval: str, days: int) -> float:
        closes = []
        for coin in ("BTC", "ETH"):
            req = {"coin": coin, "interval": interval, "startTime": now - days * DAY, "endTime": now}
            closes.append([float(c["c"]) for c in ask(demo, {"type": "candleSnapshot", "req": req})])
        return float(np.corrcoef(np.diff(np.log(closes)))[0, 1])

    assert correlation("1h", 90) > 0.5
    assert correlation("5m", 14) > 0.4 * correlation("1h", 90)
