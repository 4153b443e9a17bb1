from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import SettingsError
from hlpairs_core.simulation import SimulatedMarket, synthetic_market

HOUR = 3_600_000
REQUESTS = [
    {"type": "meta"},
    {"type": "metaAndAssetCtxs"},
    {"type": "allMids"},
    {"type": "l2Book", "coin": "SOL"},
    {"type": "l2Book", "coin": "SOL", "nSigFigs": 4},
    {"type": "candleSnapshot", "req": {"coin": "SOL", "interval": "15m", "startTime": 0}},
    {"type": "candleSnapshot", "req": {"coin": "SOL", "interval": "1d", "startTime": 0}},
    {"type": "fundingHistory", "coin": "SOL", "startTime": 0},
    {"type": "predictedFundings"},
]


@pytest.fixture(scope="module")
def restarted(demo: SimulatedMarket) -> SimulatedMarket:
    """The same market, started 75 days later."""
    later = demo.now() + pd.Timedelta(days=75, milliseconds=12_345)
    return synthetic_market(seed=7, n_coins=40, start=later, clock=lambda: 0.0)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request["type"])
def test_a_restart_at_another_time_gives_the_same_answers(
    demo: SimulatedMarket, restarted: SimulatedMarket, ask: Callable[..., Any], request_: dict[str, Any]
) -> None:
    later = restarted.clock.time_ms()
    assert ask(demo, request_, later) == ask(restarted, request_, later)


def test_another_seed_is_another_market(demo: SimulatedMarket, ask: Callable[..., Any], wall) -> None:
    other = synthetic_market(seed=8, n_coins=40, start=demo.now(), clock=wall)
    assert (demo.name, other.name) == ("demo-v2-seed7-40", "demo-v2-seed8-40")
    assert ask(other, {"type": "allMids"}) != ask(demo, {"type": "allMids"})


def test_the_truth_is_not_on_the_wire(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    text = str([ask(demo, request) for request in REQUESTS])
    assert "half_life" not in text
    assert "hedge" not in text


def test_prices_stay_sane_for_years(wall) -> None:
    market = synthetic_market(seed=3, n_coins=12, start="2028-06-01", clock=wall)
    bars, _ = market.history.upto(market.clock.time_ms())
    steady = bars.close[:, bars.first == 0]
    assert np.nanmax(steady / steady[0]) < 1000
    assert np.nanmin(steady / steady[0]) > 0.001


def test_bars_look_like_the_real_ones(demo: SimulatedMarket) -> None:
    bars, funding = demo.history.upto(demo.clock.time_ms())
    alive = np.isfinite(bars.close)
    assert (bars.high >= np.maximum(bars.open, bars.close))[alive].all()
    assert (bars.low <= np.minimum(bars.open, bars.close))[alive].all()
    silent = (bars.volume == 0) & (np.arange(bars.n_bars)[:, None] >= bars.listed)
    assert silent.any()
    assert (bars.high == bars.low)[silent].all()
    backfilled = (bars.volume == 0) & (np.arange(bars.n_bars)[:, None] < bars.listed)
    assert backfilled.any()
    base = funding.rate[np.isfinite(funding.rate)] == 0.0000125
    assert 0.5 < base.mean() < 0.8
    assert (bars.last < bars.n_bars - 1).any()


def test_a_coin_is_unknown_before_its_listing_and_comes_last_after(ask: Callable[..., Any], wall) -> None:
    market = synthetic_market(seed=7, n_coins=20, start="2025-02-15", clock=wall)
    bars, _ = market.history.upto(market.clock.time_ms() + 90 * 24 * HOUR)
    late = int(np.argmax(bars.listed))
    listed = bars.start_ms + int(bars.listed[late]) * HOUR
    name = market.coins[late].name
    request = {"type": "candleSnapshot", "req": {"coin": name, "interval": "1h", "startTime": 0}}
    before = [coin["name"] for coin in ask(market, {"type": "meta"}, listed - 1)["universe"]]
    after = [coin["name"] for coin in ask(market, {"type": "meta"}, listed)["universe"]]
    assert after == [*before, name]
    assert ask(market, request, listed - 1) is None
    history = ask(market, request, listed + HOUR)
    assert len(history) > 700
    assert {candle["v"] for candle in history[:700]} == {"0.0"}


def test_a_coin_whose_data_end_is_delisted_two_bars_later_and_keeps_its_place(ask: Callable[..., Any], wall) -> None:
    market = synthetic_market(seed=7, n_coins=20, start="2025-07-01", clock=wall)
    bars, _ = market.history.upto(market.clock.time_ms() + 60 * 24 * HOUR)
    ended = int(np.argmin(bars.last))
    closed = bars.start_ms + (int(bars.last[ended]) + 1) * HOUR
    for moment, delisted in ((closed + 2 * HOUR, False), (closed + 2 * HOUR + 1, True)):
        meta, contexts = ask(market, {"type": "metaAndAssetCtxs"}, moment)
        assert meta["universe"][ended].get("isDelisted", False) is delisted
        assert (contexts[ended]["midPx"] is None) is delisted
        assert market.coins[ended].name in ask(market, {"type": "allMids"}, moment)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"n_coins": 1}, "has 2 to 250 coins, got 1"),
        ({"n_coins": 1000}, "has 2 to 250 coins, got 1000"),
        ({"seed": -1}, "seed must be from 0"),
        ({"speed": -60.0}, "speed must be above 0"),
        ({"start": "2024-06-01"}, "cannot start at 2024-06-01"),
        ({"start": "2999-01-01"}, "cannot start at 2999-01-01"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        synthetic_market(**{"start": "2025-03-01", "n_coins": 5, **settings})
