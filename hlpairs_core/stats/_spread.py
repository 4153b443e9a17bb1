"""Reading a spread and the options that go with it, with errors that name what was wrong."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError

__all__ = ["not_negative", "positive", "read_pair", "read_spread", "share"]

# Beyond these, squares overflow or vanish.
_LARGEST, _SMALLEST = 1e50, 1e-50


def read_spread(spread: pd.Series | ArrayLike, *, name: str = "spread", least: int) -> FloatArray:
    """Read one series of numbers that moves, at least `least` bars long.

    Raises
    ------
    InputError
        If it is not one-dimensional, not numeric, too short, has a gap, or is constant.
    """
    try:
        values = np.asarray(spread, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers: {error}") from error
    if values.ndim != 1:
        raise InputError(f"{name} must have one dimension (bars), got shape {values.shape}")
    if len(values) < least:
        raise InputError(f"{name} has {len(values)} bars: at least {least} are needed")
    bad = np.flatnonzero(~(np.abs(values) < _LARGEST))
    if bad.size:
        at = int(bad[0])
        raise InputError(
            f"{name} has {bad.size} missing, infinite or absurdly large of {len(values)} values, "
            f"the first {values[at]} at bar {at}: drop or repair them"
        )
    if np.ptp(values) <= max(8 * np.finfo(float).eps * np.abs(values).max(), _SMALLEST):
        raise InputError(f"{name} is constant: all {len(values)} values are {values[0]}")
    return values


def read_pair(y: pd.Series | ArrayLike, x: pd.Series | ArrayLike, *, least: int) -> tuple[FloatArray, FloatArray]:
    """Read two series on the same bars.

    Raises
    ------
    InputError
        As `read_spread`, or if their lengths or, for two Series, their indices differ.
    """
    left, right = read_spread(y, name="y", least=least), read_spread(x, name="x", least=least)
    if len(left) != len(right):
        raise InputError(f"y has {len(left)} bars and x has {len(right)}: give both on the same bars")
    if isinstance(y, pd.Series) and isinstance(x, pd.Series) and not y.index.equals(x.index):
        at = int(np.argmax(y.index != x.index))
        raise InputError(f"y and x are not on the same bars: bar {at} is {y.index[at]!r} of y and {x.index[at]!r} of x")
    return left, right


def positive(value: float, name: str) -> float:
    """Return `value`, refusing what is not a positive finite number."""
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


def not_negative(value: float, name: str) -> float:
    """Return `value`, refusing what is not a finite number of at least zero."""
    if not (math.isfinite(value) and value >= 0.0):
        raise InputError(f"{name} must be finite and not negative, got {value!r}")
    return float(value)


def share(value: float, name: str) -> float:
    """Return `value`, refusing what is not strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise InputError(f"{name} must be between 0 and 1, got {value!r}")
    return float(value)
