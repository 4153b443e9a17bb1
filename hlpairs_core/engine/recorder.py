import asyncio
import time
from collections.abc import Awaitable, Callable

from hlpairs_core.engine.history import Buffered
from hlpairs_core.engine.state import State
from hlpairs_core.exceptions import StoreError
from hlpairs_core.market.minutes import MINUTE_MS, MinuteRow, Minutes, minutes_frame, minutes_spans

__all__ = ["Recorder"]

LOOK_SECONDS = 1.0
# What was said in a minute may arrive a moment after it.
GRACE_SECONDS = 2.0
FLUSH_SECONDS = 300.0
FLUSH_ROWS = 20_000
# With 190 coins most of a day in which the disk takes nothing; about 40 MB.
WAITING_AT_MOST = 250_000
# A market in a hurry passes many minutes between two looks.
MINUTES_AT_ONCE = 240


class Recorder:
    """Stores what the feed said, by minute and coin; minutes in which it fell silent are left out.

    Parameters
    ----------
    minutes : Minutes
        What the feed said.
    store : Buffered
        Where its rows go.
    state : State
        The market's clock, when the feed was last heard, and where trouble is told.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        minutes: Minutes,
        store: Buffered,
        *,
        state: State,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._minutes, self._store, self._state = minutes, store, state
        self._clock, self._sleep = clock, sleep
        self._next: int | None = None
        self._rows: list[MinuteRow] = []
        self._flushed_at = clock()
        self._lost = 0

    async def step(self) -> None:
        """Turn the minutes that are over into rows, now and then store them, and wait for a moment."""
        self.close_minutes()
        if len(self._rows) >= FLUSH_ROWS or not 0 <= self._clock() - self._flushed_at < FLUSH_SECONDS:
            rows, self._rows, self._flushed_at = self._rows, [], self._clock()
            self._state.problems.report("minutes", await asyncio.to_thread(self._keep, rows))
        await self._sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Hand over to the store what is left, at the end."""
        rows, self._rows = self._rows, []
        self._keep(rows)

    def close_minutes(self) -> None:
        """Make rows of the minutes that ended a moment ago."""
        now, stamp = self._clock(), self._state.stamp
        market = self._state.market_time(now)
        if stamp is None or market is None:
            return
        market_ms = int(market.timestamp() * 1000)
        over = int(market_ms - GRACE_SECONDS * 1000 * stamp.speed) // MINUTE_MS
        if self._state.is_feed_silent(now):
            self._minutes.interrupt_quotes(now)
            self._go_on_from(market_ms // MINUTE_MS + 1)
        elif self._next is None or not over - MINUTES_AT_ONCE <= self._next <= over + MINUTES_AT_ONCE:
            self._go_on_from(over)  # the first look, or a clock that jumped
        elif self._next < over:
            for minute in range(self._next, over):
                self._rows.extend(self._minutes.rows(minute))
            self._go_on_from(over)

    def _go_on_from(self, minute: int) -> None:
        self._next = minute
        self._minutes.go_on_from(minute)

    def _keep(self, rows: list[MinuteRow]) -> str | None:
        """Store rows; return why that failed. What cannot be stored waits, within bounds."""
        if self._store.waiting + len(rows) > WAITING_AT_MOST:
            self._lost += len(rows)
        elif rows:
            self._store.add(minutes_frame(rows), minutes_spans(rows))
        try:
            self._store.flush()
        except StoreError as error:
            lost = f"; {self._lost:,} more are lost" if self._lost else ""
            return f"{error}. {self._store.waiting:,} recorded minutes wait in memory{lost}"
        self._lost = 0
        return None
