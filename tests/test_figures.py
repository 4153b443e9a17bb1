"""Figures of the documentation: drawn by the project, and where the pages look for them."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

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


def test_every_figure_is_shown_and_every_shown_figure_is_there() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    shown = set(re.findall(r"\]\(figures/([^)]+)\)", pages))
    assert shown == {figure.name for figure in (ROOT / "docs" / "figures").iterdir()}
