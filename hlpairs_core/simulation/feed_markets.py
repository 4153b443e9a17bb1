"""Streams of the market."""

import base64
import json
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.feed_block import Block
from hlpairs_core.simulation.feed_requests import Subscription
from hlpairs_core.simulation.feed_settings import Pace
from hlpairs_core.simulation.feed_streams import (
    BestPrices,
    CandleUpdates,
    Events,
    FeedStream,
    States,
    TradeTicks,
    frame,
)

__all__ = ["market_stream"]

_FAST_LEVELS = 5
_OF_TRADES = frozenset({"bbo", "candle", "trades"})


def market_stream(subscription: Subscription, block: Block, pace: Pace) -> FeedStream:
    """Return the stream of a subscription to market data.

    Raises
    ------
    InputError
        If it names a coin or an interval that does not exist. What a state needs is found out by its first one.
    """
    if subscription.kind in _OF_TRADES and block.is_stand_in(subscription.text("coin")):
        return Events()
    return _STREAMS[subscription.kind](subscription, block, pace)


class FastContexts(FeedStream):
    """``fastAssetCtxs``: mark and mid of everything, compressed; after the first only what changed."""

    def __init__(self, block: Block, *, every: float) -> None:
        self.every = every
        self._sent = block.prices

    def first(self, block: Block) -> list[str]:
        return [_compressed(block.prices)]

    def next(self, block: Block) -> list[str]:
        before, self._sent = self._sent, block.prices
        changes = {name: _changes(before.get(name, {}), prices) for name, prices in block.prices.items()}
        changed = {name: change for name, change in changes.items() if change}
        return [_compressed(changed)] if changed else []


def _changes(before: dict[str, Any], prices: dict[str, Any]) -> dict[str, Any]:
    return {key: price for key, price in prices.items() if key not in before or before[key] != price}


def _compressed(prices: dict[str, dict[str, Any]]) -> str:
    """Write prices as JSON, raw deflate and base64."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(json.dumps(prices, separators=(",", ":")).encode()) + packer.flush()
    return frame("fastAssetCtxs", base64.b64encode(packed).decode())


def _candles(subscription: Subscription, block: Block, pace: Pace) -> FeedStream:
    return CandleUpdates(subscription.text("coin"), subscription.text("interval"), block, every=pace.candle)


def _books(subscription: Subscription, _: Block, pace: Pace) -> FeedStream:
    every = pace.fast_book if subscription.get("fast") else pace.book
    return States("l2Book", partial(_book, subscription), every=every)


def _book(subscription: Subscription, block: Block) -> dict[str, Any]:
    asked = {key: subscription.get(key) for key in ("coin", "nSigFigs", "mantissa")}
    book: dict[str, Any] | None = block.info({"type": "l2Book", **asked})
    if book is None:
        raise InputError(f"unknown coin {asked['coin']!r}")
    if subscription.get("fast"):
        book |= {"levels": [side[:_FAST_LEVELS] for side in book["levels"]], "fast": True}
    return book


def _context(subscription: Subscription, block: Block, pace: Pace) -> FeedStream:
    name = subscription.text("coin")
    channel = "activeSpotAssetCtx" if block.is_spot(name) else "activeAssetCtx"
    return States(channel, lambda block: {"coin": name, "ctx": block.context(name)}, every=pace.context)


def _all_mids(subscription: Subscription, _: Block, pace: Pace) -> FeedStream:
    return States("allMids", partial(_mids, subscription.text("dex")), every=pace.mids)


def _mids(dex: str, block: Block) -> dict[str, Any]:
    mids = {"mids": block.info({"type": "allMids", "dex": dex})}
    return {"dex": dex} | mids if dex else mids


def _dex_contexts(subscription: Subscription, _: Block, pace: Pace) -> FeedStream:
    dex = subscription.text("dex")
    return States(
        "assetCtxs", lambda block: {"dex": dex, "ctxs": list(block.contexts(dex).values())}, every=pace.contexts
    )


def _all_contexts(_: Subscription, __: Block, pace: Pace) -> FeedStream:
    return States(
        "allDexsAssetCtxs",
        lambda block: {"ctxs": [[dex, list(block.contexts(dex).values())] for dex in block.dexes]},
        every=pace.contexts,
    )


def _spot_contexts(_: Subscription, __: Block, pace: Pace) -> FeedStream:
    return States("spotAssetCtxs", lambda block: list(block.spot_contexts.values()), every=pace.contexts)


_STREAMS: dict[str, Callable[[Subscription, Block, Pace], FeedStream]] = {
    "activeAssetCtx": _context,
    "allDexsAssetCtxs": _all_contexts,
    "allMids": _all_mids,
    "assetCtxs": _dex_contexts,
    "bbo": lambda subscription, block, _: BestPrices(subscription.text("coin"), block),
    "candle": _candles,
    "fastAssetCtxs": lambda _, block, pace: FastContexts(block, every=pace.context),
    "l2Book": _books,
    "spotAssetCtxs": _spot_contexts,
    "trades": lambda subscription, block, _: TradeTicks(subscription.text("coin"), block),
}
