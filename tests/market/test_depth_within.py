import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exchange import OrderBook
from hlpairs_core.market.depth import depth_within


def book(bids, asks) -> OrderBook:
    sides = (np.array(side, dtype=np.float64).reshape(-1, 2) for side in (bids, asks))
    return OrderBook("BTC", pd.Timestamp("2026-01-01", tz="UTC"), *sides)


def test_depth_is_the_notional_of_the_levels_within_the_distance():
    # By hand: the mid is 1000, 10 bps are 1 USD, 50 bps are 5 USD.
    shown = book([(999.5, 2), (999.0, 1), (996.0, 10)], [(1000.5, 1), (1004.0, 3), (1006.0, 5)])
    expected = [[999.5 * 2 + 999.0, 1000.5], [999.5 * 2 + 999.0 + 9960.0, 1000.5 + 3012.0]]
    np.testing.assert_allclose(depth_within(shown, (10, 50)), expected, rtol=1e-12)


def test_a_side_that_is_shown_to_its_last_level_only_is_unknown_beyond_it():
    bids = [(1000 - 0.1 * level, 1) for level in range(1, 21)]
    asks = [(1000 + 0.5 * level, 1) for level in range(1, 21)]
    (near, far) = depth_within(book(bids, asks), (10, 50))
    assert np.isfinite(near).all()
    assert np.isnan(far[0]), "20 bids that end 2 USD away say nothing of 5 USD"
    assert far[1] == pytest.approx(sum(1000 + 0.5 * level for level in range(1, 11)), rel=1e-3)


def test_a_side_with_fewer_levels_than_are_shown_is_known_whole():
    assert depth_within(book([(999, 1)], [(1001, 2)]), (1e4,)).tolist() == [[999.0, 2002.0]]


@pytest.mark.parametrize(("bids", "asks"), [([], [(1001, 1)]), ([(999, 1)], []), ([], [])])
def test_without_a_mid_nothing_is_known(bids, asks):
    assert np.isnan(depth_within(book(bids, asks), (10, 25, 50))).all()
