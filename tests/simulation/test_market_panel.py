"""A panel without a server: what a client of the market would have loaded, and nothing later."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation import SimulatedMarket, market_panel, synthetic_market

END = "2025-09-01T12:00Z"


def test_it_holds_the_candles_and_the_funding_that_the_exchange_answers(
    demo: SimulatedMarket, ask: Callable[..., Any]
) -> None:
    panel = market_panel(demo, hours=48)
    assert (panel.closed_at, panel.n_bars) == (pd.Timestamp(END), 48)
    start_ms = int(panel.time[0].timestamp() * 1000)
    for coin in ("BTC", "DOGE"):
        request = {"coin": coin, "interval": "1h", "startTime": start_ms, "endTime": start_ms + 48 * 3_600_000 - 1}
        candles = ask(demo, {"type": "candleSnapshot", "req": request})
        at = panel.coins.index(coin)
        for name, key in (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v")):
            said = np.array([float(candle[key]) for candle in candles])
            np.testing.assert_allclose(getattr(panel, name)[:, at], said, rtol=1e-12)
        rates = ask(demo, {"type": "fundingHistory", "coin": coin, "startTime": start_ms})
        said = np.array([float(rate["fundingRate"]) for rate in rates])
        np.testing.assert_allclose(panel.funding[:, at], said[:48], atol=1e-12)


def test_another_end_gives_the_same_bars() -> None:
    now, earlier = (synthetic_market(3, 20, start=start, clock=lambda: 0.0) for start in (END, "2025-05-01T00:00Z"))
    late, ahead = market_panel(now), market_panel(earlier, end=END)
    for name in ("time", "open", "close", "volume", "funding"):
        np.testing.assert_array_equal(getattr(late, name), getattr(ahead, name))


def test_perpetuals_are_taken_unless_others_are_asked_for(demo: SimulatedMarket) -> None:
    names = {kind: {coin.name for coin in demo.coins if coin.kind == kind} for kind in ("perp", "builder", "spot")}
    assert set(market_panel(demo, hours=2).coins) <= names["perp"]
    spot = market_panel(demo, hours=2, kinds=("spot",))
    assert set(spot.coins) <= names["spot"]
    assert np.isnan(spot.funding).all()


def test_a_market_without_a_closed_bar_is_refused(demo: SimulatedMarket) -> None:
    with pytest.raises(InputError, match="no rows"):
        market_panel(demo, end="2025-01-01T00:30Z")
