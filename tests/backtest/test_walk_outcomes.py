"""Outcomes of many candidates at once are those of `simulate_trade`, one after the other."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import TradeOutcome, realise, simulate_trade
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import Candidate, ScreenSettings, day_notional_usd, day_volatility_bps
from hlpairs_core.screening.liquidity import bars_per_day

Market = Callable[..., Panel]
Candidates = Callable[..., Candidate]

WINDOW = 40
COSTS = CostModel(half_spread_bps=1.7, impact_coefficient=0.8, slippage_multiple=1.5)


def random_rows(panel: Panel, n: int, settings: ScreenSettings, seed: int) -> pd.DataFrame:
    """Candidates at random bars of random pairs, with hedge ratios of both signs, some signals near the very end."""
    rng = np.random.default_rng(seed)
    bar = np.append(rng.integers(WINDOW, panel.n_bars - 1, n - 20), panel.n_bars - 2 - np.arange(20) % 8)
    y = rng.integers(0, panel.n_coins, n)
    x = (y + rng.integers(1, panel.n_coins, n)) % panel.n_coins
    logs = pd.DataFrame(np.log(panel.close)).ffill().bfill().to_numpy()
    beta, sigma = rng.normal(0.5, 1.0, n), rng.uniform(0.002, 0.03, n)
    z = rng.choice([-1.0, 1.0], n) * rng.uniform(0.2, 4.0, n)
    short_y = z > 0
    notional = np.array([day_notional_usd(panel.rows(0, at + 1)) for at in bar])
    volatility = np.array([day_volatility_bps(panel.close[at - WINDOW : at], panel.interval) for at in bar])
    volatility /= np.sqrt(bars_per_day(panel.interval))
    names, each = np.array(panel.coins), np.arange(n)
    return pd.DataFrame(
        {
            "signal_time": panel.time[bar + 1],
            "y": names[y],
            "x": names[x],
            "side_y": np.where(short_y, "short", "long"),
            "side_x": np.where(short_y ^ (beta < 0), "long", "short"),
            "alpha": logs[bar, y] - beta * logs[bar, x] - z * sigma,
            "beta": beta,
            "sigma": sigma,
            "vol_y_bps": volatility[each, y],
            "vol_x_bps": volatility[each, x],
            "day_notional_y_usd": notional[each, y],
            "day_notional_x_usd": notional[each, x],
        }
    )


def alone(panel: Panel, row: Any, candidate: Candidates, settings: ScreenSettings, costs: CostModel) -> TradeOutcome:
    frozen = {name: getattr(row, name) for name in ("y", "x", "side_y", "side_x", "alpha", "beta", "sigma")}
    entry = int(panel.time.get_loc(row.signal_time))
    return simulate_trade(panel, candidate(**frozen), entry_bar=entry, settings=settings, costs=costs)


def same(got: Any, expected: TradeOutcome) -> None:
    assert (got.exit_reason, got.funding_assumed) == (expected.exit_reason, expected.funding_assumed)
    for ours in ("gross", "fee", "slippage", "funding", "net"):
        theirs = getattr(expected, f"{ours}_bps")
        np.testing.assert_allclose(getattr(got, f"realised_{ours}_bps"), theirs, rtol=1e-12, atol=1e-9, err_msg=ours)
    np.testing.assert_equal(got.hold_hours, expected.hold_hours)
    if expected.entry_time is not None:
        assert (got.entry_time, got.exit_time) == (expected.entry_time, expected.exit_time)
    else:
        assert pd.isna(got.entry_time)
        assert pd.isna(got.exit_time)


@pytest.mark.parametrize(
    ("interval", "horizon"), [("1h", 12.0), ("1h", 5.5), ("4h", 30.0), ("30m", 6.0)], ids=["1h", "odd", "4h", "30m"]
)
@pytest.mark.parametrize("assumed", [None, 3e-5], ids=["unknown", "assumed"])
def test_each_candidate_earns_what_its_trade_alone_earns(
    messy_market: Market, make_candidate: Candidates, interval: str, horizon: float, assumed: float | None
) -> None:
    settings = ScreenSettings(interval=interval, window=WINDOW, horizon_hours=horizon)
    costs = CostModel(
        half_spread_bps=1.7, impact_coefficient=0.8, slippage_multiple=1.5, assumed_funding_per_hour=assumed
    )
    panel = messy_market(200, 7, seed=9, idle=0.8, interval=interval)
    rows = random_rows(panel, 250, settings, seed=3)
    got = realise(rows, panel, settings=settings, costs=costs)
    compared = set()
    for row, outcome in zip(rows.itertuples(), got.itertuples(), strict=True):
        if outcome.unknown == "funding":
            with pytest.raises(InputError, match="the funding rate of"):
                alone(panel, row, make_candidate, settings, costs)
            assert np.isnan(outcome.realised_funding_bps)
            assert np.isnan(outcome.realised_net_bps)
            assert np.isfinite(outcome.realised_gross_bps)
        else:
            same(outcome, alone(panel, row, make_candidate, settings, costs))
        compared.add((outcome.exit_reason, outcome.unknown))
    reasons = {reason for reason, _ in compared}
    assert reasons == {"reverted", "horizon", "delisted", "data end", "no entry"}
    assert any(why == "slippage" for _, why in compared)
    assert any(why == "funding" for _, why in compared) == (assumed is None)
    assert got["funding_assumed"].any() == (assumed is not None)
    assert (got["unknown"] == "").mean() > 0.3


def test_a_late_order_is_filled_as_if_the_signal_had_come_later(
    messy_market: Market, make_candidate: Candidates
) -> None:
    settings = ScreenSettings(window=WINDOW, horizon_hours=8.0)
    costs = CostModel(half_spread_bps=1.0, impact_coefficient=0.0, assumed_funding_per_hour=0.0)
    panel = messy_market(200, 7, seed=9, idle=0.8)
    rows = random_rows(panel, 120, settings, seed=5)
    rows = rows[rows["signal_time"] < panel.time[-3]]
    late = realise(rows, panel, settings=settings, costs=costs, delay_bars=2)
    moved = rows.assign(signal_time=rows["signal_time"] + pd.Timedelta(hours=2))
    for row, outcome in zip(moved.itertuples(), late.itertuples(), strict=True):
        if outcome.unknown == "":
            expected = alone(panel, row, make_candidate, settings, costs)
            assert (outcome.exit_reason, outcome.hold_hours) == (expected.exit_reason, expected.hold_hours)
            # Volume and volatility stay those of the signal: so does the slippage model's answer.
            for name in ("gross", "fee", "funding"):
                got = getattr(outcome, f"realised_{name}_bps")
                assert got == pytest.approx(getattr(expected, f"{name}_bps"), rel=1e-12, abs=1e-9)
    assert (late["unknown"] == "").sum() > 30


def test_an_order_that_comes_after_the_data_is_no_entry(messy_market: Market) -> None:
    settings = ScreenSettings(window=WINDOW, horizon_hours=8.0)
    panel = messy_market(120, 7, seed=9)
    rows = random_rows(panel, 60, settings, seed=5)
    got = realise(rows, panel, settings=settings, costs=COSTS, delay_bars=500)
    assert (got["exit_reason"] == "no entry").all()
    assert got["realised_net_bps"].isna().all()


def test_the_index_and_the_order_are_those_of_the_rows(messy_market: Market) -> None:
    settings = ScreenSettings(window=WINDOW, horizon_hours=8.0)
    panel = messy_market(200, 7, seed=9)
    rows = random_rows(panel, 100, settings, seed=6)
    every = realise(rows, panel, settings=settings, costs=COSTS)
    some = realise(rows.iloc[::-7], panel, settings=settings, costs=COSTS)
    pd.testing.assert_frame_equal(some, every.iloc[::-7])


def test_twice_the_slippage_costs_twice(messy_market: Market) -> None:
    settings = ScreenSettings(window=WINDOW, horizon_hours=8.0)
    panel = messy_market(200, 7, seed=9)
    rows = random_rows(panel, 100, settings, seed=6)
    once, twice = (
        realise(rows, panel, settings=settings, costs=CostModel(half_spread_bps=k, impact_coefficient=k))
        for k in (1, 2)
    )
    pd.testing.assert_series_equal(twice["realised_slippage_bps"], 2 * once["realised_slippage_bps"])
    pd.testing.assert_series_equal(twice["realised_gross_bps"], once["realised_gross_bps"])


def test_rows_of_another_panel_are_refused(messy_market: Market) -> None:
    settings = ScreenSettings(window=WINDOW, horizon_hours=8.0)
    panel = messy_market(200, 7, seed=9)
    rows = random_rows(panel, 30, settings, seed=6)
    with pytest.raises(InputError, match="no bar of the panel opens at 2025-01"):
        realise(rows, panel.rows(0, 45), settings=settings, costs=COSTS)
    with pytest.raises(InputError, match="the panel has no 'C"):
        realise(rows, panel.select(panel.coins[:2]), settings=settings, costs=COSTS)
    with pytest.raises(InputError, match="1h bars and the settings say 4h"):
        realise(rows, panel, settings=ScreenSettings(interval="4h"), costs=COSTS)
    with pytest.raises(InputError, match="delay_bars is -1"):
        realise(rows, panel, settings=settings, costs=COSTS, delay_bars=-1)
