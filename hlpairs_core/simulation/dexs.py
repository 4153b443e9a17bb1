"""The exchange's own dex and those of builders: which coins each has, and what else is said of it."""

import hashlib
from typing import Any

import numpy as np

from hlpairs_core._typing import IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.fields import Request, text_or
from hlpairs_core.simulation.view import MarketView

__all__ = ["builder_dexs", "coins_of", "dex_limits", "largest_market_orders", "perp_dexs", "requested_dex"]

_OI_CAP = "100000000.0"
# Largest market order (USD) from this leverage on.
_MARKET_ORDERS = ((25, 30_000_000), (20, 5_000_000), (10, 2_000_000), (0, 500_000))


def builder_dexs(view: MarketView) -> list[str]:
    """Return the names of builders' dexes in the order in which their first coins were listed."""
    listed = view.listed("builder")
    in_order = listed[np.argsort(view.bars.listed[listed], kind="stable")]
    return list(dict.fromkeys(view.market.coins[coin].dex for coin in in_order))


def requested_dex(view: MarketView, request: Request) -> str:
    """Return which dex a request is about; missing, null and empty are the exchange's own.

    Raises
    ------
    InputError
        If there is no such dex. What the exchange says then was never recorded: it is refused like a malformed
        request, so that no client tries again.
    """
    dex = text_or(request, "dex", "")
    if dex and dex not in builder_dexs(view):
        raise InputError(f"unknown dex {dex!r}")
    return dex


def coins_of(view: MarketView, dex: str) -> IntArray:
    """Return the numbers of a dex's coins listed by now, delisted ones included; those of the exchange for ``""``."""
    if not dex:
        return view.universe
    return np.array([coin for coin in view.listed("builder") if view.market.coins[coin].dex == dex], dtype=np.int64)


def perp_dexs(view: MarketView) -> list[dict[str, Any] | None]:
    """Return the answer to ``perpDexs``: null for the exchange's own, then the builders'."""
    return [None, *(_described(view, dex) for dex in builder_dexs(view))]


def dex_limits(view: MarketView, dex: str) -> dict[str, Any] | None:
    """Return the answer to ``perpDexLimits``; None for a dex that is not known."""
    if dex not in builder_dexs(view):
        return None
    return {
        "totalOiCap": "1000000000.0",
        "oiSzCapPerPerp": "10000000000.0",
        "maxTransferNtl": "100000000.0",
        "coinToOiCap": [[name, _OI_CAP] for name in _names(view, dex)],
    }


def largest_market_orders(view: MarketView) -> list[list[Any]]:
    """Return the answer to ``maxMarketOrderNtls``."""
    coins = [view.market.coins[coin] for coin in view.universe if not view.delisted[coin]]
    return [
        [next(usd for leverage, usd in _MARKET_ORDERS if coin.max_leverage >= leverage), coin.name] for coin in coins
    ]


def _described(view: MarketView, dex: str) -> dict[str, Any]:
    names = _names(view, dex)
    deployer, recipient = (_made_up_address(f"{dex} {role}") for role in ("deployer", "fees"))
    return {
        "name": dex,
        "fullName": dex.upper(),
        "deployer": deployer,
        "oracleUpdater": None,
        "feeRecipient": recipient,
        "assetToStreamingOiCap": [[name, _OI_CAP] for name in names],
        "subDeployers": [["setOracle", [deployer]]],
        "deployerFeeScale": "1.0",
        "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
        "assetToFundingMultiplier": [[name, "1.0"] for name in names],
        "assetToFundingInterestRate": [],
    }


def _names(view: MarketView, dex: str) -> list[str]:
    return sorted(view.market.coins[coin].name for coin in coins_of(view, dex))


def _made_up_address(what: str) -> str:
    return f"0x{hashlib.sha256(what.encode()).hexdigest()[:40]}"
