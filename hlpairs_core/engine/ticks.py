"""Polls the mids, marks what was selected, and publishes."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from hlpairs_core.engine.diary import Diary
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import State, build_payload, summary
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient

__all__ = ["Ticks"]

TICK_SECONDS = 1.0


class Ticks:
    """The fast cadence: newest mids, market time, marks. It never changes a selection.

    Parameters
    ----------
    client : HyperliquidClient
        Without retries, so that a late answer is skipped and not queued.
    state, hub, diary, metrics
        Where the answer is built, from where it is sent, where it is kept, and the instruments.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        state: State,
        hub: Hub,
        diary: Diary,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client, self._state, self._hub = client, state, hub
        self._diary, self._metrics = diary, metrics
        self._clock, self._sleep = clock, sleep

    async def step(self) -> None:
        """Poll once, publish, and wait for the next tick."""
        started = self._clock()
        try:
            await self._poll()
        except ExchangeError as error:
            self._metrics.exchange_errors.inc()
            text = f"{error}. What is shown is the last that came"
            self._state.problems.report("exchange", text, retry_in_seconds=TICK_SECONDS)
        else:
            self._state.problems.report("exchange", None)
        self.publish()
        await self._keep()
        # A wall clock that was set back must not make the next tick late.
        await self._sleep(min(TICK_SECONDS, max(0.0, TICK_SECONDS - (self._clock() - started))))

    async def _poll(self) -> None:
        mids = await self._client.all_mids()
        assert self._client.stamp is not None
        self._state.hear(self._client.stamp)
        self._metrics.ticks.inc()
        self._state.mids, self._state.message_at = mids, self._clock()
        self._state.window.append(self._state.message_at, mids)

    def publish(self) -> None:
        """Build the answer and send it to everyone who listens."""
        payload = build_payload(self._state, now=self._clock())
        self._hub.publish(payload)
        self._metrics.readers.set(len(self._hub.listeners))
        if payload["message_age_seconds"] is not None:
            self._metrics.message_age.set(payload["message_age_seconds"])
        if payload["bar"] is not None:
            self._metrics.bar_age.set(payload["bar"]["age_seconds"])

    async def _keep(self) -> None:
        """Store a summary of the newest answer, once there is one."""
        payload, time = self._hub.current, self._state.market_time(self._clock())
        if payload["bar"] is not None and time is not None:
            await self._diary.write(summary(payload), market_ms=int(time.timestamp() * 1000))
