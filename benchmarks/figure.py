"""A small chart of lines on logarithmic axes, as SVG: no plotting library is needed to see how a cost grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from pathlib import Path

__all__ = ["Line", "Panel", "save"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 320, 58, 12, 34, 44
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7f7f7f")


@dataclass(frozen=True)
class Line:
    """One line: its name and its points, all positive."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """One pair of logarithmic axes with their lines; `ticks` are the labelled values of x."""

    title: str
    x_label: str
    y_label: str
    ticks: Sequence[float]
    lines: Sequence[Line]


def save(panels: Sequence[Panel], path: Path) -> None:
    """Write the panels, side by side, to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(f'<g transform="translate({i * WIDTH},0)">{_draw(panel)}</g>' for i, panel in enumerate(panels))
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT}" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="11" fill="#222"'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{background}{body}</svg>\n')


@dataclass(frozen=True)
class _Scale:
    """Position in pixels of a value between `low` and `high` on a logarithmic axis."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return round(self.start + share * (self.stop - self.start), 1)


def _draw(panel: Panel) -> str:
    values = [value for line in panel.lines for value in line.y]
    decades = range(floor(log10(min(values))), ceil(log10(max(values))) + 1)
    across = _Scale(min(panel.ticks), max(panel.ticks), LEFT, WIDTH - RIGHT - 66)
    up = _Scale(10.0 ** decades[0], 10.0 ** decades[-1], HEIGHT - BOTTOM, TOP)
    parts = [_text(LEFT, 18, panel.title, weight="bold"), _text(LEFT, HEIGHT - 8, panel.x_label)]
    parts.append(f'<g transform="translate(14,{HEIGHT - BOTTOM}) rotate(-90)">{_text(0, 0, panel.y_label)}</g>')
    parts += [_rule(across.start, across.stop, up(10.0**d), _seconds(d)) for d in decades]
    parts += [_text(across(tick), HEIGHT - BOTTOM + 16, f"{tick:,g}", anchor="middle") for tick in panel.ticks]
    parts += [_path(line, colour, across, up) for line, colour in zip(panel.lines, COLOURS, strict=False)]
    return "".join(parts)


def _seconds(decade: int) -> str:
    return f"{10.0**decade:,g}" if decade >= -3 else f"1e{decade}"


def _rule(start: float, stop: float, y: float, label: str) -> str:
    line = f'<line x1="{start}" x2="{stop}" y1="{y}" y2="{y}" stroke="#ddd"/>'
    return line + _text(start - 6, y + 4, label, anchor="end")


def _path(line: Line, colour: str, across: _Scale, up: _Scale) -> str:
    points = [(across(x), up(y)) for x, y in zip(line.x, line.y, strict=True)]
    joined = " ".join(f"{x},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in points)
    name = _text(points[-1][0] + 6, points[-1][1] + 4, line.name, fill=colour)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}{name}'


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", fill: str = "#222") -> str:
    look = f'text-anchor="{anchor}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x}" y="{y}" {look}>{escape(text)}</text>'
