"""Newest mids and their last quarter of an hour: what marks and sparklines are computed from."""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from hlpairs_core.engine.payload import Sparkline

__all__ = ["MidsWindow", "iso"]

SPARKLINE_SECONDS = 900.0
SPARKLINE_POINTS = 120


def iso(seconds: float) -> str:
    """Return a time (seconds since the epoch) as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class MidsWindow:
    """Mids of the last 15 minutes of wall time.

    Parameters
    ----------
    seconds : float
        Length of the window, wall time.
    """

    def __init__(self, seconds: float = SPARKLINE_SECONDS) -> None:
        self._seconds = seconds
        self._ticks: deque[tuple[float, Mapping[str, float]]] = deque()

    def append(self, wall: float, mids: Mapping[str, float]) -> None:
        """Add the mids that arrived at wall time `wall` and forget those that fell out of the window."""
        self._ticks.append((wall, mids))
        while self._ticks[0][0] < wall - self._seconds:
            self._ticks.popleft()

    def sparkline(self, y: str, x: str, *, alpha: float, beta: float, mean: float, sigma: float) -> Sparkline:
        """Return z of a pair over the window under frozen parameters, thinned to at most 120 points.

        Ticks in which either leg has no usable mid are left out: a gap, not a number.
        """
        # Thinned by age, not by position, so that a point once drawn stays where it is.
        step = self._seconds / SPARKLINE_POINTS
        points: dict[int, tuple[float, float, float]] = {}
        for wall, mids in self._ticks:
            py, px = mids.get(y), mids.get(x)
            if py and px and py > 0 and px > 0:
                points[int(wall // step)] = (wall, py, px)
        if not points or not sigma > 0:
            return Sparkline(t=[], z=[])
        table = np.array(list(points.values()))
        z = (np.log(table[:, 1]) - alpha - beta * np.log(table[:, 2]) - mean) / sigma
        return Sparkline(t=[iso(wall) for wall in table[:, 0]], z=np.round(z, 4).tolist())
