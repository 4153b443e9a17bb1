import numpy as np
import payloads
import pytest

from widgets.card_view import card_view
from widgets.sparkline import SparklineChart, round_levels, thinned, whole_minutes


def sparkline(**changes):
    return card_view(payloads.row(**changes), payloads.payload()["settings"], role="answer").sparkline


def test_the_line_is_on_a_utc_axis_whatever_offset_the_times_carry():
    chart = SparklineChart()
    line = {"t": ["2026-11-20T08:40:00-05:00", "2026-11-20T13:45:00Z"], "z": [2.0, 2.4]}
    chart.show(sparkline(sparkline=line))
    assert list(chart.figure.marks[2].x.astype("datetime64[s]").astype(str)) == [
        "2026-11-20T13:40:00", "2026-11-20T13:45:00",
    ]  # fmt: skip
    assert list(chart.figure.marks[2].y) == [2.0, 2.4]


def test_entry_and_exit_lines_are_drawn_on_both_sides():
    chart = SparklineChart()
    chart.show(sparkline())
    entry, exit_ = chart.figure.marks[0], chart.figure.marks[1]
    assert entry.y[:, 0].tolist() == [2.0, -2.0]
    assert exit_.y[:, 0].tolist() == [0.5, -0.5]


def test_the_scale_holds_the_line_and_a_threshold_near_it_but_not_one_far_away():
    chart = SparklineChart()
    chart.show(sparkline(zscore=2.41))
    scale = chart.figure.axes[1].scale
    assert scale.min < 2.0 < scale.max
    assert scale.min > 0.5


def test_a_line_that_stands_still_is_flat_and_not_torn_apart():
    chart = SparklineChart()
    still = {"t": ["2026-11-20T13:40:00Z", "2026-11-20T13:45:00Z"], "z": [1.1, 1.1]}
    chart.show(sparkline(sparkline=still))
    scale = chart.figure.axes[1].scale
    assert scale.max - scale.min >= 0.4


def test_one_point_or_none_leaves_the_chart_empty():
    chart = SparklineChart()
    chart.show(sparkline())
    chart.show(sparkline(sparkline={"t": [], "z": []}))
    assert [len(mark.x) for mark in chart.figure.marks] == [0, 0, 0, 0]


def test_the_number_of_marks_never_changes():
    chart = SparklineChart()
    before = list(chart.figure.marks)
    for z in (2.4, -3.0, 0.1):
        chart.show(sparkline(zscore=z))
    assert chart.figure.marks == before


def test_thinning_keeps_the_extremes_and_the_ends():
    times = np.arange(1800).astype("datetime64[s]")
    values = np.sin(np.arange(1800) / 50)
    values[777], values[1300] = 9.0, -9.0
    x, y = thinned(times, values)
    assert len(y) <= 402
    assert (y.max(), y.min()) == (9.0, -9.0)
    assert (x[0], x[-1]) == (times[0], times[-1])
    assert np.all(np.diff(x).astype(int) > 0)


@pytest.mark.parametrize(("low", "high"), [(1.84, 2.79), (-3.0, 4.0), (-0.2, 0.2), (0.0, 900.0)])
def test_levels_are_few_and_inside(low, high):
    levels = round_levels(low, high)
    assert 2 <= len(levels) <= 6
    assert low - 1e-9 <= levels.min()
    assert levels.max() <= high + 1e-9


def test_minutes_are_multiples_of_five():
    first, last = np.datetime64("2026-11-20T13:58:03.123"), np.datetime64("2026-11-20T14:13:03.123")
    assert list(whole_minutes(first, last).astype("datetime64[m]").astype(str)) == [
        "2026-11-20T14:00", "2026-11-20T14:05", "2026-11-20T14:10",
    ]  # fmt: skip
    soon = first + np.timedelta64(30, "s")
    assert list(whole_minutes(first, soon)) == [first, soon]


def test_a_line_of_less_than_five_minutes_is_labelled_to_the_second():
    chart = SparklineChart()
    young = {"t": ["2026-11-20T13:41:00Z", "2026-11-20T13:41:05Z"], "z": [2.0, 2.1]}
    chart.show(sparkline(sparkline=young))
    assert chart.figure.axes[0].tick_format == "%H:%M:%S"
    chart.show(sparkline())
    assert chart.figure.axes[0].tick_format == "%H:%M"
