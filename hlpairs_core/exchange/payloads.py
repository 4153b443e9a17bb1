"""Answers about single coins → typed rows. Decimal strings become floats here, once."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import MalformedPayload
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.exchange.fields import Record, Sign, as_decimal, as_list, is_coin_name, records

__all__ = [
    "is_of_dex",
    "is_perp_name",
    "parse_book",
    "parse_candles",
    "parse_funding",
    "parse_mids",
    "parse_trades",
    "utc_ms",
]

_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c"}
_SIDES = {"B": True, "A": False}
_LARGEST_ID = 2**63 - 1


def utc_ms(milliseconds: Sequence[int]) -> pd.DatetimeIndex:
    """Turn milliseconds since 1970 into UTC times of millisecond resolution."""
    return pd.DatetimeIndex(np.asarray(milliseconds, dtype=np.int64).astype("datetime64[ms]"), tz="UTC")


def is_perp_name(coin: str) -> bool:
    """Whether a name can be a perp of the main universe.

    Spot pairs (``@107``, ``PURR/USDC``), outcomes (``#1``) and builder-deployed perps (``xyz:TSLA``) are
    named differently and are not listed there.
    """
    return not coin.startswith(("@", "#")) and "/" not in coin and ":" not in coin


def is_of_dex(coin: str, dex: str) -> bool:
    """Whether a name can be one of a builder's dex, where all begin with its name; the main one has any."""
    return not dex or coin.startswith(f"{dex}:")


def parse_mids(request: str, value: object, *, dex: str = "") -> dict[str, float]:
    """Read an ``allMids`` answer: mid price (USD) by coin, spot pairs and all.

    Raises
    ------
    MalformedPayload
        If a name or a price is unfit, or a coin is not of the dex. A perp's price is positive; others may be
        worth nothing.
    """
    mids: dict[str, float] = {}
    for coin, price in Record(request, "", value).items():
        if not is_coin_name(coin):
            raise MalformedPayload(request, repr(coin[:80]), "this is no name of a coin")
        if not is_of_dex(coin, dex):
            raise MalformedPayload(request, repr(coin), f"expected coins of the dex {dex!r}")
        sign: Sign = "positive" if is_perp_name(coin) else "non-negative"
        mids[coin] = as_decimal(request, coin, price, sign=sign)
    return mids


def parse_candles(request: str, value: object, *, coin: str, interval: str) -> pd.DataFrame:
    """Read a ``candleSnapshot`` answer: ascending by open time, the last of duplicates kept.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, a candle is another coin's or interval's, or its low, open, close and
        high are out of order, or it has trades and no volume.
    """
    times: list[int] = []
    rows: list[tuple[float, ...]] = []
    for candle in records(request, "", value):
        candle.echo("s", coin)
        candle.echo("i", interval)
        times.append(candle.time_ms("t"))
        rows.append(_candle(candle))
    return _series(times, rows, [*_PRICES, "volume"])


def _candle(candle: Record) -> tuple[float, ...]:
    opened, high, low, close = (candle.decimal(key, "positive") for key in _PRICES.values())
    if not low <= min(opened, close):
        raise candle.refuse("l", f"the low {low!r} is above the open {opened!r} or the close {close!r}")
    if not max(opened, close) <= high:
        raise candle.refuse("h", f"the high {high!r} is below the open {opened!r} or the close {close!r}")
    volume = candle.decimal("v", "non-negative")
    trades = candle.raw_or("n", None)
    if volume == 0 and trades not in (0, None):
        raise candle.refuse("v", f"there is no volume in {trades!r} trades")
    return opened, high, low, close, volume


def parse_funding(request: str, value: object, *, coin: str) -> pd.DataFrame:
    """Read a ``fundingHistory`` page: ascending by time, the last of duplicates kept.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, or a row is another coin's.
    """
    times: list[int] = []
    rows: list[tuple[float, ...]] = []
    for payment in records(request, "", value):
        payment.echo("coin", coin)
        times.append(payment.time_ms("time"))
        rows.append((payment.decimal("fundingRate"), payment.decimal_or_nan("premium")))
    return _series(times, rows, ["funding_rate", "premium"])


def parse_trades(request: str, value: object, *, coin: str) -> pd.DataFrame:
    """Read a ``recentTrades`` answer: ascending by time, each trade once.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, or a trade is another coin's.
    """
    trades: dict[int, tuple[int, float, float, bool]] = {}
    for trade in records(request, "", value):
        trade.echo("coin", coin)
        tid = trade.integer("tid", least=0, most=_LARGEST_ID)
        is_buy = trade.choice("side", _SIDES)
        trades[tid] = (trade.time_ms("time"), trade.decimal("px", "positive"), trade.decimal("sz", "positive"), is_buy)
    times, prices, sizes, buys = zip(*trades.values(), strict=True) if trades else ((), (), (), ())
    frame = pd.DataFrame(
        {
            "time": utc_ms(times),
            "price": np.array(prices, dtype=np.float64),
            "size": np.array(sizes, dtype=np.float64),
            "is_buy": np.array(buys, dtype=np.bool_),
            "tid": np.array(list(trades), dtype=np.int64),
        }
    )
    return frame.sort_values(["time", "tid"]).reset_index(drop=True)


def _series(times: list[int], rows: list[tuple[float, ...]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns, dtype=np.float64)
    frame.insert(0, "time", utc_ms(times))
    frame = frame.drop_duplicates("time", keep="last").sort_values("time")
    return frame.reset_index(drop=True)


def parse_book(request: str, value: object, *, coin: str) -> OrderBook:
    """Read an ``l2Book`` answer.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, the book is another coin's, a side is out of order, or the best bid is
        not below the best ask.
    """
    book = Record(request, "", value)
    book.echo("coin", coin)
    time = utc_ms([book.time_ms("time")])[0]
    sides = as_list(request, "levels", book.raw("levels"), length=2)
    bids, asks = (_side(request, f"levels[{side}]", levels) for side, levels in enumerate(sides))
    for name, path, steps in (
        ("bids descend", "[0]", -np.diff(bids[:, 0])),
        ("asks ascend", "[1]", np.diff(asks[:, 0])),
    ):
        if (steps <= 0).any():
            raise MalformedPayload(request, f"levels{path}", f"expected that {name}, best first")
    if len(bids) and len(asks) and bids[0, 0] >= asks[0, 0]:
        raise book.refuse("levels", f"the best bid {bids[0, 0]} is not below the best ask {asks[0, 0]}")
    return OrderBook(coin=coin, time=time, bids=bids, asks=asks)


def _side(request: str, path: str, value: object) -> FloatArray:
    levels = [
        (level.decimal("px", "positive"), level.decimal("sz", "positive")) for level in records(request, path, value)
    ]
    return np.array(levels, dtype=np.float64).reshape(-1, 2)
