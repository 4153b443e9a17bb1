from dataclasses import dataclass

from hlpairs_core.exchange.events import Subscription

__all__ = ["ACK_SECONDS", "Pending"]

ACK_SECONDS = 10.0
"""How long the exchange may take to acknowledge a subscription."""

_LONGEST_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class _Asked:
    at: float
    times: int


class Pending:
    """Subscriptions that were sent on one socket and not acknowledged yet.

    The exchange answers too many messages a minute with silence. What it has not acknowledged after
    `ACK_SECONDS` is overdue: it stands in nobody's way, and is asked for again, ever less often.

    Times are seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        self._in_flight: dict[Subscription, _Asked] = {}
        self._overdue: dict[Subscription, _Asked] = {}

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription in self._in_flight or subscription in self._overdue

    @property
    def in_flight(self) -> list[Subscription]:
        """Those whose acknowledgement may still come, in the order they were sent."""
        return list(self._in_flight)

    def sent(self, subscription: Subscription, now: float) -> None:
        """Note that it was sent, for the first time or again."""
        before = self._overdue.pop(subscription, None)
        self._in_flight[subscription] = _Asked(now, before.times + 1 if before else 1)

    def settle(self, subscription: Subscription) -> bool:
        """Note that it was answered, or is of no interest any more; return whether it had been sent."""
        known = subscription in self
        self._in_flight.pop(subscription, None)
        self._overdue.pop(subscription, None)
        return known

    def expire(self, now: float) -> list[Subscription]:
        """Return those that have become overdue."""
        late = [subscription for subscription, asked in self._in_flight.items() if now - asked.at > ACK_SECONDS]
        for subscription in late:
            self._overdue[subscription] = self._in_flight.pop(subscription)
        return late

    def due(self, now: float) -> list[Subscription]:
        """Return the overdue ones that should be sent again."""
        return [
            subscription
            for subscription, asked in self._overdue.items()
            if now - asked.at > min(ACK_SECONDS * 2.0**asked.times, _LONGEST_WAIT)
        ]
