import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.costs import average_fill_price, book_depth_usd, slippage_bps, walk_book
from hlpairs_core.exceptions import InputError

ASKS = [[100.0, 1.0], [101.0, 2.0], [105.0, 1.0]]  # 100 + 202 + 105 = 407 USD
BIDS = [[99.0, 1.0], [98.0, 2.0]]


def test_an_order_within_the_best_level_pays_its_price() -> None:
    fill = walk_book(ASKS, 60.0)
    assert fill.average_price == pytest.approx(100.0)
    assert (fill.filled_usd, fill.depth_usd, fill.levels_used, fill.complete) == (60.0, 407.0, 1, True)


def test_an_order_over_two_levels_pays_what_a_hand_computation_says() -> None:
    # 100 USD buy 1 unit, the other 101 USD buy 1 unit at 101: 201 USD for 2 units.
    fill = walk_book(ASKS, 201.0)
    assert fill.average_price == pytest.approx(100.5)
    assert fill.levels_used == 2


def test_the_whole_visible_side_can_be_taken_but_not_a_cent_more() -> None:
    assert walk_book(ASKS, 407.0).average_price == pytest.approx(407 / 4)
    beyond = walk_book(ASKS, 407.01)
    assert np.isnan(beyond.average_price)
    assert not beyond.complete
    assert (beyond.filled_usd, beyond.depth_usd, beyond.levels_used) == (407.0, 407.0, 3)


def test_an_empty_side_fills_nothing() -> None:
    fill = walk_book(np.empty((0, 2)), 10.0)
    assert np.isnan(fill.average_price)
    assert (fill.filled_usd, fill.depth_usd, fill.levels_used) == (0.0, 0.0, 0)


@pytest.mark.parametrize("notional", [0.0, -5.0, np.nan, np.inf])
def test_an_order_without_a_positive_size_is_refused(notional: float) -> None:
    with pytest.raises(InputError, match="notional of an order"):
        walk_book(ASKS, notional)


@pytest.mark.parametrize(
    "levels",
    [[[100.0, 0.0]], [[-1.0, 1.0]], [[np.nan, 1.0]], [[100.0, np.inf]]],
)
def test_a_level_that_is_no_order_is_refused(levels: list[list[float]]) -> None:
    with pytest.raises(InputError, match="book level"):
        walk_book(levels, 10.0)


def test_levels_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(1, 3\)"):
        walk_book([[100.0, 1.0, 2.0]], 10.0)


def test_a_buyer_pays_more_and_a_seller_gets_less_than_the_mid() -> None:
    # mid 99.5; buying 201 USD at 100.5 costs 1/99.5, selling 197 USD at 98.5 likewise.
    assert float(slippage_bps(ASKS, 201.0, mid=99.5, action="buy")) == pytest.approx(1e4 * 1 / 99.5)
    assert float(slippage_bps(BIDS, 99.0 + 98.0, mid=99.5, action="sell")) == pytest.approx(1e4 * 1 / 99.5)


def test_slippage_of_a_tiny_order_is_half_the_spread() -> None:
    assert float(slippage_bps(ASKS, 1e-6, mid=99.5, action="buy")) == pytest.approx(1e4 * 0.5 / 99.5)


def test_slippage_beyond_the_book_is_unknown_for_that_order_only() -> None:
    got = slippage_bps(ASKS, np.array([50.0, 500.0]), mid=99.5, action="buy")
    assert np.isfinite(got).tolist() == [True, False]


@pytest.mark.parametrize("mid", [0.0, -1.0, np.nan])
def test_slippage_against_no_mid_is_refused(mid: float) -> None:
    with pytest.raises(InputError, match="mid"):
        slippage_bps(ASKS, 10.0, mid=mid, action="buy")


def test_slippage_of_an_unknown_action_is_refused() -> None:
    with pytest.raises(InputError, match="'hold'"):
        slippage_bps(ASKS, 10.0, mid=99.5, action="hold")  # type: ignore[arg-type]


@given(
    steps=st.lists(st.floats(0.001, 5), min_size=1, max_size=8),
    sizes=st.lists(st.floats(0.01, 50), min_size=8, max_size=8),
    share=st.floats(0.01, 0.99),
)
def test_the_average_agrees_with_filling_level_by_level(steps: list[float], sizes: list[float], share: float) -> None:
    prices = 100 + np.cumsum(steps)
    levels = np.column_stack([prices, sizes[: len(steps)]])
    wanted = share * book_depth_usd(levels)
    left, units = wanted, 0.0
    for price, size in levels:
        taken = min(left, price * size)
        units, left = units + taken / price, left - taken
    assert float(average_fill_price(levels, wanted)) == pytest.approx(wanted / units)


@pytest.mark.recordings
def test_a_recorded_book_prices_an_order_between_its_best_and_worst_level(protocol: Path) -> None:
    reply = json.loads((protocol / "l2book_btc_nsf5_m5.json").read_text())
    asks = np.array([[float(level["px"]), float(level["sz"])] for level in reply["levels"][1]])
    fill = walk_book(asks, 0.9 * book_depth_usd(asks))
    assert asks[0, 0] < fill.average_price < asks[-1, 0]
