"""Reading returns, and how many bars make a year."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration

__all__ = ["HOURS_PER_YEAR", "bars_per_year", "read_returns", "read_returns_table", "varies"]

HOURS_PER_YEAR = 8760.0
"""The market never closes: 365 days of 24 hours."""

# Beyond it, fourth powers overflow.
_LARGEST = 1e60


def bars_per_year(interval: str) -> float:
    """Return how many bars of `interval` make a year of 8,760 hours.

    Raises
    ------
    InputError
        If the exchange has no such interval.
    """
    return HOURS_PER_YEAR / float(interval_duration(interval) / pd.Timedelta(hours=1))


def read_returns(returns: pd.Series | ArrayLike, *, least: int = 1, name: str = "returns") -> FloatArray:
    """Read one series of returns, a bar each, at least `least` bars long.

    Raises
    ------
    InputError
        If it is not one-dimensional, not numeric, too short, or has a value that is missing or infinite.
    """
    values = _numbers(returns, name)
    if values.ndim != 1:
        raise InputError(f"{name} must have one dimension (bars), got shape {values.shape}")
    if len(values) < least:
        raise InputError(f"{name} has {len(values)} bars: at least {least} are needed")
    bad = np.flatnonzero(~(np.abs(values) < _LARGEST))
    if bad.size:
        at = int(bad[0])
        raise InputError(
            f"{name} has {bad.size} missing, infinite or absurdly large of {len(values)} values, the first "
            f"{values[at]} at bar {at}: a flat bar is 0, an unknown one must be repaired"
        )
    return values


def read_returns_table(returns: pd.DataFrame | ArrayLike, *, least: int) -> tuple[FloatArray, list[object]]:
    """Read the returns of several tries, shape (T, n_tries), and the tries' labels.

    Raises
    ------
    InputError
        As `read_returns`, naming the try; or if there is no try.
    """
    values = _numbers(returns, "returns")
    if values.ndim != 2 or values.shape[1] == 0:
        raise InputError(f"returns must be a table (bars, tries) with at least one try, got shape {values.shape}")
    labels: list[object] = list(returns.columns) if isinstance(returns, pd.DataFrame) else list(range(values.shape[1]))
    for label, column in zip(labels, values.T, strict=True):
        read_returns(column, least=least, name=f"returns of try {label!r}")
    return values, labels


def varies(values: FloatArray) -> bool:
    """Whether the values differ by more than their rounding."""
    return bool(np.ptp(values) > 8 * np.finfo(float).eps * np.abs(values).max())


def _numbers(returns: pd.DataFrame | pd.Series | ArrayLike, name: str) -> FloatArray:
    try:
        return np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers: {error}") from error
