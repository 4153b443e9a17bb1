"""Arithmetic of half-open ranges ``[start, stop)`` of whole numbers."""

from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["Span", "merged", "uncovered"]

Span: TypeAlias = tuple[int, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the union as sorted ranges that neither overlap nor touch."""
    union: list[Span] = []
    for start, stop in sorted(spans):
        if start >= stop:
            continue
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], stop))
        else:
            union.append((start, stop))
    return union


def uncovered(spans: Iterable[Span], start: int, stop: int) -> list[Span]:
    """Return the parts of ``[start, stop)`` that lie in none of the spans, sorted."""
    holes: list[Span] = []
    at = start
    for left, right in merged(spans):
        if right <= at:
            continue
        if left >= stop:
            break
        if left > at:
            holes.append((at, left))
        at = right
    if at < stop:
        holes.append((at, stop))
    return holes
