"""What requests weigh, and how much weight an address may spend in a minute."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hlpairs_core.exceptions import SettingsError

__all__ = ["Limits", "WeightMeter", "action_weight", "info_weight"]

_WINDOW_SECONDS = 60.0
_USUAL_WEIGHT = 20
_WEIGHTS = {
    "allMids": 2,
    "clearinghouseState": 2,
    "exchangeStatus": 2,
    "l2Book": 2,
    "orderStatus": 2,
    "spotClearinghouseState": 2,
    "userRole": 60,
}
_USUAL_ROWS = 20
_ROWS = {"candleSnapshot": 60}
_BATCH = 40
_BATCHES = ("orders", "cancels", "modifies")


def info_weight(request: Any, rows: int = 0) -> int:
    """Return what a request to ``/info`` weighs with an answer of some rows; a started unit of rows counts in full.

    A request that cannot be read, or is of an unknown type, weighs as much as most do.
    """
    kind = request.get("type") if isinstance(request, Mapping) else None
    if not isinstance(kind, str):
        return _USUAL_WEIGHT
    return _WEIGHTS.get(kind, _USUAL_WEIGHT) + math.ceil(rows / _ROWS.get(kind, _USUAL_ROWS))


def action_weight(request: Any) -> int:
    """Return what a request to ``/exchange`` weighs: 1, and 1 more for every 40 orders of a batch."""
    action = request.get("action") if isinstance(request, Mapping) else None
    batches = [action.get(key) for key in _BATCHES] if isinstance(action, Mapping) else []
    return 1 + max((len(batch) // _BATCH for batch in batches if isinstance(batch, list)), default=0)


@dataclass(frozen=True)
class Limits:
    """Limits that a simulated exchange enforces.

    Attributes
    ----------
    weight_per_minute : int
        Weight that one address may spend within any 60 seconds of wall time, ``/info`` and ``/exchange`` together.

    Raises
    ------
    SettingsError
        If it is below 1.
    """

    weight_per_minute: int = 1200

    def __post_init__(self) -> None:
        if self.weight_per_minute < 1:
            raise SettingsError(f"weight_per_minute must be at least 1, got {self.weight_per_minute}")


class WeightMeter:
    """Counts the weight that each address spent, and says when it is too much.

    A request is let in while its own weight fits; what its answer's rows weigh is known only then and charged
    afterwards, whether it fits or not. A request that is turned away costs nothing.

    Parameters
    ----------
    limits : Limits or None
        None counts and lets everything in.
    clock : callable
        Wall time in seconds; it must not run backwards.

    Attributes
    ----------
    total : int
        Weight spent by all addresses since the start.
    refused : int
        Requests turned away since the start.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.total = 0
        self.refused = 0
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def admit(self, address: str, weight: int) -> bool:
        """Charge a request's weight and return True; where it does not fit, charge nothing and return False."""
        if self.limits is not None and self.used(address) + weight > self.limits.weight_per_minute:
            self.refused += 1
            return False
        self.charge(address, weight)
        return True

    def charge(self, address: str, weight: int) -> None:
        """Charge weight to an address."""
        if weight:
            self._windows.setdefault(address, _Window()).add(self._clock(), weight)
            self.total += weight

    def used(self, address: str = "127.0.0.1") -> int:
        """Return the weight that an address spent in the last 60 seconds."""
        window = self._windows.get(address)
        return 0 if window is None else window.since(self._clock() - _WINDOW_SECONDS)


class _Window:
    """What one address was charged lately; the sum is kept, so that a busy address costs no more than an idle one."""

    def __init__(self) -> None:
        self._charges: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, time: float, weight: int) -> None:
        self._charges.append((time, weight))
        self._sum += weight

    def since(self, time: float) -> int:
        while self._charges and self._charges[0][0] <= time:
            self._sum -= self._charges.popleft()[1]
        return self._sum
