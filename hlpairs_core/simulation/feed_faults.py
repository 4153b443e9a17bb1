"""Faults of the feed: what becomes of a message on its way out."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hlpairs_core.simulation.faults import Fault, Faults, spoiled

__all__ = ["FeedFaults", "Outgoing"]

_UNKNOWN = '{"channel":"weather","data":{"coin":"BTC","px":"1.0"}}'
_SPOILING = ("feed-types", "feed-nan", "feed-zero")
_LOSING = ("feed-mute", "feed-lose")


@dataclass(frozen=True)
class Outgoing:
    """A message that leaves, after some seconds, in so many fragments."""

    text: str
    delay: float = 0.0
    fragments: int = 1


class FeedFaults:
    """Lets `Faults` strike the messages of one connection.

    Parameters
    ----------
    faults : Faults
        What goes wrong now.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rng = random.Random(0)
        self._held: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether no connection can be made now."""
        return self._faults.strike("feed-refuse") is not None

    def kills(self, text: str) -> bool:
        """Whether a message of the client ends its connection: it subscribes to the wrong coin."""
        try:
            message = json.loads(text)
            coin = message["subscription"].get("coin", "") if message["method"] == "subscribe" else ""
        except (ValueError, LookupError, TypeError, AttributeError):
            return False
        return bool(coin) and self._faults.strike("feed-kill", "unlisted", coin=str(coin)) is not None

    def leaving(self, text: str) -> list[Outgoing]:
        """Return what is sent in place of a message, in its order."""
        if not any(fault.kind.startswith("feed-") or fault.kind == "delisted" for fault in self._faults.active()):
            return [*self._released(), Outgoing(text)]
        if self._faults.strike("feed-stall"):
            return []
        channel, coin, frame = _read(text)
        if frame is None:
            return [Outgoing(text, self._delay(channel, coin), self._fragments(channel, coin))]
        if self._faults.strike(*_LOSING, only=channel, coin=coin) or self._muted(coin):
            return []
        texts = list(self._changed(text, channel, coin, frame))
        return [Outgoing(one, self._delay(channel, coin), self._fragments(channel, coin)) for one in texts]

    def _changed(self, text: str, channel: str, coin: str, frame: dict[str, Any]) -> Iterator[str]:
        for fault in self._faults.strikes(*_SPOILING, only=channel, coin=coin):
            frame = frame | {"data": spoiled(frame["data"], fault.kind, self._rng)}
            text = json.dumps(frame, separators=(",", ":"))
        if self._faults.strike("feed-truncate", only=channel, coin=coin):
            text = text[: len(text) // 2]
        if self._held is None and self._faults.strike("feed-reorder", only=channel, coin=coin):
            self._held = text  # until the next one has overtaken it
            return
        yield text
        if self._faults.strike("feed-duplicate", only=channel, coin=coin):
            yield text
        if self._faults.strike("feed-unknown", only=channel, coin=coin):
            yield _UNKNOWN
        for fault in self._faults.strikes("feed-huge", only=channel, coin=coin):
            yield json.dumps({"channel": channel, "data": "x" * int(fault.size)})
        for one in self._released():
            yield one.text

    def _released(self) -> list[Outgoing]:
        held, self._held = self._held, None
        return [] if held is None else [Outgoing(held)]

    def _muted(self, coin: str) -> bool:
        return bool(coin) and self._faults.strike("delisted", coin=coin) is not None

    def _delay(self, channel: str, coin: str) -> float:
        fault: Fault | None = self._faults.strike("feed-slow", only=channel, coin=coin)
        return 0.0 if fault is None else fault.size

    def _fragments(self, channel: str, coin: str) -> int:
        return 5 if self._faults.strike("feed-split", only=channel, coin=coin) else 1


def _read(text: str) -> tuple[str, str, dict[str, Any] | None]:
    """Return the channel, the coin and the frame of a message; no frame where it carries no data of a market."""
    try:
        frame = json.loads(text)
        channel, data = frame["channel"], frame["data"]
    except (ValueError, LookupError, TypeError):
        return "", "", None
    if channel in ("subscriptionResponse", "error", "post"):
        return channel, "", None
    first = data[0] if isinstance(data, list) and data else data
    coin = (first.get("coin") or first.get("s") or "") if isinstance(first, dict) else ""
    return channel, str(coin), frame
