"""Counts what was spent in the last minute, and says how much more may be."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain

__all__ = ["WINDOW_SECONDS", "Charge", "ChargeWindow", "Priority"]

WINDOW_SECONDS = 60.0
# Kept for urgent requests even while none comes, as a share of what is kept for them at most.
_ALWAYS_KEPT = 1 / 12


class Priority(IntEnum):
    """Who goes first when not all can go: a lower number before a higher one."""

    URGENT = 0
    NORMAL = 1
    BACKGROUND = 2


@dataclass(frozen=True, eq=False)
class Charge:
    """Weight that was spent on one request.

    Attributes
    ----------
    weight : float
        Units.
    time : float
        When, on the budget's own clock (seconds).
    priority : Priority
        Of the request.
    """

    weight: float
    time: float
    priority: Priority = Priority.NORMAL


class ChargeWindow:
    """The charges that count now: open ones, and settled ones for 60 seconds.

    Parameters
    ----------
    limit : float
        Units that may count at once; infinite counts nothing.
    urgent_share : float
        Fraction of it that is kept for urgent requests at most.
    now : float
        Seconds, as everywhere here.
    """

    def __init__(self, limit: float, urgent_share: float, now: float) -> None:
        self._limit = limit
        self._kept_at_most = urgent_share * limit
        self._born = now
        self._open: set[Charge] = set()
        self._settled: deque[Charge] = deque()

    @property
    def under_way(self) -> int:
        """How many charges are open."""
        return len(self._open)

    def open(self, charge: Charge) -> None:
        """Count a charge until it is settled."""
        self._open.add(charge)

    def settle(self, charge: Charge, weight: float, now: float) -> bool:
        """Replace an open charge by its true weight, counted from now; return False for one that is not open."""
        if charge not in self._open:
            return False
        self._open.remove(charge)
        if math.isfinite(self._limit):
            self._settled.append(Charge(weight, now, charge.priority))
        return True

    def room(self, priority: Priority, now: float) -> float:
        """Return the units a request may spend now; less than 0 where settling brought more than was expected.

        What is kept for urgent requests follows what they spent in the last two minutes.
        """
        if math.isinf(self._limit):
            return math.inf
        self._forget(now)
        urgent, others = self._counted(now, urgent=True), self._counted(now, urgent=False)
        free = self._limit - urgent - others
        # One that is larger than all others together may be can go when nothing else counts.
        if priority is Priority.URGENT or others == 0:
            return free
        return free - max(0.0, self._kept(urgent, now) - urgent)

    def next_change(self, now: float) -> float:
        """Return the seconds until a settled charge leaves the window; infinite where none is in it."""
        return next((charge.time + WINDOW_SECONDS - now for charge in self._recent(now)), math.inf)

    def _counted(self, now: float, *, urgent: bool) -> float:
        charges = chain(self._open, self._recent(now))
        return sum(charge.weight for charge in charges if urgent == (charge.priority is Priority.URGENT))

    def _kept(self, urgent: float, now: float) -> float:
        if now - self._born < WINDOW_SECONDS:
            return self._kept_at_most  # nobody knows yet what will be asked for
        before = (charge for charge in self._settled if charge.time + WINDOW_SECONDS <= now)
        spent = urgent + sum(charge.weight for charge in before if charge.priority is Priority.URGENT)
        return min(self._kept_at_most, self._kept_at_most * _ALWAYS_KEPT + spent / 2)

    def _recent(self, now: float) -> Iterator[Charge]:
        return (charge for charge in self._settled if charge.time + WINDOW_SECONDS > now)

    def _forget(self, now: float) -> None:
        while self._settled and self._settled[0].time + 2 * WINDOW_SECONDS <= now:
            self._settled.popleft()
