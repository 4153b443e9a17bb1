"""Says when a request may be sent: within the exchange's weight limit, few at a time, urgent ones first."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.window import WINDOW_SECONDS, Charge, ChargeWindow, Priority

__all__ = ["Charge", "Priority", "WeightBudget"]

_SHORTEST_NAP = 0.001
_LONGEST_NAP = 1.0
# How much faster than the limit background requests may go for a while, to catch up.
_PACE = 1.05
# How long smaller background requests may pass a larger one for which there is no room.
_PATIENCE_SECONDS = 60.0


class WeightBudget:
    """Spends request weight so that no window of 60 seconds holds more than the limit.

    A charge counts from the moment it is spent until it is settled, and for 60 seconds after that: the
    exchange counts a request somewhere between its sending and its answer, and this covers both ends.

    Urgent requests go before normal ones, those before background ones, each kind in the order they came: one
    that has to wait holds up its own and lower priorities, so that many small ones never starve a large one.
    Only in the background may smaller ones pass a larger one, for a minute, so that no room stays unused.

    A part of the limit is kept for urgent requests: what they spent a minute in the last two, and a twelfth of
    `urgent_share`; no more than this share, and all of it in the first minute. So urgent requests that come
    regularly, and ask for no more than their share, find room; and the others get 99 % of the limit while
    nothing urgent is asked. Background requests are spread over the minute, so that room comes free all the
    time; what somebody waits for should be normal. Of the places for requests under way one is kept for each
    higher priority.

    Parameters
    ----------
    per_minute : float
        Units per 60 seconds and IP address; ``math.inf`` never waits (for simulated exchanges).
    urgent_share : float
        Fraction of the limit that is kept for urgent requests at most, 0 to 0.5.
    in_flight : int
        The most requests under way at once, 3 or more; normal ones get one place fewer, background ones two.
    clock : callable
        Returns seconds. A clock that is set back stalls nothing: only its forward steps count.
    sleep : callable
        Awaitable sleep in seconds.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    def __init__(
        self,
        per_minute: float = 1200,
        *,
        urgent_share: float = 0.1,
        in_flight: int = 8,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not per_minute > 0:
            raise InputError(f"per_minute must be a positive number, got {per_minute!r}")
        if not 0 <= urgent_share <= 0.5:
            raise InputError(f"urgent_share must lie between 0 and 0.5, got {urgent_share!r}")
        if not in_flight >= len(Priority):
            raise InputError(f"in_flight must be {len(Priority)} or more, got {in_flight!r}")
        self.per_minute = per_minute
        self._in_flight = in_flight
        self._clock = clock
        self._sleep = sleep
        self._last_reading = clock()
        self._set_back_by = 0.0
        self._window = ChargeWindow(per_minute, urgent_share, self._now())
        self._queues: dict[Priority, deque[_Waiting]] = {priority: deque() for priority in Priority}
        self._waker: asyncio.Task[None] | None = None
        self._paused_until = self._spread_until = -math.inf

    @property
    def remaining(self) -> float:
        """Units that an urgent request could spend now without waiting."""
        return max(0.0, self._window.room(Priority.URGENT, self._now()))

    @property
    def under_way(self) -> int:
        """How many requests have been let go and are not settled."""
        return self._window.under_way

    @property
    def waiting(self) -> int:
        """How many requests wait to be let go."""
        return sum(len(queue) for queue in self._queues.values())

    async def spend(self, weight: float, priority: Priority = Priority.NORMAL) -> Charge:
        """Wait for room, and for a place among the requests under way, and spend `weight` units.

        Every charge must be settled, whatever becomes of its request: until then it counts and holds its place.

        Raises
        ------
        InputError
            If `weight` is negative, not a finite number, or more than a whole minute allows.
        """
        if not 0 <= weight <= self.per_minute or math.isinf(weight):
            raise InputError(
                f"a request of weight {weight!r} can never be sent: the budget is {self.per_minute} a minute"
            )
        waiting = _Waiting(weight, priority, asyncio.get_running_loop().create_future())
        self._queues[priority].append(waiting)
        self._serve()
        try:
            return await waiting.charge
        except asyncio.CancelledError:
            self._leave(waiting)
            raise

    def settle(self, charge: Charge, weight: float) -> None:
        """Replace an estimate by the true weight, counted from now, and free the place of its request.

        Parameters
        ----------
        charge : Charge
            What `spend` returned; settling it again does nothing.
        weight : float
            Units the request really cost. More than the estimate is possible: later requests then wait.
        """
        if self._window.settle(charge, weight, self._now()) and charge.priority is Priority.BACKGROUND:
            self._spread_until += self._seconds_for(weight - charge.weight)
        self._serve()

    def pause(self, seconds: float) -> None:
        """Let no request go for some seconds, whatever its priority: the exchange has counted more than this did."""
        self._paused_until = max(self._paused_until, self._now() + seconds)

    def _serve(self) -> None:
        if self._waker is not None:
            self._waker.cancel()
            self._waker = None
        if self._let_go() < math.inf:
            self._waker = asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        # One sleeper for all who wait for time to pass; those who wait for a charge to be settled need none.
        try:
            while (wait := self._let_go()) < math.inf:
                await self._sleep(min(max(wait, _SHORTEST_NAP), _LONGEST_NAP))
        except Exception as problem:
            for waiting in self._dropped():
                waiting.charge.set_exception(problem)

    def _dropped(self) -> "list[_Waiting]":
        everybody = [waiting for queue in self._queues.values() for waiting in queue]
        for queue in self._queues.values():
            queue.clear()
        return [waiting for waiting in everybody if not waiting.charge.done()]

    def _leave(self, waiting: "_Waiting") -> None:
        if waiting in self._queues[waiting.priority]:
            self._queues[waiting.priority].remove(waiting)
            self._serve()
        elif not waiting.charge.cancelled() and waiting.charge.exception() is None:
            # It was let go and cancelled in one moment.
            self.settle(waiting.charge.result(), 0)

    def _let_go(self) -> float:
        """Let everybody go who can, in order; return the seconds until time may change that (infinite: it won't)."""
        now = self._now()
        for priority, queue in self._queues.items():
            while queue:
                if (wait := self._wait_of(priority, now)) > 0:
                    return wait
                if (going := self._who_fits(queue, now)) is None:
                    return self._window.next_change(now)
                queue.remove(going)
                self._grant(going, now)
        return math.inf

    def _wait_of(self, priority: Priority, now: float) -> float:
        start = max(self._paused_until, self._spread_until if priority is Priority.BACKGROUND else -math.inf)
        if now < start:
            return start - now
        return 0.0 if self._places(priority) > 0 else math.inf

    def _who_fits(self, queue: "deque[_Waiting]", now: float) -> "_Waiting | None":
        first = queue[0]
        room = self._window.room(first.priority, now)
        if first.weight <= room:
            return first
        first.patient_until = first.patient_until or now + _PATIENCE_SECONDS
        if first.priority is Priority.BACKGROUND and now < first.patient_until and self._places(first.priority) > 1:
            return next((waiting for waiting in queue if waiting.weight <= room), None)
        return None

    def _places(self, priority: Priority) -> int:
        return self._in_flight - priority - self._window.under_way

    def _grant(self, waiting: "_Waiting", now: float) -> None:
        if waiting.charge.cancelled():
            return
        charge = Charge(waiting.weight, now, waiting.priority)
        self._window.open(charge)
        if waiting.priority is Priority.BACKGROUND:
            self._spread_until = max(now, self._spread_until) + self._seconds_for(waiting.weight)
        waiting.charge.set_result(charge)

    def _seconds_for(self, weight: float) -> float:
        return WINDOW_SECONDS * weight / (_PACE * self.per_minute)

    def _now(self) -> float:
        reading = self._clock()
        self._set_back_by += max(0.0, self._last_reading - reading)
        self._last_reading = reading
        return reading + self._set_back_by


@dataclass(eq=False)
class _Waiting:
    weight: float
    priority: Priority
    charge: asyncio.Future[Charge]
    patient_until: float | None = None
