import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.market.second_bars import SecondBars


def bars_of(*coins, seconds=900) -> SecondBars:
    bars = SecondBars(seconds)
    bars.follow(coins)
    return bars


def test_a_bar_has_the_first_highest_lowest_and_last_mid_of_its_second():
    bars = bars_of("BTC")
    for wall, mid in ((1000.0, 5.0), (1000.3, 9.0), (1000.5, 2.0), (1000.999, 4.0), (1001.0, 7.0)):
        bars.take("BTC", mid, wall)
    frame = bars.frame(["BTC"])
    assert frame["time"].tolist() == [pd.Timestamp(second, unit="s", tz="UTC") for second in (1000, 1001)]
    assert frame[["open", "high", "low", "close"]].values.tolist() == [[5.0, 9.0, 2.0, 4.0], [7.0] * 4]


def test_a_second_without_a_mid_has_no_bar():
    bars = bars_of("BTC", "ETH")
    bars.take("BTC", 1.0, 1000.0)
    bars.take("BTC", 2.0, 1003.0)
    assert len(bars.frame(["BTC"])) == 2
    assert bars.frame(["ETH"]).empty
    assert list(bars.frame([]).columns) == ["coin", "time", "open", "high", "low", "close"]


@pytest.mark.parametrize("mid", [math.nan, math.inf, 0.0, -1.0])
def test_what_is_no_price_is_passed_over(mid):
    bars = bars_of("BTC")
    bars.take("BTC", mid, 1000.0)
    bars.take_all({"BTC": mid}, 1000.0)
    bars.take("NOPE", 1.0, 1000.0)
    assert bars.frame(["BTC", "NOPE"]).empty


def test_the_list_of_all_mids_fills_in_only_the_coins_that_were_not_quoted():
    bars = bars_of("BTC", "ETH")
    bars.take("BTC", 5.0, 1000.2)
    bars.take_all({"BTC": 4.0, "ETH": 3.0, "@107": 1.0}, 1000.4)
    assert bars.frame(["BTC", "ETH"])["close"].tolist() == [5.0, 3.0]


def test_what_fell_out_of_the_ring_is_forgotten():
    bars = bars_of("BTC", seconds=10)
    for second in range(25):
        bars.take("BTC", 1.0 + second, float(second))
    assert bars.frame(["BTC"])["close"].tolist() == [1.0 + second for second in range(15, 25)]
    bars.take("BTC", 99.0, 1000.0)
    assert bars.frame(["BTC"])["close"].tolist() == [99.0]


def test_where_the_wall_clock_was_set_back_later_seconds_never_were():
    bars = bars_of("BTC", seconds=100)
    for second in range(50):
        bars.take("BTC", 1.0 + second, float(second))
    bars.take("BTC", 7.0, 20.0)
    assert bars.newest == 20
    assert bars.frame(["BTC"])["close"].tolist() == [*(1.0 + second for second in range(20)), 7.0]


def test_following_others_keeps_the_bars_of_those_that_stay():
    bars = bars_of("BTC", "ETH")
    bars.take("BTC", 5.0, 1000.0)
    bars.take("ETH", 6.0, 1000.0)
    bars.follow(["SOL", "ETH"])
    assert bars.frame(["BTC", "SOL", "ETH"])["close"].tolist() == [6.0]


def test_steps_have_the_newest_close_and_stay_where_they_are_as_time_goes_on():
    bars = bars_of("BTC", "ETH", seconds=40)
    for second in range(1000, 1050):
        bars.take("BTC", float(second), float(second))
        if second < 1020:
            bars.take("ETH", 1.0, float(second))
    seconds, closes = bars.closes(["BTC", "ETH"], 8)
    assert seconds.tolist() == [1023, 1031, 1039, 1047, 1049], "multiples of eight since 1970, and the newest"
    assert closes[0].tolist() == seconds.tolist()
    assert np.isfinite(closes[1]).tolist() == [True, False, False, False, False]
    bars.take("BTC", 1050.0, 1050.0)
    later, _ = bars.closes(["BTC"], 8)
    assert later.tolist()[:4] == seconds.tolist()[:4]


def test_coins_that_are_not_followed_have_no_closes():
    _, closes = SecondBars().closes(["BTC"], 8)
    assert np.isnan(closes).all()
    bars = bars_of("ETH")
    bars.take("ETH", 1.0, 1000.0)
    _, closes = bars.closes(["BTC", "ETH"], 8)
    assert np.isnan(closes[0]).all()
    assert closes[1, -1] == 1.0


walks = st.lists(st.tuples(st.floats(-3, 30), st.integers(1, 9)), min_size=1, max_size=80)


@given(walks)
def test_the_ring_holds_what_a_plain_list_of_ticks_would(walk):
    bars, ticks, wall = bars_of("BTC", seconds=20), [], 1000.0
    for elapsed, mid in walk:
        wall += elapsed
        second = int(wall)
        if ticks and second < ticks[-1][0]:
            ticks = [one for one in ticks if one[0] < second]
        ticks = [one for one in ticks if one[0] > second - 20]
        bars.take("BTC", float(mid), wall)
        ticks.append((second, mid))
    expected = (
        pd.DataFrame(ticks, columns=["second", "mid"]).groupby("second")["mid"].agg(["first", "max", "min", "last"])
    )
    frame = bars.frame(["BTC"])
    assert frame[["open", "high", "low", "close"]].values.tolist() == expected.values.tolist()
