"""Long frames keyed by coin and time, in a folder of immutable Parquet segments."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from hlpairs_core.exceptions import InputError, StoreError
from hlpairs_core.store._rows import deduplicated, is_encodable, selected, to_ms, to_time, to_times
from hlpairs_core.store.files import DISK, TEMPORARY, Files, store_errors, write_atomically
from hlpairs_core.store.problems import StoreProblem
from hlpairs_core.store.segments import (
    BrokenSegment,
    Kind,
    Segment,
    decode,
    describe,
    encode,
    segment_name,
    sequence_of,
    to_table,
)
from hlpairs_core.store.spans import Span, merged, uncovered

__all__ = ["SegmentStore"]

logger = logging.getLogger(__name__)

CORRUPT = ".corrupt"
READ_TRIES = 5


class SegmentStore:
    """Rows of many coins, and which ranges of them were asked and answered.

    Every `append` writes one immutable file in one step, so a crash loses at most the rows being written. A
    file that cannot be read is renamed to ``*.corrupt`` and listed in `problems`; its ranges count as missing
    again. One process writes (see `FolderLock`); others may read meanwhile.

    Attributes
    ----------
    folder : pathlib.Path
        Where the segments lie.
    """

    def __init__(self, folder: Path, kind: Kind, *, step_ms: int, files: Files = DISK) -> None:
        self.folder = Path(folder)
        self._kind = kind
        self._step_ms = step_ms
        self._files = files
        self._segments: dict[str, Segment] = {}
        self._by_coin: dict[str, list[Span]] = {}
        self._problems: list[StoreProblem] = []
        self._refresh()

    @property
    def segments(self) -> int:
        """Number of segment files; `compact` makes them one."""
        return len(self._segments)

    @property
    def problems(self) -> tuple[StoreProblem, ...]:
        """What was set aside by this object, oldest first."""
        return tuple(self._problems)

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
            If the file cannot be written; then nothing is stored.
        """
        table = to_table(frame, self._kind)
        ranges = self._asked(spans)
        if table.num_rows or ranges:
            self._refresh()
            self._write(table, ranges)

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
        tables = [selected(table, coins, first, last) for table in self._tables(first, last)]
        return deduplicated(pa.concat_tables([self._kind.schema.empty_table(), *tables]), self._kind)

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
        self._refresh()
        stop = last // self._step_ms * self._step_ms + self._step_ms
        holes = uncovered(self._by_coin.get(coin, ()), -(-first // self._step_ms) * self._step_ms, stop)
        return [(to_time(left), to_time(right - self._step_ms)) for left, right in holes]

    def coverage(self) -> pd.DataFrame:
        """Return the ranges that were asked and answered: ``coin, start, end``, both ends included."""
        self._refresh()
        lines = [(coin, *span) for coin in sorted(self._by_coin) for span in merged(self._by_coin[coin])]
        starts = np.array([start for _, start, _ in lines], dtype=np.int64)
        stops = np.array([stop for _, _, stop in lines], dtype=np.int64)
        columns = {"start": to_times(starts), "end": to_times(stops - self._step_ms)}
        return pd.DataFrame({"coin": pd.Series([coin for coin, _, _ in lines], dtype="str"), **columns})

    def compact(self) -> None:
        """Merge all segments into one, and remove what crashed writers left behind.

        A crash on the way leaves every row readable; rows may then lie in two files, which `read` does not
        show.

        Raises
        ------
        StoreNotWritable, StoreError
            If the new file cannot be written (then nothing changes) or an old one cannot be removed.
        """
        self._refresh()
        if len(self._segments) > 1:
            table = pa.concat_tables([self._kind.schema.empty_table(), *self._tables(None, None)])
            old = list(self._segments)
            inclusive = {
                coin: [(start, stop - self._step_ms) for start, stop in merged(spans)]
                for coin, spans in self._by_coin.items()
            }
            self._write(to_table(deduplicated(table, self._kind), self._kind), inclusive)
            self._discard(self.folder / name for name in old)
        if self.folder.is_dir():
            self._discard(self.folder.glob(f"*{TEMPORARY}"))

    def _asked(self, spans: Iterable[tuple[str, Any, Any]]) -> dict[str, list[Span]]:
        ranges: dict[str, list[Span]] = {}
        for coin, start, end in spans:
            if not isinstance(coin, str) or not is_encodable(coin):
                raise InputError(f"a span's coin is {coin!r}: give its name as text")
            first, last = to_ms(start, "a span's start", up=True), to_ms(end, "a span's end")
            if to_ms(start, "a span's start") > last:
                raise InputError(f"a span of {coin!r} ends at {end}, before its start {start}")
            ranges.setdefault(coin, []).append((first, last))
        return ranges

    def _write(self, table: pa.Table, spans: dict[str, list[Span]]) -> None:
        newest = max((sequence_of(name) or 0 for name in self._segments), default=0)
        data = encode(table, spans, self._kind)
        segment = describe(table, segment_name(newest + 1, data), spans)
        write_atomically(self.folder / segment.name, data, files=self._files)
        self._know(segment)

    def _discard(self, paths: Iterable[Path]) -> None:
        with store_errors(self.folder):
            for path in paths:
                self._files.remove(path)
        self._refresh()

    def _tables(self, first: int | None, last: int | None) -> list[pa.Table]:
        """Read the segments that have rows in a range of time, oldest first."""
        for _ in range(READ_TRIES):
            self._refresh()
            wanted = [segment.name for segment in self._segments.values() if segment.reaches(first, last)]
            try:
                loaded = [self._load(name) for name in sorted(wanted, key=_age)]
            except FileNotFoundError:
                continue  # the writer merged segments since they were listed
            return [one[0] for one in loaded if one]
        raise self._restless()

    def _refresh(self) -> None:
        """Learn of segments that appeared in the folder, and forget those that are gone."""
        for _ in range(READ_TRIES):
            with suppress(FileNotFoundError):
                return self._compare(self._present())
        raise self._restless()

    def _restless(self) -> StoreError:
        return StoreError(f"the files in {self.folder} keep changing: is more than one process writing there?")

    def _present(self) -> set[str]:
        try:
            return {path.name for path in self.folder.iterdir() if sequence_of(path.name) is not None}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise StoreError(f"cannot list {self.folder}: {error.strerror}") from error

    def _compare(self, present: set[str]) -> None:
        for name in sorted(present - self._segments.keys(), key=_age):
            loaded = self._load(name)
            if loaded:
                self._know(loaded[1])
        self._forget(self._segments.keys() - present)

    def _load(self, name: str) -> tuple[pa.Table, Segment] | None:
        """Read one segment; None, and it is set aside, where it is broken; `FileNotFoundError` where it is gone."""
        path = self.folder / name
        try:
            return decode(self._files.read(path), name, self._kind)
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
        problem = StoreProblem(aside, f"{reason}; {done}, and what it held counts as missing")
        if problem not in self._problems:
            self._problems.append(problem)
            logger.warning("%s", problem)
        self._forget({path.name})

    def _know(self, segment: Segment) -> None:
        self._segments[segment.name] = segment
        self._cover(segment)

    def _cover(self, segment: Segment) -> None:
        for coin, ranges in segment.spans.items():
            known = self._by_coin.setdefault(coin, [])
            known.extend(self._bars(first, last) for first, last in ranges)

    def _forget(self, names: Iterable[str]) -> None:
        gone = [name for name in names if self._segments.pop(name, None)]
        if gone:
            self._by_coin = {}
            for segment in self._segments.values():
                self._cover(segment)

    def _bars(self, first: int, last: int) -> Span:
        """Turn a range with both ends included into the half-open range of steps inside it."""
        step = self._step_ms
        return -(-first // step) * step, last // step * step + step


def _age(name: str) -> tuple[int, str]:
    return sequence_of(name) or 0, name
