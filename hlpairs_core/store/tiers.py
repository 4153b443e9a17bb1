"""Which segments are worth merging, so that neither reading nor merging grows with all history."""

from collections.abc import Sequence

__all__ = ["worth_merging"]

# Merging up to so many rows takes a tenth of a second, whatever they were before.
CHEAP_ROWS = 65_536
# A segment of so many rows is never rewritten.
SEALED_ROWS = 262_144


def worth_merging(rows: Sequence[int]) -> int:
    """Return how many of the newest segments to merge into one; 0 where it would gain nothing.

    An older segment is taken along while it is no larger than all newer ones together, or all are small. So a row
    is rewritten a few times before it rests in a sealed segment, however long the history.

    Parameters
    ----------
    rows : sequence of int
        Sizes of the segments, oldest first.
    """
    taken, total = 0, 0
    for size in reversed(rows):
        larger = taken > 0 and size > total and total + size > CHEAP_ROWS
        if larger or size >= SEALED_ROWS or total >= SEALED_ROWS:
            break
        taken, total = taken + 1, total + size
    return taken if taken > 1 else 0
