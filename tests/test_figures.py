"""Figures of the documentation: drawn by the project, and where the pages look for them."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.interval_chart import Mark, interval_chart
from benchmarks.svg import power_chart

ROOT = Path(__file__).resolve().parents[1]
SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_draws_larger_shares_higher_and_longer_half_lives_further_right() -> None:
    curves = {"168 bars": [(6.0, 1.0), (12.0, 0.5), (24.0, 0.0)], "a < b": [(6.0, 0.25), (24.0, 0.75)]}
    chart = ElementTree.fromstring(power_chart("p & q", curves, x_label="bars", y_label="share", level=0.05))
    lines = [line.get("points").split() for line in chart.iter(f"{SVG}polyline")]
    first, second = ([tuple(map(float, point.split(","))) for point in line] for line in lines)
    (left, top), (middle, half), (right, bottom) = first
    assert middle - left == pytest.approx(right - middle)
    assert half == pytest.approx((top + bottom) / 2)
    assert [x for x, _ in second] == [left, right]
    assert second[0][1] == pytest.approx(bottom - (bottom - top) / 4)
    words = [text.text for text in chart.iter(f"{SVG}text")]
    assert {"p & q", "a < b", "6", "12", "24", "50%"} <= set(words)


def test_a_chart_of_means_holds_zero_and_writes_the_worst_beside_each() -> None:
    nan = float("nan")
    groups = {
        "a < b": {"one": Mark(-30.0, -50.0, -10.0, -900.0), "two": Mark(-10.0, -20.0, -5.0, -1234.0)},
        "late": {"one": Mark(nan, nan, nan, nan)},
    }
    chart = ElementTree.fromstring(interval_chart("p & q", groups, x_label="bps"))
    one, two = chart.iter(f"{SVG}circle")
    words = {text.text: text for text in chart.iter(f"{SVG}text")}
    assert {"p & q", "a < b, one", "late, one", "-900", "-1,234", "nothing was traded", "0"} <= set(words)
    ticks = {value: float(words[value].get("x")) for value in ("-40", "-20", "0")}
    assert float(one.get("cx")) == pytest.approx((ticks["-40"] + ticks["-20"]) / 2, abs=0.1)
    assert float(two.get("cx")) == pytest.approx((ticks["-20"] + ticks["0"]) / 2, abs=0.1)
    bars = [line for line in chart.iter(f"{SVG}line") if line.get("stroke-width") == "2"]
    assert float(bars[1].get("x1")) == pytest.approx(ticks["-20"], abs=0.1)
    assert float(one.get("cy")) < float(two.get("cy"))
    assert one.get("fill") != two.get("fill")


def test_every_figure_is_shown_and_every_shown_figure_is_there() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    shown = set(re.findall(r"\]\(figures/([^)]+)\)", pages))
    assert shown == {figure.name for figure in (ROOT / "docs" / "figures").iterdir()}
