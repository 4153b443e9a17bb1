"""The numbers of a screen against independent computations, and what must not change them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.stattools import coint

from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening import Candidate, ScreenSettings, orient_pairs, screen
from hlpairs_core.stats import engle_granger_pairs

SETTINGS = ScreenSettings(window=200, p_max=0.05)
PanelMaker = Callable[..., Panel]
PriceMaker = Callable[..., np.ndarray]
FROZEN = ["alpha", "beta", "mean", "sigma", "p_value", "t_stat", "lag", "half_life_hours", "correlation", "q_value"]


@pytest.fixture(scope="module")
def pair_panel(make_panel: PanelMaker, make_pair: PriceMaker) -> Panel:
    """One cointegrated pair of 201 bars, X the liquid leg, with funding of 1 and 3 bps an hour."""
    close = make_pair(201)
    return make_panel(close, coins=("Y", "X"), notional=np.array([2e6, 8e6]), funding=np.array([1e-4, 3e-4]))


def test_every_number_of_one_pair_agrees_with_a_computation_by_hand(pair_panel: Panel) -> None:
    got = screen(pair_panel, settings=SETTINGS).candidates.iloc[0]
    log_y, log_x = np.log(pair_panel.close[:-1]).T
    beta, alpha = np.polyfit(log_x, log_y, 1)
    e = log_y - alpha - beta * log_x
    sigma = e.std(ddof=1)
    slope = np.polyfit(e[:-1], np.diff(e), 1)[0]
    half_life = -np.log(2) / np.log1p(slope)
    z = (np.log(pair_panel.close[-1, 0]) - alpha - beta * np.log(pair_panel.close[-1, 1])) / sigma
    t_stat, p_value, _ = coint(log_y, log_x, trend="c", autolag="aic")
    assert (got.y, got.x, got.side_y, got.side_x, got.same_side) == ("Y", "X", "short", "long", False)
    expected = {"alpha": alpha, "beta": beta, "sigma": sigma, "half_life_hours": half_life, "zscore": z}
    for name, value in (expected | {"t_stat": t_stat, "p_value": p_value}).items():
        assert got[name] == pytest.approx(value, rel=1e-6), name
    assert got["mean"] == 0.0

    hold = min(max(half_life * np.log2(abs(z) / 0.5), 1), 48)
    gross = 1e4 * sigma * abs(z) * (1 - 2 ** (-hold / half_life)) / (1 + beta)
    w_y, w_x = 1 / (1 + beta), beta / (1 + beta)
    day_sigma = 1e4 * np.diff(np.log(pair_panel.close[:-1]), axis=0).std(axis=0, ddof=1) * np.sqrt(24)
    impact = day_sigma * np.sqrt(10_000 * np.array([w_y, w_x]) / (24 * np.array([2e6, 8e6])))
    slippage = 2 * (w_y * (1 + impact[0]) + w_x * (1 + impact[1]))
    per_hour = w_y * 1.0 - w_x * 3.0  # the short y leg receives 1 bp, the long x leg pays 3
    funding = per_hour * (np.ceil(hold) - 1)
    for name, value in {
        "hold_hours": hold,
        "gross_bps": gross,
        "fee_bps": 9.0,
        "slippage_bps": slippage,
        "funding_bps_per_hour": per_hour,
        "funding_bps": funding,
        "net_edge_bps": gross - 9 - slippage + funding,
        "notional_y_usd": 10_000 * w_y,
        "notional_x_usd": 10_000 * w_x,
        "capacity_usd": 0.01 * min(48e6 / w_y, 192e6 / w_x),
    }.items():
        assert got[name] == pytest.approx(value, rel=1e-6), name
    assert (got.slippage_source, got.funding_source, bool(got.calibrated)) == ("model", "panel", False)


def test_the_net_edge_is_gross_less_fee_and_slippage_plus_funding_for_every_pair(
    make_panel: PanelMaker, make_walks: PriceMaker
) -> None:
    table = screen(make_panel(make_walks(201, 12, seed=4), funding=2e-5), settings=SETTINGS).candidates
    net = table["gross_bps"] - table["fee_bps"] - table["slippage_bps"] + table["funding_bps"]
    assert len(table) == 66
    pd.testing.assert_series_equal(table["net_edge_bps"], net, check_names=False, rtol=1e-12)


def test_the_signal_bar_does_not_change_its_own_yardstick(pair_panel: Panel) -> None:
    close = pair_panel.close.copy()
    close[-1] *= [1.5, 0.7]
    moved = replace(pair_panel, close=close)
    before, after = (screen(panel, settings=SETTINGS).candidates for panel in (pair_panel, moved))
    pd.testing.assert_frame_equal(before[FROZEN], after[FROZEN])
    assert before.loc[0, "zscore"] != pytest.approx(after.loc[0, "zscore"])


def test_what_comes_after_the_signal_bar_changes_nothing(make_panel: PanelMaker, make_walks: PriceMaker) -> None:
    close = make_walks(240, 6, seed=6)
    history = make_panel(close)
    other = close.copy()
    other[220:] = close[220:][::-1] * 3
    known = [screen(make_panel(prices).rows(0, 220), settings=SETTINGS) for prices in (close, other)]
    pd.testing.assert_frame_equal(known[0].candidates, known[1].candidates)
    assert known[0].verdict == known[1].verdict
    assert known[0].closed_at == history.time[220]


def test_what_came_before_the_window_and_the_last_day_changes_nothing(
    make_panel: PanelMaker, make_walks: PriceMaker
) -> None:
    close = make_walks(240, 6, seed=6)
    whole, recent = make_panel(close), make_panel(close).tail(201)
    pd.testing.assert_frame_equal(
        screen(whole, settings=SETTINGS).candidates, screen(recent, settings=SETTINGS).candidates
    )


def test_the_order_of_coins_changes_nothing(make_panel: PanelMaker, make_walks: PriceMaker) -> None:
    panel = make_panel(make_walks(201, 9, seed=7), notional=np.array([1, 2, 2, 3, 1, 1, 5, 4, 2]) * 1e6)
    shuffled = panel.select([panel.coins[i] for i in (4, 2, 8, 0, 6, 1, 7, 5, 3)])
    first, second = (screen(one, settings=SETTINGS) for one in (panel, shuffled))
    pd.testing.assert_frame_equal(first.candidates, second.candidates, rtol=1e-8)
    assert first.verdict == second.verdict
    assert first.funnel == second.funnel


def test_the_unit_of_a_price_changes_alpha_only(pair_panel: Panel) -> None:
    scale = np.array([1000.0, 0.01])
    scaled = replace(pair_panel, close=pair_panel.close * scale, volume=pair_panel.volume / scale)
    before, after = (screen(panel, settings=SETTINGS).candidates for panel in (pair_panel, scaled))
    pd.testing.assert_frame_equal(before.drop(columns="alpha"), after.drop(columns="alpha"), rtol=1e-6)
    assert after.loc[0, "alpha"] != pytest.approx(before.loc[0, "alpha"])


@pytest.mark.parametrize(("last_z", "sides"), [(3.0, ("short", "short")), (-3.0, ("long", "long"))])
def test_a_negative_hedge_ratio_puts_both_legs_on_one_side(
    make_panel: PanelMaker, make_pair: PriceMaker, last_z: float, sides: tuple[str, str]
) -> None:
    close = make_pair(201, beta=-0.8, last_z=last_z)
    panel = make_panel(close, coins=("Y", "X"), notional=np.array([2e6, 8e6]))
    got = screen(panel, settings=SETTINGS).candidates.iloc[0]
    assert got["beta"] < 0
    assert (got["side_y"], got["side_x"], got["same_side"]) == (*sides, True)
    assert got["notional_y_usd"] + got["notional_x_usd"] == pytest.approx(10_000)


def test_a_low_z_buys_y_and_sells_x(make_panel: PanelMaker, make_pair: PriceMaker) -> None:
    panel = make_panel(make_pair(201, last_z=-3.0), coins=("Y", "X"), notional=np.array([2e6, 8e6]))
    got = screen(panel, settings=SETTINGS).candidates.iloc[0]
    assert (got["side_y"], got["side_x"]) == ("long", "short")
    assert got["gross_bps"] > 0


def test_the_hedge_is_the_coin_with_the_larger_volume_and_ties_go_by_name() -> None:
    y, x = orient_pairs(("B", "A", "C"), np.array([5.0, 5.0, 9.0]))
    names = ("B", "A", "C")
    assert {(names[i], names[j]) for i, j in zip(y, x, strict=True)} == {("A", "C"), ("B", "C"), ("B", "A")}


def test_the_test_keeps_its_size_under_the_volume_rule_and_not_with_the_better_orientation(
    make_walks: PriceMaker,
) -> None:
    # 1,000 disjoint pairs of independent walks: decisions are independent, so binomial bounds hold.
    rng = np.random.default_rng(20)
    by_volume, better = [], []
    for block in range(25):
        log_price = np.log(make_walks(336, 80, seed=1000 + block))
        legs = [(2 * i, 2 * i + 1) for i in range(40)]
        oriented = []
        for i, j in legs:
            y, x = orient_pairs(("A", "B"), rng.lognormal(size=2))
            oriented.append(((i, j)[y[0]], (i, j)[x[0]]))
        p = engle_granger_pairs(log_price, pairs=oriented)["p_value"].to_numpy()
        reverse = engle_granger_pairs(log_price, pairs=[(x, y) for y, x in oriented])["p_value"].to_numpy()
        by_volume.append(p)
        better.append(np.minimum(p, reverse))
    size, inflated = (float(np.mean(np.concatenate(one) < 0.05)) for one in (by_volume, better))
    error = np.sqrt(0.05 * 0.95 / 1000)
    assert abs(size - 0.05) < 3 * error
    assert inflated > 0.05 + 3 * error


@pytest.mark.parametrize("panel_coins", [("Y", "X")])
def test_a_candidate_is_the_row_it_was_read_from(pair_panel: Panel, panel_coins: tuple[str, str]) -> None:
    result = screen(pair_panel, settings=SETTINGS, costs=CostModel(taker_fee_bps=2.0))
    candidate = result.candidate(*panel_coins)
    assert repr(candidate) == repr(Candidate.from_row(result.candidates.iloc[0]))
    assert candidate.fee_bps == 4.0
    assert candidate.net_edge_usd == pytest.approx(candidate.net_edge_bps)  # of 10,000 USD a bp is a dollar
    assert isinstance(candidate.lag, int)
