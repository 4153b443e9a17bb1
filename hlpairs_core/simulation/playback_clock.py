"""What moment of a recorded session is played now."""

import bisect
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.playback_index import HOUR_MS, Stamp

__all__ = ["PlaybackClock"]

# So long it stands still for a client that does not do what the recorded one did.
PATIENCE_SECONDS = 30.0

logger = logging.getLogger(__name__)


class PlaybackClock:
    """The market's time during a playback; it starts with the first look at it.

    It runs at the recorded pace and stands still at each of its stops until `go_on`: there the recorded client learned
    that an hour is over, and what came later must not come earlier for one that is slower today. Nor does the market's
    time enter an hour before: one that is faster today has to wait.

    Parameters
    ----------
    first, last : float
        The first and the last moment of the recording (seconds since 1970, the recording client's clock).
    stamps : sequence of Stamp
        What the market's clock said, by `at`; not empty.
    stops : sequence of float
        Moments at which to stand still, ascending.
    speed : float
        Recorded seconds per wall second.
    clock : callable
        Wall time, seconds since the epoch.

    Attributes
    ----------
    speed : float
        Market seconds per wall second.

    Raises
    ------
    InputError
        If `speed` cannot be played.
    """

    def __init__(
        self,
        first: float,
        last: float,
        *,
        stamps: Sequence[Stamp],
        stops: Sequence[float],
        speed: float,
        clock: Callable[[], float],
    ) -> None:
        if not 0 < speed <= 1000:
            raise InputError(f"a session is played at a speed above 0 and at most 1000, got {speed!r}")
        self._last, self._stamps, self._stops = last, stamps, deque(stops)
        self._pace, self._clock = speed, clock
        # A moment of the recording, and the wall time at which it was played.
        self._from, self._since = first, math.nan
        self._latest_ms: int | None = None
        self._kept = math.nan
        self.speed = stamps[0].speed * speed

    @property
    def next_stop(self) -> float | None:
        """Where it will stand still next, or stands now; None where nowhere."""
        return self._stops[0] if self._stops else None

    @property
    def waited(self) -> float:
        """For how long it has been standing still (wall seconds); negative: in how long it will."""
        return (self._running() - self._stops[0]) / self._pace if self._stops else -math.inf

    def go_on(self) -> None:
        """Leave the next stop behind, from wherever it is before it."""
        self._from, self._since = self._stops.popleft(), self._clock()
        self._latest_ms = (self.time_at(self._from) // HOUR_MS + 1) * HOUR_MS - 1

    def keep_to(self, seconds: float) -> None:
        """Have moved on by no more than so many wall seconds since the last such call."""
        now = self._clock()
        if not math.isnan(self._since + self._kept):
            self._since += max(0.0, now - self._kept - seconds)
        self._kept = now

    def position(self) -> float:
        """Return the moment of the recording that is played now (seconds since 1970, the recording client's clock)."""
        if self.waited >= PATIENCE_SECONDS:
            self._give_up()
        return min(self._running(), self._stops[0] if self._stops else math.inf, self._last)

    def time_ms(self) -> int:
        """Return the market's time, milliseconds since the epoch: the newest answer's, moved on."""
        time = self.time_at(self.position())
        return time if self._latest_ms is None else min(time, self._latest_ms)

    def time_at(self, position: float) -> int:
        """Return the market's time at a moment of the recording, milliseconds since the epoch."""
        place = bisect.bisect_right(self._stamps, position, key=lambda stamp: stamp.at)
        stamp = self._stamps[max(place - 1, 0)]
        return stamp.time_ms + int(1000 * stamp.speed * max(0.0, position - stamp.at))

    def _running(self) -> float:
        """Return the moment that would be played now if it did not stand still."""
        now = self._clock()
        if math.isnan(self._since):
            self._since = now
        return self._from + max(0.0, now - self._since) * self._pace

    def _give_up(self) -> None:
        logger.warning(
            "nobody has asked for the contexts of a new hour for %g s: from here on the session is played by the "
            "clock, and the verdicts of an engine may differ from the recorded ones",
            PATIENCE_SECONDS,
        )
        self._from, self._since = self._stops[0], self._clock()
        self._stops.clear()
        self._latest_ms = None
