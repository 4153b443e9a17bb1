"""Turns what the sockets bring into events: each once, in order, with what is missing fetched over REST."""

import random
from collections.abc import Callable

from hlpairs_core.exchange.candle_feed import Candle, CandleFeed
from hlpairs_core.exchange.client import HyperliquidClient
from hlpairs_core.exchange.events import (
    BookEvent,
    CandleEvent,
    Event,
    GapEvent,
    QuoteEvent,
    Subscription,
    Trade,
    TradesEvent,
)
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.fills import Filler
from hlpairs_core.exchange.frames import Content
from hlpairs_core.exchange.market_time import MarketTime
from hlpairs_core.exchange.trade_feed import TradeFeed
from hlpairs_core.intervals import interval_duration

__all__ = ["Desk"]

# How long after a candle's end the feed may still close it (seconds of this program's clock).
_GRACE_SECONDS = 5.0


class Desk:
    """Takes news of subscriptions in, and puts events out.

    Parameters
    ----------
    client : HyperliquidClient
        Fetches candles; its stamp tells the market's time.
    put : callable
        Takes the events.
    faults : Faults
        Counts what is left out.
    settle_from : str
        Candles of this interval and longer ones are fetched where the feed has not closed or confirmed them.
    clock, steady, rng
        Seconds since 1970; seconds that never go back; jitter.

    Attributes
    ----------
    filler : Filler
        To be run.
    fills : int
        Candles fetched and handed out.
    is_clock_doubtful : bool
        Whether something seemed to come from the future since this was last set to False.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        put: Callable[[Event], None],
        faults: Faults,
        *,
        settle_from: str,
        clock: Callable[[], float],
        steady: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.filler = Filler(client, self, faults, steady=steady, rng=rng)
        self.fills = 0
        self.is_clock_doubtful = False
        self._put = put
        self._faults = faults
        self._settle_from = interval_duration(settle_from)
        self._clock = clock
        self._market = MarketTime(client, clock)
        self._candles: dict[Subscription, CandleFeed] = {}
        self._trades: dict[str, TradeFeed] = {}
        self._quotes: dict[str, QuoteEvent] = {}
        self._books: dict[Subscription, int] = {}
        self._cuts: dict[Subscription, float] = {}
        self._down: dict[Subscription, float] = {}
        self._waiting: dict[Subscription, float] = {}

    def started(self, subscription: Subscription) -> None:
        """Note that the exchange sends a subscription from now on, for the first time or again."""
        feed = self._candles.get(subscription)
        if subscription in self._down:
            self._cuts[subscription] = self._down.pop(subscription)
            if feed is not None:
                feed.resume()
        elif subscription.channel == "candle" and feed is None:
            self._begin_candles(subscription)
        elif subscription.channel == "trades" and subscription.coin not in self._trades:
            self._begin_trades(subscription.coin)

    def interrupted(self, subscription: Subscription, since: float) -> None:
        """Note that nothing may have come since then (clock seconds), and nothing comes until `started` again."""
        self._down.setdefault(subscription, self._cuts.pop(subscription, since))
        if subscription in self._candles:
            self._candles[subscription].interrupt()
        elif subscription.channel == "trades":
            self._trades[subscription.coin].interrupt()
        elif subscription.channel == "bbo":
            self._quotes.pop(subscription.coin, None)
        self._books.pop(subscription, None)

    def missed(self, trades: list[Subscription]) -> None:
        """Note that trades of these may be missing: they no longer vouch for the candles in progress."""
        now = self._clock()
        for subscription in trades:
            self._trades[subscription.coin].interrupt(replays=False)
            self._put(GapEvent(subscription, now, now, filled=False))

    def forget(self, subscription: Subscription) -> None:
        """Let a subscription go."""
        self._down.pop(subscription, None)
        self._cuts.pop(subscription, None)
        self._waiting.pop(subscription, None)
        self._books.pop(subscription, None)
        if subscription.channel == "bbo":
            self._quotes.pop(subscription.coin, None)
        elif subscription.channel == "trades":
            self._trades.pop(subscription.coin, None)
        elif subscription in self._candles:
            self.filler.forget(self._candles.pop(subscription))

    def arrived(self, subscription: Subscription, content: Content, received_at: float) -> None:
        """Take news in."""
        if isinstance(content, QuoteEvent):
            self._take_quote(content)
        elif isinstance(content, tuple):
            self._take_trades(subscription, content, received_at)
            return
        elif isinstance(content, Candle):
            if not self._is_ahead(content.time_ms, subscription):
                feed = self._candles[subscription]
                self._hand_out(subscription, feed, feed.take(content, received_at))
            return
        elif isinstance(content, BookEvent):
            self._take_book(subscription, content)
        else:
            self._put(content)
        if subscription in self._cuts:
            self._mend(subscription, filled=True)

    def tend(self) -> None:
        """Have fetched what feeds want; to be called every second or so."""
        for feed in self._candles.values():
            if self.wanted(feed) is not None:
                self.filler.ask(feed)

    def wanted(self, feed: CandleFeed) -> tuple[int, int] | None:
        """Return the first and last candle that a feed is missing; None where nothing is."""
        if self._candles.get(feed.subscription) is not feed:
            return None
        return feed.wanted(self._market.before_ms(_GRACE_SECONDS))

    def filled(self, feed: CandleFeed, candles: list[Candle]) -> None:
        """Take candles in that were fetched."""
        if self._candles.get(feed.subscription) is feed:
            events = feed.fill(candles, self._clock())
            self.fills += sum(event.source == "fill" for event in events)
            self._hand_out(feed.subscription, feed, events)

    def gave_up(self, feed: CandleFeed) -> None:
        """Go on without candles that cannot be fetched."""
        if self._candles.get(feed.subscription) is feed:
            self._hand_out(feed.subscription, feed, feed.give_up(self._clock()))

    def _begin_candles(self, subscription: Subscription) -> None:
        length = interval_duration(subscription.interval)
        step = int(length.total_seconds() * 1000)
        coin = subscription.coin
        self._candles[subscription] = CandleFeed(
            subscription,
            step_ms=step,
            closed_ms=int(self._market.now_ms()) // step * step - step,
            is_complete=lambda time, volume: (
                coin in self._trades and self._trades[coin].is_complete(step, time, volume)
            ),
            settles=length >= self._settle_from,
        )
        if coin in self._trades:
            self._trades[coin].count(step)

    def _begin_trades(self, coin: str) -> None:
        self._trades[coin] = TradeFeed()
        for subscription, feed in self._candles.items():
            if subscription.coin == coin:
                self._trades[coin].count(feed.step_ms)

    def _take_quote(self, quote: QuoteEvent) -> None:
        last = self._quotes.get(quote.coin)
        if last is not None and quote.time_ms < last.time_ms:
            self._faults.note("out of order", f"bbo {quote.coin!r} of {quote.time_ms} after {last.time_ms}")
        elif not self._is_ahead(quote.time_ms, quote.coin):
            self._quotes[quote.coin] = quote
            self._put(quote)

    def _take_book(self, subscription: Subscription, event: BookEvent) -> None:
        time, last = int(event.book.time.timestamp() * 1000), self._books.get(subscription, 0)
        if time < last:
            self._faults.note("out of order", f"l2Book {subscription.coin!r} of {time} after {last}")
        elif not self._is_ahead(time, subscription):
            self._books[subscription] = time
            self._put(event)

    def _take_trades(self, subscription: Subscription, trades: tuple[Trade, ...], received_at: float) -> None:
        feed = self._trades[subscription.coin]
        possible = [trade for trade in trades if not self._is_ahead(trade.time, subscription)]
        if possible:
            self._take_possible(subscription, feed, possible, received_at)
        if len(possible) < len(trades):
            self.missed([subscription])

    def _take_possible(
        self, subscription: Subscription, feed: TradeFeed, possible: list[Trade], received_at: float
    ) -> None:
        is_seamless = feed.overlaps(possible)
        fresh = feed.take(possible)
        if fresh:
            self._put(TradesEvent(subscription.coin, tuple(fresh), received_at))
        if subscription in self._cuts:
            self._mend(subscription, filled=is_seamless)

    def _hand_out(self, subscription: Subscription, feed: CandleFeed, events: list[CandleEvent]) -> None:
        for event in events:
            self._put(event)
        if feed.is_missing:
            self._waiting.setdefault(subscription, self._clock())
            self.filler.ask(feed)
            return
        since = self._waiting.pop(subscription, self._clock())
        if feed.has_hole and subscription not in self._down:
            self._cuts.setdefault(subscription, since)
        if subscription in self._cuts:
            self._mend(subscription, filled=not feed.has_hole)
            feed.has_hole = False

    def _mend(self, subscription: Subscription, *, filled: bool) -> None:
        self._put(GapEvent(subscription, self._cuts.pop(subscription), self._clock(), filled))

    def _is_ahead(self, time_ms: int, of: object) -> bool:
        if time_ms <= self._market.latest_ms():
            return False
        self.is_clock_doubtful = True
        self._faults.note("ahead of the market's clock", f"{of}: {time_ms}, where it is {self._market.now_ms():.0f}")
        return True
