"""Candles built from trades, to be held against those that the exchange says."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.events import Trade

__all__ = ["TradeBar", "TradeBars"]

SHORTEST_MS = 1000
# Sums of thousands of floats; prices are compared as they were sent.
VOLUME_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class TradeBar:
    """What the trades of one coin say of one bar.

    Attributes
    ----------
    coin : str
        Name on the wire.
    time : int
        Its open, milliseconds since 1970.
    open, high, low, close : float
        Prices (USD) of its first, dearest, cheapest and last trade; NaN without trades.
    buy_volume, sell_volume : float
        Base units, by the taker's side.
    notional : float
        USD.
    trades : int
        How many.
    is_complete : bool
        Whether no trade of it can have been missed.
    """

    coin: str
    time: int
    open: float
    high: float
    low: float
    close: float
    buy_volume: float
    sell_volume: float
    notional: float
    trades: int
    is_complete: bool

    @property
    def volume(self) -> float:
        """Base units, all trades."""
        return self.buy_volume + self.sell_volume

    def differences(self, *, open: float, high: float, low: float, close: float, volume: float) -> tuple[str, ...]:
        """Return which fields of a candle of the same bar these trades contradict.

        A bar without trades says nothing of prices: the exchange repeats the last one.
        """
        said = {"open": open, "high": high, "low": low, "close": close} if self.trades else {}
        wrong = [name for name, value in said.items() if getattr(self, name) != value]
        if not math.isclose(self.volume, volume, rel_tol=VOLUME_TOLERANCE, abs_tol=VOLUME_TOLERANCE):
            wrong.append("volume")
        return tuple(wrong)


class _Sums:
    """A bar under construction."""

    __slots__ = ("buys", "close", "count", "first", "high", "last", "low", "notional", "open", "sells")

    def __init__(self, trade: Trade) -> None:
        self.first = self.last = trade.time
        self.open = self.high = self.low = self.close = trade.price
        self.buys = self.sells = self.notional = 0.0
        self.count = 0

    def add(self, trade: Trade) -> None:
        if trade.time < self.first:
            self.first, self.open = trade.time, trade.price
        if trade.time >= self.last:
            self.last, self.close = trade.time, trade.price
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        if trade.is_buy:
            self.buys += trade.size
        else:
            self.sells += trade.size
        self.notional += trade.size * trade.price
        self.count += 1


class TradeBars:
    """Builds the newest bars of each coin as trades come in, late ones included.

    Parameters
    ----------
    step_ms : int
        Length of a bar; bars open on its multiples since 1970.
    kept : int
        How many bars a coin has; older ones are forgotten.

    Raises
    ------
    InputError
        If the bars would be shorter than a second, or none be kept.
    """

    def __init__(self, step_ms: int, *, kept: int = 3) -> None:
        if step_ms < SHORTEST_MS or kept < 1:
            raise InputError(f"bars of {step_ms} ms, {kept} of them: use at least {SHORTEST_MS} ms and one bar")
        self._step, self._kept = step_ms, kept
        self._bars: dict[str, dict[int, _Sums]] = {}
        self._covered_from: dict[str, int] = {}

    def take(self, coin: str, trades: Sequence[Trade]) -> None:
        """Take new trades of a coin, ascending by time.

        The first that are taken may be the end of a longer list: from the moment after the oldest on, all are known.
        """
        if not trades:
            return
        self._covered_from.setdefault(coin, trades[0].time + 1)
        bars = self._bars.setdefault(coin, {})
        for trade in trades:
            opened = trade.time // self._step * self._step
            if opened not in bars:
                bars[opened] = _Sums(trade)
            bars[opened].add(trade)
        while len(bars) > self._kept:
            self._drop(coin, min(bars))

    def interrupt(self, coin: str) -> None:
        """Say that trades of a coin may have been missed, up to the next ones that are taken."""
        self._covered_from.pop(coin, None)

    def keep_only(self, coins: Iterable[str]) -> None:
        """Forget all coins but these, as when some were delisted."""
        for coin in self._bars.keys() - set(coins):
            del self._bars[coin]
            self._covered_from.pop(coin, None)

    def keep_from(self, time: int) -> None:
        """Forget the bars that open before `time` (milliseconds since 1970)."""
        for coin, bars in self._bars.items():
            for opened in [opened for opened in bars if opened < time]:
                self._drop(coin, opened)

    def bar(self, coin: str, time: int) -> TradeBar | None:
        """Return a coin's bar that opens at `time` (milliseconds since 1970); None where nothing is known of it."""
        complete = time >= self._covered_from.get(coin, math.inf)
        sums = self._bars.get(coin, {}).get(time)
        if sums is not None:
            prices = (sums.open, sums.high, sums.low, sums.close)
            return TradeBar(coin, time, *prices, sums.buys, sums.sells, sums.notional, sums.count, complete)
        if not complete:
            return None
        return TradeBar(coin, time, math.nan, math.nan, math.nan, math.nan, 0.0, 0.0, 0.0, 0, complete)

    def _drop(self, coin: str, opened: int) -> None:
        """Forget a bar: from then on nothing is known of the time before its end."""
        del self._bars[coin][opened]
        covered = self._covered_from.get(coin)
        if covered is not None:
            self._covered_from[coin] = max(covered, opened + self._step)
