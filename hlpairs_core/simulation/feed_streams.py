"""What a subscription delivers: from blocks to the texts that are sent."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

from hlpairs_core.simulation.feed_block import Block
from hlpairs_core.simulation.tape import Tape, last_trades, trades_between
from hlpairs_core.simulation.trades import trade_rows
from hlpairs_core.simulation.wire import number

__all__ = ["BestPrices", "CandleUpdates", "Events", "FeedStream", "States", "TradeTicks", "frame"]

_REPLAYED_TRADES = 30
_TRADES_PER_FRAME = 200


def frame(channel: str, data: Any) -> str:
    """Return the text of one message."""
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":"))


class FeedStream(ABC):
    """One subscription, however many clients have it.

    Attributes
    ----------
    every : float
        Seconds between two messages; 0 if each block may bring one.
    phase : float
        Where in that time it sends, 0 to 1. Streams of the same pace and phase send at the same moments.
    """

    every: float = 0.0
    phase: float = 0.0

    @abstractmethod
    def first(self, block: Block) -> list[str]:
        """Return what a new subscriber is sent at once."""

    @abstractmethod
    def next(self, block: Block) -> list[str]:
        """Return what all subscribers are sent; blocks are handed over in the order of their time."""

    def ready(self, block: Block) -> bool:  # noqa: ARG002
        """Whether something has to go out with this block although its time has not come."""
        return False


class States(FeedStream):
    """Sends a state, whole, again and again.

    Parameters
    ----------
    channel : str
        Where.
    make : callable
        The state at a block. Raises `InputError` if there is no such thing.
    every : float
        Seconds between two messages.
    """

    def __init__(self, channel: str, make: Callable[[Block], Any], *, every: float) -> None:
        self._channel = channel
        self._make = make
        self.every = every

    def first(self, block: Block) -> list[str]:
        """Return what a new subscriber is sent at once."""
        return [frame(self._channel, self._make(block))]

    def next(self, block: Block) -> list[str]:
        """Return what all subscribers are sent."""
        return self.first(block)


class Events(FeedStream):
    """Sends what was there before, if the channel has such a thing; nothing ever happens after it.

    Parameters
    ----------
    snapshot : str, optional
        The text that a new subscriber is sent.
    """

    def __init__(self, snapshot: str | None = None) -> None:
        self._snapshot = [] if snapshot is None else [snapshot]

    def first(self, block: Block) -> list[str]:  # noqa: ARG002
        """Return what a new subscriber is sent at once."""
        return self._snapshot

    def next(self, block: Block) -> list[str]:  # noqa: ARG002
        """Return what all subscribers are sent."""
        return []


class BestPrices(FeedStream):
    """``bbo``: the best bid and ask of a coin whenever one of them changed; silent without a book."""

    def __init__(self, name: str, block: Block) -> None:
        self._name = name
        self._coin = block.coin(name)
        self._sent = block.touches[self._coin]

    def first(self, block: Block) -> list[str]:
        """Return what a new subscriber is sent at once."""
        touch = block.touches[self._coin]
        if touch is None:
            return []
        bid, bid_size, bid_orders, ask, ask_size, ask_orders = touch
        levels = [
            {"px": number(bid), "sz": number(bid_size), "n": bid_orders},
            {"px": number(ask), "sz": number(ask_size), "n": ask_orders},
        ]
        return [frame("bbo", {"coin": self._name, "time": block.time_ms, "bbo": levels})]

    def next(self, block: Block) -> list[str]:
        """Return what all subscribers are sent."""
        if block.touches[self._coin] == self._sent:
            return []
        self._sent = block.touches[self._coin]
        return self.first(block)


class TradeTicks(FeedStream):
    """``trades``: first the last thirty, then each one once."""

    def __init__(self, name: str, block: Block) -> None:
        self._name = name
        self._coin = block.coin(name)
        self._upto_ms = block.time_ms
        self._progress = block.progress(self._coin)

    def first(self, block: Block) -> list[str]:
        """Return what a new subscriber is sent at once."""
        return list(self._frames(last_trades(block.view, self._coin, _REPLAYED_TRADES)))

    def next(self, block: Block) -> list[str]:
        """Return what all subscribers are sent."""
        before, self._progress = self._progress, block.progress(self._coin)
        since, self._upto_ms = self._upto_ms, block.time_ms
        if before == self._progress:
            return []
        return list(self._frames(trades_between(block.view, self._coin, since, block.time_ms)))

    def _frames(self, tape: Tape) -> Iterator[str]:
        rows = trade_rows(self._name, tape)
        for start in range(0, len(rows), _TRADES_PER_FRAME):
            yield frame("trades", rows[start : start + _TRADES_PER_FRAME])


class CandleUpdates(FeedStream):
    """``candle``: the one in progress as it changes, and the last state of each one that closed."""

    def __init__(self, name: str, interval: str, block: Block, *, every: float) -> None:
        self._request = {"coin": name, "interval": interval}
        self.every = every
        # Candles take the longest to make: all of them in one block would hold up the rest.
        self.phase = crc32(f"{name} {interval}".encode(errors="replace")) / 2**32
        self._coin = block.coin(name)
        self._progress = block.progress(self._coin)
        rows = self._rows(block, block.time_ms)
        self._sent: dict[str, Any] | None = rows[-1] if rows else None
        self._since_ms = rows[-1]["t"] if rows else block.time_ms

    def first(self, block: Block) -> list[str]:
        """Return what a new subscriber is sent at once."""
        return [frame("candle", row) for row in self._rows(block, block.time_ms)[-1:]]

    def next(self, block: Block) -> list[str]:
        """Return what all subscribers are sent."""
        before, self._progress = self._progress, block.progress(self._coin)
        if before == self._progress and not self.ready(block):
            return []
        rows = self._rows(block, self._since_ms)
        fresh = rows[1:] if rows and rows[0] == self._sent else rows
        if fresh:
            self._sent, self._since_ms = fresh[-1], fresh[-1]["t"]
        return [frame("candle", row) for row in fresh]

    def ready(self, block: Block) -> bool:
        """Whether a candle closed."""
        return self._sent is not None and block.time_ms > self._sent["T"]

    def _rows(self, block: Block, since_ms: int) -> list[dict[str, Any]]:
        span = {"startTime": since_ms, "endTime": block.time_ms}
        rows: list[dict[str, Any]] = block.info({"type": "candleSnapshot", "req": self._request | span})
        return rows
