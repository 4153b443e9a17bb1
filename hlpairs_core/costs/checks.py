"""Checks of numbers that people write: costs and settings."""

import math
from numbers import Integral, Real

from hlpairs_core.exceptions import InputError

__all__ = ["check_choice", "check_integer", "check_number"]


def check_number(
    field: str, value: object, *, low: float, high: float, low_open: bool = False, high_open: bool = False
) -> None:
    """Refuse anything but a finite number between two bounds.

    Parameters
    ----------
    field : str
        Name of the field, for the message.
    value : object
        What was given; a bool, a text or NaN is refused.
    low, high : float
        Bounds; infinite where there is none.
    low_open, high_open : bool
        Whether the bound itself is refused.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """
    number = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    above = number > low if low_open else number >= low
    below = number < high if high_open else number <= high
    if math.isfinite(number) and above and below:
        return
    raise InputError(f"{field} is {value!r}: use {_range_text(low, high, low_open, high_open)}")


def check_integer(field: str, value: object, *, low: int, high: int) -> None:
    """Refuse anything but a whole number from `low` to `high`, both included.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise InputError(f"{field} is {value!r}: use a whole number from {low} to {high}")


def check_choice(field: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse anything but one of some words.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{field} is {value!r}: use one of {', '.join(map(repr, choices))}")


def _range_text(low: float, high: float, low_open: bool, high_open: bool) -> str:
    lower = f"{'above' if low_open else 'at least'} {low:g}" if math.isfinite(low) else ""
    upper = f"{'below' if high_open else 'at most'} {high:g}" if math.isfinite(high) else ""
    bounds = " and ".join(bound for bound in (lower, upper) if bound)
    return f"a finite number {bounds}".rstrip()
