import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.events import Trade
from hlpairs_core.market.trade_bars import TradeBars

SECOND = 1000


def trade(time, price=1.0, size=1.0, is_buy=True, tid=0) -> Trade:
    return Trade(time, price, size, is_buy, tid)


def fields(bar):
    return bar.open, bar.high, bar.low, bar.close, bar.volume


def test_a_bar_has_the_first_dearest_cheapest_and_last_price_and_the_sums_of_its_trades():
    bars = TradeBars(60 * SECOND)
    bars.take("BTC", [trade(59_000, 7.0)])
    bars.take("BTC", [trade(60_000, 10.0, 2.0), trade(61_000, 14.0, 1.0, is_buy=False), trade(119_999, 9.0, 4.0)])
    bars.take("BTC", [trade(120_000, 99.0)])
    bar = bars.bar("BTC", 60_000)
    assert fields(bar) == (10.0, 14.0, 9.0, 9.0, 7.0)
    assert (bar.buy_volume, bar.sell_volume, bar.notional) == (6.0, 1.0, 20 + 14 + 36)
    assert (bar.trades, bar.is_complete) == (3, True)


def test_a_late_trade_still_counts_in_its_bar():
    bars = TradeBars(SECOND)
    bars.take("BTC", [trade(900, 5.0)])
    bars.take("BTC", [trade(1_500, 10.0), trade(2_100, 11.0)])
    bars.take("BTC", [trade(1_100, 8.0), trade(1_900, 12.0)])
    assert fields(bars.bar("BTC", 1_000)) == (8.0, 12.0, 8.0, 12.0, 3.0)


def test_of_trades_at_one_moment_the_first_heard_opens_and_the_last_heard_closes():
    bars = TradeBars(SECOND)
    bars.take("BTC", [trade(1_000, 1.0), trade(1_000, 3.0), trade(1_000, 2.0)])
    assert fields(bars.bar("BTC", 1_000)) == (1.0, 3.0, 1.0, 2.0, 3.0)


def test_a_bar_that_began_before_its_trades_were_heard_is_not_complete():
    bars = TradeBars(SECOND)
    bars.take("BTC", [trade(2_000), trade(2_500), trade(3_500)])
    assert not bars.bar("BTC", 2_000).is_complete, "others at the same moment may have been cut off"
    assert bars.bar("BTC", 3_000).is_complete
    assert bars.bar("BTC", 1_000) is None
    assert bars.bar("ETH", 3_000) is None


def test_a_bar_without_trades_is_known_to_have_none():
    bars = TradeBars(SECOND, kept=4)
    bars.take("BTC", [trade(500), trade(1_500), trade(3_500)])
    bar = bars.bar("BTC", 2_000)
    assert (bar.volume, bar.trades, bar.is_complete) == (0.0, 0, True)
    assert math.isnan(bar.close)
    assert bar.differences(open=1.0, high=1.0, low=1.0, close=1.0, volume=0.0) == ()
    assert bar.differences(open=1.0, high=1.0, low=1.0, close=1.0, volume=0.5) == ("volume",)


def test_after_an_interruption_bars_are_complete_again_from_the_next_trades_on():
    bars = TradeBars(SECOND)
    bars.take("BTC", [trade(500), trade(1_500)])
    bars.interrupt("BTC")
    assert not bars.bar("BTC", 1_000).is_complete
    bars.take("BTC", [trade(2_500), trade(3_500)])
    assert [bars.bar("BTC", time).is_complete for time in (1_000, 2_000, 3_000)] == [False, False, True]


def test_only_the_newest_bars_are_kept():
    bars = TradeBars(SECOND, kept=2)
    for second in range(10):
        bars.take("BTC", [trade(second * SECOND)])
    assert bars.bar("BTC", 7_000) is None
    assert bars.bar("BTC", 8_000).trades == 1
    bars.keep_from(9_000)
    assert bars.bar("BTC", 8_000) is None
    assert bars.bar("BTC", 9_000).trades == 1
    bars.keep_only(["ETH"])
    assert bars.bar("BTC", 9_000) is None


def test_a_candle_that_the_trades_contradict_is_told_by_its_fields():
    bars = TradeBars(SECOND)
    bars.take("BTC", [trade(0), trade(1_000, 2.0, 0.1), trade(1_001, 3.0, 0.2)])
    bar = bars.bar("BTC", 1_000)
    right = {"open": 2.0, "high": 3.0, "low": 2.0, "close": 3.0, "volume": 0.3}
    assert bar.differences(**right) == ()
    assert bar.differences(**right | {"high": 4.0}) == ("high",)
    assert bar.differences(**right | {"open": 1.0, "volume": 0.2}) == ("open", "volume")


@pytest.mark.parametrize(("step", "kept"), [(999, 3), (0, 3), (1000, 0)])
def test_bars_below_a_second_are_refused(step, kept):
    with pytest.raises(InputError, match="use at least 1000 ms"):
        TradeBars(step, kept=kept)


prints = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(1, 1000), st.integers(1, 100), st.booleans()), min_size=1, max_size=60
)


@given(prints=prints, step=st.sampled_from([1000, 3000, 7000]), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_bars_are_those_of_pandas_however_the_trades_are_cut_into_messages(prints, step, cuts):
    ordered = sorted(prints, key=lambda one: one[0])
    trades = [trade(time, price / 8, size / 4, buy) for time, price, size, buy in ordered]
    bars = TradeBars(step, kept=100)
    edges = [0, *sorted(min(cut, len(trades)) for cut in cuts), len(trades)]
    for first, last in pairwise(edges):
        bars.take("BTC", trades[first:last])
    frame = pd.DataFrame([(one.time, one.price, one.size) for one in trades], columns=["time", "price", "size"])
    expected = frame.groupby(frame["time"] // step * step).agg(
        open=("price", "first"), high=("price", "max"), low=("price", "min"), close=("price", "last"),
        volume=("size", "sum"),
    )  # fmt: skip
    built = [fields(bars.bar("BTC", int(time))) for time in expected.index]
    np.testing.assert_allclose(built, expected.to_numpy(), rtol=1e-12)
