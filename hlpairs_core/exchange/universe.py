"""A universe of perps, and what the exchange says of each coin in it now."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core.exchange.fields import Record, Sign, as_decimal, as_list, records
from hlpairs_core.exchange.payloads import is_of_dex

__all__ = ["Asset", "Universe", "parse_contexts", "parse_universe"]

_ISOLATED_MODES = ("strictIsolated", "noCross")


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
    growth_mode : str
        Of a builder's perp: ``enabled`` where its fees are a tenth, as the exchange says it; else empty.
    """

    coin: str
    size_decimals: int
    max_leverage: int
    only_isolated: bool
    is_delisted: bool
    growth_mode: str = ""


@dataclass(frozen=True)
class Universe:
    """The perps of one dex.

    Attributes
    ----------
    dex : str
        Name; empty for the main one.
    first_id : int
        Asset id of the first coin; that of the others follows from their position.
    assets : tuple of Asset
        In the exchange's order, delisted ones too.
    collateral_token : int or None
        Index of the token that is margin and settlement (0 is USDC, see `SpotMeta`); None where not said.
    """

    dex: str
    first_id: int
    assets: tuple[Asset, ...]
    collateral_token: int | None

    @property
    def asset_ids(self) -> dict[str, int]:
        """Asset id by coin."""
        return {asset.coin: self.first_id + position for position, asset in enumerate(self.assets)}


def parse_universe(request: str, value: object, *, path: str = "", dex: str = "", first_id: int = 0) -> Universe:
    """Read a ``meta`` object, of today's shape or that of 2023 (without margin tables and delisted coins).

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, a coin is named twice, or one is not of the dex.
    """
    meta = Record(request, path, value)
    assets: dict[str, Asset] = {}
    for entry in meta.records("universe"):
        asset = _asset(entry)
        if asset.coin in assets:
            raise entry.refuse("name", f"{asset.coin!r} is listed twice")
        if not is_of_dex(asset.coin, dex):
            raise entry.refuse("name", f"expected a coin of the dex {dex!r}, got {asset.coin!r}")
        assets[asset.coin] = asset
    token = (
        None if meta.raw_or("collateralToken", None) is None else meta.integer("collateralToken", least=0, most=2**31)
    )
    return Universe(dex, first_id, tuple(assets.values()), token)


def _asset(entry: Record) -> Asset:
    return Asset(
        coin=entry.coin("name"),
        size_decimals=entry.integer("szDecimals", least=0, most=18),
        max_leverage=entry.integer("maxLeverage", least=1, most=1000),
        only_isolated=entry.flag("onlyIsolated") or entry.word("marginMode") in _ISOLATED_MODES,
        is_delisted=entry.flag("isDelisted"),
        growth_mode=entry.word("growthMode"),
    )


def parse_contexts(request: str, value: object, *, dex: str = "", first_id: int = 0) -> pd.DataFrame:
    """Read a ``metaAndAssetCtxs`` answer; see `HyperliquidClient.contexts` for the columns.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, or the two lists differ in length.
    """
    meta, contexts = as_list(request, "the top", value, length=2)
    assets = parse_universe(request, meta, path="[0]", dex=dex).assets
    as_list(request, "[1]", contexts, length=len(assets))
    rows = [_context(context, asset) for context, asset in zip(records(request, "[1]", contexts), assets, strict=True)]
    frame = pd.DataFrame(
        {
            "asset": np.arange(first_id, first_id + len(assets), dtype=np.int64),
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
