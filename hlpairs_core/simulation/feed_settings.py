from dataclasses import dataclass, field, fields

from hlpairs_core.exceptions import SettingsError

__all__ = ["FeedLimits", "FeedSettings", "Pace"]


@dataclass(frozen=True)
class Pace:
    """How often the feed sends, in seconds of wall time, whatever the speed of the market.

    The defaults are what was measured at the exchange, except for `mids`, which it sends every five seconds now.

    Attributes
    ----------
    block : float
        Between two looks at the market. Best prices that changed and trades that happened go out with each;
        so do candles that closed.
    candle : float
        Between two updates of a candle in progress, as long as it changes.
    context : float
        ``activeAssetCtx`` and ``fastAssetCtxs``.
    mids : float
        ``allMids``.
    book, fast_book : float
        ``l2Book`` with twenty levels and, where ``fast`` was asked for, with five.
    contexts : float
        ``allDexsAssetCtxs``, ``assetCtxs`` and ``spotAssetCtxs``.
    account : float
        States of an account: ``clearinghouseState``, ``webData2`` and their like.

    Raises
    ------
    SettingsError
        If one of them is not above 0.
    """

    block: float = 0.1
    candle: float = 0.8
    context: float = 1.0
    mids: float = 1.0
    book: float = 5.0
    fast_book: float = 0.5
    contexts: float = 13.0
    account: float = 5.0

    def __post_init__(self) -> None:
        for item in fields(self):
            if not getattr(self, item.name) > 0:
                raise SettingsError(f"pace {item.name} must be above 0 seconds, got {getattr(self, item.name)!r}")


@dataclass(frozen=True)
class FeedLimits:
    """What one address may do on the feed; the exchange's numbers of August 2026.

    Attributes
    ----------
    connections : int
        Connections at a time; further ones are refused with 429.
    connections_per_minute : int
        New connections a minute; likewise.
    subscriptions : int
        Subscriptions over all its connections; further ones are answered with an error.
    users : int
        Accounts over all its subscriptions; likewise.
    messages_per_minute : int
        Messages it may send over all its connections; further ones but pings are ignored without a word.
    posts : int
        ``post`` requests not answered yet; further ones are answered with an error.
    """

    connections: int = 10
    connections_per_minute: int = 30
    subscriptions: int = 1000
    users: int = 10
    messages_per_minute: int = 2000
    posts: int = 100


@dataclass(frozen=True)
class FeedSettings:
    """How the feed of a simulated exchange behaves.

    Attributes
    ----------
    pace : Pace
        How often it sends.
    limits : FeedLimits or None
        What one address may do; None allows everything.
    greeting : bool
        Whether a connection starts with the plain text ``Websocket connection established.``, as some servers do.
    idle_seconds : float
        A connection that was sent nothing for so long is dropped.
    unsent_bytes : int
        So much may wait for a slow reader before its connection is dropped. The exchange drops slow readers
        too; its number is not known.
    """

    pace: Pace = field(default_factory=Pace)
    limits: FeedLimits | None = None
    greeting: bool = False
    idle_seconds: float = 60.0
    unsent_bytes: int = 8 * 1024 * 1024
