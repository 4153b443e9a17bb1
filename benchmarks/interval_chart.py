"""Means with their intervals and their worst twentieth, as SVG: a mean is not drawn without its worst."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Mark", "interval_chart"]

WIDTH, LEFT, RIGHT, TOP, BOTTOM, ROW = 640, 230, 150, 52, 44, 18
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


@dataclass(frozen=True)
class Mark:
    """A mean, its interval and the mean of the worst 5 %; NaN where there is none."""

    mean: float
    low: float
    high: float
    worst: float


def interval_chart(title: str, groups: Mapping[str, Mapping[str, Mark]], *, x_label: str) -> str:
    """Draw one row for each mark, a group after the other, on one scale that holds 0."""
    rows = [(group, name, mark) for group, marks in groups.items() for name, mark in marks.items()]
    names = list(dict.fromkeys(name for _, name, _ in rows))
    low, high, ticks = _scale([mark for _, _, mark in rows])
    height = TOP + ROW * len(rows) + 8 * len(groups) + BOTTOM

    def at(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    bottom = height - BOTTOM
    parts = [_text(12, 20, title, weight="bold"), _text(WIDTH - 12, 38, "worst 5 %", anchor="end")]
    for tick in ticks:
        colour = "#555555" if tick == 0 else "#dddddd"
        parts += [
            _line(at(tick), TOP - 6, at(tick), bottom, colour),
            _text(at(tick), bottom + 16, f"{tick:g}", "middle"),
        ]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, height - 8, x_label, "middle"))
    y, before = float(TOP - ROW / 2), ""
    for group, name, mark in rows:
        y += ROW + (8 if group != before and before else 0)
        before, colour = group, COLOURS[names.index(name) % len(COLOURS)]
        label = f"{group}, {name}" if group and name else group or name
        parts.append(_text(LEFT - 10, y + 4, label, "end"))
        parts += _mark(mark, y, at, colour)
    style = "font-family:sans-serif;font-size:12px;fill:#222222;background:#ffffff"
    box = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    body = "\n".join(["<rect width='100%' height='100%' fill='#ffffff'/>", *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} style="{style}" role="img">\n{body}\n</svg>\n'


def _mark(mark: Mark, y: float, at, colour: str) -> list[str]:  # type: ignore[no-untyped-def]
    if math.isnan(mark.mean):
        return [_text(at(0.0) + 8, y + 4, "nothing was traded")]
    drawn = [f'<circle cx="{at(mark.mean):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>']
    if math.isfinite(mark.low):
        drawn.insert(0, _line(at(mark.low), y, at(mark.high), y, colour, width=2))
    return [*drawn, _text(WIDTH - 12, y + 4, f"{mark.worst:,.0f}", "end")]


def _scale(marks: Sequence[Mark]) -> tuple[float, float, list[float]]:
    """Return ends and ticks of an axis that holds 0 and all intervals."""
    values = [value for mark in marks for value in (mark.mean, mark.low, mark.high) if math.isfinite(value)]
    low, high = min([0.0, *values]), max([0.0, *values])
    span = high - low or 1.0
    step = 10.0 ** math.floor(math.log10(span))
    step = next(part for part in (step / 5, step / 2, step, 2 * step) if span / part <= 7)
    first, last = math.floor(low / step), math.ceil(high / step)
    return first * step, last * step, [number * step for number in range(first, last + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'
