"""Keeps a set of subscriptions alive on one socket after another."""

import asyncio
import logging
from collections import deque
from typing import NoReturn, Protocol

from hlpairs_core.exchange.events import Subscription
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.frames import Acknowledged, Content, Data, FrameReader, Refused
from hlpairs_core.exchange.limits import StreamLimits
from hlpairs_core.exchange.pending import ACK_SECONDS, Pending
from hlpairs_core.exchange.pulse import Pulses
from hlpairs_core.exchange.sockets import Dialer, Lost, Session
from hlpairs_core.exchange.subscriptions import request

__all__ = ["Line", "Owner"]

_logger = logging.getLogger(__name__)

_HEALTHY_SECONDS = 60.0
_LOOK_SECONDS = 1.0


class Owner(Protocol):
    """Whom a line tells."""

    def started(self, subscription: Subscription) -> None:
        """The exchange has acknowledged it."""

    def arrived(self, subscription: Subscription, content: Content, received_at: float) -> None:
        """There is news."""

    def interrupted(self, subscription: Subscription, since: float) -> None:
        """Nothing may have come since then (clock seconds); it will be asked for again."""

    def missed(self, subscriptions: list[Subscription]) -> None:
        """News of some of these may have been in a frame that could not be read."""

    def refused(self, subscription: Subscription, reason: str) -> None:
        """The exchange does not want it; the line has dropped it."""

    def lost(self, reason: str, suspects: list[Subscription]) -> None:
        """The connection ended, or none could be opened.

        Suspects, which the line has dropped, are what the server had not acknowledged when it ended it.
        """


class Line:
    """One socket's worth of subscriptions.

    It opens a socket when there is something to subscribe, subscribes a few at a time, asks again where no
    acknowledgement came or a feed stalled, and opens another socket when this one is lost or silent.

    Parameters
    ----------
    dialer : Dialer
        Opens sockets.
    owner : Owner
        Is told.
    faults : Faults
        Counts what goes wrong.
    limits : StreamLimits
        Of unacknowledged subscriptions.
    stall_seconds : float
        The shortest silence of a feed that counts as a stall.

    Attributes
    ----------
    wanted : dict
        The subscriptions, in the order they came.
    acknowledged : dict
        Those the exchange sends now, in the order in which it said so.
    is_open : bool
        Whether there is a socket.
    opened : int
        Sockets opened so far.
    pulses : Pulses
        Which feeds have stalled.
    """

    def __init__(
        self, dialer: Dialer, owner: Owner, faults: Faults, *, limits: StreamLimits, stall_seconds: float
    ) -> None:
        self.wanted: dict[Subscription, None] = {}
        self.acknowledged: dict[Subscription, None] = {}
        self.is_open = False
        self.opened = 0
        self.pulses = Pulses()
        self._dialer = dialer
        self._owner = owner
        self._faults = faults
        self._reader = FrameReader(faults)
        self._unacknowledged = limits.unacknowledged
        self._stall_seconds = stall_seconds
        self._outbox: deque[tuple[str, Subscription]] = deque()
        self._pending = Pending()
        self._ended: set[Subscription] = set()
        self._changed = asyncio.Event()

    def add(self, subscription: Subscription) -> None:
        """Take one more on."""
        self.wanted[subscription] = None
        self._send("subscribe", subscription)

    def remove(self, subscription: Subscription) -> None:
        """Let one go."""
        was_sent = subscription in self.acknowledged or subscription in self._pending
        self._drop(subscription)
        if was_sent:
            self._send("unsubscribe", subscription)
        self._changed.set()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        failures = 0
        while True:
            while not self.wanted:
                failures = 0
                self._changed.clear()
                await self._changed.wait()
            try:
                session = await self._dialer.open(failures=failures)
            except Lost as problem:
                failures += 1
                self._owner.lost(str(problem), [])
                _logger.info("a socket of the stream could not be opened: %s; attempt %d", problem, failures)
                continue
            began = self._dialer.steady()
            lost = await self._converse(session)
            failures = 1 if self._dialer.steady() - began >= _HEALTHY_SECONDS else failures + 1
            _logger.info("socket %d of the stream is lost: %s", session.number, lost)

    async def _converse(self, session: Session) -> Lost:
        self.is_open = True
        self.opened += 1
        self._pending = Pending()
        self._ended.clear()
        self._outbox = deque(("subscribe", subscription) for subscription in self.wanted)
        try:
            lost = await session.run(self._hear, self._talk(session), self._look(session))
        finally:
            self.is_open = False
        since = self._dialer.clock() - (self._dialer.steady() - session.heard_at)
        for subscription in self.acknowledged:
            self._owner.interrupted(subscription, since)
        self.acknowledged.clear()
        suspects = self._pending.in_flight if lost.by_peer else []
        for subscription in suspects:
            self._drop(subscription)
        self._owner.lost(str(lost), suspects)
        return lost

    async def _talk(self, session: Session) -> None:
        while True:
            while not self._has_something_to_send():
                if not self.wanted:
                    raise Lost("nothing is subscribed any more", by_peer=False)
                self._changed.clear()
                await self._changed.wait()
            await session.turn()
            if not self._has_something_to_send():  # it may be moot by now
                continue
            method, subscription = self._outbox.popleft()
            if method == "subscribe":
                self._pending.sent(subscription, self._dialer.steady())
            else:
                self._ended.add(subscription)
            await session.send(request(method, subscription))

    def _has_something_to_send(self) -> bool:
        while self._outbox:
            method, subscription = self._outbox[0]
            if method == "unsubscribe":
                return True
            if subscription in self.wanted and subscription not in self.acknowledged:
                return len(self._pending.in_flight) < self._unacknowledged
            self._outbox.popleft()
        return False

    def _send(self, method: str, subscription: Subscription) -> None:
        self._outbox.append((method, subscription))
        self._changed.set()

    def _hear(self, text: str | bytes, received_at: float) -> None:
        heard = self._reader.read(text, received_at=received_at)
        if isinstance(heard, Data):
            self._deliver(heard, received_at)
        elif isinstance(heard, Acknowledged):
            if heard.subscribed:
                self._acknowledge(heard.subscription)
        elif isinstance(heard, Refused):
            self._refuse(heard)
        if self._reader.doubted:
            self._doubt()

    def _doubt(self) -> None:
        """Tell whose trades may have been in what could not be read: after what could, of the same frame."""
        coins, self._reader.doubted = self._reader.doubted, set()
        trades = (one for one in self.acknowledged if one.channel == "trades")
        self._owner.missed([one for one in trades if "" in coins or one.coin in coins])

    def _deliver(self, data: Data, received_at: float) -> None:
        subscription = data.subscription
        if subscription not in self.acknowledged and not self._acknowledge(subscription):
            if subscription not in self._ended:
                self._faults.note("not subscribed", f"{subscription}")
            return
        self.pulses.beat(subscription, self._dialer.steady())
        self._owner.arrived(subscription, data.content, received_at)

    def _acknowledge(self, subscription: Subscription) -> bool:
        if not self._pending.settle(subscription):
            return False
        self.acknowledged[subscription] = None
        self.pulses.acknowledged(subscription, self._dialer.steady())
        self._changed.set()
        self._owner.started(subscription)
        return True

    def _refuse(self, refused: Refused) -> None:
        subscription = refused.subscription
        if subscription is None or not self._pending.settle(subscription):
            self._faults.note("error frame", repr(refused.text))
            return
        self._drop(subscription)
        self._changed.set()
        self._owner.refused(subscription, refused.text[:200])

    async def _look(self, session: Session) -> None:
        while True:
            await self._dialer.sleep(_LOOK_SECONDS)
            if not session.is_waiting:
                now = self._dialer.steady()
                self._ask_again(now)
                self._revive(now, since=session.resumed_at)

    def _ask_again(self, now: float) -> None:
        for subscription in self._pending.expire(now):
            self._faults.note("not acknowledged", f"{subscription} within {ACK_SECONDS:g} s; it is asked for again")
            self._changed.set()
        for subscription in self._pending.due(now):
            if ("subscribe", subscription) not in self._outbox:
                self._send("subscribe", subscription)

    def _revive(self, now: float, *, since: float) -> None:
        least = self._stall_seconds
        if self.pulses.is_silent(now, least=least, since=since):
            self._faults.note("silent socket", f"it answers pings, but no feed sent anything for {least:g} s or more")
            raise Lost("it answers pings, but no feed sends anything", by_peer=False)
        for subscription, silence in self.pulses.silent(self.acknowledged, now, least=least, since=since):
            self._faults.note("stalled feed", f"{subscription} sent nothing for {silence:.0f} s; it is asked for again")
            del self.acknowledged[subscription]
            self._owner.interrupted(subscription, self._dialer.clock() - silence)
            self._send("unsubscribe", subscription)
            self._send("subscribe", subscription)

    def _drop(self, subscription: Subscription) -> None:
        del self.wanted[subscription]
        self.acknowledged.pop(subscription, None)
        self._pending.settle(subscription)
        self.pulses.forget(subscription, self.wanted)
