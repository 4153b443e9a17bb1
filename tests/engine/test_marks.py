import math

import pytest

from hlpairs_core.engine.marks import MidsWindow, iso

FROZEN = {"alpha": 0.5, "beta": 2.0, "mean": 0.0, "sigma": 0.1}


def test_a_sparkline_point_is_the_frozen_z_of_the_mids():
    window = MidsWindow()
    window.append(1_000.0, {"A": math.e**2, "B": math.e**0.7})
    spark = window.sparkline("A", "B", **FROZEN)
    assert spark["z"] == [pytest.approx((2 - 0.5 - 2 * 0.7) / 0.1)]
    assert spark["t"] == ["1970-01-01T00:16:40.000Z"]


def test_ticks_without_a_usable_mid_are_a_gap_and_not_a_number():
    window = MidsWindow()
    for second, mids in enumerate([{"A": 1.0}, {"A": 1.0, "B": 0.0}, {"A": -1.0, "B": 1.0}, {"A": 1.0, "B": 1.0}]):
        window.append(10.0 * second, mids)
    assert window.sparkline("A", "B", **FROZEN)["t"] == [iso(30.0)]


def test_what_is_older_than_the_window_is_forgotten_and_the_rest_thinned_to_the_newest_of_each_step():
    window = MidsWindow(seconds=900.0)
    for second in range(2_000):
        window.append(float(second), {"A": 1.0 + second, "B": 1.0})
    spark = window.sparkline("A", "B", **FROZEN)
    assert len(spark["z"]) in (120, 121)
    assert spark["t"][-1] == iso(1999.0)
    assert spark["t"][0] >= iso(1999.0 - 900.0)


def test_a_drawn_point_stays_where_it_is_when_time_goes_on():
    window = MidsWindow(seconds=900.0)
    for second in range(600):
        window.append(float(second), {"A": 1.0 + second, "B": 1.0})
    before = window.sparkline("A", "B", **FROZEN)
    window.append(600.0, {"A": 601.0, "B": 1.0})
    after = window.sparkline("A", "B", **FROZEN)
    assert after["t"][: len(before["t"]) - 1] == before["t"][:-1]


def test_a_pair_without_spread_has_no_sparkline():
    window = MidsWindow()
    window.append(0.0, {"A": 1.0, "B": 1.0})
    assert window.sparkline("A", "B", alpha=0.0, beta=1.0, mean=0.0, sigma=0.0) == {"t": [], "z": []}
