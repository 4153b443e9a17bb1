from collections import defaultdict, deque
from collections.abc import Callable

from hlpairs_core.simulation.feed_settings import FeedLimits

__all__ = ["FeedMeter"]

_WINDOW_SECONDS = 60.0


class FeedMeter:
    """Counts what each address does on the feed within a minute.

    Parameters
    ----------
    limits : FeedLimits or None
        What is allowed; None allows everything.
    clock : callable
        Seconds, from any origin.
    """

    def __init__(self, limits: FeedLimits | None, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._connections: dict[str, deque[float]] = defaultdict(deque)
        self._messages: dict[str, deque[float]] = defaultdict(deque)

    def connects(self, address: str, *, connected: int) -> bool:
        """Count a new connection of an address that holds `connected` others; whether it is allowed."""
        if self._limits is None:
            return True
        if connected >= self._limits.connections:
            return False
        return self._counted(self._connections[address], self._limits.connections_per_minute)

    def hears(self, address: str) -> bool:
        """Count a message from an address; whether it is to be listened to."""
        return self._limits is None or self._counted(self._messages[address], self._limits.messages_per_minute)

    def _counted(self, times: deque[float], limit: int) -> bool:
        now = self._clock()
        while times and now - times[0] >= _WINDOW_SECONDS:
            times.popleft()
        if len(times) >= limit:
            return False
        times.append(now)
        return True
