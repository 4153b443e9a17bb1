"""The fast cadence: marks what was selected, and publishes."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from hlpairs_core.engine.diary import Diary
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import build_payload, summary
from hlpairs_core.engine.state import State
from hlpairs_core.engine.waiting import woken

__all__ = ["Ticks"]

# Of two answers: how far they lie apart at least, and at most.
LEAST_SECONDS = 0.1
MOST_SECONDS = 1.0
KEEP_SECONDS = 1.0


class Ticks:
    """Publishes at once when a shown pair has moved, at most ten times and at least once a second.

    It never changes a selection.

    Parameters
    ----------
    state, hub, diary, metrics
        From what the answer is built, from where it is sent, where it is kept, and the instruments.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.

    Attributes
    ----------
    wake : asyncio.Event
        Set when there is something new to publish.
    """

    def __init__(
        self,
        *,
        state: State,
        hub: Hub,
        diary: Diary,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._state, self._hub = state, hub
        self._diary, self._metrics = diary, metrics
        self._clock, self._sleep = clock, sleep
        self.wake = asyncio.Event()

    def moved(self, coin: str | None) -> None:
        """Say that the mid of a coin may have moved; None: of any."""
        selection = self._state.selection
        if coin is None or (selection is not None and selection.marks.hang_on(coin)):
            self.wake.set()

    async def step(self) -> None:
        """Wait for a move, publish, and rest for a moment, in which further moves are gathered."""
        await woken(self.wake, MOST_SECONDS - LEAST_SECONDS, self._sleep)
        self.publish()
        await self._sleep(LEAST_SECONDS)

    def publish(self) -> None:
        """Build the answer and send it to everyone who listens."""
        payload = build_payload(self._state, now=self._clock())
        self._hub.publish(payload)
        self._metrics.published.inc()
        self._metrics.readers.set(len(self._hub.listeners))
        if payload["message_age_seconds"] is not None:
            self._metrics.message_age.set(payload["message_age_seconds"])
        if payload["bar"] is not None:
            self._metrics.bar_age.set(payload["bar"]["age_seconds"])

    async def keep(self) -> None:
        """Store a summary of the newest answer, once there is one, and wait for a second."""
        payload, time = self._hub.current, self._state.market_time(self._clock())
        if payload["bar"] is not None and time is not None:
            await self._diary.write(summary(payload), market_ms=int(time.timestamp() * 1000))
        await self._sleep(KEEP_SECONDS)
