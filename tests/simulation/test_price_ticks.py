import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hlpairs_core.simulation.coins import Coin, CoinKind
from hlpairs_core.simulation.wire import on_price_tick, on_tick

prices = st.floats(1e-4, 99_999.0, allow_nan=False)


@given(price=prices, size_decimals=st.integers(0, 5), kind=st.sampled_from(["perp", "builder", "spot"]))
def test_prices_are_rounded_as_the_official_sdk_rounds_them(price: float, size_decimals: int, kind: CoinKind) -> None:
    coin = Coin("AAA", size_decimals, 3, 3, kind=kind)
    # hyperliquid/exchange.py of the SDK: five figures, then 6 (spot 8) decimals less those of a size.
    expected = round(float(f"{price:.5g}"), (8 if kind == "spot" else 6) - size_decimals)
    moved = float(on_price_tick(price, coin.price_decimals))
    # Both round once or twice, and may differ where the price lies halfway.
    tick = 10.0 ** -min(coin.price_decimals, max(0, 4 - int(np.floor(np.log10(price)))))
    assume(abs((price / tick) % 1 - 0.5) > 1e-3)
    assert moved == pytest.approx(expected, abs=tick * 1e-6)


@given(price=prices, price_decimals=st.integers(0, 8))
def test_a_price_lies_between_its_neighbours_on_the_tick(price: float, price_decimals: int) -> None:
    down, up = (float(on_price_tick(price, price_decimals, towards=way)) for way in ("down", "up"))
    nearest = float(on_price_tick(price, price_decimals))
    assert down <= price * (1 + 1e-9)
    assert up >= price * (1 - 1e-9)
    assert nearest in (down, up)


@given(price=prices, size_decimals=st.integers(0, 5))
def test_a_perpetual_may_be_given_by_the_decimals_of_its_sizes(price: float, size_decimals: int) -> None:
    assert float(on_tick(price, size_decimals)) == float(on_price_tick(price, 6 - size_decimals))
