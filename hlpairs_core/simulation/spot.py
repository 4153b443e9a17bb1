"""Spot markets as the exchange describes them: tokens, pairs and contexts, each with an index of its own."""

import hashlib
from typing import Any

from hlpairs_core.market.spot_names import KNOWN_SPOT, USDC_ID
from hlpairs_core.simulation.coins import Coin
from hlpairs_core.simulation.contexts import mids
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import number, numbers

__all__ = ["is_stand_in", "spot_contexts", "spot_meta", "spot_mids", "token_details"]

_PURR = "PURR/USDC"
_STAND_IN = Coin(_PURR, 0, 1, 0, kind="spot", token="PURR")  # noqa: S106
_STAND_IN_PRICE = "0.2"
# Those of mainnet: whoever matches spot with perpetuals goes by ids, since names prove nothing.
_TOKEN_IDS = {"USDC": USDC_ID} | {one.token: one.token_id for one in KNOWN_SPOT}
_CANONICAL = ("USDC", "PURR")
_FULL_NAMES = {"HYPE": "Hyperliquid", "UBTC": "Unit Bitcoin", "UETH": "Unit Ethereum", "USOL": "Unit Solana"}
_SUPPLIES = {"HYPE": 999_990_391.0, "PURR": 596_703_342.0, "UBTC": 3_600.0, "UETH": 42_000.0, "USOL": 610_000.0}
_USUAL_SUPPLY = 1e9
_LEAST_WEI_DECIMALS = 5


def is_stand_in(view: MarketView, name: str) -> bool:
    """Whether this is the one pair of a market that has no spot coins.

    It is there because clients will not load without any, and has neither a book nor a trade.
    """
    return name == _PURR and not _has_spot(view)


def spot_meta(view: MarketView) -> dict[str, Any]:
    """Return the answer to ``spotMeta``.

    A token's index is its position and stays: USDC is 0, the others follow in the order in which their pairs were
    listed. A pair's index is the number in its name; its position says nothing.
    """
    universe: list[dict[str, Any]] = []
    tokens = [_token(0, "USDC", 8, 8)]
    for index, coin in enumerate(_coins(view), start=1):
        tokens.append(_token(index, coin.token or "", coin.size_decimals, coin.size_decimals + _LEAST_WEI_DECIMALS))
        pair = {"tokens": [index, 0], "name": coin.name, "index": coin.pair_index, "isCanonical": coin.name == _PURR}
        universe.append(pair)
    return {"universe": sorted(universe, key=lambda pair: pair["index"]), "tokens": tokens}


def spot_contexts(view: MarketView) -> list[dict[str, Any]]:
    """Return the contexts of ``spotMetaAndAssetCtxs``: each at the position of its pair's index.

    Where the universe leaves an index out there is a context without prices, as on the exchange: the two lists are
    not parallel.
    """
    known = {_PURR: _context(_PURR, "PURR", _STAND_IN_PRICE, _STAND_IN_PRICE)} | _known_contexts(view)
    by_index = {coin.pair_index: known[coin.name] for coin in _coins(view)}
    return [by_index.get(index) or _context(f"@{index}", None) for index in range(max(by_index, default=-1) + 1)]


def spot_mids(view: MarketView) -> dict[str, str]:
    """Return mid prices of spot pairs; without a book the last trade."""
    if not _has_spot(view):
        return {_PURR: _STAND_IN_PRICE}
    return mids(view, view.listed("spot"))


def token_details(view: MarketView, token_id: str) -> dict[str, Any] | None:
    """Return the answer to ``tokenDetails``; None for a token that is not known."""
    meta, contexts = spot_meta(view), spot_contexts(view)
    token = next((token for token in meta["tokens"] if token["tokenId"] == token_id), None)
    if token is None:
        return None
    pair = next((pair["index"] for pair in meta["universe"] if pair["tokens"][0] == token["index"]), None)
    prices = contexts[pair] if pair is not None else _context("USDC", "USDC", "1.0", "1.0")
    return {
        "name": token["name"],
        "maxSupply": prices["totalSupply"],
        "totalSupply": prices["totalSupply"],
        "circulatingSupply": prices["circulatingSupply"],
        "szDecimals": token["szDecimals"],
        "weiDecimals": token["weiDecimals"],
        "midPx": prices["midPx"],
        "markPx": prices["markPx"],
        "prevDayPx": prices["prevDayPx"],
        "genesis": None,
        "deployer": None,
        "deployGas": None,
        "deployTime": None,
        "seededUsdc": "0.0",
        "nonCirculatingUserBalances": [],
        "futureEmissions": "0.0",
    }


def _has_spot(view: MarketView) -> bool:
    return bool((view.market.kinds == "spot").any())


def _coins(view: MarketView) -> list[Coin]:
    """The pairs listed by now, in the order in which they were; PURR before those of its hour, as it was the first."""
    if not _has_spot(view):
        return [_STAND_IN]
    coins = view.market.coins
    in_order = sorted(view.listed("spot"), key=lambda coin: (view.bars.listed[coin], coins[coin].name != _PURR))
    return [coins[coin] for coin in in_order]


def _known_contexts(view: MarketView) -> dict[str, dict[str, Any]]:
    """Contexts of the pairs listed by now, by name."""
    listed = view.listed("spot")
    columns = {
        "prevDayPx": view.previous_day,
        "dayNtlVlm": view.day_notional,
        "markPx": view.price,
        "midPx": view.quotes.mid,
        "dayBaseVlm": view.day_base,
    }
    texts = {key: numbers(column[listed]) for key, column in columns.items()}
    contexts = {}
    for row, number_of_coin in enumerate(listed):
        coin = view.market.coins[number_of_coin]
        context = _context(coin.name, coin.token) | {key: column[row] for key, column in texts.items()}
        contexts[coin.name] = context | ({"midPx": None} if view.delisted[number_of_coin] else {})
    return contexts


def _context(name: str, token: str | None, mark: str = "0.0", mid: str | None = None) -> dict[str, Any]:
    """A context on a day without a trade; of no token, nothing was issued either."""
    supply = number(_SUPPLIES.get(token, _USUAL_SUPPLY)) if token is not None else "0.0"
    return {
        "prevDayPx": mark,
        "dayNtlVlm": "0.0",
        "markPx": mark,
        "midPx": mid,
        "circulatingSupply": supply,
        "coin": name,
        "totalSupply": supply,
        "dayBaseVlm": "0.0",
    }


def _token(index: int, name: str, size_decimals: int, wei_decimals: int) -> dict[str, Any]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    bridged = name in _FULL_NAMES and name.startswith("U")
    return {
        "name": name,
        "szDecimals": size_decimals,
        "weiDecimals": wei_decimals,
        "index": index,
        "tokenId": _TOKEN_IDS.get(name, f"0x{digest[:32]}"),
        "isCanonical": name in _CANONICAL,
        "evmContract": {"address": f"0x{digest[-40:]}", "evm_extra_wei_decimals": 8} if bridged else None,
        "fullName": _FULL_NAMES.get(name),
        "deployerTradingFeeShare": "0.0",
    }
