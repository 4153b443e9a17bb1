"""The exchange's limits on WebSockets, and what keeps to them."""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields

from hlpairs_core.exceptions import InputError

__all__ = ["Quota", "SteadyClock", "StreamLimits"]

# A second more than the exchange's minute: what leaves here evenly may arrive there bunched.
_WINDOW_SECONDS = 61.0


@dataclass(frozen=True)
class StreamLimits:
    """What a stream allows itself; the first five are the exchange's, for all programs at one IP address.

    Attributes
    ----------
    connections : int
        Open at once, at least 2: one is kept to find out which subscription makes the server drop a connection.
    connections_per_minute : int
        Opened.
    subscriptions : int
        At once.
    messages_per_minute : int
        Sent, pings among them. Subscriptions leave a tenth of it to pings: the exchange answers what comes
        above the limit with silence.
    largest_message : int
        Bytes; a connection that sends more is closed.
    subscriptions_per_socket : int
        Those of one socket are interrupted together.
    unacknowledged : int
        Subscriptions sent and not yet acknowledged, per socket: those among which a culprit is looked for when
        the server drops the connection.
    buffered : int
        Trades and closed candles that wait for the reader before the sockets are read no further.

    Raises
    ------
    InputError
        If a number is not a positive integer, or `connections` or `subscriptions` is 1.
    """

    connections: int = 10
    connections_per_minute: int = 30
    subscriptions: int = 1000
    messages_per_minute: int = 2000
    largest_message: int = 4 * 2**20
    subscriptions_per_socket: int = 120
    unacknowledged: int = 16
    buffered: int = 200_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 2 if field.name in ("connections", "subscriptions") else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{field.name} must be {least} or more, got {value!r}")

    @property
    def sockets(self) -> int:
        """Sockets that may carry subscriptions: all but one."""
        return self.connections - 1

    @property
    def capacity(self) -> int:
        """Subscriptions that can be held at once; one is kept for the socket that looks for culprits."""
        return min(self.subscriptions - 1, self.sockets * self.subscriptions_per_socket)


class SteadyClock:
    """A clock that never goes back: of the one it is given only the forward steps count."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._set_back_by = 0.0

    def __call__(self) -> float:
        """Return seconds."""
        reading = self._clock()
        if reading < self._last:
            self._set_back_by += self._last - reading
        self._last = reading
        return reading + self._set_back_by


class Quota:
    """So many a minute: whoever comes when they are used up waits.

    Parameters
    ----------
    per_minute : int
        How many.
    clock : callable
        Returns seconds, never going back.
    sleep : callable
        Awaitable sleep in seconds.
    """

    def __init__(
        self, per_minute: int, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[object]]
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._sleep = sleep
        self._taken: deque[float] = deque()

    async def take(self, *, spare: float = 0.0) -> None:
        """Wait for one, leaving the fraction `spare` of a minute's to others."""
        usable = max(1, math.floor(self._per_minute * (1 - spare)))
        while (wait := self._wait(usable)) > 0:
            await self._sleep(wait)
        self._taken.append(self._clock())

    def _wait(self, usable: int) -> float:
        now = self._clock()
        while self._taken and self._taken[0] + _WINDOW_SECONDS <= now:
            self._taken.popleft()
        excess = len(self._taken) - usable
        return self._taken[excess] + _WINDOW_SECONDS - now if excess >= 0 else 0.0
