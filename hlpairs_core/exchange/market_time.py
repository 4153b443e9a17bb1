from collections.abc import Callable

from hlpairs_core.exchange.client import HyperliquidClient
from hlpairs_core.exchange.stamp import MarketStamp

__all__ = ["MarketTime"]

# Clocks differ, and answers travel: only what is further ahead than this is absurd.
_TOLERANCE_MS = 300_000.0


class MarketTime:
    """What time it is at the exchange, by the stamp of the client's last answer; the market may be a simulated one.

    Parameters
    ----------
    client : HyperliquidClient
        Knows the stamp.
    clock : callable
        Seconds since 1970, the client's.
    """

    def __init__(self, client: HyperliquidClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._stamp: MarketStamp | None = None
        self._base_ms = 0.0
        self._speed = 1.0

    def now_ms(self) -> float:
        """Return milliseconds since 1970; by the clock before the first answer."""
        stamp = self._client.stamp
        if stamp is not None and stamp is not self._stamp:
            self._stamp = stamp
            self._speed = stamp.speed
            self._base_ms = stamp.time.timestamp() * 1000 - stamp.received_at * 1000 * stamp.speed
        return self._base_ms + self._clock() * 1000 * self._speed

    def latest_ms(self) -> float:
        """Return the latest time that something can have happened."""
        return self.now_ms() + _TOLERANCE_MS * max(1.0, self._speed)

    def before_ms(self, seconds: float) -> float:
        """Return the time it was some seconds of this program's clock ago."""
        return self.now_ms() - seconds * 1000 * self._speed
