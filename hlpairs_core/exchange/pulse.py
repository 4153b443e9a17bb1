"""Tells a feed that has stalled from one that has nothing to say."""

from collections.abc import Iterable

from hlpairs_core.exchange.events import Subscription

__all__ = ["Pulse", "Pulses"]

# Silence this many times as long as any before is no chance.
_UNUSUAL = 5.0
_FORGETTING = 0.999
_LONGEST_PATIENCE = 3600.0
_DOUBLINGS = 30
# Of single coins these may rest for hours; of all coins of a socket they do not.
_JUDGED_TOGETHER = ("trades", "candle")


class Pulse:
    """Says when a feed has been silent for longer than it ever was.

    What counts as long is learnt, for an illiquid coin's quotes rest for minutes and a liquid one's never do.
    Each alarm that no news follow doubles the patience, to an hour, so that a feed that has nothing to say is
    hardly disturbed.

    Parameters
    ----------
    now : float
        Seconds, never going back; of all methods.
    """

    __slots__ = ("alarmed_at", "alarms", "last", "longest")

    def __init__(self, now: float) -> None:
        self.last = self.alarmed_at = now
        self.longest = 0.0
        self.alarms = 0

    def restart(self, now: float) -> None:
        """Note that it was asked for anew: the silence before says nothing."""
        self.last = now

    def beat(self, now: float) -> None:
        """Note news."""
        self.longest = max(now - self.last, self.longest * _FORGETTING)
        self.last = now
        self.alarms = 0

    def alarms_at(self, now: float, *, least: float, since: float = 0.0) -> bool:
        """Whether it has been silent for too long: for `least` seconds, also after `since`, or more."""
        patience = max(least, _UNUSUAL * self.longest) * 2.0 ** min(self.alarms, _DOUBLINGS)
        if now - max(self.last, self.alarmed_at, since) <= min(patience, max(least, _LONGEST_PATIENCE)):
            return False
        self.alarms += 1
        self.alarmed_at = now
        return True


class Pulses:
    """The pulses of one socket: its own, of each quote, context, book and mids feed, and of all trades and candles.

    Times are seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        self._whole: Pulse | None = None
        self._single: dict[Subscription, Pulse] = {}
        self._together: dict[str, Pulse] = {}

    @property
    def stalled(self) -> list[Subscription]:
        """Single feeds that were silent for too long, and still are."""
        return [subscription for subscription, pulse in self._single.items() if pulse.alarms]

    def acknowledged(self, subscription: Subscription, now: float) -> None:
        """Note that the exchange sends a subscription from now on."""
        if subscription.channel not in _JUDGED_TOGETHER:
            self._single.setdefault(subscription, Pulse(now)).restart(now)
            self._whole = self._whole or Pulse(now)
        elif subscription.channel in self._together:
            self._together[subscription.channel].restart(now)
        if self._whole is not None:
            self._whole.restart(now)

    def beat(self, subscription: Subscription, now: float) -> None:
        """Note news of a subscription."""
        pulse = self._of(subscription)
        if pulse is None:
            pulse = self._together[subscription.channel] = Pulse(now)
        pulse.beat(now)
        if self._whole is None:
            self._whole = Pulse(now)
        self._whole.beat(now)

    def forget(self, subscription: Subscription, left: Iterable[Subscription]) -> None:
        """Leave a subscription out; `left` are those that stay."""
        self._single.pop(subscription, None)
        if not any(other.channel == subscription.channel for other in left):
            self._together.pop(subscription.channel, None)

    def is_silent(self, now: float, *, least: float, since: float) -> bool:
        """Whether nothing at all came for too long; asking counts as an alarm."""
        return self._whole is not None and self._whole.alarms_at(now, least=least, since=since)

    def silent(
        self, subscriptions: Iterable[Subscription], now: float, *, least: float, since: float
    ) -> list[tuple[Subscription, float]]:
        """Return those of the subscriptions that stalled, each with its silence; asking counts as an alarm."""
        pulses = (*self._single.values(), *self._together.values())
        stalled = {pulse for pulse in pulses if pulse.alarms_at(now, least=least, since=since)}
        judged = [(subscription, self._of(subscription)) for subscription in subscriptions if stalled]
        return [(subscription, now - pulse.last) for subscription, pulse in judged if pulse in stalled]

    def _of(self, subscription: Subscription) -> Pulse | None:
        return self._single.get(subscription) or self._together.get(subscription.channel)
