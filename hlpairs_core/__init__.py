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
        BreakMonitor,
        HalfLife,
        HedgeRatio,
        HypothesisTest,
        JohansenTest,
        KalmanPaths,
        OrnsteinUhlenbeck,
        OrnsteinUhlenbeckFit,
        Reversion,
        RollingDependence,
        RollingScreen,
        Thresholds,
        VarianceRatio,
        ZeroCrossings,
        adf_test,
        break_monitor,
        engle_granger_pairs,
        fit_ornstein_uhlenbeck,
        half_life,
        hedge_ratio,
        hurst_exponent,
        johansen_test,
        kalman_pairs,
        kalman_paths,
        kpss_test,
        optimal_thresholds,
        phillips_ouliaris_test,
        phillips_perron_test,
        reversion,
        reversion_pairs,
        variance_ratio,
        zero_crossings,
    )

_HOME = {
    "MAINNET_URL": "exchange",
    "TESTNET_URL": "exchange",
    "BreakMonitor": "stats",
    "Candidate": "screening",
    "CostModel": "costs",
    "EngineClient": "engine",
    "HedgeRatio": "stats",
    "HyperliquidClient": "exchange",
    "KalmanPaths": "stats",
    "HalfLife": "stats",
    "HypothesisTest": "stats",
    "JohansenTest": "stats",
    "MarketStamp": "exchange",
    "MarketState": "market",
    "OrderBook": "exchange",
    "OrnsteinUhlenbeck": "stats",
    "OrnsteinUhlenbeckFit": "stats",
    "Panel": "market",
    "PanelReport": "market",
    "RollingDependence": "stats",
    "RollingScreen": "stats",
    "Reversion": "stats",
    "ScreenResult": "screening",
    "ScreenSettings": "screening",
    "Thresholds": "stats",
    "VarianceRatio": "stats",
    "WeightBudget": "exchange",
    "ZeroCrossings": "stats",
    "adf_test": "stats",
    "break_monitor": "stats",
    "connect": "engine",
    "engle_granger_pairs": "stats",
    "hedge_ratio": "stats",
    "kalman_pairs": "stats",
    "kalman_paths": "stats",
    "mark": "screening",
    "reversion_pairs": "stats",
    "fit_ornstein_uhlenbeck": "stats",
    "half_life": "stats",
    "hurst_exponent": "stats",
    "johansen_test": "stats",
    "kpss_test": "stats",
    "optimal_thresholds": "stats",
    "phillips_ouliaris_test": "stats",
    "phillips_perron_test": "stats",
    "reversion": "stats",
    "screen": "screening",
    "variance_ratio": "stats",
    "zero_crossings": "stats",
}

__all__ = [
    "MAINNET_URL",
    "TESTNET_URL",
    "BreakMonitor",
    "Candidate",
    "CostModel",
    "EngineClient",
    "HalfLife",
    "HedgeRatio",
    "HyperliquidClient",
    "HypothesisTest",
    "JohansenTest",
    "KalmanPaths",
    "MarketStamp",
    "MarketState",
    "OrderBook",
    "OrnsteinUhlenbeck",
    "OrnsteinUhlenbeckFit",
    "Panel",
    "PanelReport",
    "Reversion",
    "RollingDependence",
    "RollingScreen",
    "ScreenResult",
    "ScreenSettings",
    "Thresholds",
    "VarianceRatio",
    "WeightBudget",
    "ZeroCrossings",
    "adf_test",
    "break_monitor",
    "connect",
    "engle_granger_pairs",
    "fit_ornstein_uhlenbeck",
    "half_life",
    "hedge_ratio",
    "hurst_exponent",
    "johansen_test",
    "kalman_pairs",
    "kalman_paths",
    "kpss_test",
    "mark",
    "optimal_thresholds",
    "phillips_ouliaris_test",
    "phillips_perron_test",
    "reversion",
    "reversion_pairs",
    "screen",
    "variance_ratio",
    "zero_crossings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"hlpairs_core.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
