"""Quotes by polling, where the stream has none."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.payload import iso
from hlpairs_core.engine.state import SILENT_SECONDS, State
from hlpairs_core.exceptions import ExchangeError, ExchangeUnavailable
from hlpairs_core.exchange import HyperliquidClient, Priority

__all__ = ["Polls"]

POLL_SECONDS = 1.0
# A late answer is skipped and not queued.
ANSWER_SECONDS = 3.0


class Polls:
    """Asks for all mids once a second as long as the stream is silent, and says so.

    Parameters
    ----------
    client : HyperliquidClient
        Where to ask, before everything else.
    state : State
        Takes the mids and the market's clock.
    metrics : Metrics
        The instruments.
    moved : callable
        Told that mids came.
    streaming : bool
        Whether there should be a stream: then its silence is a problem.
    answer_seconds : float
        How long an answer may take.
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
        metrics: Metrics,
        moved: Callable[[str | None], None],
        streaming: bool = True,
        answer_seconds: float = ANSWER_SECONDS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client, self._state, self._metrics = client.at(Priority.URGENT), state, metrics
        self._moved, self._streaming, self._answer_seconds = moved, streaming, answer_seconds
        self._clock, self._sleep = clock, sleep
        self._began_at = clock()

    async def step(self) -> None:
        """Poll if the stream is silent, and wait for a second."""
        if not self._state.is_feed_silent(self._clock()):
            self._state.problems.report("stream", None)
            self._state.problems.report("exchange", None)
        else:
            await self._try()
        await self._sleep(POLL_SECONDS)

    async def _try(self) -> None:
        self._tell()
        try:
            await self._poll()
        except ExchangeError as error:
            self._metrics.exchange_errors.inc()
            text = f"{error}. What is shown is the last that came"
            self._state.problems.report("exchange", text, retry_in_seconds=POLL_SECONDS)
        else:
            self._state.problems.report("exchange", None)

    def _tell(self) -> None:
        heard = self._state.feed_at
        if not self._streaming or (heard is None and 0 <= self._clock() - self._began_at < 2 * SILENT_SECONDS):
            return
        since = "has said nothing yet" if heard is None else f"has been silent since {iso(heard)}"
        self._state.problems.report("stream", f"the stream {since}: quotes by polling, once a second")

    async def _poll(self) -> None:
        try:
            async with asyncio.timeout(self._answer_seconds):
                mids = await self._client.all_mids()
        except TimeoutError:
            raise ExchangeUnavailable(f"allMids: no answer in {self._answer_seconds:g} s") from None
        assert self._client.stamp is not None
        self._state.hear(self._client.stamp)
        now = self._clock()
        self._state.ticks.take_mids(mids)
        self._state.seconds.take_all(mids, now)
        self._state.message_at = now
        self._metrics.ticks.inc()
        self._moved(None)
