"""What the client of the exchange has noticed and nobody asked for: changed universes, requests held back, 429s."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.payload import iso
from hlpairs_core.engine.problems import Problems
from hlpairs_core.exchange import HyperliquidClient
from hlpairs_core.exchange.breaker import BreakerState

__all__ = ["ClientWatch"]

LOOK_SECONDS = 1.0


class ClientWatch:
    """Looks at the client once a second and says what is new.

    Parameters
    ----------
    client : HyperliquidClient
        Of the exchange.
    problems : Problems
        Gets each change of a universe as a note, once, and each type of request that is not sent as long as it is not.
    metrics : Metrics
        The instruments.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        problems: Problems,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client, self._problems, self._metrics = client, problems, metrics
        self._clock, self._sleep = clock, sleep
        self._told = 0
        self._held_back: set[str] = set()

    async def step(self) -> None:
        """Look, and wait for a moment."""
        self._tell_changes()
        self._tell_breakers()
        self._metrics.rate_limited.set(self._client.status().rate_limited)
        await self._sleep(LOOK_SECONDS)

    def status(self) -> dict[str, Any]:
        """Say how requests fare, and how universes changed since the start (the last hundred times)."""
        status = self._client.status()
        return {
            "address": status.address,
            "under_way": status.under_way,
            "waiting": status.waiting,
            "weight_left": None if math.isinf(status.weight_left) else status.weight_left,
            "rate_limited": status.rate_limited,
            "held_back": {one.endpoint: _brief(one) for one in _held_back(status.breakers)},
            "universe_changes": [
                {**asdict(change), "received_at": iso(change.received_at), "text": str(change)}
                for change in self._client.universe_changes
            ],
        }

    def _tell_changes(self) -> None:
        for change in self._client.universe_changes:
            if change.number > self._told:
                self._told = change.number
                self._problems.note("universe", str(change), key=("universe", change.number))

    def _tell_breakers(self) -> None:
        held_back = {one.endpoint: one for one in _held_back(self._client.status().breakers)}
        self._metrics.held_back.set(len(held_back))
        for endpoint in self._held_back - held_back.keys():
            self._problems.report(_source(endpoint), None)
        for endpoint, one in held_back.items():
            assert one.retry_at is not None
            self._problems.report(
                _source(endpoint), _sentence(one), retry_in_seconds=max(0.0, one.retry_at - self._clock())
            )
        self._held_back = set(held_back)


def _held_back(breakers: tuple[BreakerState, ...]) -> list[BreakerState]:
    """Return those that let nothing through, or a single request to see."""
    return [one for one in breakers if one.state != "closed"]


def _source(endpoint: str) -> str:
    return f"requests for {endpoint}"


def _sentence(one: BreakerState) -> str:
    assert one.retry_at is not None
    return (
        f"{one.endpoint} is not asked for until {iso(one.retry_at)}, because the last {one.failures} requests of this "
        f"kind failed. The last failure: {one.cause}"
    )


def _brief(one: BreakerState) -> dict[str, Any]:
    assert one.retry_at is not None
    return {"state": one.state, "failures": one.failures, "retry_at": iso(one.retry_at), "cause": one.cause}
