"""hlpairs: which long/short pair of Hyperliquid perpetuals is best right now, and whether to believe it.

Names are loaded when they are first used: a page's kernel that only reads the engine must not pay for scipy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from hlpairs_core.stats import (
        BonferroniThreshold,
        DiscoveryRates,
        NullScreen,
        Rate,
        benjamini_hochberg,
        benjamini_yekutieli,
        bonferroni_t,
        discovery_rates,
        engle_granger_pairs,
        expected_best_sharpe,
        expected_false_positives,
        gate_rate,
        null_screen,
    )

_HOME = {
    "MAINNET_URL": "exchange",
    "TESTNET_URL": "exchange",
    "BonferroniThreshold": "stats",
    "Candidate": "screening",
    "CostModel": "costs",
    "DiscoveryRates": "stats",
    "EngineClient": "engine",
    "HyperliquidClient": "exchange",
    "MarketStamp": "exchange",
    "MarketState": "market",
    "NullScreen": "stats",
    "OrderBook": "exchange",
    "Panel": "market",
    "PanelReport": "market",
    "Rate": "stats",
    "ScreenResult": "screening",
    "ScreenSettings": "screening",
    "WeightBudget": "exchange",
    "benjamini_hochberg": "stats",
    "benjamini_yekutieli": "stats",
    "bonferroni_t": "stats",
    "connect": "engine",
    "discovery_rates": "stats",
    "engle_granger_pairs": "stats",
    "expected_best_sharpe": "stats",
    "expected_false_positives": "stats",
    "gate_rate": "stats",
    "mark": "screening",
    "null_screen": "stats",
    "screen": "screening",
}

__all__ = [
    "MAINNET_URL",
    "TESTNET_URL",
    "BonferroniThreshold",
    "Candidate",
    "CostModel",
    "DiscoveryRates",
    "EngineClient",
    "HyperliquidClient",
    "MarketStamp",
    "MarketState",
    "NullScreen",
    "OrderBook",
    "Panel",
    "PanelReport",
    "Rate",
    "ScreenResult",
    "ScreenSettings",
    "WeightBudget",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni_t",
    "connect",
    "discovery_rates",
    "engle_granger_pairs",
    "expected_best_sharpe",
    "expected_false_positives",
    "gate_rate",
    "mark",
    "null_screen",
    "screen",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"hlpairs_core.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
