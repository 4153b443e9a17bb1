"""Premium and funding of a synthetic market, on the wire and against the exchange's formula."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.premium import BASE_RATE, current_premium, funding_rate, running_premium, running_rate
from hlpairs_core.simulation.view import MarketView

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        # (premium + clamp(0.0001 - premium, -0.0005, 0.0005)) / 8, by hand
        (0.0, 0.0000125),
        (0.0006, 0.0000125),
        (-0.0004, 0.0000125),
        (0.0014, 0.0001125),
        (-0.0005, 0.0),
        (-0.0013, -0.0001),
        (0.5, 0.04),
        (-0.5, -0.04),
        (float("nan"), float("nan")),
    ],
)
def test_funding_follows_the_exchange_s_formula(premium: float, rate: float) -> None:
    assert funding_rate(np.array([premium]))[0] == pytest.approx(rate, abs=1e-12, nan_ok=True)


def test_the_dead_zone_is_the_base_rate_exactly() -> None:
    assert (funding_rate(np.linspace(-0.0004, 0.0006, 1001)) == BASE_RATE).all()


def test_every_settled_rate_is_the_funding_of_its_hour_s_average_premium(demo: SimulatedMarket) -> None:
    _, funding = demo.history.upto(demo.clock.time_ms())
    assert funding.premium is not None
    settled = np.isfinite(funding.rate[1:])
    assert settled.any(axis=0)[demo.kinds != "spot"].all()
    assert not settled[:, demo.kinds == "spot"].any()
    assert (funding.rate[1:] == funding_rate(funding.premium.mean[:-1]))[settled].all()


def test_the_wire_shows_the_premium_that_was_settled(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    now = demo.clock.time_ms()
    rows = ask(demo, {"type": "fundingHistory", "coin": "HYPE", "startTime": now - 400 * HOUR})
    premium = np.array([float(row["premium"]) for row in rows])
    assert len(np.unique(premium)) > 390
    assert [float(row["fundingRate"]) for row in rows] == funding_rate(premium).tolist()


def test_the_running_estimate_becomes_what_is_settled(demo: SimulatedMarket) -> None:
    hour = demo.clock.time_ms() // HOUR * HOUR
    before = MarketView.at(demo, hour - 1)
    _, funding = demo.history.upto(hour + 2000)
    row = (hour - funding.start_ms) // HOUR
    known = np.isfinite(funding.rate[row])
    assert np.allclose(running_rate(before)[known], funding.rate[row][known], atol=2e-10)
    assert np.isnan(running_rate(before)[demo.kinds == "spot"]).all()


def test_premia_are_continuous_and_average_to_what_runs(demo: SimulatedMarket) -> None:
    hour = demo.clock.time_ms() // HOUR * HOUR
    perps = np.flatnonzero(demo.kinds == "perp")
    edge = [current_premium(MarketView.at(demo, time))[perps] for time in (hour - 1, hour)]
    assert np.allclose(edge[0], edge[1], atol=1e-8)
    times = hour + np.arange(0, HOUR // 2, 5000)
    sampled = np.mean([current_premium(MarketView.at(demo, int(time)))[perps] for time in times], axis=0)
    assert np.allclose(running_premium(MarketView.at(demo, hour + HOUR // 2))[perps], sampled, atol=1e-6)


def test_oracle_prices_are_apart_from_marks_by_the_premium(demo: SimulatedMarket, ask: Callable[..., Any]) -> None:
    _, contexts = ask(demo, {"type": "metaAndAssetCtxs"})
    for context in contexts:
        if context["midPx"] is not None:
            apart = float(context["markPx"]) / float(context["oraclePx"]) - 1
            tick = 1e-4  # five figures
            assert apart == pytest.approx(float(context["premium"]), abs=tick)


def test_funding_is_distributed_and_persists_as_recorded(demo: SimulatedMarket) -> None:
    """63 % of recorded coin-hours are at the base rate exactly, 78 % of those a day later too."""
    _, funding = demo.history.upto(demo.clock.time_ms())
    rate = pd.DataFrame(funding.rate[1:, demo.kinds == "perp"])
    base = rate == BASE_RATE
    assert base.to_numpy()[rate.notna().to_numpy()].mean() == pytest.approx(0.63, abs=0.1)
    assert (base & base.shift(-24)).to_numpy().sum() / base.iloc[:-24].to_numpy().sum() == pytest.approx(0.78, abs=0.08)
    assert rate.stack().abs().max() < 0.0151
    assert 0.001 < (rate.stack().abs() > 3e-4).mean() < 0.02
