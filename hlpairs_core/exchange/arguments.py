"""Checks arguments before anything is sent."""

import pandas as pd

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.fields import ADDRESS, LATEST_MS, LONGEST_NAME, is_coin_name

__all__ = ["check_address", "check_coin", "check_dex", "check_range", "to_milliseconds"]

_EPOCH = pd.Timestamp(0, tz="UTC")
_MILLISECOND = pd.Timedelta(milliseconds=1)


def check_coin(coin: str) -> str:
    """Return `coin` if it can be a name on the wire.

    Raises
    ------
    InputError
        If it is empty, longer than 64 characters, or has characters that do not print.
    """
    if not is_coin_name(coin):
        raise InputError(f"{coin!r} is no coin: expected a name of 1 to {LONGEST_NAME} printable characters")
    return coin


def check_dex(dex: str) -> str:
    """Return `dex` if it can be the name of a builder's dex; empty is the main one.

    Raises
    ------
    InputError
        If it is no name, or has a colon, which is what separates it from a coin's.
    """
    if dex != "" and (not is_coin_name(dex) or ":" in dex):
        raise InputError(f"{dex!r} is no dex: expected a name such as 'xyz', or '' for the main one")
    return dex


def check_address(address: str) -> str:
    """Return the address of an account, in lower case.

    Raises
    ------
    InputError
        If it is not 0x and 40 hexadecimal digits.
    """
    if not isinstance(address, str) or ADDRESS.fullmatch(address) is None:
        raise InputError(f"{address!r} is no address of an account: expected 0x and 40 hexadecimal digits")
    return address.lower()


def to_milliseconds(name: str, time: object, *, round_up: bool = False) -> int:
    """Turn a time into milliseconds since 1970.

    Parameters
    ----------
    name : str
        Of the argument, for messages.
    time : object
        Anything `pandas.Timestamp` takes, with a time zone.
    round_up : bool
        Whether a fraction of a millisecond counts as a whole one.

    Raises
    ------
    InputError
        If it is no time, has no time zone, or is not between 1970 and 2100.
    """
    try:
        stamp = pd.Timestamp(time)
    except (TypeError, ValueError, OverflowError) as problem:
        raise InputError(f"{name} is no time: {time!r} ({problem})") from None
    if pd.isna(stamp):
        raise InputError(f"{name} is no time: {time!r}")
    if stamp.tzinfo is None:
        raise InputError(f"{name} has no time zone: {time!r}; say which, for example '2025-01-31T12:00Z'")
    outside = InputError(f"{name} must lie between 1970 and 2100, got {time!r}")
    if not 1969 <= stamp.year <= 2100:  # nanoseconds, below, end in 2262
        raise outside
    since = stamp.as_unit("ns") - _EPOCH
    milliseconds = -(-since // _MILLISECOND) if round_up else since // _MILLISECOND
    if not 0 <= milliseconds <= LATEST_MS:
        raise outside
    return int(milliseconds)


def check_range(start: object, end: object) -> tuple[int, int]:
    """Turn an inclusive time range into milliseconds since 1970.

    Raises
    ------
    InputError
        If either is no time with a time zone, or `end` is before `start`.
    """
    first, last = to_milliseconds("start", start, round_up=True), to_milliseconds("end", end)
    if last < first:
        raise InputError(f"end {end!r} is before start {start!r}")
    return first, last
