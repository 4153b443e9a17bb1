"""Closed candles as the feed gives them, until they are in the history."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from hlpairs_core.engine.history import History
from hlpairs_core.exchange.events import CandleEvent
from hlpairs_core.market.trade_bars import TradeBar

__all__ = ["Closes"]

FIELDS = ["open", "high", "low", "close", "volume"]
# A bar of all coins is 250. More wait only where nobody takes them; what is forgotten is fetched again.
WAITING_AT_MOST = 50_000


class Closes:
    """Takes candles from the feed; the closed ones go into the history together, a correction over what it corrects.

    The feed cannot vouch for every candle: it may push one for the last time up to a second before its end, and says
    that it is over only with the coin's next trade. Where all trades of the bar were seen they say what the candle is;
    such a one is screened at once and still counts as missing, so that the exchange's own replaces it in time.

    Parameters
    ----------
    history : History
        Of this market; candles of other intervals than its own are passed over.

    Attributes
    ----------
    news : asyncio.Event
        Set when a closed candle came.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._waiting: dict[tuple[str, int], CandleEvent] = {}
        self._newest: dict[str, CandleEvent] = {}
        self._built: set[tuple[str, int]] = set()
        self.news = asyncio.Event()

    def take(self, candle: CandleEvent) -> None:
        """Take a candle, closed or not."""
        if candle.interval != self._history.interval:
            return
        known = self._newest.get(candle.coin)
        if known is None or candle.time_ms >= known.time_ms:
            self._newest[candle.coin] = candle
        if not candle.is_closed:
            return
        if candle.is_confirmed:
            self._waiting[candle.coin, candle.time_ms] = candle
            if len(self._waiting) > WAITING_AT_MOST:
                del self._waiting[next(iter(self._waiting))]
        elif candle.corrects:  # the one before was wrong, and this one may be
            bar = pd.Timestamp(candle.time_ms, unit="ms", tz="UTC")
            self.doubt(candle.coin, bar, bar)
        self.news.set()

    def expected(self, coins: Sequence[str], bar: pd.Timestamp) -> list[str]:
        """Return the coins whose bar the feed has begun to tell, but not closed yet."""
        opened = _ms(bar)
        newest = ((coin, self._newest.get(coin)) for coin in coins)
        return [coin for coin, one in newest if one is not None and one.time_ms == opened and not one.is_closed]

    def lacking(self, coins: Sequence[str], bar: pd.Timestamp) -> list[str]:
        """Return the coins of whose candle of a closed bar nothing is known; may wait for the disk."""
        held, opened = self._history.candles, _ms(bar)
        known = self._waiting.keys() | self._built
        return [coin for coin in coins if (coin, opened) not in known and held.missing(coin, bar, bar)]

    def wanting(self, coins: Sequence[str], first: pd.Timestamp, last: pd.Timestamp) -> list[str]:
        """Return the coins that lack a bar that opens in ``first … last``; may wait for the disk."""
        held, opened = self._history.candles, _ms(last)
        holes = ((coin, held.missing(coin, first, last)) for coin in coins)
        built = {coin for coin, time in self._built if time == opened}
        return [coin for coin, lacks in holes if lacks and not (coin in built and lacks == [(last, last)])]

    def build(self, coins: Sequence[str], bar: pd.Timestamp, built: Callable[[str, int], TradeBar | None]) -> None:
        """Take the bars that trades built for candles, where all trades were seen and the feed says nothing else.

        A bar without trades is left out: which price it repeats is for the exchange to say.
        """
        opened = _ms(bar)
        bars = [one for one in (built(coin, opened) for coin in coins) if one is not None]
        usable = {(one.coin, opened): one for one in bars if one.is_complete and one.trades and self._contains(one)}
        self._built = set(usable)
        if usable:
            self._history.candles.add(_frame(usable), [])

    def doubt(self, coin: str, first: pd.Timestamp, last: pd.Timestamp) -> None:
        """Take back a coin's candles that open in ``first … last``: the feed was interrupted and they may be wrong."""
        for key in [key for key in self._waiting if key[0] == coin and _ms(first) <= key[1] <= _ms(last)]:
            del self._waiting[key]
        self._newest.pop(coin, None)
        self._history.candles.doubt(coin, first, last)

    def forget(self, coin: str) -> None:
        """Expect nothing more of a coin, as when its candles cannot be subscribed to."""
        self._newest.pop(coin, None)

    def store(self) -> None:
        """Hand over what waits to the history."""
        held, self._waiting = self._waiting, {}
        if held:
            frame = _frame(held)
            spans = [(coin, time, time) for coin, time in zip(frame["coin"], frame["time"], strict=True)]
            self._history.candles.add(frame, spans)

    def _contains(self, bar: TradeBar) -> bool:
        """Return whether the feed's candle of that bar, as it was pushed last, can be a beginning of this one."""
        seen = self._newest.get(bar.coin)
        if seen is None or seen.time_ms != bar.time:
            return True
        inside = bar.low <= seen.low and seen.high <= bar.high and bar.open == seen.open
        return inside and seen.volume <= bar.volume * (1 + 1e-9)


def _frame(candles: Mapping[tuple[str, int], CandleEvent | TradeBar]) -> pd.DataFrame:
    """Return candles by coin and open (milliseconds since 1970) as rows of the store."""
    values = [[getattr(candle, name) for name in FIELDS] for candle in candles.values()]
    frame = pd.DataFrame(values, columns=FIELDS, dtype="float64")
    frame.insert(0, "coin", [coin for coin, _ in candles])
    frame.insert(1, "time", pd.to_datetime([time for _, time in candles], unit="ms", utc=True).as_unit("ms"))
    return frame


def _ms(time: pd.Timestamp) -> int:
    return int(time.timestamp() * 1000)
