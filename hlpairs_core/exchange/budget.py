"""The exchange's request weights, and a budget that keeps to them."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hlpairs_core.exceptions import InputError

__all__ = ["WEIGHTS", "Charge", "RequestWeight", "WeightBudget"]

_WINDOW_SECONDS = 60.0
# A sleeper looks again at least this often, because settling an estimate may make room earlier.
_LONGEST_NAP = 1.0
_SHORTEST_NAP = 0.001


@dataclass(frozen=True)
class RequestWeight:
    """What one kind of request costs.

    Attributes
    ----------
    base : int
        Weight of the request itself.
    rows_per_unit : int or None
        One more unit of weight per this many rows of the answer; None where rows are free.
    """

    base: int
    rows_per_unit: int | None = None

    def of(self, rows: int = 0) -> int:
        """Return the weight of a request whose answer has `rows` rows (a started unit counts in full)."""
        if self.rows_per_unit is None:
            return self.base
        return self.base + math.ceil(rows / self.rows_per_unit)


WEIGHTS: dict[str, RequestWeight] = {
    "metaAndAssetCtxs": RequestWeight(20),
    "allMids": RequestWeight(2),
    "l2Book": RequestWeight(2),
    "candleSnapshot": RequestWeight(20, rows_per_unit=60),
    "fundingHistory": RequestWeight(20, rows_per_unit=20),
}


@dataclass(frozen=True, eq=False)
class Charge:
    """Weight that was spent; hand it to `WeightBudget.settle` once the true weight is known.

    Attributes
    ----------
    weight : float
        Units spent.
    time : float
        When, on the budget's own clock (seconds).
    """

    weight: float
    time: float


class WeightBudget:
    """Spends request weight so that no window of 60 seconds holds more than the limit.

    A charge counts from the moment it is spent and, once settled, for 60 seconds after that: the exchange
    counts a request somewhere between its sending and its answer, and this covers both ends.

    Parameters
    ----------
    per_minute : float
        Units per 60 seconds and IP address; ``math.inf`` never waits (for simulated exchanges).
    clock : callable
        Returns seconds. A clock that is set back stalls nothing: only its forward steps count.
    sleep : callable
        Awaitable sleep in seconds.

    Raises
    ------
    InputError
        If `per_minute` is not a positive number.
    """

    def __init__(
        self,
        per_minute: float = 1200,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not per_minute > 0:
            raise InputError(f"per_minute must be a positive number, got {per_minute!r}")
        self.per_minute = per_minute
        self._clock = clock
        self._sleep = sleep
        self._charges: deque[Charge] = deque()
        self._turn = asyncio.Lock()
        self._last_reading = clock()
        self._set_back_by = 0.0

    @property
    def remaining(self) -> float:
        """Units that can be spent now without waiting."""
        return max(0.0, self.per_minute - self._spent(self._now()))

    async def spend(self, weight: float) -> Charge:
        """Wait for room, first come first served, and spend `weight` units.

        Raises
        ------
        InputError
            If `weight` is negative, not a number, or more than a whole minute allows.
        """
        if not 0 <= weight <= self.per_minute:
            raise InputError(
                f"a request of weight {weight!r} can never be sent: the budget is {self.per_minute} a minute"
            )
        async with self._turn:
            while (wait := self._wait_for(weight)) > 0:
                await self._sleep(min(max(wait, _SHORTEST_NAP), _LONGEST_NAP))
            charge = Charge(weight, self._now())
            self._charges.append(charge)
            return charge

    def settle(self, charge: Charge, weight: float) -> None:
        """Replace an estimate by the true weight, counted from now.

        Parameters
        ----------
        charge : Charge
            What `spend` returned. One that has left the window already is counted again.
        weight : float
            Units the request really cost. More than the estimate is possible: later requests then wait.
        """
        if charge in self._charges:
            self._charges.remove(charge)
        self._charges.append(Charge(weight, self._now()))

    def _wait_for(self, weight: float) -> float:
        now = self._now()
        excess = self._spent(now) + weight - self.per_minute
        if excess <= 0:
            return 0.0
        # One request never exceeds the limit, so something was spent; sums of fractions may not cancel exactly.
        for charge in self._charges:
            excess -= charge.weight
            last = charge
            if excess <= 0:
                break
        return last.time + _WINDOW_SECONDS - now

    def _spent(self, now: float) -> float:
        while self._charges and self._charges[0].time + _WINDOW_SECONDS <= now:
            self._charges.popleft()
        return sum(charge.weight for charge in self._charges)

    def _now(self) -> float:
        reading = self._clock()
        self._set_back_by += max(0.0, self._last_reading - reading)
        self._last_reading = reading
        return reading + self._set_back_by
