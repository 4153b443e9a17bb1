"""Candle intervals of the exchange."""

import pandas as pd

from hlpairs_core.exceptions import InputError

__all__ = ["INTERVALS", "interval_duration"]

# `1M` (a calendar month) is left out: it has no fixed length, so it has no place on one clock.
INTERVALS: dict[str, pd.Timedelta] = {
    "1m": pd.Timedelta(minutes=1),
    "3m": pd.Timedelta(minutes=3),
    "5m": pd.Timedelta(minutes=5),
    "15m": pd.Timedelta(minutes=15),
    "30m": pd.Timedelta(minutes=30),
    "1h": pd.Timedelta(hours=1),
    "2h": pd.Timedelta(hours=2),
    "4h": pd.Timedelta(hours=4),
    "8h": pd.Timedelta(hours=8),
    "12h": pd.Timedelta(hours=12),
    "1d": pd.Timedelta(days=1),
    "3d": pd.Timedelta(days=3),
    "1w": pd.Timedelta(weeks=1),
}


def interval_duration(interval: str) -> pd.Timedelta:
    """Return the length of a candle interval such as ``"1h"``.

    Raises
    ------
    InputError
        If the exchange has no such interval, or it has no fixed length.
    """
    try:
        return INTERVALS[interval]
    except (KeyError, TypeError):
        raise InputError(f"unknown interval {interval!r}: use one of {', '.join(INTERVALS)}") from None
