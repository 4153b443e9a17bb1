"""The exchange: its requests, limits and answers; nothing else of the product."""

from hlpairs_core.exchange.accounts import FeeRates, FeeSchedule, UserFees, UserRateLimit
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.exchange.breaker import BreakerState
from hlpairs_core.exchange.budget import Charge, Priority, WeightBudget
from hlpairs_core.exchange.client import ClientStatus, HyperliquidClient
from hlpairs_core.exchange.dexs import PerpDex
from hlpairs_core.exchange.events import (
    BookEvent,
    CandleEvent,
    ContextEvent,
    Event,
    GapEvent,
    MidsEvent,
    QuarantineEvent,
    QuoteEvent,
    Subscription,
    Trade,
    TradesEvent,
)
from hlpairs_core.exchange.limits import StreamLimits
from hlpairs_core.exchange.listings import UniverseChange
from hlpairs_core.exchange.spot import SpotMeta, SpotPair, SpotToken
from hlpairs_core.exchange.stamp import (
    MAINNET_URL,
    TESTNET_URL,
    Address,
    MarketKind,
    MarketStamp,
    parse_address,
)
from hlpairs_core.exchange.status import StreamStatus
from hlpairs_core.exchange.stream import HyperliquidStream
from hlpairs_core.exchange.tap import Tap
from hlpairs_core.exchange.universe import Asset, Universe
from hlpairs_core.exchange.weights import WEIGHTS, RequestWeight

__all__ = [
    "MAINNET_URL",
    "TESTNET_URL",
    "WEIGHTS",
    "Address",
    "Asset",
    "BookEvent",
    "BreakerState",
    "CandleEvent",
    "Charge",
    "ClientStatus",
    "ContextEvent",
    "Event",
    "FeeRates",
    "FeeSchedule",
    "GapEvent",
    "HyperliquidClient",
    "HyperliquidStream",
    "MarketKind",
    "MarketStamp",
    "MidsEvent",
    "OrderBook",
    "PerpDex",
    "Priority",
    "QuarantineEvent",
    "QuoteEvent",
    "RequestWeight",
    "SpotMeta",
    "SpotPair",
    "SpotToken",
    "StreamLimits",
    "StreamStatus",
    "Subscription",
    "Tap",
    "Trade",
    "TradesEvent",
    "Universe",
    "UniverseChange",
    "UserFees",
    "UserRateLimit",
    "WeightBudget",
    "parse_address",
]
