"""Statistical tests and measures: pure functions on arrays and frames."""

from hlpairs_core.stats.dependence import dependence
from hlpairs_core.stats.engle_granger import engle_granger_pairs
from hlpairs_core.stats.hedge import HedgeRatio, hedge_ratio
from hlpairs_core.stats.kalman import KalmanPaths, kalman_pairs, kalman_paths
from hlpairs_core.stats.mackinnon import CriticalValues, mackinnon_critical_values, mackinnon_p
from hlpairs_core.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, expected_false_positives
from hlpairs_core.stats.reversion_pairs import reversion_pairs
from hlpairs_core.stats.rolling import RollingScreen
from hlpairs_core.stats.rolling_dependence import RollingDependence

__all__ = [
    "CriticalValues",
    "HedgeRatio",
    "KalmanPaths",
    "RollingDependence",
    "RollingScreen",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "dependence",
    "engle_granger_pairs",
    "expected_false_positives",
    "hedge_ratio",
    "kalman_pairs",
    "kalman_paths",
    "mackinnon_critical_values",
    "mackinnon_p",
    "reversion_pairs",
]
