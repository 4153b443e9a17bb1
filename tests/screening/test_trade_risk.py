"""Margin, liquidation, break-even, size and resting orders of candidates."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hlpairs_core.backtest import isolated_liquidation_price
from hlpairs_core.costs import CostModel, RestingOrders, maker_round_trip
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import ScreenSettings, mark, screen
from hlpairs_core.screening.risk import liquidation_distance

SETTINGS = ScreenSettings(window=200, p_max=0.9, z_in=0.3, z_out=0.1, min_day_notional_usd=0.0)


@pytest.fixture(scope="module")
def panel(make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]) -> Panel:
    return make_panel(make_walks(201, 10, seed=8))


@pytest.fixture(scope="module")
def pair_panel(make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]) -> Panel:
    return make_panel(make_pair(201), coins=("Y", "X"), notional=np.array([20e6, 80e6]))


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize(("leverage", "most"), [(1.0, 40.0), (3.0, 10.0), (10.0, 20.0)])
def test_a_liquidation_distance_is_the_way_to_the_liquidation_price(short: bool, leverage: float, most: float) -> None:
    side = "short" if short else "long"
    price = isolated_liquidation_price(50.0, side=side, leverage=leverage, max_leverage=most)
    found = liquidation_distance(short, leverage=leverage, max_leverage=np.array([most, np.nan]))
    assert found[0] == pytest.approx(price / 50.0 - 1)
    assert np.isnan(found[1])


def test_margin_is_the_notional_over_the_leverage_and_distances_go_with_the_sides(
    pair_panel: Panel, make_market: Callable[..., MarketState]
) -> None:
    market = make_market(("Y", "X"), max_leverage=[5, 20])
    settings = ScreenSettings(window=200, leverage=4.0)
    top = screen(pair_panel, settings=settings, market=market).candidate("Y", "X")
    assert top.margin_usd == top.capital_usd == settings.notional_usd / 4
    assert top.side_y == "short"
    assert top.liquidation_distance_y == pytest.approx(1.25 / 1.1 - 1)
    assert top.liquidation_distance_x == pytest.approx(0.75 / 0.975 - 1)
    alone = screen(pair_panel, settings=settings).candidate("Y", "X")
    assert np.isnan(alone.liquidation_distance_y)


def test_at_the_break_even_nothing_is_left(pair_panel: Panel) -> None:
    result = screen(pair_panel, settings=ScreenSettings(window=200))
    top = result.top
    assert 0 < top.break_even_z < abs(top.zscore)
    x = pair_panel.close[-1, 1]
    y = np.exp(top.alpha + top.beta * np.log(x) + np.sign(top.zscore) * top.break_even_z * top.sigma)
    assert mark(result, {"Y": y, "X": x}).loc[0, "net_edge_bps"] == pytest.approx(0.0, abs=1e-9)


def test_at_the_largest_size_nothing_is_left(pair_panel: Panel) -> None:
    settings = ScreenSettings(window=200, max_day_volume_share=0.9)
    size = screen(pair_panel, settings=settings).top.largest_size_usd
    assert size > settings.notional_usd
    there = screen(pair_panel, settings=replace(settings, notional_usd=size))
    assert there.candidate("Y", "X").net_edge_bps == pytest.approx(0.0, abs=1e-6)


def test_with_books_the_largest_size_is_walked_through_them(
    pair_panel: Panel, make_market: Callable[..., MarketState], make_book: Callable[..., object]
) -> None:
    books = {coin: make_book(coin, level_usd=40_000.0) for coin in ("Y", "X")}
    market = make_market(("Y", "X"), books=books)
    top = screen(pair_panel, settings=ScreenSettings(window=200), market=market).candidate("Y", "X")
    # Everything that both books hold has an edge: ten levels a side.
    assert top.largest_size_usd == pytest.approx(400_000.0 * (1 + abs(top.beta)), rel=1e-9)


def test_resting_orders_are_those_of_the_window(panel: Panel) -> None:
    costs = CostModel(half_spread_bps=30.0)
    result = screen(panel, settings=SETTINGS, costs=costs)
    at_entry = result.candidates[result.candidates["maker_cost_bps"].notna()]
    assert len(at_entry) == len(result.signals)
    one = result.top
    place = {coin: number for number, coin in enumerate(panel.coins)}
    orders = RestingOrders.of(panel.open, panel.high, panel.low, panel.traded, half_spread_bps=30.0)
    weight = 1 / (1 + abs(one.beta))
    found = maker_round_trip(
        orders,
        (np.array([place[one.y]]), np.array([place[one.x]])),
        (np.array([weight]), np.array([1 - weight])),
        (np.array([one.side_y == "long"]), np.array([one.side_x == "long"])),
        slippage_bps=np.array([one.slippage_bps]),
        costs=costs,
    )
    assert one.maker_cost_bps == pytest.approx(found.cost_bps[0])
    assert one.maker_unfilled == pytest.approx(found.unfilled[0])
