"""Statistical tests and measures: pure functions on arrays and frames."""

from hlpairs_core.stats.dependence import dependence
from hlpairs_core.stats.engle_granger import engle_granger_pairs
from hlpairs_core.stats.mackinnon import CriticalValues, mackinnon_critical_values, mackinnon_p
from hlpairs_core.stats.multiplicity import (
    BonferroniThreshold,
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni_t,
    expected_best_sharpe,
    expected_false_positives,
)
from hlpairs_core.stats.null_result import NullScreen
from hlpairs_core.stats.null_screen import null_screen
from hlpairs_core.stats.power import DiscoveryRates, Rate, discovery_rates, gate_rate

__all__ = [
    "BonferroniThreshold",
    "CriticalValues",
    "DiscoveryRates",
    "NullScreen",
    "Rate",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni_t",
    "dependence",
    "discovery_rates",
    "engle_granger_pairs",
    "expected_best_sharpe",
    "expected_false_positives",
    "gate_rate",
    "mackinnon_critical_values",
    "mackinnon_p",
    "null_screen",
]
