"""The two stores of a market: its candles and its funding."""

from pathlib import Path

from hlpairs_core.intervals import interval_duration
from hlpairs_core.store.files import DISK, Files
from hlpairs_core.store.segments import Kind
from hlpairs_core.store.series import SegmentStore

__all__ = ["CandleStore", "FundingStore"]

DAY_MS = 86_400_000


class CandleStore(SegmentStore):
    """Closed candles of one interval: ``coin, time, open, high, low, close, volume``.

    Parameters
    ----------
    folder : pathlib.Path
        The market's folder; the segments lie in its sub-folder ``candles-<interval>``.
    interval : str
        Such as ``"1h"``.
    files : Files, optional
        What reads and changes the disk.
    """

    def __init__(self, folder: Path, interval: str, *, files: Files = DISK) -> None:
        length = int(interval_duration(interval).total_seconds() * 1000)
        kind = Kind(f"candles-{interval}", ("open", "high", "low", "close", "volume"))
        # Candles above a day need not open on multiples of their length since 1970: no rounding for them.
        step_ms = length if length <= DAY_MS else 1
        super().__init__(Path(folder) / kind.name, kind, step_ms=step_ms, files=files)
        self.interval = interval


class FundingStore(SegmentStore):
    """Hourly funding rates: ``coin, time`` (as sent, some milliseconds after the hour), ``funding_rate``.

    Parameters
    ----------
    folder : pathlib.Path
        The market's folder; the segments lie in its sub-folder ``funding``.
    files : Files, optional
        What reads and changes the disk.
    """

    def __init__(self, folder: Path, *, files: Files = DISK) -> None:
        kind = Kind("funding", ("funding_rate",))
        super().__init__(Path(folder) / kind.name, kind, step_ms=1, files=files)
