"""hlpairs: which long/short pair of Hyperliquid perpetuals is best right now, and whether to believe it.

Names are loaded when they are first used: a page's kernel that only reads the engine must not pay for scipy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlpairs_core.backtest import WalkForward, walk_forward
    from hlpairs_core.costs import CostModel
    from hlpairs_core.engine import EngineClient, connect
    from hlpairs_core.exchange import (
        MAINNET_URL,
        TESTNET_URL,
        HyperliquidClient,
        MarketStamp,
        OrderBook,
        WeightBudget,
    )
    from hlpairs_core.market import MarketState, Panel, PanelReport
    from hlpairs_core.screening import Candidate, ScreenResult, ScreenSettings, mark, screen
    from hlpairs_core.stats import RollingDependence, RollingScreen, engle_granger_pairs, reversion_pairs

_HOME = {
    "MAINNET_URL": "exchange",
    "TESTNET_URL": "exchange",
    "Candidate": "screening",
    "CostModel": "costs",
    "EngineClient": "engine",
    "HyperliquidClient": "exchange",
    "MarketStamp": "exchange",
    "MarketState": "market",
    "OrderBook": "exchange",
    "Panel": "market",
    "PanelReport": "market",
    "RollingDependence": "stats",
    "RollingScreen": "stats",
    "ScreenResult": "screening",
    "ScreenSettings": "screening",
    "WalkForward": "backtest",
    "WeightBudget": "exchange",
    "connect": "engine",
    "engle_granger_pairs": "stats",
    "mark": "screening",
    "reversion_pairs": "stats",
    "screen": "screening",
    "walk_forward": "backtest",
}

__all__ = [
    "MAINNET_URL",
    "TESTNET_URL",
    "Candidate",
    "CostModel",
    "EngineClient",
    "HyperliquidClient",
    "MarketStamp",
    "MarketState",
    "OrderBook",
    "Panel",
    "PanelReport",
    "RollingDependence",
    "RollingScreen",
    "ScreenResult",
    "ScreenSettings",
    "WalkForward",
    "WeightBudget",
    "connect",
    "engle_granger_pairs",
    "mark",
    "reversion_pairs",
    "screen",
    "walk_forward",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"hlpairs_core.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
