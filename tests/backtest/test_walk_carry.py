"""A carry trade by hand, and that nothing after a bar changes what was decided at it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.backtest import WalkForward, realise, walk_forward
from hlpairs_core.backtest.walk_carry import walk_carry
from hlpairs_core.backtest.walk_outcomes import OUTCOMES
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.market.joined import join_spot
from hlpairs_core.market.spot_names import SpotMatch
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.carry import CARRY_FEATURES

MakeBars = Callable[..., Panel]

MATCH = (SpotMatch(coin="@1", token="UBTC", perp="BTC"),)
SETTINGS = ScreenSettings(window=40, horizon_hours=5.0, min_day_notional_usd=0.0)
# No impact: half a spread of 1 bp a fill.
COSTS = CostModel(impact_coefficient=0.0, half_spread_bps=1.0)
BAR, N = 3, 14


def row(panel: Panel, **changes: Any) -> pd.DataFrame:
    """A candidate signalled at the close of bar 3: orders from bar 4 on."""
    values = {
        "kind": "spot_perp", "signal_time": panel.time[BAR] + pd.Timedelta(hours=1), "y": "@1", "x": "BTC",
        "side_y": "long", "side_x": "short", "alpha": 0.0, "beta": 1.0, "sigma": 0.001, "vol_y_bps": 50.0,
        "vol_x_bps": 50.0, "day_notional_y_usd": 1e7, "day_notional_x_usd": 1e7,
    }  # fmt: skip
    return pd.DataFrame([values | changes])


def joined(make_bars: MakeBars, perp: Any, spot: Any, *, funding: Any = 0.0, idle: tuple[int, ...] = ()) -> Panel:
    volume = np.full((N, 1), 1e4)
    volume[list(idle)] = 0.0
    perp, spot = (np.reshape(np.broadcast_to(np.asarray(one, dtype=float), (N,)), (N, 1)) for one in (perp, spot))
    perps = make_bars(perp, coins=("BTC",), funding=np.reshape(funding, (-1, 1)) * np.ones((N, 1)))
    return join_spot(perps, make_bars(spot, coins=("@1",), volume=volume), MATCH)


def outcome(panel: Panel, **changes: Any) -> pd.Series:
    return realise(row(panel, **changes), panel, settings=SETTINGS, costs=COSTS).iloc[0]


def test_a_trade_by_hand(make_bars: MakeBars) -> None:
    """Entry at the open of bar 4, held 5 hours: exit at the open of bar 9. Bars open at their closes here."""
    perp, spot = np.full(N, 101.0), np.full(N, 100.0)
    perp[9], spot[9] = 110.5, 110.0
    got = outcome(joined(make_bars, perp, spot, funding=2.0 ** np.arange(N) * 1e-6))
    units = 10_000 / 201.0
    gross = units * ((110.0 - 100.0) - (110.5 - 101.0))
    # The stamps of hours 5 to 8: those of the fills, 4 and 9, are neither paid nor received.
    funding = units * 101.0 * (2**5 + 2**6 + 2**7 + 2**8) * 1e-6
    fee = units * (7e-4 * (100.0 + 110.0) + 4.5e-4 * (101.0 + 110.5))
    slippage = units * 1e-4 * (100.0 + 110.0 + 101.0 + 110.5)
    assert got["realised_gross_bps"] == pytest.approx(gross)
    assert got["realised_funding_bps"] == pytest.approx(funding)
    assert got["realised_fee_bps"] == pytest.approx(fee)
    assert got["realised_slippage_bps"] == pytest.approx(slippage)
    assert got["realised_net_bps"] == pytest.approx(gross - fee - slippage + funding)
    assert (got["hold_hours"], got["exit_reason"], got["unknown"]) == (5.0, "horizon", "")
    assert got["entry_time"] == pd.Timestamp("2025-01-01T04:00Z")
    assert got["exit_time"] == pd.Timestamp("2025-01-01T09:00Z")


def test_the_fees_of_unmoved_prices_are_eleven_and_a_half_bps(make_bars: MakeBars) -> None:
    got = outcome(joined(make_bars, 100.0, 100.0))
    assert got["realised_fee_bps"] == pytest.approx(11.5)


def test_the_reverse_direction_pays_what_the_other_receives(make_bars: MakeBars) -> None:
    panel = joined(make_bars, np.linspace(101, 103, N), np.linspace(100, 104, N), funding=3e-5)
    one, other = outcome(panel), outcome(panel, side_y="short", side_x="long")
    for name in ("realised_gross_bps", "realised_funding_bps"):
        assert one[name] == pytest.approx(-other[name])
        assert one[name] > 0


def test_a_basis_that_stays_earns_nothing_whatever_the_price_does(make_bars: MakeBars) -> None:
    """Of equal notionals the cheaper leg would have more units, and gain or lose with the price."""
    spot = 100.0 * 1.2 ** (np.arange(N) >= 7)
    assert outcome(joined(make_bars, spot + 2.0, spot))["realised_gross_bps"] == pytest.approx(0.0, abs=1e-9)


def test_it_is_held_however_far_the_basis_goes(make_bars: MakeBars) -> None:
    """As perpetuals these legs would leave at once: z is beyond the exit on the other side."""
    panel = joined(make_bars, 101.0 - np.arange(N), 100.0)
    assert outcome(panel)["exit_reason"] == "horizon"
    assert outcome(panel, kind="perp_perp")["hold_hours"] < 5


def test_both_legs_wait_until_both_trade(make_bars: MakeBars) -> None:
    panel = joined(make_bars, 100.0, 100.0, funding=1e-5, idle=(4, 5, 11))
    got = outcome(panel)
    assert got["entry_time"] == pd.Timestamp("2025-01-01T06:00Z")
    # Due at 11:00, where spot does not trade: a stamp more.
    assert got["exit_time"] == pd.Timestamp("2025-01-01T12:00Z")
    assert got["realised_funding_bps"] == pytest.approx(1e4 * 0.5 * 5 * 1e-5)


@pytest.mark.parametrize(("hour", "known"), [(3, True), (4, True), (5, False), (8, False), (9, True)])
def test_a_missing_hour_within_the_hold_is_unknown_and_not_zero(make_bars: MakeBars, hour: int, known: bool) -> None:
    funding = np.full(N, 1e-5)
    funding[hour] = np.nan
    got = outcome(joined(make_bars, 100.0, 100.0, funding=funding))
    assert np.isfinite(got["realised_net_bps"]) == known
    assert got["unknown"] == ("" if known else "funding")


def history(make_bars: MakeBars, n: int = 260, *, seed: int = 4, per_perp: float = 1.0) -> tuple[Panel, Panel]:
    rng = np.random.default_rng(seed)
    perp = 50 * np.exp(np.cumsum(rng.normal(0, 0.004, (n, 2)), axis=0))
    spot = perp * np.exp(rng.normal(0, 0.001, (n, 2))) / per_perp
    rate = 4e-5 * np.exp(rng.normal(0, 0.3, (n, 2)))
    volume = np.where(rng.random((n, 2)) < 0.04, 0.0, 1e6)
    perps = make_bars(perp, coins=("BTC", "ETH"), funding=rate, open_=perp * np.exp(rng.normal(0, 3e-4, (n, 2))))
    return perps, make_bars(spot, coins=("@1", "@2"), volume=volume * per_perp)


BOTH = (*MATCH, SpotMatch(coin="@2", token="UETH", perp="ETH"))


@pytest.fixture(scope="module")
def market(make_bars: MakeBars) -> tuple[Panel, Panel]:
    return history(make_bars)


@pytest.fixture(scope="module")
def walked(market: tuple[Panel, Panel]) -> WalkForward:
    found = walk_carry(*market, BOTH, settings=SETTINGS, costs=COSTS, every=3)
    assert len(found.rows) > 30
    return found


def test_signals_come_at_the_bars_of_the_perpetuals_own_walk(market: tuple[Panel, Panel], walked: WalkForward) -> None:
    bars = walk_forward(market[0], settings=SETTINGS, costs=COSTS, every=3).bars
    pd.testing.assert_series_equal(walked.bars["signal_time"], bars["signal_time"])
    assert list(walked.bars.columns) == list(bars.columns)
    assert set(OUTCOMES) | set(CARRY_FEATURES) <= set(walked.rows.columns)
    counted = walked.rows.groupby("signal_time").size().reindex(walked.bars["signal_time"], fill_value=0)
    assert counted.tolist() == walked.bars["n_candidates"].tolist()


def test_a_thousand_tokens_are_one_unit(make_bars: MakeBars, walked: WalkForward) -> None:
    small = history(make_bars, per_perp=1000.0)
    thousands = tuple(replace(one, per_perp=1000.0) for one in BOTH)
    found = walk_carry(*small, thousands, settings=SETTINGS, costs=COSTS, every=3)
    pd.testing.assert_frame_equal(found.rows, walked.rows)


def test_only_what_can_be_traded_becomes_a_row(market: tuple[Panel, Panel], walked: WalkForward) -> None:
    assert set(walked.rows["side_y"]) == {"long"}
    assert (walked.rows["expected_funding_bps"] > 0).all()
    perps = replace(market[0], funding=-market[0].funding)
    none = walk_carry(perps, market[1], BOTH, settings=SETTINGS, costs=COSTS, every=3)
    assert (len(none.rows), none.bars["n_candidates"].sum()) == (0, 0)
    assert list(none.rows.columns) == list(walked.rows.columns)


def test_panels_of_another_interval_are_refused(market: tuple[Panel, Panel]) -> None:
    with pytest.raises(InputError, match="the panels have 1h bars and the settings say 4h"):
        walk_carry(*market, BOTH, settings=replace(SETTINGS, interval="4h"), costs=COSTS)


def late(perps: Panel, spots: Panel) -> WalkForward:
    """The last third, where histories are a week long."""
    return walk_carry(perps, spots, BOTH, settings=SETTINGS, costs=COSTS, every=7, start=170)


@pytest.fixture(scope="module")
def walked_late(market: tuple[Panel, Panel]) -> WalkForward:
    return late(*market)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_later_values_change_no_decision(
    market: tuple[Panel, Panel], walked_late: WalkForward, data: st.DataObject
) -> None:
    bar = data.draw(st.integers(175, 255), label="last bar that stays")
    changed = []
    for panel in market:
        arrays = {name: getattr(panel, name).copy() for name in ("open", "close", "volume", "funding")}
        name = data.draw(st.sampled_from((*arrays, "delisted")))
        rows = slice(bar + 1 + data.draw(st.integers(0, 2)), None)
        if name == "delisted":
            for array in arrays.values():
                array[rows, 0] = np.nan
        else:
            arrays[name][rows] *= data.draw(st.sampled_from([0.5, 3.0]))
        changed.append(replace(panel, **arrays, high=arrays["close"], low=arrays["close"]))
    until = market[0].time[bar] + pd.Timedelta(hours=1)
    decided = [
        found.rows.loc[found.rows["signal_time"] <= until].drop(columns=list(OUTCOMES))
        for found in (walked_late, late(*changed))
    ]
    assert len(decided[0])
    pd.testing.assert_frame_equal(*decided)
