"""Resting orders: by hand, against plain loops, and on prices that nobody can beat."""

import numpy as np
import pytest

from hlpairs_core.costs import CostModel, RestingOrders, maker_round_trip

COSTS = CostModel(taker_fee_bps=4.5, maker_fee_bps=1.5)


def pair(orders, *, buys=(True, False), weights=(0.5, 0.5), slippage=0.0, costs=COSTS):
    return maker_round_trip(
        orders,
        (np.array([0]), np.array([1])),
        tuple(np.array([weight]) for weight in weights),
        tuple(np.array([buy]) for buy in buys),
        slippage_bps=np.array([slippage]),
        costs=costs,
    )


def test_two_bars_by_hand():
    """The first bar fills every order; in the second y only rises by 1 % and x only falls by 2 %."""
    open_ = np.array([[100.0, 50.0], [100.0, 50.0], [101.0, 49.0]])
    high = np.array([[101.0, 51.0], [101.0, 50.0], [np.nan, np.nan]])
    low = np.array([[99.0, 49.0], [100.0, 49.0], [np.nan, np.nan]])
    orders = RestingOrders.of(open_, high, low, np.ones((3, 2), dtype=bool), half_spread_bps=2.0)
    found = pair(orders, slippage=8.0)
    filled = 1.5 - 2.0
    opening_y, opening_x = (filled + (4.5 + 100.0)) / 2, (filled + (4.5 + 200.0)) / 2
    closing_y, closing_x = filled, filled
    legs = 0.5 * (opening_y + closing_y) + 0.5 * (opening_x + closing_x)
    assert found.cost_bps[0] == pytest.approx(legs + 8.0 * (0.5 + 0 + 0.5 + 0) / 4)
    assert found.unfilled[0] == 0.5


def test_of_a_leg_that_is_not_filled_its_own_share_of_the_slippage_is_paid():
    """y is always filled, x never is and does not move: a tenth of the notional, a tenth of the slippage."""
    open_, traded = np.full((3, 2), 100.0), np.ones((3, 2), dtype=bool)
    high, low = open_ * [1.01, 1.0], open_ * [0.99, 1.0]
    orders = RestingOrders.of(open_, high, low, traded, half_spread_bps=2.0)
    found = pair(orders, weights=(0.9, 0.1), slippage=30.0)
    assert found.cost_bps[0] == pytest.approx(0.9 * 2 * (1.5 - 2.0) + 0.1 * (2 * 4.5 + 30.0))


def test_a_trade_at_the_very_price_is_no_fill_and_a_bar_without_trades_is_not_counted():
    open_ = np.full((4, 2), 100.0)
    low, high = np.full((4, 2), 100.0 * (1 - 2e-4)), np.full((4, 2), 100.0 * (1 + 2e-4))
    traded = np.array([[True, True], [True, False], [True, True], [True, True]])
    orders = RestingOrders.of(open_, high, low, traded, half_spread_bps=2.0)
    assert pair(orders).unfilled[0] == 1.0
    assert pair(orders).cost_bps[0] == pytest.approx(9.0)
    low[0], high[0] = 99.0, 101.0
    assert pair(RestingOrders.of(open_, high, low, traded, half_spread_bps=2.0)).unfilled[0] == 0.5


def test_without_a_bar_to_look_at_nothing_is_known():
    nothing = np.full((3, 2), np.nan)
    orders = RestingOrders.of(nothing, nothing, nothing, np.zeros((3, 2), dtype=bool), half_spread_bps=1.0)
    found = pair(orders)
    assert np.isnan(found.cost_bps[0])
    assert np.isnan(found.unfilled[0])


def test_where_prices_have_no_drift_the_half_spread_is_lost_to_those_that_are_left_behind():
    """A stopped fair game stays one: without fees and jumps, resting gains nothing on average."""
    steps = np.random.default_rng(5).choice([-1e-4, 1e-4], (40, 20_000))
    paths = 100 * np.concatenate([np.ones((1, 20_000)), 1 + np.cumsum(steps, axis=0)])
    after = paths[-1]
    orders = RestingOrders.of(
        np.stack([paths[0], after]),
        np.stack([paths.max(axis=0), after]),
        np.stack([paths.min(axis=0), after]),
        np.ones((2, 20_000), dtype=bool),
        half_spread_bps=2.5,
    )
    filled, move = orders.buy_filled[0], orders.move_bps[0]
    # The order at 2.5 bps is filled by a trade at 3: a fill at that trade's price is the fair game.
    gain = np.where(filled, 3.0, -move)
    assert 0.2 < 1 - filled.mean() < 0.8
    assert abs(gain.mean()) < 4 * gain.std() / np.sqrt(len(gain))


def test_cheaper_than_taking_where_orders_are_filled():
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (300, 2)), axis=0))
    open_ = np.vstack([[100.0, 100.0], close[:-1]])
    high, low = np.maximum(open_, close) * 1.003, np.minimum(open_, close) * 0.997
    orders = RestingOrders.of(open_, high, low, np.ones((300, 2), dtype=bool), half_spread_bps=1.0)
    found = pair(orders, slippage=10.0)
    assert found.unfilled[0] == 0.0
    assert found.cost_bps[0] == pytest.approx(2 * (1.5 - 1.0))
