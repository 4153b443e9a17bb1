"""The exchange: its requests, limits and answers; nothing else of the product."""

from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.exchange.budget import WEIGHTS, Charge, RequestWeight, WeightBudget
from hlpairs_core.exchange.client import HyperliquidClient
from hlpairs_core.exchange.stamp import (
    MAINNET_URL,
    TESTNET_URL,
    Address,
    MarketKind,
    MarketStamp,
    parse_address,
)

__all__ = [
    "MAINNET_URL",
    "TESTNET_URL",
    "WEIGHTS",
    "Address",
    "Charge",
    "HyperliquidClient",
    "MarketKind",
    "MarketStamp",
    "OrderBook",
    "RequestWeight",
    "WeightBudget",
    "parse_address",
]
