"""Inline SVG of the card: positions in per cent and text in pixels, so that nothing is scaled with the page."""

from html import escape

from widgets.card_view import Axis, Step

__all__ = ["gauge_svg", "waterfall_svg"]

_ROW_HEIGHT = 36


def gauge_svg(axis: Axis) -> str:
    """Return the z axis with entry and exit marks, the mark of now and the tick of the bar's close."""
    entry, exit_ = axis.z_in, axis.z_out
    parts = [
        _band(-axis.limit, -entry, axis, "hlp-band-entry"),
        _band(entry, axis.limit, axis, "hlp-band-entry"),
        _band(-exit_, exit_, axis, "hlp-band-exit"),
        '<line class="hlp-track" x1="3%" x2="97%" y1="40" y2="40"/>',
        *(_tick(value, axis, 12, "hlp-tick-entry") for value in (-entry, entry)),
        *(_tick(value, axis, 7, "hlp-tick-exit") for value in (-exit_, exit_)),
        _tick(0.0, axis, 4, "hlp-tick-zero"),
        _label(-entry, axis, f"entry −{entry:g}"),
        _label(0.0, axis, f"exit ±{exit_:g}"),
        _label(entry, axis, f"entry +{entry:g}"),
        _signal(axis),
        _now(axis),
    ]
    return (
        f'<svg class="hlp-gauge" width="100%" height="92" role="img" aria-label="{escape(axis.label)}">'
        f"{''.join(parts)}</svg>"
    )


def _at(value: float, axis: Axis) -> float:
    clamped = min(max(value, -axis.limit), axis.limit)
    return round(50 + 47 * clamped / axis.limit, 3)


def _band(start: float, stop: float, axis: Axis, css: str) -> str:
    left, right = _at(start, axis), _at(stop, axis)
    return f'<rect class="{css}" x="{left}%" width="{round(right - left, 3)}%" y="30" height="20" rx="4"/>'


def _tick(value: float, axis: Axis, reach: int, css: str) -> str:
    at = _at(value, axis)
    return f'<line class="{css}" x1="{at}%" x2="{at}%" y1="{40 - reach}" y2="{40 + reach}"/>'


def _label(value: float, axis: Axis, words: str) -> str:
    return f'<text x="{_at(value, axis)}%" y="82" text-anchor="middle">{escape(words)}</text>'


def _signal(axis: Axis) -> str:
    if axis.signal_z is None:
        return ""
    return (
        f'<svg class="hlp-move" x="{_at(axis.signal_z, axis)}%" y="58" overflow="visible">'
        '<path class="hlp-signal" d="M0 -6 L6 0 L0 6 L-6 0 Z"/></svg>'
    )


def _now(axis: Axis) -> str:
    if axis.z is None:
        return ""
    return (
        f'<svg class="hlp-move" x="{_at(axis.z, axis)}%" y="40" overflow="visible">'
        '<path class="hlp-pointer" d="M-7 -30 L7 -30 L0 -17 Z"/><circle class="hlp-now" r="8"/></svg>'
    )


def waterfall_svg(steps: tuple[Step, ...]) -> str:
    """Return one bar a step on a common scale; the numbers stand beside it as text."""
    ends = [end for step in steps for end in (step.start, step.stop) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(1 + 98 * (value - low) / span, 3)

    parts = [f'<line class="hlp-zero" x1="{place(0)}%" x2="{place(0)}%" y1="0" y2="{_ROW_HEIGHT * len(steps)}"/>']
    for row, step in enumerate(steps):
        if step.start is None or step.stop is None:
            continue
        left, right = sorted((place(step.start), place(step.stop)))
        kind = step.kind if step.kind != "net" or step.stop >= 0 else "cost"
        parts.append(
            f'<rect class="hlp-fall hlp-fall-{kind}" x="{left}%" width="{max(round(right - left, 3), 0.6)}%" '
            f'y="{row * _ROW_HEIGHT + 10}" height="{_ROW_HEIGHT - 20}" rx="2"/>'
        )
        if row + 1 < len(steps):
            parts.append(_link(place(step.stop), row))
    words = ", ".join(f"{step.label} {step.value} bps" for step in steps)
    return (
        f'<svg class="hlp-waterfall" width="100%" height="{_ROW_HEIGHT * len(steps)}" role="img" '
        f'aria-label="{escape(f"From reversion to net edge: {words}")}">{"".join(parts)}</svg>'
    )


def _link(at: float, row: int) -> str:
    top = row * _ROW_HEIGHT + _ROW_HEIGHT - 10
    return f'<line class="hlp-link" x1="{at}%" x2="{at}%" y1="{top}" y2="{top + 20}"/>'
