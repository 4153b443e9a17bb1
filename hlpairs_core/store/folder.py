"""A folder of segments on the disk: which are there, what they hold, and what is wrong with them."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from hlpairs_core.exceptions import StoreError
from hlpairs_core.store._rows import merged_rows
from hlpairs_core.store.cache import Cache
from hlpairs_core.store.codec import decode, describe, encode, footer_bytes
from hlpairs_core.store.files import Files, remove_left_over, store_errors, write_atomically
from hlpairs_core.store.kinds import Kind
from hlpairs_core.store.listing import TRIES, restless, segment_names
from hlpairs_core.store.problems import StoreProblem
from hlpairs_core.store.segments import BrokenSegment, Segment, Spans, check_name, segment_name

__all__ = ["SegmentFolder"]

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

CORRUPT = ".corrupt"
# Enough for the footer of nearly every segment.
END_BYTES = 32_768


class SegmentFolder:
    """Segments of one kind in a folder. One process writes, others may read meanwhile.

    Parameters
    ----------
    path : pathlib.Path
        The folder; it need not exist.
    kind : Kind
        What the segments hold.
    files : Files
        What reads and changes the disk.

    Attributes
    ----------
    segments : tuple of Segment
        Those that were there when last looked, oldest first; another tuple when that changes.
    problems : list of StoreProblem
        What was set aside by this object, oldest first.
    """

    def __init__(self, path: Path, kind: Kind, files: Files) -> None:
        self.path = path
        self.segments: tuple[Segment, ...] = ()
        self.problems: list[StoreProblem] = []
        self._kind = kind
        self._files = files
        self._cache = Cache()
        self._passed_over: set[str] = set()

    def refresh(self) -> None:
        """Learn of segments that appeared in the folder, and forget those that are gone."""
        self._tried(self._compare)

    def read(self, coins: Sequence[str] | None, first: int | None, last: int | None) -> list[pa.Table]:
        """Return the groups of rows that may hold what is wanted, oldest first."""

        def attempt() -> list[pa.Table]:
            self._compare()
            wanted = [(segment, segment.wanted(coins, first, last)) for segment in self.segments]
            return [table for segment, groups in wanted if groups for table in self._load(segment, groups)]

        return self._tried(attempt)

    def add(self, table: pa.Table, spans: Spans) -> None:
        """Write a segment, newer than all that are there."""
        self.refresh()
        newest = max((segment.sequence for segment in self.segments), default=0)
        self._write(table, spans, newest + 1)

    def merge(self, count: int, join: Callable[[Iterable[Segment]], Spans]) -> None:
        """Make the newest segments one: it is on the disk before one of them is removed.

        Parameters
        ----------
        count : int
            How many.
        join : callable
            Gets the segments that could be read, and returns the ranges that they answer together.
        """
        read: dict[str, list[pa.Table]] = {}

        def attempt() -> list[Segment]:
            self._compare()
            read.clear()
            read.update({one.name: self._load(one, range(len(one.groups))) for one in self.segments[-count:]})
            return [segment for segment in self.segments if segment.name in read]

        old = self._tried(attempt)
        if len(old) > 1:
            rows = merged_rows([table for segment in old for table in read[segment.name]], self._kind)
            # In the place of the newest of them: what another process wrote meanwhile stays newer.
            merged = self._write(rows, join(old), old[-1].sequence)
            self._remove(segment.name for segment in old if segment.name != merged)

    def bytes(self) -> int:
        """Return the size of the segments that are there."""
        paths = (self.path / segment.name for segment in self.segments)
        return sum(path.stat().st_size for path in paths if path.exists())

    def set_aside(self) -> tuple[str, ...]:
        """Return the names of the files that cannot be read, of earlier days too."""
        renamed = self.path.glob(f"*{CORRUPT}") if self.path.is_dir() else ()
        return tuple(sorted({path.name for path in renamed} | {problem.path.name for problem in self.problems}))

    def tidy(self) -> None:
        """Remove the temporary files of writers that are gone."""
        if self.path.is_dir():
            remove_left_over(self.path, files=self._files)

    def _write(self, table: pa.Table, spans: Spans, sequence: int) -> str:
        data = encode(table, spans, self._kind)
        name = segment_name(sequence, data)
        write_atomically(self.path / name, data, files=self._files)
        self._take([*self.segments, describe(data, name, self._kind)])
        return name

    def _remove(self, names: Iterable[str]) -> None:
        with store_errors(self.path):
            for name in names:
                self._files.remove(self.path / name)
        self.refresh()

    def _tried(self, attempt: Callable[[], Answer]) -> Answer:
        """Try again while files vanish: the writer may merge segments between our list of them and our look."""
        for _ in range(TRIES):
            try:
                return attempt()
            except FileNotFoundError:
                continue
        raise restless(self.path)

    def _compare(self) -> None:
        present = segment_names(self.path) - self._passed_over
        kept = [segment for segment in self.segments if segment.name in present]
        described = (self._describe(name) for name in present - {segment.name for segment in kept})
        fresh = [segment for segment in described if segment is not None]
        if fresh or len(kept) < len(self.segments):
            self._take([*kept, *fresh])

    def _take(self, segments: list[Segment]) -> None:
        unique = {segment.name: segment for segment in segments}
        for gone in {segment.name for segment in self.segments} - unique.keys():
            self._cache.forget(gone)
        self.segments = tuple(sorted(unique.values(), key=lambda one: (one.sequence, one.name)))

    def _describe(self, name: str) -> Segment | None:
        path = self.path / name

        def look() -> Segment:
            end = self._files.read_end(path, END_BYTES)
            if len(end) < END_BYTES:  # all of it
                check_name(name, end)
            needed = footer_bytes(end)
            return describe(self._files.read_end(path, needed) if needed > len(end) else end, name, self._kind)

        return self._checked(path, look)

    def _load(self, segment: Segment, groups: Iterable[int]) -> list[pa.Table]:
        path = self.path / segment.name

        def read(absent: list[int]) -> list[pa.Table]:
            return decode(self._files.read(path), segment.name, self._kind, absent)

        def look() -> list[pa.Table]:
            found = path.stat()
            return self._cache.get(segment.name, (found.st_size, found.st_mtime_ns), groups, read)

        return self._checked(path, look) or []

    def _checked(self, path: Path, look: Callable[[], Answer]) -> Answer | None:
        """Look at a segment; None, and it is set aside, where it is broken; `FileNotFoundError` where it is gone."""
        try:
            return look()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        except BrokenSegment as broken:
            self._set_aside(path, str(broken))
        return None

    def _set_aside(self, path: Path, reason: str) -> None:
        aside, done = path.with_name(path.name + CORRUPT), "it was set aside"
        try:
            self._files.replace(path, aside)
        except OSError as error:
            aside, done = path, f"it is passed over and cannot be renamed ({error.strerror})"
            self._passed_over.add(path.name)
        problem = StoreProblem(aside, f"{reason}; {done}, and what it held counts as missing")
        if problem not in self.problems:
            self.problems.append(problem)
            logger.warning("%s", problem)
        self._take([segment for segment in self.segments if segment.name != path.name])
