"""Finds out which subscription makes the server drop the connection."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from hlpairs_core.exchange.events import Subscription
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.frames import Acknowledged, Data, FrameReader, Message, Refused
from hlpairs_core.exchange.pending import ACK_SECONDS
from hlpairs_core.exchange.sockets import Dialer, Lost, Session
from hlpairs_core.exchange.subscriptions import request

__all__ = ["Judge", "Probe"]

_logger = logging.getLogger(__name__)

_HARMLESS = Subscription("allMids")
_STRIKES = 2
_NOTICE_SECONDS = 1.0


class Judge(Protocol):
    """Whom a probe tells."""

    def acquitted(self, subscription: Subscription) -> None:
        """The exchange acknowledged it, or at least did not mind it."""

    def convicted(self, subscription: Subscription) -> None:
        """The server drops the connection when it is subscribed."""

    def refused(self, subscription: Subscription, reason: str) -> None:
        """The exchange does not want it."""


class Probe:
    """Subscribes suspects one at a time on a socket that nothing else depends on.

    The socket first has to acknowledge a subscription that is known to be harmless. A suspect is guilty when the
    server twice drops such a socket while this suspect alone is unacknowledged, and no other socket of the stream
    was lost meanwhile: a server that drops everything convicts nobody.

    Parameters
    ----------
    dialer : Dialer
        Opens sockets.
    judge : Judge
        Is told.
    faults : Faults
        Counts what cannot be used.
    losses : callable
        Returns how many other sockets of the stream were lost, or could not be opened, so far.

    Attributes
    ----------
    suspects : deque
        Those that were not looked at yet, the present one first.
    is_open : bool
        Whether there is a socket.
    """

    def __init__(self, dialer: Dialer, judge: Judge, faults: Faults, *, losses: Callable[[], int]) -> None:
        self.suspects: deque[Subscription] = deque()
        self.is_open = False
        self._dialer = dialer
        self._judge = judge
        self._reader = FrameReader(faults)
        self._losses = losses
        self._strikes = 0
        self._is_healthy = False
        self._asked: Subscription | None = None
        self._answer: asyncio.Future[Message] | None = None
        self._changed = asyncio.Event()

    def suspect(self, subscriptions: Iterable[Subscription]) -> None:
        """Have some looked at."""
        self.suspects += [subscription for subscription in subscriptions if subscription not in self.suspects]
        self._changed.set()

    def drop(self, subscription: Subscription) -> None:
        """Let a suspect go."""
        if subscription == self.suspects[0]:
            self._strikes = 0
        self.suspects.remove(subscription)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        failures = 0
        while True:
            while not self.suspects:
                failures = 0
                self._changed.clear()
                await self._changed.wait()
            try:
                session = await self._dialer.open(failures=failures)
            except Lost as lost:
                failures += 1
                _logger.info("a socket to probe subscriptions could not be opened: %s; attempt %d", lost, failures)
                continue
            await self._try(session)
            failures = 1 if self._is_healthy else failures + 1

    async def _try(self, session: Session) -> None:
        losses = self._losses()
        self.is_open, self._is_healthy, self._asked = True, False, None
        try:
            lost = await session.run(self._hear, self._examine(session))
        finally:
            self.is_open = False
        if lost.by_peer:
            await self._weigh(losses)

    async def _weigh(self, losses: int) -> None:
        """Hold the loss of a socket against the suspect it carried, if it was the only loss."""
        suspect = self._asked
        if not self._is_healthy or suspect is None or suspect not in self.suspects:
            return
        await self._dialer.sleep(_NOTICE_SECONDS)  # what took this socket may have taken others, unnoticed yet
        if self._losses() == losses and suspect in self.suspects:
            self._strike(suspect)

    def _strike(self, suspect: Subscription) -> None:
        self._strikes += 1
        if self._strikes == _STRIKES:
            self.drop(suspect)
            self._judge.convicted(suspect)

    async def _examine(self, session: Session) -> None:
        if not isinstance(await self._ask(session, _HARMLESS), Acknowledged):
            raise Lost("the server does not acknowledge a harmless subscription", by_peer=False)
        self._is_healthy = True
        while self.suspects:
            suspect = self.suspects[0]
            answer = await self._ask(session, suspect)
            if isinstance(answer, Acknowledged):
                await session.turn()
                await session.send(request("unsubscribe", suspect))
            if suspect in self.suspects:  # else it was let go meanwhile
                self.drop(suspect)
                self._tell(suspect, answer)
        raise Lost("no suspect is left", by_peer=False)

    def _tell(self, suspect: Subscription, answer: Message | None) -> None:
        if isinstance(answer, Refused):
            self._judge.refused(suspect, answer.text[:200])
        else:
            self._judge.acquitted(suspect)

    async def _ask(self, session: Session, subscription: Subscription) -> Message | None:
        """Subscribe; return the answer, None where none came in time."""
        await session.turn()
        self._answer = answer = asyncio.get_running_loop().create_future()
        self._asked = subscription
        await session.send(request("subscribe", subscription))
        timer = asyncio.ensure_future(self._dialer.sleep(ACK_SECONDS))
        try:
            await asyncio.wait((answer, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return answer.result() if answer.done() else None

    def _hear(self, text: str | bytes, received_at: float) -> None:
        heard = self._reader.read(text, received_at=received_at)
        if isinstance(heard, Data):
            heard = Acknowledged(heard.subscription, subscribed=True)  # news are an acknowledgement as well
        if heard is None or heard.subscription != self._asked or self._answer is None or self._answer.done():
            return
        if isinstance(heard, Refused) or heard.subscribed:
            self._asked = None
            self._answer.set_result(heard)
