"""History of one market: what is stored, and what could not be stored yet."""

import logging
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from hlpairs_core.exceptions import StoreError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.store import CandleStore, FundingStore, MinuteStore, SegmentStore
from hlpairs_core.store.files import DISK, Files

__all__ = ["Buffered", "History", "Range"]

log = logging.getLogger(__name__)

Range = tuple[pd.Timestamp, pd.Timestamp]

# So many small segments make reading slow enough to be worth one merge.
SEGMENTS_AT_MOST = 60


class Buffered:
    """A store that takes rows while the disk does not: they wait in memory and are read from there.

    Safe to use from several threads. `add` never waits for the disk, so that the event loop may call it; the other
    methods do.

    Parameters
    ----------
    store : SegmentStore
        Where rows go.
    step : pandas.Timedelta
        Distance of two rows of a coin.
    """

    def __init__(self, store: SegmentStore, step: pd.Timedelta) -> None:
        self.store = store
        self._step = step
        self._disk = threading.RLock()  # held while the store works
        self._lock = threading.Lock()  # held for an instant; taken after `_disk`, never before it
        self._frames: list[pd.DataFrame] = []
        self._spans: list[tuple[str, pd.Timestamp, pd.Timestamp]] = []
        self._doubts: list[tuple[str, pd.Timestamp, pd.Timestamp]] = []

    @property
    def waiting(self) -> int:
        """Rows that are not stored yet."""
        return sum(len(frame) for frame in self._frames)

    def add(self, frame: pd.DataFrame, spans: Iterable[tuple[str, pd.Timestamp, pd.Timestamp]]) -> None:
        """Take rows and the ranges they answer (both ends included); `flush` stores them."""
        with self._lock:
            for coin, first, last in spans:
                self._spans.append((coin, first, last))
                self._doubts = [rest for doubt in self._doubts for rest in self._settled(doubt, coin, (first, last))]
            self._frames.append(frame)

    def doubt(self, coin: str, first: pd.Timestamp, last: pd.Timestamp) -> None:
        """Count a range as missing, both ends included, until rows for it are taken: what is held may be wrong."""
        with self._lock:
            self._doubts.append((coin, first, last))

    def flush(self) -> None:
        """Store what waits, in one segment.

        Raises
        ------
        StoreError
            If it cannot be written; it then goes on waiting, and nothing is lost while the process lives.
        """
        with self._disk:
            frames, spans = self._held()
            if frames:
                filled = [frame for frame in frames if len(frame)] or frames[:1]
                rows = pd.concat(filled, ignore_index=True)
                self.store.append(rows, spans)
                _tell(self.store, rows)
                with self._lock:
                    del self._frames[: len(frames)], self._spans[: len(spans)]
            if self.store.loose > SEGMENTS_AT_MOST:
                self.store.compact()

    def missing(self, coin: str, start: pd.Timestamp, end: pd.Timestamp) -> list[Range]:
        """Return the ranges that nobody has asked for yet, both ends included, oldest first."""
        with self._disk:
            holes = self.store.missing(coin, start, end)
            _, spans = self._held()
        for name, first, last in spans:
            if name == coin:
                holes = [part for hole in holes for part in self._cut(hole, (first, last))]
        with self._lock:
            doubts = [(max(first, start), min(last, end)) for name, first, last in self._doubts if name == coin]
        return self._joined([*holes, *(doubt for doubt in doubts if doubt[0] <= doubt[1])])

    def _held(self) -> tuple[list[pd.DataFrame], list[tuple[str, pd.Timestamp, pd.Timestamp]]]:
        with self._lock:
            return list(self._frames), list(self._spans)

    def _settled(
        self, doubt: tuple[str, pd.Timestamp, pd.Timestamp], coin: str, answered: Range
    ) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
        if doubt[0] != coin:
            return [doubt]
        return [(coin, *part) for part in self._cut(doubt[1:], answered)]

    def _joined(self, parts: list[Range]) -> list[Range]:
        """Return the union of ranges, oldest first."""
        union: list[Range] = []
        for first, last in sorted(parts):
            if union and first <= union[-1][1] + self._step:
                union[-1] = (union[-1][0], max(union[-1][1], last))
            else:
                union.append((first, last))
        return union

    def _cut(self, hole: Range, answered: Range) -> list[Range]:
        parts = [
            (hole[0], min(hole[1], answered[0] - self._step)),
            (max(hole[0], answered[1] + self._step), hole[1]),
        ]
        return [part for part in parts if part[0] <= part[1]]

    def read(
        self,
        coins: Sequence[str] | None = None,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
    ) -> pd.DataFrame:
        """Return rows by coin and time (both ends included), waiting ones too."""
        with self._disk:
            stored = self.store.read(coins, start, end)
            fresh = [frame for frame in self._held()[0] if len(frame)]
        if not fresh:
            return stored
        waiting = pd.concat(fresh, ignore_index=True)[stored.columns]
        keep = pd.Series(True, index=waiting.index)
        if coins is not None:
            keep &= waiting["coin"].isin(coins)
        if start is not None:
            keep &= waiting["time"] >= start
        if end is not None:
            keep &= waiting["time"] <= end
        both = pd.concat([stored.astype({"coin": "str"}), waiting[keep].astype({"coin": "str"})])
        return both.drop_duplicates(["coin", "time"], keep="last").sort_values(["coin", "time"], ignore_index=True)


def _tell(store: SegmentStore, rows: pd.DataFrame) -> None:
    """Log what is stored from now on."""
    if len(rows):
        newest, coins, where = rows["time"].max(), rows["coin"].nunique(), store.folder.name
        text = "stored %d rows of %d coins in %s, up to %s"
        log.info(text, len(rows), coins, where, f"{newest:%Y-%m-%d %H:%M}", extra={"where": where, "rows": rows})


class History:
    """Candles, funding and minutes of one market, in its folder.

    Parameters
    ----------
    folder : pathlib.Path
        The market's sub-folder of the data folder.
    interval : str
        Of the candles that are screened; others are kept beside them.
    files : Files, optional
        What reads and changes the disk.

    Attributes
    ----------
    trouble : str or None
        Why rows wait in memory instead of the store; None when they do not.
    """

    def __init__(self, folder: Path, interval: str, *, files: Files = DISK) -> None:
        self.folder = folder
        self.trouble: str | None = None
        self.interval = interval
        self._files = files
        self._opening = threading.Lock()
        self._candles: dict[str, Buffered] = {}
        self.candles = self.candles_of(interval)
        self.funding = Buffered(FundingStore(folder, files=files), pd.Timedelta(hours=1))
        self.minutes = Buffered(MinuteStore(folder, files=files), pd.Timedelta(minutes=1))

    def candles_of(self, interval: str) -> Buffered:
        """Return the candles of an interval; reads the disk when it is first asked for.

        Raises
        ------
        InputError
            If the exchange has no such interval.
        """
        with self._opening:
            if interval not in self._candles:
                store = CandleStore(self.folder, interval, files=self._files)
                # Another dictionary: one may be walked through in another thread.
                self._candles = {**self._candles, interval: Buffered(store, interval_duration(interval))}
            return self._candles[interval]

    @property
    def parts(self) -> tuple[Buffered, ...]:
        """Everything that is stored."""
        return (*self._candles.values(), self.funding, self.minutes)

    @property
    def waiting(self) -> int:
        """Rows that are not stored yet."""
        return sum(part.waiting for part in self.parts)

    def flush(self) -> str | None:
        """Store what waits; return why that failed, None when it did not."""
        trouble = None
        for part in self.parts:
            try:
                part.flush()
            except StoreError as error:
                trouble = f"{error}. {part.waiting:,} rows wait in memory and are written when that is mended"
        self.trouble = trouble
        return trouble

    def funding_of_bars(
        self, coins: Sequence[str] | None, first: pd.Timestamp, last: pd.Timestamp, interval: str | None = None
    ) -> pd.DataFrame:
        """Return the funding stamped inside the bars that open in ``first … last``.

        A stamp comes some moments after its hour, so that the one at the open of the last bar lies behind it.
        """
        closed_at = last + interval_duration(interval or self.interval)
        return self.funding.read(coins, first, closed_at - pd.Timedelta(milliseconds=1))

    @property
    def problems(self) -> tuple[str, ...]:
        """Files that were set aside since the start."""
        return tuple(str(one) for part in self.parts for one in part.store.problems)
