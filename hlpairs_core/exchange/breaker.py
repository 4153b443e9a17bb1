"""Stops asking an endpoint that keeps failing, and says when it will be asked again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from hlpairs_core.exceptions import CircuitOpen, ExchangeUnavailable, MalformedPayload, RateLimited, RequestRefused

__all__ = ["Admission", "Breaker", "BreakerState", "Breakers"]

_FAILURES_TO_OPEN = 5
_FIRST_WAIT = 5.0
_LONGEST_WAIT = 30.0
_SHOWN = 300


@dataclass(frozen=True)
class BreakerState:
    """Whether an endpoint is asked now.

    Attributes
    ----------
    endpoint : str
        Type of request, such as ``candleSnapshot``.
    state : {"closed", "open", "half-open"}
        Closed: it is asked. Open: it is not, until `retry_at`. Half-open: one request is out to try it.
    failures : int
        Calls that failed in a row.
    retry_at : float or None
        When it is asked again (seconds since 1970); None while closed.
    cause : str
        The last failure; empty before the first, and after a success.
    """

    endpoint: str
    state: Literal["closed", "open", "half-open"]
    failures: int
    retry_at: float | None
    cause: str


@dataclass(frozen=True)
class Admission:
    """A call that was let through.

    Attributes
    ----------
    is_probe : bool
        Whether it is the one that tries an endpoint that failed; it is not repeated.
    check : callable
        Raises `CircuitOpen` if the endpoint has meanwhile failed for others.
    """

    is_probe: bool
    check: Callable[[], None]


class Breaker:
    """Circuit breaker of one endpoint.

    After five calls in a row that failed (each with all its retries), calls fail at once for 5 seconds. Then
    one call is let through; if it fails too, the wait doubles, up to half a minute; if it succeeds all go through
    again. A refusal is an answer, so it counts as a success. A 429 counts as neither: the endpoint works, and
    the weight budget waits. A lost connection counts like every failure, and only here: the next call of each
    other endpoint finds out for itself, which costs nothing where nobody answers.

    Parameters
    ----------
    endpoint : str
        Type of request.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, endpoint: str, *, clock: Callable[[], float] = time.time) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._failures = 0
        self._cause = ""
        self._wait = 0.0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """What it does now."""
        if self._opened_at is None:
            return BreakerState(self._endpoint, "closed", self._failures, None, self._cause)
        state: Literal["open", "half-open"] = "half-open" if self._probing else "open"
        return BreakerState(self._endpoint, state, self._failures, self._retry_at, self._cause)

    @contextmanager
    def call(self) -> Iterator[Admission]:
        """Let a call through and learn from how it ends.

        Raises
        ------
        CircuitOpen
            If the endpoint is not asked now.
        """
        is_probe = self._opened_at is not None
        if is_probe and (self._probing or self._is_waiting()):
            raise self._refusal()
        self._probing = is_probe or self._probing
        try:
            yield Admission(is_probe, lambda: self._check(is_probe))
        except (RateLimited, CircuitOpen):
            raise
        except (ExchangeUnavailable, MalformedPayload) as error:
            self._failed(str(error), is_probe)
            raise
        except RequestRefused:
            self._succeeded()
            raise
        else:
            self._succeeded()
        finally:
            if is_probe:
                self._probing = False

    def _check(self, is_probe: bool) -> None:
        if self._opened_at is not None and not is_probe:
            raise self._refusal()

    def _succeeded(self) -> None:
        self._failures, self._cause, self._wait, self._opened_at = 0, "", 0.0, None

    def _failed(self, cause: str, is_probe: bool) -> None:
        self._failures += 1
        self._cause = cause[:_SHOWN]
        # Those that were under way when it opened say nothing new.
        if is_probe or (self._opened_at is None and self._failures >= _FAILURES_TO_OPEN):
            self._wait = min(_LONGEST_WAIT, max(_FIRST_WAIT, 2 * self._wait))
            self._opened_at = self._clock()

    @property
    def _retry_at(self) -> float:
        return (self._opened_at or 0.0) + self._wait

    def _is_waiting(self) -> bool:
        # A clock that is set back must not keep it open for longer.
        return 0 <= self._clock() - (self._opened_at or 0.0) < self._wait

    def _refusal(self) -> CircuitOpen:
        retry_at = max(self._retry_at, self._clock())
        when = datetime.fromtimestamp(retry_at, UTC)
        return CircuitOpen(
            f"{self._endpoint}: not sent, because the last {self._failures} requests of this kind failed; it is "
            f"tried again at {when:%H:%M:%S} UTC, in {retry_at - self._clock():.0f} s. The last failure: {self._cause}",
            retry_at=retry_at,
        )


class Breakers:
    """One breaker for each endpoint that was asked."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: dict[str, Breaker] = {}

    def of(self, endpoint: str) -> Breaker:
        """Return the breaker of an endpoint."""
        if endpoint not in self._of:
            self._of[endpoint] = Breaker(endpoint, clock=self._clock)
        return self._of[endpoint]

    def states(self) -> tuple[BreakerState, ...]:
        """Return what each of them does now, by name."""
        return tuple(self._of[endpoint].state for endpoint in sorted(self._of))
