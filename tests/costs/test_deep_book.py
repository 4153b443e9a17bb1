"""Coarser books, against the full book that they were made of and two that were recorded at one moment."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import deep_slippage_bps, largest_fill_usd, slippage_bps
from hlpairs_core.exceptions import InputError

MID = 1000.05


def aggregated(levels: FloatArray, step: float, action: str, most: int = 20) -> FloatArray:
    """Levels as the exchange aggregates them: asks up, bids down."""
    outward = np.ceil if action == "buy" else np.floor
    price = outward(np.round(levels[:, 0] / step, 9)) * step
    kept = np.unique(price)[:: 1 if action == "buy" else -1][:most]
    return np.array([[level, levels[price == level, 1].sum()] for level in kept])


def drawn_side(seed: int, action: str) -> FloatArray:
    rng = np.random.default_rng(seed)
    away = np.cumsum(rng.integers(1, 4, 400)) * 0.1
    price = 1000 + away if action == "buy" else 1000.1 - away
    return np.column_stack([np.round(price, 1), rng.uniform(0.01, 5, 400)])


@given(st.integers(0, 10**6), st.sampled_from(["buy", "sell"]), st.floats(0.001, 0.999))
def test_a_coarser_book_never_prices_an_order_below_the_full_one(seed: int, action: Any, share: float) -> None:
    full = drawn_side(seed, action)
    books = {5: full[:20]} | {figures: aggregated(full, 10.0 ** (4 - figures), action) for figures in (4, 3, 2)}
    notional = share * min(largest_fill_usd({2: levels}) for levels in (full, books[2]))
    truth = float(slippage_bps(full, notional, mid=MID, action=action))
    fill = deep_slippage_bps(books, notional, mid=MID, action=action)
    assert fill.slippage_bps >= truth - 1e-9
    assert fill.is_upper_bound or fill.slippage_bps == pytest.approx(truth)


def test_the_finest_book_that_holds_the_order_is_walked() -> None:
    full = drawn_side(1, "buy")
    books = {5: full[:20], 4: aggregated(full, 1.0, "buy"), 2: aggregated(full, 100.0, "buy")}
    small = float(np.prod(full[0]))
    assert deep_slippage_bps(books, small, mid=MID, action="buy").significant_figures == 5
    assert deep_slippage_bps(books, largest_fill_usd({5: full[:20]}) + 1, mid=MID, action="buy") == (
        deep_slippage_bps({4: books[4]}, largest_fill_usd({5: full[:20]}) + 1, mid=MID, action="buy")
    )
    last = deep_slippage_bps(books, largest_fill_usd({4: books[4]}) + 1, mid=MID, action="buy")
    assert (last.significant_figures, last.is_upper_bound) == (2, True)


def test_an_order_that_no_book_holds_is_refused_with_the_size_that_fits() -> None:
    books = {5: [[100.0, 1.0]], 4: [[101.0, 3.0]]}
    said = (
        r"the book of BTC holds 303 USD to buy, down to 4 significant figures, and the order is 1,000 USD: .* 303 USD"
    )
    with pytest.raises(InputError, match=said):
        deep_slippage_bps(books, 1000, mid=99.5, action="buy", coin="BTC")
    assert deep_slippage_bps(books, largest_fill_usd(books), mid=99.5, action="buy").is_upper_bound
    with pytest.raises(InputError, match="the book holds 0 USD to sell"):
        deep_slippage_bps({5: []}, 10, mid=1.0, action="sell")


@pytest.mark.parametrize("books", [{}, {6: [[1.0, 1.0]]}, {1: [[1.0, 1.0]]}])
def test_books_of_other_aggregations_are_refused(books: dict[int, Any]) -> None:
    with pytest.raises(InputError, match=r"books by significant figures are .*: give one or more of 5"):
        largest_fill_usd(books)


@pytest.mark.recordings
def test_of_two_recorded_books_of_one_moment_the_coarser_one_holds_more_and_costs_more(protocol: Path) -> None:
    fine, coarse = (json.loads((protocol / f"l2book_btc_{name}.json").read_text()) for name in ("nsf5_m5", "nsf3"))
    assert fine["time"] == coarse["time"]
    for side, action in enumerate(("sell", "buy")):
        a, b = ([[float(level["px"]), float(level["sz"])] for level in book["levels"][side]] for book in (fine, coarse))
        notional, mid = largest_fill_usd({5: a}), 64900.5
        assert largest_fill_usd({3: b}) > notional
        near = deep_slippage_bps({5: a, 3: b}, 0.99 * notional, mid=mid, action=action)  # type: ignore[arg-type]
        far = deep_slippage_bps({3: b}, 0.99 * notional, mid=mid, action=action)  # type: ignore[arg-type]
        assert near.slippage_bps < far.slippage_bps
