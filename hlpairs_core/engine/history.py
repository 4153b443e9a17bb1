"""History of one market: what is stored, and what could not be stored yet."""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from hlpairs_core.exceptions import StoreError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.store import CandleStore, FundingStore

__all__ = ["Buffered", "History", "Range"]

Range = tuple[pd.Timestamp, pd.Timestamp]

# So many segments make reading slow enough to be worth one rewrite.
SEGMENTS_AT_MOST = 60


class Buffered:
    """A store that takes rows while the disk does not: they wait in memory and are read from there.

    Safe to use from several threads, so that the event loop never waits for the disk.

    Parameters
    ----------
    store : CandleStore or FundingStore
        Where rows go.
    step : pandas.Timedelta
        Distance of two rows of a coin.
    """

    def __init__(self, store: CandleStore | FundingStore, step: pd.Timedelta) -> None:
        self.store = store
        self._step = step
        self._lock = threading.RLock()
        self._frames: list[pd.DataFrame] = []
        self._spans: list[tuple[str, pd.Timestamp, pd.Timestamp]] = []

    @property
    def waiting(self) -> int:
        """Rows that are not stored yet."""
        return sum(len(frame) for frame in self._frames)

    def add(self, frame: pd.DataFrame, spans: Iterable[tuple[str, pd.Timestamp, pd.Timestamp]]) -> None:
        """Take rows and the ranges they answer (both ends included); `flush` stores them."""
        with self._lock:
            self._frames.append(frame)
            self._spans.extend(spans)

    def flush(self) -> None:
        """Store what waits, in one segment.

        Raises
        ------
        StoreError
            If it cannot be written; it then goes on waiting, and nothing is lost while the process lives.
        """
        with self._lock:
            if self._frames:
                filled = [frame for frame in self._frames if len(frame)] or self._frames[:1]
                self.store.append(pd.concat(filled, ignore_index=True), self._spans)
                self._frames, self._spans = [], []
            if self.store.segments > SEGMENTS_AT_MOST:
                self.store.compact()

    def missing(self, coin: str, start: pd.Timestamp, end: pd.Timestamp) -> list[Range]:
        """Return the ranges that nobody has asked for yet, both ends included, oldest first."""
        with self._lock:
            holes = self.store.missing(coin, start, end)
            for name, first, last in self._spans:
                if name == coin:
                    holes = [part for hole in holes for part in self._cut(hole, (first, last))]
        return holes

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
        with self._lock:
            stored = self.store.read(coins, start, end)
            fresh = [frame for frame in self._frames if len(frame)]
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


class History:
    """Candles of one interval and funding of one market, in its folder.

    Parameters
    ----------
    folder : pathlib.Path
        The market's sub-folder of the data folder.
    interval : str
        Of the candles.
    """

    def __init__(self, folder: Path, interval: str) -> None:
        self.folder = folder
        self.interval = interval
        self.candles = Buffered(CandleStore(folder, interval), interval_duration(interval))
        self.funding = Buffered(FundingStore(folder), pd.Timedelta(hours=1))

    def flush(self) -> str | None:
        """Store what waits; return why that failed, None when it did not."""
        trouble = None
        for part in (self.candles, self.funding):
            try:
                part.flush()
            except StoreError as error:
                trouble = f"{error}. {part.waiting:,} rows wait in memory and are written when that is mended"
        return trouble

    @property
    def problems(self) -> tuple[str, ...]:
        """Files that were set aside since the start."""
        return tuple(str(one) for part in (self.candles, self.funding) for one in part.store.problems)
