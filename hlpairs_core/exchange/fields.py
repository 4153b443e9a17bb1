"""Reads single fields of an answer; every refusal names the request and the path of the field."""

import math
import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias, TypeVar

from hlpairs_core.exceptions import MalformedPayload

__all__ = [
    "ADDRESS",
    "EARLIEST_MS",
    "LATEST_MS",
    "LONGEST_NAME",
    "Record",
    "Sign",
    "as_decimal",
    "as_list",
    "is_coin_name",
    "records",
]

Sign: TypeAlias = Literal["any", "non-negative", "positive"]
Chosen = TypeVar("Chosen")

EARLIEST_MS = 1_230_768_000_000  # 2009-01-01
LATEST_MS = 4_102_444_800_000  # 2100-01-01
LONGEST_NAME = 64
ADDRESS = re.compile("0x[0-9a-fA-F]{40}")

_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")


class _Unfit(ValueError):
    """A value that its field cannot hold."""


def is_coin_name(value: object) -> bool:
    """Whether `value` can be the name of a coin.

    A name is data: 1 to 64 printable characters. Markup is allowed and means nothing; control characters,
    line breaks and direction marks are not allowed.
    """
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _decimal(value: object, sign: Sign) -> float:
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        raise _Unfit(f"expected a decimal string, got {reprlib.repr(value)}")
    number = float(value)
    if not math.isfinite(number):
        raise _Unfit(f"expected a finite number, got {value!r}")
    if (sign == "positive" and number <= 0) or (sign == "non-negative" and number < 0):
        raise _Unfit(f"expected a {sign} number, got {value!r}")
    return number


def as_decimal(request: str, path: str, value: object, *, sign: Sign = "any") -> float:
    """Read a decimal string that stands alone (an element of a list, a value of a map).

    Raises
    ------
    MalformedPayload
        If it is not a finite decimal string, or has a sign that `sign` does not allow.
    """
    try:
        return _decimal(value, sign)
    except _Unfit as problem:
        raise MalformedPayload(request, path, str(problem)) from None


def as_list(request: str, path: str, value: object, *, length: int | None = None) -> list[object]:
    """Read a JSON array, of exactly `length` elements if given.

    Raises
    ------
    MalformedPayload
        If it is something else.
    """
    if not isinstance(value, list):
        raise MalformedPayload(request, path, f"expected a list, got {reprlib.repr(value)}")
    if length is not None and len(value) != length:
        raise MalformedPayload(request, path, f"expected {length} elements, got {len(value)}")
    return value


def records(request: str, path: str, value: object) -> Iterator["Record"]:
    """Read a JSON array of objects, one `Record` each."""
    for position, element in enumerate(as_list(request, path, value)):
        yield Record(request, f"{path}[{position}]", element)


class Record:
    """One JSON object of an answer, read field by field.

    Parameters
    ----------
    request : str
        The request, for messages.
    path : str
        Where in the answer the object is; empty for the answer itself.
    value : object
        What the answer has there.

    Raises
    ------
    MalformedPayload
        From the constructor if `value` is no object; from every reader if the field is missing or unfit.
    """

    __slots__ = ("_fields", "path", "request")

    def __init__(self, request: str, path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise MalformedPayload(request, path or "the top", f"expected an object, got {reprlib.repr(value)}")
        self.request = request
        self.path = path
        self._fields = value

    def refuse(self, key: str, problem: str) -> MalformedPayload:
        """Return the error that says what is wrong with a field."""
        return MalformedPayload(self.request, self.path_of(key), problem)

    def path_of(self, key: str) -> str:
        """Return the path of a field, such as ``[0].universe[3].name``."""
        return f"{self.path}.{key}" if self.path else key

    def items(self) -> Iterator[tuple[str, object]]:
        """Yield all fields, unread."""
        yield from self._fields.items()

    def raw(self, key: str) -> object:
        """Return a field unread."""
        try:
            return self._fields[key]
        except KeyError:
            raise self.refuse(key, "missing") from None

    def record(self, key: str) -> "Record":
        """Read an object."""
        return Record(self.request, self.path_of(key), self.raw(key))

    def records(self, key: str) -> Iterator["Record"]:
        """Read an array of objects."""
        return records(self.request, self.path_of(key), self.raw(key))

    def raw_or(self, key: str, default: object) -> object:
        """Return a field unread, or `default` where it is missing."""
        return self._fields.get(key, default)

    def choice(self, key: str, choices: Mapping[str, Chosen]) -> Chosen:
        """Read one of a few words and return what it stands for."""
        value = self.raw(key)
        if not isinstance(value, str) or value not in choices:
            raise self.refuse(key, f"expected one of {', '.join(map(repr, choices))}, got {reprlib.repr(value)}")
        return choices[value]

    def decimal(self, key: str, sign: Sign = "any") -> float:
        """Read a decimal string."""
        try:
            return _decimal(self.raw(key), sign)
        except _Unfit as problem:
            raise self.refuse(key, str(problem)) from None

    def decimal_or_nan(self, key: str, sign: Sign = "any") -> float:
        """Read a decimal string, or NaN where the field is null; a missing field is an error."""
        return math.nan if self.raw(key) is None else self.decimal(key, sign)

    def integer(self, key: str, *, least: int, most: int) -> int:
        """Read an integer in ``least..most``."""
        value = self.raw(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(key, f"expected an integer, got {reprlib.repr(value)}")
        if not least <= value <= most:
            raise self.refuse(key, f"expected {least} to {most}, got {reprlib.repr(value)}")
        return value

    def time_ms(self, key: str) -> int:
        """Read a time: milliseconds since 1970, between 2009 and 2100."""
        return self.integer(key, least=EARLIEST_MS, most=LATEST_MS)

    def address(self, key: str) -> str | None:
        """Read the address of an account, 0x and 40 hexadecimal digits in lower case, or None where it is null."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, str) or ADDRESS.fullmatch(value) is None:
            raise self.refuse(key, f"expected 0x and 40 hexadecimal digits, got {reprlib.repr(value)}")
        return value.lower()

    def flag(self, key: str) -> bool:
        """Read a boolean that the exchange leaves out when it is false."""
        value = self._fields.get(key, False)
        if not isinstance(value, bool):
            raise self.refuse(key, f"expected true or false, got {reprlib.repr(value)}")
        return value

    def word(self, key: str) -> str:
        """Read a text that the exchange may leave out; empty then."""
        value = self._fields.get(key, "")
        if not isinstance(value, str):
            raise self.refuse(key, f"expected a text, got {reprlib.repr(value)}")
        return value

    def coin(self, key: str) -> str:
        """Read the name of a coin."""
        value = self.raw(key)
        if not isinstance(value, str) or not is_coin_name(value):
            problem = f"expected a name of 1 to {LONGEST_NAME} printable characters, got {reprlib.repr(value)}"
            raise self.refuse(key, problem)
        return value

    def echo(self, key: str, asked: str) -> None:
        """Check that the answer is about what was asked."""
        value = self.raw(key)
        if value != asked:
            raise self.refuse(key, f"asked for {asked!r}, got {reprlib.repr(value)}")
