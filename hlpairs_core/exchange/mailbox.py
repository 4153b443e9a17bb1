import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from itertools import count

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.events import (
    BookEvent,
    CandleEvent,
    ContextEvent,
    Event,
    MidsEvent,
    QuoteEvent,
    TradesEvent,
)

__all__ = ["Mailbox"]

# A reader that never waits would keep the sockets from being read.
_READ_IN_A_ROW = 500


class Mailbox:
    """Events on their way to one reader, in order; what it is too slow for is conflated, or waits.

    Of quotes, contexts, mids, books and open candles only the newest of each waits, at the place of the first:
    what a reader has not seen yet is replaced. Trades, closed candles, gaps and quarantines all wait; where too
    many do, `is_full` asks the sockets to stop reading.

    Parameters
    ----------
    most : int
        Trades and other events that are never dropped, before the mailbox is full. It takes in what comes
        nevertheless.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._events: OrderedDict[Hashable, Event] = OrderedDict()
        self._numbers = count()
        self._kept = 0
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_closed = False
        self._is_read = False
        self._failure: BaseException | None = None
        self.conflated = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be put in until the reader has caught up by half."""
        return not self._has_room.is_set()

    async def room(self) -> None:
        """Wait until it is not full."""
        await self._has_room.wait()

    def put(self, event: Event) -> None:
        """Put an event in."""
        key = _conflated_by(event)
        if key is None:
            key = next(self._numbers)
            self._keep(event)
        elif key in self._events:
            self.conflated += 1
        self._events[key] = event
        self._arrived.set()

    def close(self, failure: BaseException | None = None) -> None:
        """End the reader's iteration once it has read the rest, with an error if one is given."""
        self._is_closed = True
        self._failure = self._failure or failure
        self._arrived.set()
        self._has_room.set()

    def read(self) -> AsyncIterator[Event]:
        """Return the events, as they come.

        Raises
        ------
        InputError
            If there is a reader already.
        """
        if self._is_read:
            raise InputError("the events of this stream are being read already: one reader, and once")
        self._is_read = True
        return self._read()

    async def _read(self) -> AsyncIterator[Event]:
        read = 0
        while True:
            while self._events:
                yield self._take()
                read += 1
                if read % _READ_IN_A_ROW == 0:
                    await asyncio.sleep(0)
            if self._failure is not None:
                raise self._failure
            if self._is_closed:
                return
            self._arrived.clear()
            await self._arrived.wait()

    def _keep(self, event: Event) -> None:
        if isinstance(event, CandleEvent):
            # The open candle that waits is this one, or older: it must not go out before, and newer, not after.
            key = ("candle", event.coin, event.interval)
            waiting = self._events.get(key)
            if isinstance(waiting, CandleEvent) and waiting.time_ms <= event.time_ms:
                del self._events[key]
                self.conflated += 1
        self._kept += _weight(event)
        if self._kept >= self._most and not self._is_closed:
            self._has_room.clear()

    def _take(self) -> Event:
        key, event = self._events.popitem(last=False)
        if isinstance(key, int):
            self._kept -= _weight(event)
            if self._kept <= self._most // 2:
                self._has_room.set()
        return event


def _weight(event: Event) -> int:
    return len(event.trades) if isinstance(event, TradesEvent) else 1


def _conflated_by(event: Event) -> Hashable | None:
    """Return what only the newest is kept of; None where each one counts."""
    if isinstance(event, QuoteEvent):
        return "bbo", event.coin
    if isinstance(event, ContextEvent):
        return "activeAssetCtx", event.coin
    if isinstance(event, CandleEvent):
        return None if event.is_closed else ("candle", event.coin, event.interval)
    if isinstance(event, BookEvent):
        return "l2Book", event.book.coin, event.fast
    return "allMids" if isinstance(event, MidsEvent) else None
