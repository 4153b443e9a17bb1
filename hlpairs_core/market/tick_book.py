"""The newest quote of each coin, and the mids that follow from it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from hlpairs_core.exchange.events import QuoteEvent

__all__ = ["Tick", "TickBook"]

QUOTE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Tick:
    """One coin now; NaN (of `time`: None) where the exchange has not said it.

    Attributes
    ----------
    coin : str
        Name on the wire.
    time : pandas.Timestamp or None
        Exchange time of the quote, UTC.
    bid, ask : float
        Best prices (USD); NaN where that side of the book is empty.
    bid_size, ask_size : float
        What stands there (base units).
    mid : float
        What marks are computed with (USD): of the quote, where it is fresh, else of the exchange's list of mids.
    mark_price : float
        Mark price (USD).
    funding_rate : float
        Running estimate of the hour's funding (fraction per hour; positive: longs pay).
    """

    coin: str
    time: pd.Timestamp | None
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    mid: float
    mark_price: float
    funding_rate: float


class TickBook:
    """The newest that was heard of each coin. Taking something in costs a dictionary entry.

    Parameters
    ----------
    fresh_seconds : float
        How long a quote counts as the present one (wall time). A quote is sent when it changes, so one of a quiet coin
        grows old without being wrong; from then on the list of all mids, which keeps coming, says more.
    """

    def __init__(self, *, fresh_seconds: float = QUOTE_SECONDS) -> None:
        self._fresh_seconds = fresh_seconds
        self._quotes: dict[str, QuoteEvent] = {}
        self._contexts: dict[str, Mapping[str, float]] = {}
        self._mids: Mapping[str, float] = {}

    def take_quote(self, quote: QuoteEvent) -> None:
        """Take a coin's best bid and ask."""
        self._quotes[quote.coin] = quote

    def take_mids(self, mids: Mapping[str, float]) -> None:
        """Take the list of all mids, in place of the last one."""
        self._mids = mids

    def take_context(self, coin: str, values: Mapping[str, float]) -> None:
        """Take what the exchange says of a coin: `mark_price` and `funding_rate` count."""
        self._contexts[coin] = values

    def interrupt(self, coin: str, until: float) -> None:
        """Forget a coin's quote if it came before wall time `until`: it may have changed unheard."""
        quote = self._quotes.get(coin)
        if quote is not None and quote.received_at < until:
            del self._quotes[coin]

    def keep_only(self, coins: Iterable[str]) -> None:
        """Forget all coins but these, as when some were delisted."""
        for held in (self._quotes, self._contexts):
            for coin in held.keys() - set(coins):
                del held[coin]

    def mid(self, coin: str, now: float) -> float:
        """Return a coin's mid (USD) at wall time `now`; NaN where none is known.

        The mean of a fresh quote; else, also where a side of the book is empty, the exchange's own mid.
        """
        quote = self._quotes.get(coin)
        if quote is not None and now - quote.received_at < self._fresh_seconds:
            mid = (quote.bid + quote.ask) / 2
            if math.isfinite(mid):
                return mid
        return self._mids.get(coin, math.nan)

    def mids(self, now: float, coins: Iterable[str] | None = None) -> dict[str, float]:
        """Return the mids (USD) of these coins, of all when None; those without one are left out."""
        names = {**self._mids, **self._quotes} if coins is None else coins
        found = {coin: self.mid(coin, now) for coin in names}
        return {coin: mid for coin, mid in found.items() if math.isfinite(mid)}

    def tick(self, coin: str, now: float) -> Tick:
        """Return all that is known of a coin at wall time `now`."""
        quote, context = self._quotes.get(coin), self._contexts.get(coin, {})
        return Tick(
            coin=coin,
            time=None if quote is None else pd.Timestamp(quote.time_ms, unit="ms", tz="UTC"),
            bid=math.nan if quote is None else quote.bid,
            bid_size=math.nan if quote is None else quote.bid_size,
            ask=math.nan if quote is None else quote.ask,
            ask_size=math.nan if quote is None else quote.ask_size,
            mid=self.mid(coin, now),
            mark_price=context.get("mark_price", math.nan),
            funding_rate=context.get("funding_rate", math.nan),
        )

    def frame(self, coins: Iterable[str], now: float) -> pd.DataFrame:
        """Return the ticks of these coins, one row each, with the columns of `Tick`."""
        columns = list(Tick.__dataclass_fields__)
        rows = pd.DataFrame([asdict(self.tick(coin, now)) for coin in coins], columns=columns)
        return rows.assign(
            coin=rows["coin"].astype("str"), time=pd.to_datetime(rows["time"], utc=True).dt.as_unit("ms")
        )
