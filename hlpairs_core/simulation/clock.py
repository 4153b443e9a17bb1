import math
import time
from collections.abc import Callable
from datetime import datetime

import pandas as pd

from hlpairs_core.exceptions import SettingsError

__all__ = ["MAX_SPEED", "MarketClock", "milliseconds"]

MAX_SPEED = 100_000.0


class MarketClock:
    """The time of a simulated market: ``start + speed * (wall - wall at construction)``.

    Parameters
    ----------
    start : str, datetime or pandas.Timestamp
        Market time at construction. A time without a zone is taken as UTC.
    speed : float
        Market seconds per wall second, above 0 and at most `MAX_SPEED`.
    clock : callable
        Wall time in seconds since the epoch.
    end : str, datetime or pandas.Timestamp, optional
        Where market time stops.

    Notes
    -----
    Market time never runs backwards, even where the wall clock does.

    Raises
    ------
    SettingsError
        If the speed is not allowed, a time cannot be read, or the end is before the start.
    """

    def __init__(
        self,
        start: str | datetime | pd.Timestamp,
        speed: float = 1.0,
        clock: Callable[[], float] = time.time,
        *,
        end: str | datetime | pd.Timestamp | None = None,
    ) -> None:
        if not (math.isfinite(speed) and 0 < speed <= MAX_SPEED):
            raise SettingsError(f"the speed must be above 0 and at most {MAX_SPEED:g}, got {speed!r}")
        self.speed = float(speed)
        self.start_ms = milliseconds(start)
        self.end_ms = None if end is None else milliseconds(end)
        if self.end_ms is not None and self.end_ms < self.start_ms:
            raise SettingsError(f"the market would end ({end}) before it starts ({start})")
        self._clock = clock
        self._wall_start = clock()
        self._latest_ms = self.start_ms

    def time_ms(self) -> int:
        """Market time, whole milliseconds since the epoch."""
        elapsed = self._clock() - self._wall_start
        now = self.start_ms + math.floor(1000 * self.speed * elapsed)
        if self.end_ms is not None:
            now = min(now, self.end_ms)
        self._latest_ms = max(self._latest_ms, now)
        return self._latest_ms

    def now(self) -> pd.Timestamp:
        """Market time, UTC."""
        return pd.Timestamp(self.time_ms(), unit="ms", tz="UTC")


def milliseconds(time: str | datetime | pd.Timestamp) -> int:
    """Read a time as milliseconds since the epoch; without a zone it is UTC.

    Raises
    ------
    SettingsError
        If it is no time.
    """
    try:
        stamp = pd.Timestamp(time)
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingsError(f"cannot read {time!r} as a time: write 2025-05-01T00:00Z") from error
    if stamp is pd.NaT:
        raise SettingsError(f"cannot read {time!r} as a time: write 2025-05-01T00:00Z")
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return int(stamp.as_unit("ms").to_datetime64().astype("int64"))
