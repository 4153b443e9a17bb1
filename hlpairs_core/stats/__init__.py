"""Statistical tests and measures: pure functions on arrays and frames."""

from hlpairs_core.stats.dependence import dependence
from hlpairs_core.stats.engle_granger import engle_granger_pairs
from hlpairs_core.stats.kalman import KalmanPaths, kalman_pairs, kalman_paths
from hlpairs_core.stats.mackinnon import CriticalValues, mackinnon_critical_values, mackinnon_p
from hlpairs_core.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, expected_false_positives

__all__ = [
    "CriticalValues",
    "KalmanPaths",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "dependence",
    "engle_granger_pairs",
    "expected_false_positives",
    "kalman_pairs",
    "kalman_paths",
    "mackinnon_critical_values",
    "mackinnon_p",
]
