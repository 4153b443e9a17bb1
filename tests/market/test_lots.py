"""Ticks and lots, against the exchange's own examples and the official SDK."""

import math
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from hyperliquid.exchange import Exchange
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.market import check_order, least_size, round_price, round_size, tick_at

PRICES = st.floats(1e-3, 9e4)
KINDS: Any = st.sampled_from(["perp", "spot"])
PERP_DECIMALS = st.integers(0, 5)


def sdk_price(price: float, sz_decimals: int, kind: Literal["perp", "spot"]) -> float:
    """What the SDK sends for a market order without slippage."""
    asset = 10_000 if kind == "spot" else 0
    info = SimpleNamespace(
        name_to_coin={"X": "X"}, coin_to_asset={"X": asset}, asset_to_sz_decimals={asset: sz_decimals}
    )
    return float(Exchange._slippage_price(SimpleNamespace(info=info), "X", True, 0.0, price))  # type: ignore[arg-type]


def is_allowed(price: float, sz_decimals: int, most: int) -> bool:
    """The rule in decimal notation: at most five figures and so many decimals, or an integer."""
    written = Decimal(repr(price)).normalize()
    decimals = max(0, -int(written.as_tuple().exponent))
    return decimals == 0 or (len(written.as_tuple().digits) <= 5 and decimals <= most - sz_decimals)


@pytest.mark.parametrize("price", [1234.5, 123456.0, 0.01, 99999.0, 1e6 + 1])
def test_a_price_that_the_exchange_allows_is_left_alone(price: float) -> None:
    for direction in ("nearest", "down", "up"):
        assert float(round_price(price, 1, direction=direction)) == price  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("price", "sz_decimals", "down", "up"),
    [
        (1234.56, 1, 1234.5, 1234.6),  # six figures
        (0.0012345, 0, 0.001234, 0.001235),  # seven decimals
        (12345.6, 5, 12345.0, 12346.0),  # six figures, so an integer
        (0.01234, 1, 0.01234, 0.01234),
        (0.012345, 1, 0.01234, 0.01235),  # six decimals where a size has one
        (9.99996, 0, 9.9999, 10.0),  # up into the next power of ten
    ],
)
def test_the_documented_examples_are_rounded_by_both_rules(
    price: float, sz_decimals: int, down: float, up: float
) -> None:
    assert float(round_price(price, sz_decimals, direction="down")) == down
    assert float(round_price(price, sz_decimals, direction="up")) == up


def test_a_spot_price_has_two_more_decimals() -> None:
    assert float(round_price(0.00123456, 2, "spot")) == 0.001235
    assert float(round_price(0.00123456, 2, "perp")) == 0.0012


@given(PRICES, PERP_DECIMALS, KINDS)
def test_prices_are_as_near_as_the_official_sdk_gets_and_it_accepts_them(price: float, places: int, kind: Any) -> None:
    theirs = sdk_price(price, places, kind)
    if theirs == 0:
        return
    ours = float(round_price(price, places, kind))
    assert sdk_price(ours, places, kind) == ours
    assert abs(ours - price) <= abs(theirs - price) * (1 + 1e-9)


@given(PRICES, PERP_DECIMALS, KINDS, st.sampled_from(["nearest", "down", "up"]))
def test_a_rounded_price_is_allowed_and_within_a_tick_on_the_right_side(
    price: float, places: int, kind: Any, direction: Any
) -> None:
    try:
        rounded = float(round_price(price, places, kind, direction))
    except InputError:
        assert price < 10.0 ** -((6 if kind == "perp" else 8) - places)
        return
    assert is_allowed(rounded, places, 6 if kind == "perp" else 8)
    assert abs(rounded - price) <= float(tick_at(price, places, kind)) * (1 + 1e-9)
    slack = 1e-9 * price
    assert direction != "down" or rounded <= price + slack
    assert direction != "up" or rounded >= price - slack


@pytest.mark.parametrize(
    ("price", "tick"), [(9999.9, 0.1), (10_000.0, 1.0), (math.nextafter(1000, 0), 0.01), (1000.0, 0.1), (0.5, 1e-5)]
)
def test_the_tick_changes_where_the_price_crosses_a_power_of_ten(price: float, tick: float) -> None:
    assert float(tick_at(price, 1)) == pytest.approx(tick, rel=1e-12)


def test_many_prices_are_rounded_at_once_and_unknown_ones_stay_unknown() -> None:
    got = round_price([1234.56, np.nan, 0.0012345], [1, 2, 0], direction="down")
    np.testing.assert_array_equal(got, [1234.5, np.nan, 0.001234])
    assert np.isnan(tick_at(np.nan, 2))


@given(st.floats(0, 1e7), st.integers(0, 8))
def test_a_size_is_cut_to_its_lot_and_never_grows(size: float, places: int) -> None:
    cut = float(round_size(size, places))
    assert cut <= size * (1 + 1e-11)
    assert size - cut < 10.0**-places * (1 + 1e-6)
    assert Decimal(repr(cut)).normalize().as_tuple().exponent >= -places  # type: ignore[operator]


def test_a_size_that_only_binary_numbers_miss_keeps_its_last_lot() -> None:
    assert float(round_size(0.1 + 0.2, 1)) == 0.3
    assert float(round_size(1.1 * 1.1, 2)) == 1.21


def test_the_least_size_is_worth_just_the_minimum_of_an_order() -> None:
    size = float(least_size(1670.1, 4))
    assert size == 0.006  # 10 / 1670.1 = 0.005988
    check_order(1670.1, size)
    with pytest.raises(InputError, match=r"ETH: 0.0059 at 1670.1 is 9.85 USD, the exchange takes orders from 10 USD"):
        check_order(1670.1, 0.0059, coin="ETH")


def test_what_cannot_be_rounded_is_refused() -> None:
    with pytest.raises(InputError, match="price is 0: use finite USD above 0"):
        tick_at(0, 1)
    with pytest.raises(InputError, match=r"a price of 1e-07 rounds down to 0: the smallest tick here is 1e-06"):
        round_price(1e-7, 0, direction="down")
    with pytest.raises(InputError, match="sz_decimals is 7: use whole numbers from 0 to 6"):
        round_price(1.0, 7)
    with pytest.raises(InputError, match=r"sz_decimals is 1\.5"):
        round_size(1.0, 1.5)
    with pytest.raises(InputError, match="kind is 'option'"):
        tick_at(1.0, 1, "option")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="direction is 'left'"):
        round_size(1.0, 1, "left")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"size is -1\.0: use finite base units of at least 0"):
        round_size(-1.0, 1)
