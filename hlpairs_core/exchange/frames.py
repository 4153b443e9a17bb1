"""WebSocket frames → typed messages. Strict: a frame, or the part of it, that is unfit is counted and left out."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hlpairs_core.exceptions import MalformedPayload
from hlpairs_core.exchange.candle_feed import Candle
from hlpairs_core.exchange.events import BookEvent, ContextEvent, MidsEvent, QuoteEvent, Subscription, Trade
from hlpairs_core.exchange.faults import Faults
from hlpairs_core.exchange.fields import Record, Sign, as_decimal, as_list, is_coin_name
from hlpairs_core.exchange.payloads import is_perp_name, parse_book
from hlpairs_core.exchange.subscriptions import from_wire
from hlpairs_core.intervals import INTERVALS

__all__ = ["Acknowledged", "Content", "Data", "FrameReader", "Message", "Refused"]

_GREETING = "Websocket connection established."
_DAY_MS = 86_400_000
_STEPS_MS = {name: int(length.total_seconds() * 1000) for name, length in INTERVALS.items()}
_LARGEST_ID = 2**64
_MOST_TRADES = 2**53

Content: TypeAlias = MidsEvent | QuoteEvent | ContextEvent | BookEvent | Candle | tuple[Trade, ...]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The exchange has begun to send a subscription, or ended it."""

    subscription: Subscription
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The exchange said no; `subscription` is None where it is not about one of ours."""

    subscription: Subscription | None
    text: str


@dataclass(frozen=True, slots=True)
class Data:
    """News of a subscription."""

    subscription: Subscription
    content: Content


Message: TypeAlias = Acknowledged | Refused | Data


class FrameReader:
    """Reads frames, whoever sent them.

    Parameters
    ----------
    faults : Faults
        Counts what is left out.

    Attributes
    ----------
    doubted : set of str
        Coins of which trades may have been in what was left out, until somebody takes them; empty text: of any coin.
    """

    def __init__(self, faults: Faults) -> None:
        self.doubted: set[str] = set()
        self._faults = faults
        self._channels: dict[object, Callable[[object, float], Message | None]] = {
            "bbo": self._quote,
            "trades": self._trades,
            "candle": self._candle,
            "activeAssetCtx": self._context,
            "activeSpotAssetCtx": self._spot_context,
            "l2Book": self._book,
            "allMids": self._mids,
            "subscriptionResponse": self._acknowledgement,
            "error": self._error,
        }

    def read(self, text: str | bytes, *, received_at: float) -> Message | None:
        """Read one frame; None where it says nothing (a pong, the greeting) or cannot be used."""
        if not isinstance(text, str):
            self._leave_out("binary frame", f"{len(text)} bytes")
            return None
        frame = self._parse(text)
        if frame is None:
            return None
        channel = frame.get("channel")
        if channel == "pong":
            return None
        reader = self._channels.get(channel) if isinstance(channel, str) else None
        if reader is None:
            self._faults.note("unknown channel", f"{text[:200]!r}")
            return None
        try:
            return reader(frame.get("data"), received_at)
        except MalformedPayload as problem:
            self._faults.note(f"malformed {channel}", str(problem))
            if channel == "trades":
                self.doubted.add("")
            return None

    def _leave_out(self, kind: str, text: str, *coins: str) -> None:
        """Count what may have held trades: of these coins, or of any."""
        self._faults.note(kind, text)
        self.doubted.update(coins or [""])

    def _parse(self, text: str) -> dict[str, object] | None:
        try:
            frame = _DECODER.decode(text)
        except (ValueError, RecursionError) as problem:
            if text != _GREETING:
                self._leave_out("not JSON", f"{type(problem).__name__}: {str(problem)[:80]} in {text[:200]!r}")
            return None
        if isinstance(frame, dict):
            return frame
        self._leave_out("not an object", f"{text[:200]!r}")
        return None

    def _quote(self, value: object, received_at: float) -> Data:
        data = Record("bbo", "data", value)
        coin, time = data.coin("coin"), data.time_ms("time")
        bid, ask = as_list("bbo", "data.bbo", data.raw("bbo"), length=2)
        bid_price, bid_size = _level("data.bbo[0]", bid)
        ask_price, ask_size = _level("data.bbo[1]", ask)
        if bid_price >= ask_price:
            raise data.refuse("bbo", f"the bid {bid_price!r} is not below the ask {ask_price!r}")
        quote = QuoteEvent(coin, time, bid_price, bid_size, ask_price, ask_size, received_at)
        return Data(Subscription("bbo", coin), quote)

    def _trades(self, value: object, _: float) -> Data | None:
        coin, trades = "", []
        for position, element in enumerate(as_list("trades", "data", value)):
            named = ""
            try:
                fill = Record("trades", f"data[{position}]", element)
                named = fill.coin("coin")
                coin = coin or named
                fill.echo("coin", coin)
                trades.append(_trade(fill))
            except MalformedPayload as problem:  # the others are as good as they were
                self._leave_out("malformed trades", str(problem), named, coin)
        return Data(Subscription("trades", coin), tuple(trades)) if trades else None

    def _candle(self, value: object, _: float) -> Data:
        data = Record("candle", "data", value)
        coin, interval = data.coin("s"), data.word("i")
        step = _STEPS_MS.get(interval)
        if step is None:
            raise data.refuse("i", f"expected an interval, got {interval[:80]!r}")
        time = data.time_ms("t")
        if data.raw("T") != time + step - 1 or (step <= _DAY_MS and time % step):
            raise data.refuse("t", f"{time} to {data.raw('T')!r} is no candle of {interval}")
        return Data(Subscription("candle", coin, interval), _values(data, time))

    def _context(self, value: object, received_at: float) -> Data:
        return _context(value, received_at, _PERP_NUMBERS)

    def _spot_context(self, value: object, received_at: float) -> Data:
        return _context(value, received_at, _SPOT_NUMBERS)

    def _book(self, value: object, received_at: float) -> Data:
        data = Record("l2Book", "data", value)
        coin, fast = data.coin("coin"), isinstance(value, dict) and value.get("fast") is True
        book = parse_book("l2Book", value, coin=coin)
        return Data(Subscription("l2Book", coin, fast=fast), BookEvent(book, fast, received_at))

    def _mids(self, value: object, received_at: float) -> Data | None:
        mids: dict[str, float] = {}
        for coin, price in Record("allMids", "data.mids", Record("allMids", "data", value).raw("mids")).items():
            try:
                mids[coin] = _mid(coin, price)
            except MalformedPayload as problem:  # one coin's trouble is not the others'
                self._faults.note("malformed allMids", str(problem))
        return Data(Subscription("allMids"), MidsEvent(mids, received_at)) if mids else None

    def _acknowledgement(self, value: object, _: float) -> Acknowledged | None:
        data = Record("subscriptionResponse", "data", value)
        method, subscription = data.raw("method"), from_wire(data.raw("subscription"))
        if method not in ("subscribe", "unsubscribe"):
            raise data.refuse("method", f"expected subscribe or unsubscribe, got {str(method)[:80]!r}")
        if subscription is None:
            raise data.refuse("subscription", "this is none of ours")
        return Acknowledged(subscription, method == "subscribe")

    def _error(self, value: object, _: float) -> Message:
        if not isinstance(value, str):
            raise MalformedPayload("error", "data", f"expected a text, got {str(value)[:80]!r}")
        subscription = self._named_in(value)
        if subscription is not None and value.startswith("Already subscribed"):
            return Acknowledged(subscription, True)
        if subscription is not None and value.startswith("Already unsubscribed"):
            return Acknowledged(subscription, False)
        return Refused(subscription, value)

    def _named_in(self, text: str) -> Subscription | None:
        try:
            named = json.loads(text[text.index("{") :])
        except (ValueError, RecursionError):
            return None
        return from_wire(named.get("subscription", named)) if isinstance(named, dict) else None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key is given twice in one object")
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _level(path: str, value: object) -> tuple[float, float]:
    if value is None:
        return math.nan, math.nan
    level = Record("bbo", path, value)
    return level.decimal("px", "positive"), level.decimal("sz", "positive")


def _trade(fill: Record) -> Trade:
    side = fill.raw("side")
    if side not in ("A", "B"):
        raise fill.refuse("side", f"expected 'A' or 'B', got {str(side)[:80]!r}")
    return Trade(
        time=fill.time_ms("time"),
        price=fill.decimal("px", "positive"),
        size=fill.decimal("sz", "positive"),
        is_buy=side == "B",
        tid=fill.integer("tid", least=0, most=_LARGEST_ID),
    )


def _values(data: Record, time: int) -> Candle:
    opened, high, low, close = (data.decimal(key, "positive") for key in "ohlc")
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise data.refuse("l", f"low {low!r}, open {opened!r}, close {close!r} and high {high!r} are out of order")
    volume, trades = data.decimal("v", "non-negative"), data.integer("n", least=0, most=_MOST_TRADES)
    if trades and volume == 0:
        raise data.refuse("v", f"there is no volume in {trades} trades")
    return Candle(time, opened, high, low, close, volume, trades)


_SPOT_NUMBERS: dict[str, tuple[str, Sign]] = {
    "mark_price": ("markPx", "positive"),
    "mid_price": ("midPx", "positive"),
    "prev_day_price": ("prevDayPx", "non-negative"),
    "day_notional_usd": ("dayNtlVlm", "non-negative"),
    "day_base_volume": ("dayBaseVlm", "non-negative"),
}
_PERP_NUMBERS: dict[str, tuple[str, Sign]] = {
    "funding_rate": ("funding", "any"),
    "open_interest": ("openInterest", "non-negative"),
    "oracle_price": ("oraclePx", "positive"),
    "premium": ("premium", "any"),
    **_SPOT_NUMBERS,
}
_NONE_KNOWN = dict.fromkeys([*_PERP_NUMBERS, "impact_bid", "impact_ask"], math.nan)


def _context(value: object, received_at: float, numbers: dict[str, tuple[str, Sign]]) -> Data:
    data = Record("activeAssetCtx", "data", value)
    coin = data.coin("coin")
    context = Record("activeAssetCtx", "data.ctx", data.raw("ctx"))
    values = dict(_NONE_KNOWN)
    for name, (key, sign) in numbers.items():
        values[name] = context.decimal_or_nan(key, sign)
    if numbers is _PERP_NUMBERS and context.raw("impactPxs") is not None:
        path = "data.ctx.impactPxs"
        bid, ask = as_list("activeAssetCtx", path, context.raw("impactPxs"), length=2)
        for name, price in (("impact_bid", bid), ("impact_ask", ask)):
            if price is not None:
                values[name] = as_decimal("activeAssetCtx", path, price, sign="positive")
    return Data(Subscription("activeAssetCtx", coin), ContextEvent(coin, values, received_at))


def _mid(coin: str, price: object) -> float:
    if not is_coin_name(coin):
        raise MalformedPayload("allMids", repr(coin[:80]), "this is no name of a coin")
    return as_decimal("allMids", coin, price, sign="positive" if is_perp_name(coin) else "non-negative")
