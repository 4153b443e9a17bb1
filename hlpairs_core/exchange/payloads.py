"""Answers of the exchange → typed rows. Decimal strings become floats here, once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import MalformedPayload
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.exchange.fields import Record, Sign, as_decimal, as_list, is_coin_name, records

__all__ = [
    "Asset",
    "is_perp_name",
    "parse_book",
    "parse_candles",
    "parse_contexts",
    "parse_funding",
    "parse_mids",
    "parse_universe",
    "utc_ms",
]

_ISOLATED_MODES = ("strictIsolated", "noCross")
_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c"}


@dataclass(frozen=True)
class Asset:
    """One entry of the exchange's universe; its position there is its asset id.

    Attributes
    ----------
    coin : str
        Name on the wire.
    size_decimals : int
        Decimals of an order's size.
    max_leverage : int
        Highest leverage of the first margin tier.
    only_isolated : bool
        Whether cross margin is forbidden.
    is_delisted : bool
        Whether it no longer trades. Delisted assets keep their position.
    """

    coin: str
    size_decimals: int
    max_leverage: int
    only_isolated: bool
    is_delisted: bool


def utc_ms(milliseconds: Sequence[int]) -> pd.DatetimeIndex:
    """Turn milliseconds since 1970 into UTC times of millisecond resolution."""
    return pd.DatetimeIndex(np.asarray(milliseconds, dtype=np.int64).astype("datetime64[ms]"), tz="UTC")


def is_perp_name(coin: str) -> bool:
    """Whether a name can be a perp of the main universe.

    Spot pairs (``@107``, ``PURR/USDC``), outcomes (``#1``) and builder-deployed perps (``xyz:TSLA``) are
    named differently and are not listed there.
    """
    return not coin.startswith(("@", "#")) and "/" not in coin and ":" not in coin


def parse_universe(request: str, value: object, *, path: str = "") -> list[Asset]:
    """Read a ``meta`` object, of today's shape or that of 2023 (without margin tables and delisted coins).

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, or a coin is named twice.
    """
    meta = Record(request, path, value)
    assets: list[Asset] = []
    seen: set[str] = set()
    for entry in records(request, meta.path_of("universe"), meta.raw("universe")):
        asset = Asset(
            coin=entry.coin("name"),
            size_decimals=entry.integer("szDecimals", least=0, most=18),
            max_leverage=entry.integer("maxLeverage", least=1, most=1000),
            only_isolated=entry.flag("onlyIsolated") or entry.word("marginMode") in _ISOLATED_MODES,
            is_delisted=entry.flag("isDelisted"),
        )
        if asset.coin in seen:
            raise entry.refuse("name", f"{asset.coin!r} is listed twice")
        seen.add(asset.coin)
        assets.append(asset)
    return assets


def parse_contexts(request: str, value: object) -> pd.DataFrame:
    """Read a ``metaAndAssetCtxs`` answer; see `HyperliquidClient.contexts` for the columns.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, or the two lists differ in length.
    """
    meta, contexts = as_list(request, "the top", value, length=2)
    assets = parse_universe(request, meta, path="[0]")
    as_list(request, "[1]", contexts, length=len(assets))
    rows = [_context(context, asset) for context, asset in zip(records(request, "[1]", contexts), assets, strict=True)]
    frame = pd.DataFrame(
        {
            "asset": np.arange(len(assets), dtype=np.int64),
            "size_decimals": np.array([asset.size_decimals for asset in assets], dtype=np.int64),
            "max_leverage": np.array([asset.max_leverage for asset in assets], dtype=np.int64),
            "only_isolated": np.array([asset.only_isolated for asset in assets], dtype=np.bool_),
            "is_delisted": np.array([asset.is_delisted for asset in assets], dtype=np.bool_),
        }
    )
    numbers = pd.DataFrame(rows, columns=_CONTEXT_NUMBERS, dtype=np.float64)
    frame = pd.concat([frame, numbers], axis=1)
    frame.index = pd.Index([asset.coin for asset in assets], dtype=str, name="coin")
    return frame


_CONTEXT_NUMBERS = [
    "funding_rate",
    "open_interest",
    "oracle_price",
    "mark_price",
    "mid_price",
    "premium",
    "impact_bid",
    "impact_ask",
    "prev_day_price",
    "day_notional_usd",
    "day_base_volume",
]


def _context(context: Record, asset: Asset) -> tuple[float, ...]:
    # A settled coin may be worth nothing, and a coin of today has no price of yesterday.
    price: Sign = "non-negative" if asset.is_delisted else "positive"
    return (
        context.decimal_or_nan("funding"),
        context.decimal("openInterest", "non-negative"),
        context.decimal_or_nan("oraclePx", price),
        context.decimal_or_nan("markPx", price),
        context.decimal_or_nan("midPx", price),
        context.decimal_or_nan("premium"),
        *_impact(context),
        context.decimal_or_nan("prevDayPx", "non-negative"),
        context.decimal("dayNtlVlm", "non-negative"),
        context.decimal("dayBaseVlm", "non-negative"),
    )


def _impact(context: Record) -> tuple[float, float]:
    value = context.raw("impactPxs")
    if value is None:
        return math.nan, math.nan
    path = context.path_of("impactPxs")
    bid, ask = (
        math.nan if price is None else as_decimal(context.request, f"{path}[{side}]", price, sign="positive")
        for side, price in enumerate(as_list(context.request, path, value, length=2))
    )
    return bid, ask


def parse_mids(request: str, value: object) -> dict[str, float]:
    """Read an ``allMids`` answer: mid price (USD) by coin, spot pairs and all.

    Raises
    ------
    MalformedPayload
        If a name or a price is unfit. A perp's price is positive; others may be worth nothing.
    """
    mids: dict[str, float] = {}
    for coin, price in Record(request, "", value).items():
        if not is_coin_name(coin):
            raise MalformedPayload(request, repr(coin[:80]), "this is no name of a coin")
        sign: Sign = "positive" if is_perp_name(coin) else "non-negative"
        mids[coin] = as_decimal(request, coin, price, sign=sign)
    return mids


def parse_candles(request: str, value: object, *, coin: str, interval: str) -> pd.DataFrame:
    """Read a ``candleSnapshot`` answer: ascending by open time, the last of duplicates kept.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, a candle is another coin's or interval's, or its low, open, close and
        high are out of order.
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
    return opened, high, low, close, candle.decimal("v", "non-negative")


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
