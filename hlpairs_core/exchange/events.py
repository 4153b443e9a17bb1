"""What `HyperliquidStream` hands to its reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hlpairs_core.exchange.book import OrderBook

__all__ = [
    "BookEvent",
    "CandleEvent",
    "Channel",
    "ContextEvent",
    "Event",
    "GapEvent",
    "MidsEvent",
    "QuarantineEvent",
    "QuoteEvent",
    "Subscription",
    "Trade",
    "TradesEvent",
]

Channel: TypeAlias = Literal["allMids", "activeAssetCtx", "candle", "bbo", "l2Book", "trades"]


@dataclass(frozen=True)
class Subscription:
    """One subscription on the wire.

    Attributes
    ----------
    channel : str
        What is asked for.
    coin : str
        Name on the wire; empty for ``allMids``.
    interval : str
        Of candles; empty for the rest.
    fast : bool
        ``l2Book`` only: five levels twice a second instead of twenty every five seconds.
    """

    channel: Channel
    coin: str = ""
    interval: str = ""
    fast: bool = False


@dataclass(frozen=True, slots=True)
class MidsEvent:
    """All mids (USD) by coin, spot pairs among them."""

    mids: Mapping[str, float]
    received_at: float


@dataclass(frozen=True, slots=True)
class QuoteEvent:
    """Best bid and ask changed (USD, base units); NaN where a side is empty.

    `time_ms` is the exchange's (milliseconds since 1970); `received_at`, here and below, the stream's clock
    (seconds since 1970).
    """

    coin: str
    time_ms: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    received_at: float


@dataclass(frozen=True, slots=True)
class ContextEvent:
    """What the exchange says of a coin now; `values` has the number columns of `HyperliquidClient.contexts`.

    NaN where the exchange says null, and in the columns that spot pairs do not have. The exchange sends no time.
    """

    coin: str
    values: Mapping[str, float]
    received_at: float


@dataclass(frozen=True, slots=True)
class CandleEvent:
    """A candle; prices in USD, volume in base units.

    Attributes
    ----------
    time_ms : int
        Open time, milliseconds since 1970.
    trades : int or None
        Number of trades; None where REST gave the candle and did not say.
    is_closed : bool
        Whether its time is over: a later candle was seen, or REST gave it after its end. Each closed candle is
        handed out once, in order of time.
    is_confirmed : bool
        Whether a closed candle's values are known to be final: REST gave them after its end, or every trade of
        its time was seen and their volume is the candle's. Otherwise the exchange may have pushed it for the
        last time up to a second before its end, and a trade in that second is missing. False while it is open.
    corrects : bool
        Whether it replaces a closed candle that was handed out with other values.
    source : {"stream", "fill"}
        From the feed, or fetched over REST.
    """

    coin: str
    interval: str
    time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None
    is_closed: bool
    is_confirmed: bool
    corrects: bool
    source: Literal["stream", "fill"]
    received_at: float


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill. `time` in milliseconds since 1970; `is_buy` is the aggressor's side; `tid` is unique per coin."""

    time: int
    price: float
    size: float
    is_buy: bool
    tid: int


@dataclass(frozen=True, slots=True)
class TradesEvent:
    """New fills of one coin, ascending by time within the event; none is handed out twice."""

    coin: str
    trades: tuple[Trade, ...]
    received_at: float


@dataclass(frozen=True, slots=True)
class BookEvent:
    """A whole visible book; `fast` ones have five levels a side, others twenty."""

    book: OrderBook
    fast: bool
    received_at: float


@dataclass(frozen=True, slots=True)
class GapEvent:
    """The feed of a subscription was interrupted between two wall times (seconds since 1970), and is back.

    Where both are the same the connection went on, but trades may have been in a frame that could not be read.

    Attributes
    ----------
    filled : bool
        Whether everything in between was fetched (candles), or overlaps what the exchange replayed (trades).
        Quotes, contexts, mids and books have no past: their newest value fills their gap.
    """

    subscription: Subscription
    since: float
    until: float
    filled: bool


@dataclass(frozen=True, slots=True)
class QuarantineEvent:
    """A subscription that makes the server drop the connection, or that it refuses, is left out from now on.

    It is tried again, alone on a socket of its own, after the `quarantine_seconds` of `HyperliquidStream`.
    """

    subscription: Subscription
    reason: str
    at: float


Event: TypeAlias = (
    MidsEvent | QuoteEvent | ContextEvent | CandleEvent | TradesEvent | BookEvent | GapEvent | QuarantineEvent
)
