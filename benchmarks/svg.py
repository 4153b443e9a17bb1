"""Line charts as SVG, by hand: enough for the figures of `docs/`, and no plotting library to install."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 130, 34, 46
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")

Curve = Sequence[tuple[float, float]]


def power_chart(title: str, curves: Mapping[str, Curve], *, x_label: str, y_label: str, level: float | None) -> str:
    """Draw shares (0 to 1) over a logarithmic x axis with one labelled tick per x of the curves.

    A `level` is drawn as a dashed line: what a gate passes by luck.
    """
    ticks = sorted({x for curve in curves.values() for x, _ in curve})
    low, high = math.log(ticks[0]), math.log(ticks[-1])

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - low) / (high - low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), TOP + (1.0 - y) * (HEIGHT - TOP - BOTTOM)

    parts = [_text(LEFT, 20, title, "bold")]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = at(ticks[0], share)
        parts += [_line(LEFT, y, WIDTH - RIGHT, y, "#dddddd"), _text(LEFT - 6, y + 4, f"{share:.0%}", anchor="end")]
    for tick in ticks:
        x, y = at(tick, 0.0)
        parts += [_line(x, y, x, y + 4, "#555555"), _text(x, y + 18, f"{tick:g}", anchor="middle")]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, anchor="middle"))
    turned = f"translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"
    parts.append(f'<g transform="{turned}">{_text(0, 0, y_label, anchor="middle")}</g>')
    if level is not None:
        _, y = at(ticks[0], level)
        parts += [_line(LEFT, y, WIDTH - RIGHT, y, "#555555", dash="4 3")]
    for number, (name, curve) in enumerate(curves.items()):
        parts += _curve(name, [at(x, y) for x, y in curve], number)
    style = "font-family:sans-serif;font-size:12px;fill:#222222;background:#ffffff"
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    body = "\n".join(["<rect width='100%' height='100%' fill='#ffffff'/>", *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} style="{style}" role="img">\n{body}\n</svg>\n'


def _curve(name: str, points: Sequence[tuple[float, float]], number: int) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    key = TOP + 8 + 20 * number
    where = WIDTH - RIGHT + 12
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<line x1="{where}" y1="{key}" x2="{where + 18}" y2="{key}" stroke="{colour}" stroke-width="2"/>',
        _text(where + 24, key + 4, name),
    ]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "none") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-dasharray="{dash}"/>'


def _text(x: float, y: float, words: str, weight: str = "normal", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'
