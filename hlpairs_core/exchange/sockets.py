"""Opens WebSockets and keeps one alive."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.limits import Quota, SteadyClock, StreamLimits
from hlpairs_core.exchange.mailbox import Mailbox
from hlpairs_core.exchange.tap import Tap

__all__ = ["Connect", "Dialer", "Lost", "Session", "Wire", "open_websocket"]

_PONG_SECONDS = 10.0
_LOOK_SECONDS = 1.0
_TOO_LARGE = 1009
# A socket that is full of messages would keep the stream's reader, and other sockets, waiting.
_HEARD_IN_A_ROW = 100
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0


class Wire(Protocol):
    """An open WebSocket, such as one of the library ``websockets``."""

    async def recv(self) -> str | bytes:
        """Return the next message."""

    async def send(self, message: str, /) -> None:
        """Send a message."""

    async def close(self) -> None:
        """Close it; a second call does nothing."""


Connect = Callable[[str], Awaitable[Wire]]


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # whoever answers elsewhere is not the exchange that was asked


async def open_websocket(url: str, *, largest_message: int) -> Wire:
    """Open a WebSocket, through the proxy of the environment if there is one; redirects are not followed."""
    return await _Connect(
        url,
        max_size=largest_message,
        compression=None,  # frames are small and many
        ping_interval=None,  # the exchange has pings of its own
        open_timeout=10.0,
        close_timeout=1.0,
    )


class Lost(Exception):
    """A WebSocket could not be opened, or is no more.

    Attributes
    ----------
    by_peer : bool
        Whether the other side, or the network, ended it.
    """

    def __init__(self, reason: str, *, by_peer: bool = True) -> None:
        super().__init__(reason)
        self.by_peer = by_peer


class Session:
    """One open WebSocket: reads, pings, and notices silence.

    Attributes
    ----------
    number : int
        Never used twice.
    heard_at : float
        When the last message came, or reading began again (steady seconds).
    is_waiting : bool
        Whether it is not read because the stream's reader is too slow: then its silence says nothing.
    resumed_at : float
        When reading began again after that (steady seconds).
    """

    def __init__(self, number: int, wire: Wire, dialer: "Dialer") -> None:
        self.number = number
        self.heard_at = self.resumed_at = dialer.steady()
        self._wire = wire
        self._dialer = dialer
        self.is_waiting = False

    async def turn(self) -> None:
        """Wait until a subscription may be sent."""
        await self._dialer.messages.take(spare=0.1)

    async def send(self, message: dict[str, object]) -> None:
        """Send a message.

        Raises
        ------
        Lost
            If the connection is.
        """
        text = json.dumps(message, separators=(",", ":"))
        try:
            await self._wire.send(text)
        except (OSError, WebSocketException) as problem:
            raise _lost(problem) from problem
        if self._dialer.tap is not None:
            self._dialer.tap.sent(self.number, text, at=self._dialer.clock())

    async def run(self, hear: Callable[[str | bytes, float], None], *jobs: Coroutine[object, object, None]) -> Lost:
        """Hand every message and its arrival (clock seconds) to `hear` until the connection is lost; return why.

        `jobs` run meanwhile; `Lost` raised by one ends it all.
        """
        lost = Lost("it was closed by this program", by_peer=False)
        try:
            async with asyncio.TaskGroup() as group:
                for job in (self._read(hear), self._ping(), self._watch(), *jobs):
                    group.create_task(job)
        except* Lost as losses:
            lost = next(loss for loss in losses.exceptions if isinstance(loss, Lost))
        finally:
            await self._close(lost)
        return lost

    async def _read(self, hear: Callable[[str | bytes, float], None]) -> None:
        dialer, mailbox = self._dialer, self._dialer.mailbox
        while True:
            try:
                message = await self._wire.recv()
            except (OSError, WebSocketException, EOFError) as problem:
                raise self._ended(problem) from problem
            now = dialer.clock()
            self.heard_at = dialer.steady()
            dialer.received += 1
            dialer.received_at = now
            if dialer.tap is not None and isinstance(message, str):
                dialer.tap.received(self.number, message, at=now)
            hear(message, now)
            if dialer.received % _HEARD_IN_A_ROW == 0:
                await asyncio.sleep(0)
            if mailbox.is_full:
                self.is_waiting = True
                await mailbox.room()
                self.is_waiting = False
                self.heard_at = self.resumed_at = dialer.steady()

    def _ended(self, problem: Exception) -> Lost:
        if isinstance(problem, ConnectionClosed) and problem.sent is not None and problem.sent.code == _TOO_LARGE:
            limit = self._dialer.largest_message
            self._dialer.faults.note("message too large", f"more than {limit} bytes; the connection was closed")
            return Lost(f"a message of more than {limit} bytes", by_peer=False)
        return _lost(problem)

    async def _ping(self) -> None:
        while True:
            await self._dialer.sleep(self._dialer.ping_seconds)
            await self._dialer.messages.take()
            await self.send({"method": "ping"})

    async def _watch(self) -> None:
        most = self._dialer.ping_seconds + _PONG_SECONDS
        while True:
            await self._dialer.sleep(_LOOK_SECONDS)
            silence = self._dialer.steady() - self.heard_at
            if silence > most and not self.is_waiting:
                raise Lost(f"nothing came for {silence:.0f} s, not even an answer to a ping", by_peer=False)

    async def _close(self, lost: Lost) -> None:
        try:
            await self._wire.close()
        except (OSError, WebSocketException):
            pass  # it is gone already
        finally:
            if self._dialer.tap is not None:
                self._dialer.tap.closed(self.number, str(lost), at=self._dialer.clock())


class Dialer:
    """Opens WebSockets to one address, within the limits, and has what they share.

    Parameters
    ----------
    url : callable
        Returns where to.
    connect : callable
        Opens one.
    limits : StreamLimits
        Of connections and messages a minute.
    ping_seconds : float
        Between pings.
    mailbox : Mailbox
        Nothing is read while it is full.
    faults : Faults
        Counts messages that are too large.
    tap : Tap or None
        Sees everything.
    clock, sleep, rng
        Seconds since 1970; awaitable sleep; jitter.

    Attributes
    ----------
    received : int
        Messages that came over all sockets.
    received_at : float or None
        When the last one did (clock seconds).
    """

    def __init__(
        self,
        url: Callable[[], str],
        *,
        connect: Connect,
        limits: StreamLimits,
        ping_seconds: float,
        mailbox: Mailbox,
        faults: Faults,
        tap: Tap | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        rng: random.Random,
    ) -> None:
        self.received = 0
        self.received_at: float | None = None
        self.ping_seconds = ping_seconds
        self.largest_message = limits.largest_message
        self.mailbox = mailbox
        self.faults = faults
        self.tap = tap
        self.clock = clock
        self.steady = SteadyClock(clock)
        self.sleep = sleep
        self.messages = Quota(limits.messages_per_minute, clock=self.steady, sleep=sleep)
        self._url = url
        self._connect = connect
        self._connections = Quota(limits.connections_per_minute, clock=self.steady, sleep=sleep)
        self._rng = rng
        self._opened = 0

    async def open(self, *, failures: int) -> Session:
        """Open a WebSocket, after a wait that grows with the failures before it, with full jitter.

        Raises
        ------
        Lost
            If the exchange cannot be reached, or answers with something else.
        """
        if failures:
            await self.sleep(self._rng.uniform(0.0, min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures - 1, 30))))
        await self._connections.take()
        try:
            wire = await self._connect(self._url())
        except (OSError, WebSocketException, EOFError) as problem:
            raise _lost(problem) from problem
        self._opened += 1
        if self.tap is not None:
            self.tap.opened(self._opened, at=self.clock())
        return Session(self._opened, wire, self)


def _lost(problem: Exception) -> Lost:
    return Lost(f"{type(problem).__name__}: {problem}"[:300].rstrip(": "))
