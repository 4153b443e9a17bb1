"""Distributes subscriptions over sockets, and keeps out those that harm the others."""

import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import NoReturn

from hlpairs_core.exchange.desk import Desk
from hlpairs_core.exchange.events import Event, QuarantineEvent, Subscription
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.frames import Content
from hlpairs_core.exchange.limits import StreamLimits
from hlpairs_core.exchange.line import Line
from hlpairs_core.exchange.probe import Probe
from hlpairs_core.exchange.sockets import Dialer

__all__ = ["Switchboard"]

_logger = logging.getLogger(__name__)

_DROPS = "the server drops the connection when it is subscribed"


@dataclass(frozen=True, slots=True)
class _Held:
    reason: str
    until: float


class Switchboard:
    """All subscriptions of a stream: on lines, under suspicion, or in quarantine.

    What the server had not acknowledged when it dropped a connection is suspect, and looked at by a probe; the
    rest of that socket is subscribed anew at once. A coin that is found guilty is left out, and so are its other
    suspects; after a while they are tried again, by the probe.

    Parameters
    ----------
    dialer, desk, faults, limits, stall_seconds
        See `Line`; the desk takes what arrives.
    put : callable
        Takes `QuarantineEvent`.
    start : callable
        Runs a coroutine for as long as the stream lives.
    quarantine_seconds : float
        Until what was left out is tried again.

    Attributes
    ----------
    lines : list of Line
        One for each socket.
    probe : Probe
        Looks at suspects.
    last_loss : str
        Why a line lost its socket or could not open one, the last time; empty if that has not happened.
    """

    def __init__(
        self,
        dialer: Dialer,
        desk: Desk,
        faults: Faults,
        *,
        put: Callable[[Event], None],
        start: Callable[[Coroutine[object, object, NoReturn]], None],
        limits: StreamLimits,
        stall_seconds: float,
        quarantine_seconds: float,
    ) -> None:
        self.lines: list[Line] = []
        self.last_loss = ""
        self.probe = Probe(dialer, self, faults, losses=lambda: self._losses)
        self._dialer = dialer
        self._desk = desk
        self._faults = faults
        self._put = put
        self._start = start
        self._limits = limits
        self._stall_seconds = stall_seconds
        self._quarantine_seconds = quarantine_seconds
        self._quarantine: dict[Subscription, _Held] = {}
        self._where: dict[Subscription, Line] = {}
        self._homes: dict[str, Line] = {}
        self._losses = 0

    @property
    def quarantined(self) -> dict[Subscription, str]:
        """What is left out, with reasons."""
        return {subscription: held.reason for subscription, held in self._quarantine.items()}

    def add(self, subscriptions: Iterable[Subscription]) -> None:
        """Take some on; those of one coin go to one socket where there is room."""
        by_coin: dict[str, list[Subscription]] = {}
        for subscription in subscriptions:
            by_coin.setdefault(subscription.coin, []).append(subscription)
        for coin, group in by_coin.items():
            for subscription in group:
                if self._is_guilty(coin):
                    self._hold(subscription, _DROPS)
                else:
                    self._place(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Let one go, wherever it is."""
        if subscription in self._where:
            self._where.pop(subscription).remove(subscription)
        elif subscription in self.probe.suspects:
            self.probe.drop(subscription)
        else:
            del self._quarantine[subscription]
        self._desk.forget(subscription)

    def tend(self) -> None:
        """Have looked at again what has been left out for long enough; to be called every second or so."""
        now = self._dialer.steady()
        self._retry([subscription for subscription, held in self._quarantine.items() if held.until <= now])

    def retry_quarantined(self) -> None:
        """Have all looked at again that is left out."""
        self._retry(list(self._quarantine))

    def started(self, subscription: Subscription) -> None:
        """See `Owner`."""
        self._desk.started(subscription)

    def arrived(self, subscription: Subscription, content: Content, received_at: float) -> None:
        """See `Owner`."""
        self._desk.arrived(subscription, content, received_at)

    def interrupted(self, subscription: Subscription, since: float) -> None:
        """See `Owner`."""
        self._desk.interrupted(subscription, since)

    def missed(self, subscriptions: list[Subscription]) -> None:
        """See `Owner`."""
        self._desk.missed(subscriptions)

    def lost(self, reason: str, suspects: list[Subscription]) -> None:
        """See `Owner`."""
        self._losses += 1
        self.last_loss = reason
        for subscription in suspects:
            del self._where[subscription]
        self.probe.suspect(suspects)

    def refused(self, subscription: Subscription, reason: str) -> None:
        """See `Owner` and `Judge`."""
        self._where.pop(subscription, None)
        self._hold(subscription, reason)

    def acquitted(self, subscription: Subscription) -> None:
        """See `Judge`."""
        self._place(subscription)

    def convicted(self, subscription: Subscription) -> None:
        """See `Judge`."""
        self._hold(subscription, _DROPS)
        for other in [other for other in self.probe.suspects if other.coin == subscription.coin]:
            self.probe.drop(other)
            self._hold(other, _DROPS)

    def _retry(self, subscriptions: list[Subscription]) -> None:
        for subscription in subscriptions:
            del self._quarantine[subscription]
        self.probe.suspect(subscriptions)

    def _is_guilty(self, coin: str) -> bool:
        return any(held.reason is _DROPS and other.coin == coin for other, held in self._quarantine.items())

    def _hold(self, subscription: Subscription, reason: str) -> None:
        self._quarantine[subscription] = _Held(reason, self._dialer.steady() + self._quarantine_seconds)
        _logger.warning("left out of the stream for %.0f s: %s: %s", self._quarantine_seconds, subscription, reason)
        self._put(QuarantineEvent(subscription, reason, self._dialer.clock()))

    def _place(self, subscription: Subscription) -> None:
        home = self._homes.get(subscription.coin)
        if home is None or not self._has_room(home):
            home = next((line for line in self.lines if self._has_room(line)), None) or self._new_line()
        self._homes[subscription.coin] = self._where[subscription] = home
        home.add(subscription)

    def _has_room(self, line: Line) -> bool:
        return len(line.wanted) < self._limits.subscriptions_per_socket

    def _new_line(self) -> Line:
        line = Line(self._dialer, self, self._faults, limits=self._limits, stall_seconds=self._stall_seconds)
        self.lines.append(line)
        self._start(line.run())
        return line
