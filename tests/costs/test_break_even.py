"""Break-even deviation and largest size, against the screen's own expectation and its own price of the legs."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.costs import (
    CostModel,
    break_even_z,
    largest_size_in_books,
    largest_size_with_edge,
    slippage_bps,
    square_root_slippage_bps,
)
from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange import OrderBook
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.edge import expected_edge

NOON = pd.Timestamp("2025-01-01T12:00Z")
ROW = {
    "sigma": 0.01,
    "beta": 1.0,
    "half_life_hours": 10.0,
    "gross_bps": 80.0,
    "fee_bps": 9.0,
    "slippage_bps": 6.0,
    "funding_bps": 0.0,
    "notional_y_usd": 5000.0,
    "notional_x_usd": 5000.0,
}


def candidate(**fields: Any) -> Any:
    return SimpleNamespace(**ROW | fields)


@given(
    sigma=st.floats(1e-3, 0.1),
    beta=st.floats(-3, 3),
    half_life=st.floats(0.1, 500),
    z_out=st.sampled_from([0.0, 0.3, 1.0]),
    cost=st.floats(0.1, 300),
)
def test_at_the_break_even_the_screen_expects_just_the_costs(
    sigma: float, beta: float, half_life: float, z_out: float, cost: float
) -> None:
    settings = ScreenSettings(z_out=z_out)
    pair = candidate(sigma=sigma, beta=beta, half_life_hours=half_life, fee_bps=cost, slippage_bps=0.0)
    z = break_even_z(pair, settings=settings)
    edge = expected_edge(
        np.atleast_1d(z),
        sigma=np.array([sigma]),
        beta=np.array([beta]),
        half_life_hours=np.array([half_life]),
        fee_bps=np.array([cost]),
        slippage_bps=np.array([0.0]),
        funding_bps_per_hour=np.array([0.0]),
        entry_time=NOON,
        settings=settings,
    )
    assert edge.gross_bps[0] == pytest.approx(cost, rel=1e-9)


def test_a_break_even_by_hand_is_met() -> None:
    # 15 bps over 1e4 x 0.01 / 2 = 50 bps a unit of z: 0.3 beyond the exit at 0.5.
    assert float(break_even_z(candidate(), settings=ScreenSettings())) == pytest.approx(0.8)
    # 20 USD of gas on 10,000 USD are 20 bps, and 5 bps for the loan.
    dearer = break_even_z(candidate(), settings=ScreenSettings(), gas_usd=20.0, flash_loan_bps=5.0)
    assert float(dearer) == pytest.approx(1.3)


def test_funding_may_pay_for_everything() -> None:
    assert float(break_even_z(candidate(funding_bps=20.0), settings=ScreenSettings())) == 0.0


def test_tables_are_answered_row_by_row_and_unknown_costs_stay_unknown() -> None:
    table = pd.DataFrame([ROW, ROW | {"slippage_bps": np.nan}, ROW | {"half_life_hours": np.nan}, ROW | {"sigma": 0.0}])
    np.testing.assert_allclose(break_even_z(table, settings=ScreenSettings()), [0.8, np.nan, np.nan, np.nan])


LIQUIDITY: Any = {"day_notional_usd": (1e6, 4e6), "day_volatility_bps": (500.0, 300.0)}


def net_under_the_law(pair: Any, size: float, costs: CostModel, gas_usd: float) -> float:
    weights = (1 / (1 + abs(pair.beta)), abs(pair.beta) / (1 + abs(pair.beta)))
    legs = zip(weights, LIQUIDITY["day_notional_usd"], LIQUIDITY["day_volatility_bps"], strict=True)
    slippage = sum(
        weight * 2 * float(square_root_slippage_bps(weight * size, day_notional_usd=volume, day_volatility_bps=sigma))
        for weight, volume, sigma in legs
    )
    slippage *= costs.slippage_multiple
    return float(pair.gross_bps - pair.fee_bps + pair.funding_bps - slippage - 1e4 * gas_usd / size)


@given(st.floats(15, 500), st.floats(0.1, 3), st.sampled_from([0.0, 0.5, 5.0]), st.sampled_from([0.5, 1.0, 2.0]))
def test_under_the_law_the_edge_is_zero_at_the_largest_size_and_below_beyond(
    gross: float, beta: float, gas_usd: float, multiple: float
) -> None:
    pair, costs = candidate(gross_bps=gross, beta=beta), CostModel(slippage_multiple=multiple)
    size = float(largest_size_with_edge(pair, **LIQUIDITY, costs=costs, gas_usd=gas_usd))
    if size == 0:
        sizes = np.geomspace(20 * max(beta, 1 / beta), 1e9, 100)
        assert max(net_under_the_law(pair, one, costs, gas_usd) for one in sizes) < 1e-9
    else:
        assert net_under_the_law(pair, size, costs, gas_usd) == pytest.approx(0, abs=1e-6)
        assert net_under_the_law(pair, 1.01 * size, costs, gas_usd) < 0


def test_sizes_that_are_none_unbounded_or_unknown_say_so() -> None:
    table = pd.DataFrame([ROW | {"gross_bps": gross} for gross in (5.0, 80.0, np.nan)])
    none, some, unknown = largest_size_with_edge(table, **LIQUIDITY, costs=CostModel())
    assert none == 0
    assert some > 0
    assert np.isnan(unknown)
    free = largest_size_with_edge(candidate(), **LIQUIDITY, costs=CostModel(slippage_multiple=0.0))
    assert np.isinf(free)
    dead = largest_size_with_edge(
        candidate(), day_notional_usd=(0.0, 1e6), day_volatility_bps=(1.0, 1.0), costs=CostModel()
    )
    assert np.isnan(dead)


def test_a_size_below_the_least_order_is_none() -> None:
    thin: Any = {"day_notional_usd": (100.0, 100.0), "day_volatility_bps": (500.0, 500.0)}
    assert float(largest_size_with_edge(candidate(), **thin, costs=CostModel())) == 0.0


def book(depth_usd: float, *, step: float = 1e-4, levels: int = 20) -> OrderBook:
    away = np.arange(1, levels + 1) * step
    size = np.full(levels, depth_usd / levels)
    asks, bids = (np.column_stack([100 * (1 + sign * away), size / (100 * (1 + sign * away))]) for sign in (1, -1))
    return OrderBook("X", NOON, bids, asks)


def net_in_books(pair: Any, size: float, books: tuple[OrderBook, OrderBook], gas_usd: float = 0.0) -> float:
    total = 0.0
    for one in books:
        for side, action in ((one.asks, "buy"), (one.bids, "sell")):
            total += 0.5 * float(slippage_bps(side, size / 2, mid=one.mid, action=action))  # type: ignore[arg-type]
    return float(pair.gross_bps - pair.fee_bps - total - 1e4 * gas_usd / size)


@pytest.mark.parametrize("gas_usd", [0.0, 5.0])
def test_in_books_the_edge_turns_at_the_largest_size(gas_usd: float) -> None:
    books, pair = (book(20_000), book(40_000)), candidate(gross_bps=20.0)
    size = largest_size_in_books(pair, books=books, costs=CostModel(), gas_usd=gas_usd)
    assert net_in_books(pair, size, books, gas_usd) > -1e-9
    assert net_in_books(pair, 1.001 * size, books, gas_usd) < 0
    doubled = largest_size_in_books(pair, books=books, costs=CostModel(slippage_multiple=2.0), gas_usd=gas_usd)
    assert doubled < size


def test_a_book_that_is_emptied_before_the_edge_is_gone_bounds_the_size() -> None:
    got = largest_size_in_books(candidate(gross_bps=500.0), books=(book(20_000), book(40_000)), costs=CostModel())
    assert got == pytest.approx(2 * 20_000)
    empty = OrderBook("X", NOON, np.empty((0, 2)), np.empty((0, 2)))
    assert largest_size_in_books(candidate(), books=(book(20_000), empty), costs=CostModel()) == 0.0


def test_without_an_edge_or_without_knowing_it_no_size_is_told() -> None:
    books = (book(20_000), book(40_000))
    assert largest_size_in_books(candidate(gross_bps=8.0), books=books, costs=CostModel()) == 0.0
    assert np.isnan(largest_size_in_books(candidate(gross_bps=np.nan), books=books, costs=CostModel()))


def test_negative_extras_are_refused() -> None:
    with pytest.raises(InputError, match="gas_usd is -1"):
        break_even_z(candidate(), settings=ScreenSettings(), gas_usd=-1)
    with pytest.raises(InputError, match="flash_loan_bps is -1"):
        largest_size_with_edge(candidate(), **LIQUIDITY, costs=CostModel(), flash_loan_bps=-1)
    with pytest.raises(InputError, match="gas_usd is nan"):
        largest_size_in_books(candidate(), books=(book(1e4), book(1e4)), costs=CostModel(), gas_usd=np.nan)
