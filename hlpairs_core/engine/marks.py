"""Newest mids and their last quarter of an hour: what marks and sparklines are computed from."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from hlpairs_core.engine.payload import Sparkline

__all__ = ["MidsWindow", "iso"]

SPARKLINE_SECONDS = 900.0
SPARKLINE_POINTS = 120


def iso(seconds: float) -> str:
    """Return a time (seconds since the epoch) as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class _Tick:
    wall: float
    time: str
    mids: Mapping[str, float]


class MidsWindow:
    """Mids of the last 15 minutes of wall time, thinned to at most 120 moments.

    Parameters
    ----------
    seconds : float
        Length of the window, wall time.
    """

    def __init__(self, seconds: float = SPARKLINE_SECONDS) -> None:
        self._seconds = seconds
        # Thinned by age, not by position, so that a point once drawn stays where it is.
        self._step = seconds / SPARKLINE_POINTS
        self._ticks: deque[_Tick] = deque()

    def append(self, wall: float, mids: Mapping[str, float]) -> None:
        """Add the mids that arrived at wall time `wall`, in place of earlier ones of the same step.

        Those that fell out of the window are forgotten, and, where the wall clock was set back, those from later.
        """
        while self._ticks and self._ticks[-1].wall // self._step >= wall // self._step:
            self._ticks.pop()
        self._ticks.append(_Tick(wall, iso(wall), mids))
        while self._ticks[0].wall < wall - self._seconds:
            self._ticks.popleft()

    def sparkline(self, y: str, x: str, *, alpha: float, beta: float, mean: float, sigma: float) -> Sparkline:
        """Return z of a pair over the window under frozen parameters.

        Moments at which either leg has no usable mid are left out: a gap, not a number.
        """
        points = [(tick.time, tick.mids.get(y) or 0.0, tick.mids.get(x) or 0.0) for tick in self._ticks]
        points = [point for point in points if point[1] > 0 and point[2] > 0]
        if not points or not sigma > 0:
            return Sparkline(t=[], z=[])
        prices = np.array([point[1:] for point in points])
        z = (np.log(prices[:, 0]) - alpha - beta * np.log(prices[:, 1]) - mean) / sigma
        return Sparkline(t=[point[0] for point in points], z=np.round(z, 4).tolist())
