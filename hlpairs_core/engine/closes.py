"""Closed candles as the feed gives them, until they are in the history."""

import asyncio
from collections.abc import Callable, Sequence

import pandas as pd

from hlpairs_core.engine.history import History
from hlpairs_core.engine.provisional import Provisional, candle_frame, provisional_candle, to_ms
from hlpairs_core.exchange.events import CandleEvent
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.trade_bars import TradeBar

__all__ = ["Closes"]

# A bar of all coins is 250. More wait only where nobody takes them; what is forgotten is fetched again.
WAITING_AT_MOST = 50_000
# The bar that closes and the one after it.
SEEN_BARS = 2


class Closes:
    """Takes candles from the feed; the closed ones go into the history together, a correction over what it corrects.

    The feed cannot vouch for every candle: it may push one for the last time up to a second before its end, and says
    that it is over only with the coin's next trade. What it said, and its trades, then make a provisional candle: that
    is screened at once, is never stored, and counts as missing until the exchange's own is there.

    Parameters
    ----------
    history : History
        Of this market; candles of other intervals than its own are passed over.

    Attributes
    ----------
    news : asyncio.Event
        Set when a closed candle came.
    provisional : Provisional
        Candles that the exchange has not confirmed yet.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._waiting: dict[tuple[str, int], CandleEvent] = {}
        self._seen: dict[str, dict[int, CandleEvent]] = {}
        self._reached: dict[str, int] = {}
        self._now_ms = 0
        self._mistrusted: set[int] = set()
        self.news = asyncio.Event()
        self.provisional = Provisional(history)

    def take(self, candle: CandleEvent) -> None:
        """Take a candle, closed or not."""
        if candle.interval != self._history.interval:
            return
        seen = self._seen.setdefault(candle.coin, {})
        seen[candle.time_ms] = candle
        if len(seen) > SEEN_BARS:
            del seen[min(seen)]
        if not candle.is_closed:
            return
        if candle.is_confirmed and (candle.source == "fill" or candle.time_ms not in self._mistrusted):
            self._waiting[candle.coin, candle.time_ms] = candle
            if len(self._waiting) > WAITING_AT_MOST:
                del self._waiting[next(iter(self._waiting))]
        elif candle.corrects:  # the one before was wrong, and this one may be
            bar = pd.Timestamp(candle.time_ms, unit="ms", tz="UTC")
            self.doubt(candle.coin, bar, bar)
        self.news.set()

    def reach(self, coin: str, time_ms: int | None = None) -> None:
        """Note the exchange's own time (milliseconds since 1970) of news of a coin.

        News without a time are taken to be of the time that news of any coin had last.
        """
        self._now_ms = self._now_ms if time_ms is None else time_ms
        self._reached[coin] = self._now_ms

    def reached(self, coin: str) -> int:
        """Return the exchange's time (milliseconds since 1970) of the newest news of a coin; 0 without any."""
        return self._reached.get(coin, 0)

    def expected(self, coins: Sequence[str], bar: pd.Timestamp) -> list[str]:
        """Return the coins whose bar the feed has begun to tell, but not closed yet."""
        opened = to_ms(bar)
        newest = ((coin, max(self._seen[coin].values(), key=_open_ms)) for coin in coins if coin in self._seen)
        return [coin for coin, one in newest if one.time_ms == opened and not one.is_closed]

    def lacking(self, coins: Sequence[str], bar: pd.Timestamp) -> list[str]:
        """Return the coins of whose candle of a closed bar nothing is known; may wait for the disk."""
        held, opened = self._history.candles, to_ms(bar)
        known = ((coin, (coin, opened) in self._waiting or (coin, opened) in self.provisional) for coin in coins)
        return [coin for coin, is_known in known if not is_known and held.missing(coin, bar, bar)]

    def wanting(self, coins: Sequence[str], first: pd.Timestamp, last: pd.Timestamp) -> list[str]:
        """Return the coins that lack a bar that opens in ``first … last``; may wait for the disk."""
        held, covers = self._history.candles, self.provisional.covers
        return [coin for coin in coins if not all(covers(coin, hole) for hole in held.missing(coin, first, last))]

    def build(self, coins: Sequence[str], bar: pd.Timestamp, built: Callable[[str, int], TradeBar | None]) -> None:
        """Make provisional candles of a bar, of what the feed said of it and what `built` says that was traded."""
        opened = to_ms(bar)
        pairs = ((self._seen.get(coin, {}).get(opened), built(coin, opened)) for coin in coins)
        guesses = (provisional_candle(seen, traded) for seen, traded in pairs)
        self.provisional.take([one for one in guesses if one is not None])

    def doubt(self, coin: str, first: pd.Timestamp, last: pd.Timestamp) -> None:
        """Take back a coin's candles that open in ``first … last``: the feed was interrupted and they may be wrong."""
        for key in [key for key in self._waiting if key[0] == coin and to_ms(first) <= key[1] <= to_ms(last)]:
            del self._waiting[key]
        self._seen.pop(coin, None)
        self._history.candles.doubt(coin, first, last)

    def mistrust(self, first: pd.Timestamp, last: pd.Timestamp) -> None:
        """Take no candle from the feed that opens from `first` on and before `last`: of its end nothing was heard."""
        step = int(interval_duration(self._history.interval).total_seconds() * 1000)
        self._mistrusted.update(range(to_ms(first), to_ms(last), step))
        self._seen.clear()

    def forget(self, coin: str) -> None:
        """Expect nothing more of a coin, as when its candles cannot be subscribed to."""
        self._seen.pop(coin, None)

    def store(self) -> None:
        """Hand over what waits to the history."""
        held, self._waiting = self._waiting, {}
        if held:
            frame = candle_frame(held)
            spans = [(coin, time, time) for coin, time in zip(frame["coin"], frame["time"], strict=True)]
            self._history.candles.add(frame, spans)


def _open_ms(candle: CandleEvent) -> int:
    return candle.time_ms
