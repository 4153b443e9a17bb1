"""Statistical tests and measures: pure functions on arrays and frames."""

from hlpairs_core.stats.break_monitor import BreakMonitor, break_monitor
from hlpairs_core.stats.cointegration import JohansenTest, johansen_test, phillips_ouliaris_test
from hlpairs_core.stats.dependence import dependence
from hlpairs_core.stats.engle_granger import engle_granger_pairs
from hlpairs_core.stats.half_life import (
    HalfLife,
    half_life,
)
from hlpairs_core.stats.hedge import (
    HedgeRatio,
    hedge_ratio,
)
from hlpairs_core.stats.hurst import (
    hurst_exponent,
)
from hlpairs_core.stats.hypothesis_test import (
    HypothesisTest,
)
from hlpairs_core.stats.kalman import (
    KalmanPaths,
    kalman_pairs,
    kalman_paths,
)
from hlpairs_core.stats.mackinnon import (
    CriticalValues,
    mackinnon_critical_values,
    mackinnon_p,
)
from hlpairs_core.stats.multiplicity import (
    BonferroniThreshold,
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni_t,
    expected_best_sharpe,
    expected_false_positives,
)
from hlpairs_core.stats.null_result import (
    NullScreen,
)
from hlpairs_core.stats.null_screen import (
    null_screen,
)
from hlpairs_core.stats.ornstein_uhlenbeck import (
    OrnsteinUhlenbeck,
)
from hlpairs_core.stats.ornstein_uhlenbeck_fit import (
    OrnsteinUhlenbeckFit,
    fit_ornstein_uhlenbeck,
)
from hlpairs_core.stats.power import (
    DiscoveryRates,
    Rate,
    discovery_rates,
    gate_rate,
)
from hlpairs_core.stats.reversion import (
    Reversion,
    ZeroCrossings,
    reversion,
    zero_crossings,
)
from hlpairs_core.stats.reversion_pairs import (
    reversion_pairs,
)
from hlpairs_core.stats.rolling import (
    RollingScreen,
)
from hlpairs_core.stats.rolling_dependence import (
    RollingDependence,
)
from hlpairs_core.stats.stationarity import (
    adf_test,
    kpss_test,
    phillips_perron_test,
)
from hlpairs_core.stats.thresholds import (
    Thresholds,
    optimal_thresholds,
)
from hlpairs_core.stats.variance_ratio import (
    VarianceRatio,
    variance_ratio,
)

__all__ = [
    "BonferroniThreshold",
    "BreakMonitor",
    "CriticalValues",
    "DiscoveryRates",
    "HalfLife",
    "HedgeRatio",
    "HypothesisTest",
    "JohansenTest",
    "KalmanPaths",
    "NullScreen",
    "OrnsteinUhlenbeck",
    "OrnsteinUhlenbeckFit",
    "Rate",
    "Reversion",
    "RollingDependence",
    "RollingScreen",
    "Thresholds",
    "VarianceRatio",
    "ZeroCrossings",
    "adf_test",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni_t",
    "break_monitor",
    "dependence",
    "discovery_rates",
    "engle_granger_pairs",
    "expected_best_sharpe",
    "expected_false_positives",
    "fit_ornstein_uhlenbeck",
    "gate_rate",
    "half_life",
    "hedge_ratio",
    "hurst_exponent",
    "johansen_test",
    "kalman_pairs",
    "kalman_paths",
    "kpss_test",
    "mackinnon_critical_values",
    "mackinnon_p",
    "null_screen",
    "optimal_thresholds",
    "phillips_ouliaris_test",
    "phillips_perron_test",
    "reversion",
    "reversion_pairs",
    "variance_ratio",
    "zero_crossings",
]
