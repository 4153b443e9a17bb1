"""Spot tokens and pairs, and what the exchange says of each pair now."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core.exchange.fields import Record, as_list, records

__all__ = ["SpotMeta", "SpotPair", "SpotToken", "parse_spot_contexts", "parse_spot_meta"]

_FIRST_ID = 10_000
_LARGEST_INDEX = 2**31 - 1


@dataclass(frozen=True)
class SpotToken:
    """One token.

    Attributes
    ----------
    name : str
        As the exchange has it: bridged BTC is ``UBTC``.
    full_name : str
        For people; may be empty.
    index : int
        What pairs refer to it by; not its position.
    token_id : str
        Hexadecimal.
    size_decimals : int
        Decimals of an order's size.
    is_canonical : bool
        Whether the name belongs to this token alone.
    deployer_fee_share : float
        Fraction of the trading fees that its deployer gets; NaN where not said.
    """

    name: str
    full_name: str
    index: int
    token_id: str
    size_decimals: int
    is_canonical: bool
    deployer_fee_share: float


@dataclass(frozen=True)
class SpotPair:
    """One pair of tokens.

    Attributes
    ----------
    coin : str
        Name on the wire, such as ``@107`` or ``PURR/USDC``.
    index : int
        Number of the pair; not its position.
    base, quote : SpotToken
        What is traded, and what it is priced in.
    is_canonical : bool
        As sent.
    """

    coin: str
    index: int
    base: SpotToken
    quote: SpotToken
    is_canonical: bool

    @property
    def asset(self) -> int:
        """The id in orders."""
        return _FIRST_ID + self.index

    @property
    def size_decimals(self) -> int:
        """Decimals of an order's size: those of the base."""
        return self.base.size_decimals


@dataclass(frozen=True)
class SpotMeta:
    """All tokens and pairs, in the exchange's order."""

    tokens: tuple[SpotToken, ...]
    pairs: tuple[SpotPair, ...]


def parse_spot_meta(request: str, value: object, *, path: str = "") -> SpotMeta:
    """Read a ``spotMeta`` object.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, a token or a pair is there twice, or a pair names a token that is not.
    """
    meta = Record(request, path, value)
    tokens: dict[int, SpotToken] = {}
    for entry in meta.records("tokens"):
        token = _token(entry)
        if tokens.setdefault(token.index, token) is not token:
            raise entry.refuse("index", f"token {token.index} is listed twice")
    pairs: dict[str, SpotPair] = {}
    for entry in meta.records("universe"):
        pair = _pair(entry, tokens)
        if pairs.setdefault(pair.coin, pair) is not pair:
            raise entry.refuse("name", f"{pair.coin!r} is listed twice")
    return SpotMeta(tuple(tokens.values()), tuple(pairs.values()))


def _token(entry: Record) -> SpotToken:
    has_share = entry.raw_or("deployerTradingFeeShare", None) is not None
    return SpotToken(
        name=entry.coin("name"),
        full_name="" if entry.raw_or("fullName", None) is None else entry.word("fullName"),
        index=entry.integer("index", least=0, most=_LARGEST_INDEX),
        token_id=entry.word("tokenId"),
        size_decimals=entry.integer("szDecimals", least=0, most=18),
        is_canonical=entry.flag("isCanonical"),
        deployer_fee_share=entry.decimal("deployerTradingFeeShare", "non-negative") if has_share else math.nan,
    )


def _pair(entry: Record, tokens: dict[int, SpotToken]) -> SpotPair:
    sides = as_list(entry.request, entry.path_of("tokens"), entry.raw("tokens"), length=2)
    known = [tokens[side] for side in sides if type(side) is int and side in tokens]
    if len(known) < 2:
        raise entry.refuse("tokens", f"expected two tokens that are listed, got {sides!r:.80}")
    return SpotPair(
        coin=entry.coin("name"),
        index=entry.integer("index", least=0, most=_LARGEST_INDEX),
        base=known[0],
        quote=known[1],
        is_canonical=entry.flag("isCanonical"),
    )


def parse_spot_contexts(request: str, value: object) -> tuple[SpotMeta, pd.DataFrame]:
    """Read a ``spotMetaAndAssetCtxs`` answer; see `HyperliquidClient.spot_contexts` for the columns.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, or a context is there twice.
    """
    first, second = as_list(request, "the top", value, length=2)
    meta = parse_spot_meta(request, first, path="[0]")
    contexts: dict[str, tuple[float, ...]] = {}
    for entry in records(request, "[1]", second):
        coin = entry.coin("coin")
        if coin in contexts:
            raise entry.refuse("coin", f"{coin!r} is there twice")
        contexts[coin] = tuple(_number(entry, key) for key in _NUMBERS.values())
    unknown = (math.nan,) * len(_NUMBERS)
    frame = pd.DataFrame(
        {
            "asset": np.array([pair.asset for pair in meta.pairs], dtype=np.int64),
            "base": pd.array([pair.base.name for pair in meta.pairs], dtype=str),
            "quote": pd.array([pair.quote.name for pair in meta.pairs], dtype=str),
            "size_decimals": np.array([pair.size_decimals for pair in meta.pairs], dtype=np.int64),
        }
    )
    rows = [contexts.get(pair.coin, unknown) for pair in meta.pairs]
    frame = pd.concat([frame, pd.DataFrame(rows, columns=list(_NUMBERS), dtype=np.float64)], axis=1)
    frame.index = pd.Index([pair.coin for pair in meta.pairs], dtype=str, name="coin")
    return meta, frame


_NUMBERS = {
    "mark_price": "markPx",
    "mid_price": "midPx",
    "prev_day_price": "prevDayPx",
    "day_notional": "dayNtlVlm",
    "day_base_volume": "dayBaseVlm",
    "circulating_supply": "circulatingSupply",
    "total_supply": "totalSupply",
}


def _number(entry: Record, key: str) -> float:
    return entry.decimal_or_nan(key, "non-negative")
