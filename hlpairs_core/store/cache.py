"""Decoded rows that were read lately, within a bound on memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

import pyarrow as pa

__all__ = ["Cache"]

CACHE_BYTES = 32 * 2**20


class Cache:
    """Tables by segment and group, as long as the segment's file is as it was when they were decoded.

    Parameters
    ----------
    limit_bytes : int
        What is unused for longest goes when the tables are larger together.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._tables: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._states: dict[str, Hashable] = {}
        self.bytes = 0

    def get(
        self, name: str, state: Hashable, groups: Iterable[int], decode: Callable[[list[int]], list[pa.Table]]
    ) -> list[pa.Table]:
        """Return some groups of a segment; those that are not here are decoded, together, and kept.

        Parameters
        ----------
        name : str
            Of the segment.
        state : hashable
            Of its file: what was decoded of another state is let go.
        groups : iterable of int
            Which groups.
        decode : callable
            Gets those that are not here.
        """
        if self._states.get(name) != state:
            self.forget(name)
            self._states[name] = state
        found = {group: self._tables.get((name, group)) for group in groups}
        absent = [group for group, table in found.items() if table is None]
        if absent:
            found |= dict(zip(absent, decode(absent), strict=True))
        for group, table in found.items():
            self._keep((name, group), table)
        return list(found.values())

    def forget(self, name: str) -> None:
        """Let go of a segment."""
        self._states.pop(name, None)
        for key in [key for key in self._tables if key[0] == name]:
            self.bytes -= self._tables.pop(key).nbytes

    def _keep(self, key: tuple[str, int], table: pa.Table) -> None:
        if key not in self._tables:
            self.bytes += table.nbytes
        self._tables[key] = table
        self._tables.move_to_end(key)
        while self.bytes > self._limit:
            _, oldest = self._tables.popitem(last=False)
            self.bytes -= oldest.nbytes
