"""What a panel that was put together by hand must fulfil; `Panel.from_candles` leaves out what does not."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration

__all__ = ["as_numbers", "check_clock", "check_coins", "check_values"]

PRICES = ("open", "high", "low", "close")


def check_coins(coins: Any) -> tuple[str, ...]:
    """Return the coins of a panel: different names, as text.

    Raises
    ------
    InputError
        Names the coin that is none, or is there twice.
    """
    names = tuple(coins)
    other = [coin for coin in names if not isinstance(coin, str)]
    if other or isinstance(coins, str):
        raise InputError(f"coins has {other[0] if other else coins!r}: give a sequence of names, as text")
    if len(set(names)) < len(names):
        twice = next(coin for coin in names if names.count(coin) > 1)
        raise InputError(f"coins has {twice!r} twice: give each coin one column")
    return names


def check_clock(time: Any, interval: str) -> None:
    """Check that bars open one interval apart, in a time zone.

    Raises
    ------
    InputError
        Names the first time that is not where it should be.
    """
    step = interval_duration(interval)
    if not isinstance(time, pd.DatetimeIndex) or time.tz is None:
        raise InputError(
            f"time is {type(time).__name__}, not a DatetimeIndex with a zone: use pandas.to_datetime(utc=True)"
        )
    wrong = np.flatnonzero(np.asarray(time[1:] - time[:-1] != step))
    if len(wrong):
        before, after = time[wrong[0]], time[wrong[0] + 1]
        what = "is there twice" if before == after else f"follows {before}"
        raise InputError(f"time has holes or repeats: {after} {what}, and bars of {interval} are {step} apart")


def as_numbers(values: Any, name: str, shape: tuple[int, int]) -> FloatArray:
    """Return an array of a panel as a view.

    Raises
    ------
    InputError
        If it has another shape, or holds no numbers.
    """
    try:
        array = np.asarray(values, dtype=np.float64).view()
    except (TypeError, ValueError) as error:
        raise InputError(f"the array {name!r} does not hold numbers: {error}") from None
    if array.shape != shape:
        raise InputError(f"the array {name!r} has shape {array.shape}: give (n_bars, n_coins) = {shape}")
    return array


def check_values(arrays: Mapping[str, FloatArray], time: pd.DatetimeIndex, coins: tuple[str, ...]) -> None:
    """Check prices (above 0), volumes (not below 0) and funding; each is finite, or NaN where there is no bar.

    Raises
    ------
    InputError
        Names the coin, the bar and the value.
    """
    for name, array in arrays.items():
        least, most = np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
        if name in PRICES and least <= 0:
            _refuse(name, array, array <= 0, time, coins, "a price is above 0")
        if name == "volume" and least < 0:
            _refuse(name, array, array < 0, time, coins, "a volume is at least 0")
        if np.isinf(least) or np.isinf(most):
            _refuse(name, array, np.isinf(array), time, coins, "it must be finite")


def _refuse(
    name: str, array: FloatArray, wrong: Any, time: pd.DatetimeIndex, coins: tuple[str, ...], rule: str
) -> None:
    bar, coin = np.argwhere(wrong)[0]
    where = f"{name} of {coins[coin]!r} is {array[bar, coin]:g} in the bar of {time[bar]}"
    raise InputError(f"{where}: {rule}, or NaN where there is no bar")
