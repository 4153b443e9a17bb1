"""What returns and trades were worth: ratios, drawdown, tails, and what luck and many tries make of them."""

from hlpairs_core.metrics.bootstrap import BootstrapInterval, bootstrap_interval
from hlpairs_core.metrics.drawdown import Drawdown, max_drawdown
from hlpairs_core.metrics.inputs import HOURS_PER_YEAR, bars_per_year
from hlpairs_core.metrics.mean_and_tail import MeanAndTail, mean_and_tail
from hlpairs_core.metrics.overfitting import Overfitting, probability_of_overfitting
from hlpairs_core.metrics.performance import performance
from hlpairs_core.metrics.ratios import calmar_ratio, sharpe_ratio, sortino_ratio
from hlpairs_core.metrics.result import Performance
from hlpairs_core.metrics.sharpe_inference import (
    SharpeSample,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_sample,
)
from hlpairs_core.metrics.superior_ability import SuperiorAbility, superior_ability
from hlpairs_core.metrics.tail import TailRisk, tail_risk
from hlpairs_core.metrics.trades import TradeSummary, summarise_trades

__all__ = [
    "HOURS_PER_YEAR",
    "BootstrapInterval",
    "Drawdown",
    "MeanAndTail",
    "Overfitting",
    "Performance",
    "SharpeSample",
    "SuperiorAbility",
    "TailRisk",
    "TradeSummary",
    "bars_per_year",
    "bootstrap_interval",
    "calmar_ratio",
    "deflated_sharpe",
    "max_drawdown",
    "mean_and_tail",
    "minimum_track_record",
    "performance",
    "probabilistic_sharpe",
    "probability_of_overfitting",
    "sharpe_ratio",
    "sharpe_sample",
    "sortino_ratio",
    "summarise_trades",
    "superior_ability",
    "tail_risk",
]
