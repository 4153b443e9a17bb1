"""Fields of a request, read as strictly as the exchange does.

Every reader raises `InputError` for a field that is missing or of another type; the exchange answers such a request
with 422. Fields that a request does not have are left alone, as there.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from hlpairs_core.exceptions import InputError

__all__ = ["Request", "address", "choice", "flag", "milliseconds_or", "text", "text_or", "whole"]

Request: TypeAlias = Mapping[str, Any]

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_UNSIGNED = 2**64
# Beyond every market, and far enough from the end of 64 bits to be reckoned with.
_LATEST_MS = 2**53


def text(request: Request, key: str) -> str:
    """Read a string."""
    value = request.get(key)
    if not isinstance(value, str):
        raise InputError(f"`{key}` must be a string, got {value!r}")
    return value


def text_or(request: Request, key: str, default: str) -> str:
    """Read a string that may be missing or null."""
    return default if request.get(key) is None else text(request, key)


def whole(request: Request, key: str) -> int:
    """Read a whole number, from 0 to below 2**64."""
    value = request.get(key)
    if type(value) is not int or not 0 <= value < _UNSIGNED:
        raise InputError(f"`{key}` must be a whole number from 0 to below 2**64, got {value!r}")
    return int(value)


def milliseconds_or(request: Request, key: str, default: int) -> int:
    """Read a time that may be missing or null (milliseconds since the epoch, at most 2**53)."""
    return default if request.get(key) is None else min(whole(request, key), _LATEST_MS)


def choice(request: Request, key: str, allowed: tuple[int, ...]) -> int | None:
    """Read one of some numbers, or None where it is missing or null."""
    value = request.get(key)
    if value is None:
        return None
    if type(value) is not int or value not in allowed:
        raise InputError(f"`{key}` must be one of {allowed}, got {value!r}")
    return int(value)


def flag(request: Request, key: str) -> bool:
    """Read a truth value; missing or null is false."""
    value = request.get(key)
    if value is not None and not isinstance(value, bool):
        raise InputError(f"`{key}` must be true or false, got {value!r}")
    return bool(value)


def address(request: Request, key: str) -> str:
    """Read an address and return it in lower case."""
    value = text(request, key)
    if _ADDRESS.fullmatch(value) is None:
        raise InputError(f"`{key}` must be 0x and 40 hexadecimal digits, got {value[:80]!r}")
    return value.lower()
