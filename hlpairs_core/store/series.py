"""Long frames keyed by coin and time, in a folder of immutable Parquet segments."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hlpairs_core.exceptions import InputError
from hlpairs_core.store._rows import is_encodable, to_frame, to_ms, to_time
from hlpairs_core.store.coverage import Coverage
from hlpairs_core.store.files import DISK, Files
from hlpairs_core.store.folder import SegmentFolder
from hlpairs_core.store.kinds import Kind, to_table
from hlpairs_core.store.problems import StoreProblem
from hlpairs_core.store.report import StoreReport
from hlpairs_core.store.segments import Segment
from hlpairs_core.store.spans import Span
from hlpairs_core.store.tiers import worth_merging

__all__ = ["SegmentStore"]


class SegmentStore:
    """Rows of many coins, and which ranges of them were asked and answered.

    Every `append` writes one immutable file in one step: when it returns, its rows outlive a crash of the process
    and of the machine; a crash before loses all of them or none. A file that is not what was written is renamed to
    ``*.corrupt`` and listed in `problems` when that is noticed, at the latest when its rows are read; its ranges
    then count as missing again. One process writes (see `FolderLock`), in one thread at a time; others may read
    meanwhile.

    Attributes
    ----------
    folder : pathlib.Path
        Where the segments lie.
    """

    def __init__(self, folder: Path, kind: Kind, *, step_ms: int, files: Files = DISK) -> None:
        self.folder = Path(folder)
        self._kind = kind
        self._step_ms = step_ms
        self._disk = SegmentFolder(self.folder, kind, files)
        self._covered: tuple[tuple[Segment, ...], Coverage] = ((), Coverage(step_ms))
        self._disk.refresh()

    @property
    def segments(self) -> int:
        """Number of segment files."""
        return len(self._disk.segments)

    @property
    def loose(self) -> int:
        """Number of segment files that `compact` would merge into one."""
        return worth_merging([segment.rows for segment in self._disk.segments])

    @property
    def problems(self) -> tuple[StoreProblem, ...]:
        """What was set aside by this object, oldest first."""
        return tuple(self._disk.problems)

    def append(self, frame: pd.DataFrame, spans: Iterable[tuple[str, Any, Any]]) -> None:
        """Store rows, and the ranges they answer.

        Parameters
        ----------
        frame : pandas.DataFrame
            ``coin, time`` and the store's number columns; others are not stored. A frame without
            rows need not have columns: an empty answer is an answer. Rows replace earlier ones of the same
            coin and time.
        spans : iterable of (coin, start, end)
            What was asked and answered, both ends included; times with a zone. Only rows that can no longer
            change belong inside (closed bars). Rows outside are stored, but do not count as covered.

        Raises
        ------
        InputError
            If the frame or a span cannot be worked with.
        StoreNotWritable, StoreError
            If the file cannot be written; then nothing is stored for good, and it may be tried again.
        """
        table = to_table(frame, self._kind)
        ranges = _asked(spans)
        if table.num_rows or ranges:
            self._disk.add(table, ranges)

    def read(self, coins: Sequence[str] | None = None, start: Any = None, end: Any = None) -> pd.DataFrame:
        """Return rows sorted by coin and time; of rows with the same coin and time, the one stored last.

        Parameters
        ----------
        coins : sequence of str, optional
            Only these; all when None. A coin without rows has none in the answer.
        start, end : time with a zone, optional
            First and last time, both included.

        Returns
        -------
        pandas.DataFrame
            ``coin`` (categorical), ``time`` (``datetime64[ms, UTC]``) and the number columns.
        """
        first = None if start is None else to_ms(start, "start", up=True)
        last = None if end is None else to_ms(end, "end")
        return to_frame(self._disk.read(coins, first, last), self._kind, coins, first, last)

    def missing(self, coin: str, start: Any, end: Any) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
        """Return the ranges of a coin that nobody has asked for yet, both ends included, oldest first.

        Candle stores round the ends inwards to bar opens.

        Raises
        ------
        InputError
            If a time has no zone, or the end lies before the start.
        """
        first, last = to_ms(start, "start", up=True), to_ms(end, "end")
        if first > last:
            raise InputError(f"the end {end} lies before the start {start}")
        return [(to_time(left), to_time(right)) for left, right in self._coverage().missing(coin, first, last)]

    def coverage(self) -> pd.DataFrame:
        """Return the ranges that were asked and answered: ``coin, start, end``, both ends included."""
        return self._coverage().frame()

    def report(self) -> StoreReport:
        """Say what is held, from the descriptions of the files: no rows are read."""
        coverage = self._coverage()
        segments = self._disk.segments
        groups = [group for segment in segments for group in segment.groups if group.rows]
        coins = set(coverage.coins).union(*(segment.coins or () for segment in segments))
        return StoreReport(
            kind=self._kind.name,
            coins=len(coins),
            rows=sum(group.rows for group in groups),
            first=to_time(min(group.first_ms for group in groups)) if groups else None,
            last=to_time(max(group.last_ms for group in groups)) if groups else None,
            holes=coverage.holes(),
            segments=len(segments),
            bytes=self._disk.bytes(),
            set_aside=self._disk.set_aside(),
        )

    def compact(self) -> None:
        """Merge the newest segments where that is worth it, and remove what crashed writers left behind.

        Large segments are left as they are, so that this takes no longer as history grows. A crash on the way
        leaves every row readable; rows may then lie in two files, which `read` does not show.

        Raises
        ------
        StoreNotWritable, StoreError
            If the new file cannot be written (then nothing changes) or an old one cannot be removed.
        """
        self._disk.refresh()
        if self.loose:
            self._disk.merge(self.loose, lambda old: _together(old, self._step_ms).closed())
        self._disk.tidy()

    def _coverage(self) -> Coverage:
        self._disk.refresh()
        if self._covered[0] is not self._disk.segments:
            self._covered = self._disk.segments, _together(self._disk.segments, self._step_ms)
        return self._covered[1]


def _together(segments: Iterable[Segment], step_ms: int) -> Coverage:
    coverage = Coverage(step_ms)
    for segment in segments:
        coverage.add(segment.spans)
    return coverage


def _asked(spans: Iterable[tuple[str, Any, Any]]) -> dict[str, list[Span]]:
    ranges: dict[str, list[Span]] = {}
    for coin, start, end in spans:
        if not isinstance(coin, str) or not is_encodable(coin):
            raise InputError(f"a span's coin is {coin!r}: give its name as text")
        first, last = to_ms(start, "a span's start", up=True), to_ms(end, "a span's end")
        if to_ms(start, "a span's start") > last:
            raise InputError(f"a span of {coin!r} ends at {end}, before its start {start}")
        ranges.setdefault(coin, []).append((first, last))
    return ranges
