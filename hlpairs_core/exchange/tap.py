from collections.abc import Mapping
from typing import Protocol

__all__ = ["Tap"]


class Tap(Protocol):
    """Sees everything that goes over the wire, unparsed, when it happens; a recorder is one.

    Times are the caller's clock (seconds since 1970). Nothing it is given may be changed, and what it raises
    is a defect of the tap: it must not raise.
    """

    def answered(
        self,
        body: dict[str, object],
        *,
        sent_at: float,
        received_at: float,
        status: int | None,
        headers: Mapping[str, str],
        reply: bytes,
    ) -> None:
        """One attempt of ``POST /info`` ended.

        `status` is None, and the rest empty, where no whole answer came; so they are where it was too large.
        `reply` is decompressed.
        """

    def opened(self, socket: int, *, at: float) -> None:
        """WebSocket number `socket` was opened; numbers are never used twice."""

    def sent(self, socket: int, text: str, *, at: float) -> None:
        """A frame was sent."""

    def received(self, socket: int, text: str, *, at: float) -> None:
        """A frame arrived."""

    def closed(self, socket: int, reason: str, *, at: float) -> None:
        """The WebSocket was closed, by whichever side."""
