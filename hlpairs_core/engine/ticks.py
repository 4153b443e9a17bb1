"""Polls the mids, marks what was selected, and publishes."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pandas as pd

from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import State, build_payload, summary
from hlpairs_core.exceptions import ExchangeError, StoreError
from hlpairs_core.exchange import HyperliquidClient
from hlpairs_core.store import Journal

__all__ = ["Ticks"]

TICK_SECONDS = 1.0


class Ticks:
    """The fast cadence: newest mids, market time, marks. It never changes a selection.

    Parameters
    ----------
    client : HyperliquidClient
        Without retries, so that a late answer is skipped and not queued.
    state, hub, journal, metrics
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
        journal: Journal,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client, self._state, self._hub = client, state, hub
        self._journal, self._metrics = journal, metrics
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
        await self._sleep(max(0.0, TICK_SECONDS - (self._clock() - started)))

    async def _poll(self) -> None:
        mids = await self._client.all_mids()
        self._metrics.ticks.inc()
        self._state.stamp, self._state.mids = self._client.stamp, mids
        self._state.message_at = self._clock()
        self._state.window.append(self._state.message_at, mids)

    def publish(self) -> None:
        """Build the answer, keep its summary, and send it to everyone who listens."""
        state, now = self._state, self._clock()
        payload = build_payload(state, now=now)
        self._hub.publish(payload)
        self._metrics.readers.set(len(self._hub.listeners))
        if payload["message_age_seconds"] is not None:
            self._metrics.message_age.set(payload["message_age_seconds"])
        if payload["bar"] is not None:
            self._metrics.bar_age.set(payload["bar"]["age_seconds"])
            market_ms = int(_market_now(state, now).timestamp() * 1000)
            try:
                self._journal.add_snapshot(summary(payload), market_ms=market_ms)
            except StoreError as error:
                state.problems.report("journal", f"{error}. The page goes on; its history has a gap")
            else:
                state.problems.report("journal", None)


def _market_now(state: State, now: float) -> pd.Timestamp:
    time = state.market_time(now)
    assert time is not None
    return time
