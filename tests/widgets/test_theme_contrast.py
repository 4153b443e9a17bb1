import re
from pathlib import Path

import pytest

import widgets

CSS = (Path(widgets.__file__).parent / "static" / "page.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"(--hlp-[\w-]+): (#[0-9a-f]{6})", block)) for block in CSS.split("}")[:2])
THEMES = {"light": LIGHT, "dark": DARK}

TEXT_ON = [
    *((ink, paper) for ink in ("ink", "ink-2", "ink-3") for paper in ("paper", "card", "sunk")),
    ("long", "long-soft"), ("long", "card"), ("long", "paper"),
    ("short", "short-soft"), ("short", "card"), ("short", "paper"),
    *((state, f"{state}-soft") for state in ("good", "warn", "bad")),
    *((ink, f"{state}-soft") for ink in ("ink", "ink-2") for state in ("warn", "bad", "long", "short")),
    ("bad", "card"), ("card", "ink"),
]  # fmt: skip
MARKS_ON = [("long-mark", "card"), ("short-mark", "card"), ("entry", "card"), ("ink-3", "card"), ("ink", "card")]


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(theme, first, second):
    """WCAG 2.2 contrast ratio."""
    bright, dark = sorted((luminance(THEMES[theme][f"--hlp-{name}"]) for name in (first, second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_ratio_is_that_of_wcag():
    assert (luminance("#ffffff") + 0.05) / (luminance("#000000") + 0.05) == pytest.approx(21.0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), TEXT_ON)
def test_text_is_readable(theme, ink, paper):
    assert contrast(theme, ink, paper) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("mark", "paper"), MARKS_ON)
def test_marks_can_be_told_from_their_ground(theme, mark, paper):
    assert contrast(theme, mark, paper) >= 3.0


def test_both_themes_name_the_same_colours():
    assert THEMES["light"].keys() == THEMES["dark"].keys()


def test_long_and_short_are_the_okabe_ito_blue_and_vermillion():
    assert THEMES["light"]["--hlp-long-mark"] == "#0072b2"
    assert THEMES["light"]["--hlp-short-mark"] == "#d55e00"
