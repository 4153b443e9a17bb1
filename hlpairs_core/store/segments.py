"""What is known of one immutable file of a store without reading its rows."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hlpairs_core.store.spans import Span

__all__ = ["BrokenSegment", "Group", "Segment", "Spans", "age_of", "check_name", "digest", "segment_name"]

Spans: TypeAlias = Mapping[str, Sequence[Span]]

NAME = re.compile(r"(\d{8,})-[0-9a-f]{16}\.parquet")


class BrokenSegment(Exception):
    """A segment cannot be trusted; the message says why."""


@dataclass(frozen=True)
class Group:
    """Rows that are decoded together: how many, and their earliest and latest time."""

    rows: int
    first_ms: int
    last_ms: int

    def reaches(self, first: int | None, last: int | None) -> bool:
        """Return whether it may have rows from `first` to `last` (both included; None is no limit)."""
        return (last is None or self.first_ms <= last) and (first is None or self.last_ms >= first)


@dataclass(frozen=True)
class Segment:
    """A segment's description.

    Attributes
    ----------
    name : str
        File name; later segments sort behind earlier ones (`age_of`).
    spans : mapping of str to sequence of (int, int)
        By coin, the ranges that were asked and answered: first and last millisecond, both included.
    groups : tuple of Group
        Its rows, in the order of the file.
    coins : frozenset of str or None
        The coins of its rows; None in a file of version 1, which does not say.
    """

    name: str
    spans: Spans
    groups: tuple[Group, ...]
    coins: frozenset[str] | None

    @property
    def sequence(self) -> int:
        """Its place in the order."""
        age = age_of(self.name)
        assert age is not None
        return age[0]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(group.rows for group in self.groups)

    def wanted(self, coins: Sequence[str] | None, first: int | None, last: int | None) -> list[int]:
        """Return the places of the groups that may hold rows of these coins from `first` to `last`."""
        if coins is not None and self.coins is not None and self.coins.isdisjoint(coins):
            return []
        return [place for place, group in enumerate(self.groups) if group.reaches(first, last)]


def segment_name(sequence: int, data: bytes) -> str:
    """Return the file name of a segment: its place in the order, and a digest of its bytes.

    The digest shows damage anywhere in the file, and keeps two writers from overwriting each other.
    """
    return f"{sequence:08d}-{digest(data)}.parquet"


def age_of(name: str) -> tuple[int, str] | None:
    """Return what orders segments, oldest first: sequence number and name; None for any other file's name."""
    match = NAME.fullmatch(name)
    return (int(match[1]), name) if match else None


def check_name(name: str, data: bytes) -> None:
    """Compare a segment's bytes with the digest in its name.

    Raises
    ------
    BrokenSegment
        If they do not match.
    """
    age = age_of(name)
    if age is None or name != segment_name(age[0], data):
        raise BrokenSegment("is not what was written: its bytes do not match the digest in its name")


def digest(data: bytes) -> str:
    """Return 16 hexadecimal digits that differ when the bytes do."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()
