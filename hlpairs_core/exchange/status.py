from collections.abc import Mapping
from dataclasses import dataclass

from hlpairs_core.exchange.events import Subscription

__all__ = ["StreamStatus"]


@dataclass(frozen=True)
class StreamStatus:
    """How a stream is, at one moment.

    Attributes
    ----------
    sockets_open, sockets_wanted : int
        Sockets that carry subscriptions, or should.
    subscribed : int
        Subscriptions that the exchange has acknowledged and sends.
    pending : int
        Those that it has not acknowledged yet, suspects among them.
    stalled : tuple of Subscription
        Acknowledged ones that have been silent for too long, and were asked for again.
    quarantined : mapping
        Those that are left out, each with the reason.
    reconnects : int
        Sockets opened in place of lost ones.
    last_loss : str
        Why a socket was lost or could not be opened, the last time; empty if that has not happened.
    last_message_at : float or None
        When the last message came (clock seconds); None before the first.
    messages : int
        Messages received.
    conflated : int
        Quotes, contexts, mids, books and open candles that were replaced by newer ones before they were read.
    fills : int
        Candles fetched over REST and handed out.
    filling : int
        Candle feeds that wait for REST now.
    buffered : int
        Events that wait for the reader.
    is_paused : bool
        Whether the sockets are not read because too many trades and closed candles wait for the reader.
    faults : mapping
        What went wrong or could not be used, by kind; the first of each kind is logged.
    """

    sockets_open: int
    sockets_wanted: int
    subscribed: int
    pending: int
    stalled: tuple[Subscription, ...]
    quarantined: Mapping[Subscription, str]
    reconnects: int
    last_loss: str
    last_message_at: float | None
    messages: int
    conflated: int
    fills: int
    filling: int
    buffered: int
    is_paused: bool
    faults: Mapping[str, int]
