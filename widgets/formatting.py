"""Numbers, times and sums as a reader sees them.

Unknown (None, NaN, infinite) is an em dash, never 0; a negative number carries a real minus sign. A value of
another type is a fault of the sender: `TypeError`.
"""

import math
from datetime import UTC, datetime

__all__ = [
    "UNKNOWN",
    "count",
    "duration",
    "finite",
    "hours",
    "number",
    "probability",
    "share",
    "signed",
    "text",
    "usd",
    "utc_time",
    "whole",
]

UNKNOWN = "—"
_MINUS = "−"
_LARGEST = 1e12  # beyond it a number has an exponent instead of a line of digits


def finite(value: object) -> float | None:
    """Return `value` as a finite float, None where it is unknown.

    Raises
    ------
    TypeError
        When it is not a number at all.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number or null, got {value!r}")
    return float(value) if math.isfinite(value) else None


def whole(value: object) -> int:
    """Return `value` as an integer count.

    Raises
    ------
    TypeError
        When it is not a finite number.
    """
    known = finite(value)
    if known is None:
        raise TypeError(f"expected a count, got {value!r}")
    return round(known)


def text(value: object) -> str:
    """Return `value` if it is a string.

    Raises
    ------
    TypeError
        When it is not.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _decimals(value: float, digits: int) -> str:
    shown = f"{abs(value):,.{digits}f}" if abs(value) < _LARGEST else f"{abs(value):.2e}"
    below_zero = value < 0 and any(digit in "123456789" for digit in shown)
    return f"{_MINUS}{shown}" if below_zero else shown


def number(value: object, digits: int = 2) -> str:
    """Return ``−1,234.50``."""
    known = finite(value)
    return UNKNOWN if known is None else _decimals(known, digits)


def signed(value: object, digits: int = 1) -> str:
    """Return ``+12.3``, ``−12.3`` or ``0.0``."""
    shown = number(value, digits)
    known = finite(value)
    positive = known is not None and known > 0 and any(digit in "123456789" for digit in shown)
    return f"+{shown}" if positive else shown


def usd(value: object, digits: int = 0, *, sign: bool = False) -> str:
    """Return ``$12,345``; with `sign` ``+$3.40`` or ``−$3.40``."""
    shown = signed(value, digits) if sign else number(value, digits)
    if shown == UNKNOWN:
        return shown
    head = shown[0] if shown[0] in f"+{_MINUS}" else ""
    return f"{head}${shown.removeprefix(head)}"


def count(value: object) -> str:
    """Return ``13,203``."""
    return number(value, 0)


def hours(value: object) -> str:
    """Return a length of time given in hours: ``40 min``, ``6.4 h`` or ``3.2 d``."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    if known < 1:
        return f"{number(known * 60, 0)} min"
    return f"{number(known, 1)} h" if known < 72 else f"{number(known / 24, 1)} d"


def duration(seconds: object) -> str:
    """Return an age given in seconds: ``34 s``, ``12 min``, ``3 h 20 min`` or ``2 d 4 h``."""
    known = finite(seconds)
    if known is None:
        return UNKNOWN
    left = max(0, round(known))
    if left < 90:
        return f"{left} s"
    minutes = round(left / 60)
    if minutes < 60:
        return f"{minutes} min"
    whole_hours, minutes = divmod(minutes, 60)
    if whole_hours < 24:
        return f"{whole_hours} h {minutes} min" if minutes else f"{whole_hours} h"
    return f"{whole_hours // 24} d {whole_hours % 24} h"


def probability(value: object) -> str:
    """Return a p or q value: four decimals, ``<0.0001`` below that."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    return "<0.0001" if 0 <= known < 0.0001 else f"{known:.4f}"


def share(value: object) -> str:
    """Return a share of a whole in percent, below 1 % with a decimal."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    return f"{100 * known:.{1 if known < 0.01 else 0}f}%"


def utc_time(iso: object, *, seconds: bool = True, date: bool = False) -> str:
    """Return the UTC time of an ISO 8601 text: ``13:45:02 UTC``, with `date` ``2026-11-10 13:45:02 UTC``.

    Raises
    ------
    TypeError, ValueError
        When it is not such a text.
    """
    if iso is None:
        return UNKNOWN
    moment = datetime.fromisoformat(text(iso))
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    clock = "%H:%M:%S UTC" if seconds else "%H:%M UTC"
    return moment.strftime(f"%Y-%m-%d {clock}" if date else clock)
