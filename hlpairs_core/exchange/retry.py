"""When a failed request is tried again, and how long to wait before."""

import random
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from hlpairs_core.exceptions import ExchangeUnavailable, RateLimited

__all__ = ["Backoff", "Setback", "read_retry_after"]


class Setback(Exception):
    """One attempt failed in a way that may pass.

    Attributes
    ----------
    status : int or None
        HTTP status; None where no answer came.
    retry_after : float or None
        Seconds the server asked to wait.
    is_lasting : bool
        Whether the same address will fail again.
    """

    def __init__(
        self,
        cause: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        is_lasting: bool = False,
    ) -> None:
        super().__init__(cause)
        self.status = status
        self.retry_after = retry_after
        self.is_lasting = is_lasting

    @property
    def is_rate_limit(self) -> bool:
        """Whether the server said that there were too many requests."""
        return self.status == 429

    @property
    def is_server_error(self) -> bool:
        """Whether the server answered, and said that it failed."""
        return self.status is not None and self.status >= 500

    def final(self, request: str, attempts: int) -> ExchangeUnavailable:
        """Return the error to raise when no attempt is left."""
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        if self.is_rate_limit:
            return RateLimited(
                f"{request}: still rate limited after {times}, the last answer was {self}; other programs at "
                "this IP address spend the same budget: wait a minute or send less"
            )
        return ExchangeUnavailable(
            f"{request}: no usable answer after {times}, the last failure was {self}; check the connection, "
            "the address and the exchange's status"
        )


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with full jitter.

    Before attempt ``k`` (from 1 for the first retry) the wait is uniform in 0 … ``first * 2**(k-1)``, at most
    `longest`. A server's Retry-After lengthens it, but not beyond `longest`.

    Attributes
    ----------
    first : float
        Upper end of the first wait (seconds).
    first_rate_limited : float
        The same after a 429: the exchange's window is a minute, so short waits are wasted weight.
    longest : float
        No wait is longer (seconds).
    """

    first: float = 1.0
    first_rate_limited: float = 4.0
    longest: float = 60.0

    def wait(self, retry: int, setback: Setback, rng: random.Random) -> float:
        """Return the seconds to wait before retry number `retry` (from 1)."""
        first = self.first_rate_limited if setback.is_rate_limit else self.first
        jitter = rng.uniform(0.0, min(self.longest, first * 2.0 ** min(retry - 1, 30)))
        return min(self.longest, max(jitter, setback.retry_after or 0.0))


def read_retry_after(text: str | None, *, now: float) -> float | None:
    """Read a ``Retry-After`` header: seconds, or an HTTP date.

    Parameters
    ----------
    text : str or None
        The header; None where it is absent.
    now : float
        Seconds since 1970.

    Returns
    -------
    float or None
        Seconds from now, not negative; None where the header is absent or unreadable.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return None
