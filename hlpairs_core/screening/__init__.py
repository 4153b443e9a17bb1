"""From closed bars to the best pair, its expected net edge after all costs, and whether it qualifies."""

from hlpairs_core.screening.candidate import CANDIDATE_COLUMNS, Candidate
from hlpairs_core.screening.carry import CARRY_FEATURES, carry_candidates, carry_signals, screen_carry
from hlpairs_core.screening.carry_gates import CARRY_GATES, CarryAccount
from hlpairs_core.screening.consecutive import ConsecutiveTests
from hlpairs_core.screening.edge import ExpectedEdge, expected_edge, leg_weights, spread_zscore
from hlpairs_core.screening.gates import GATES
from hlpairs_core.screening.liquidity import day_notional_usd, day_volatility_bps
from hlpairs_core.screening.luck import luck_of_screen
from hlpairs_core.screening.mark import mark
from hlpairs_core.screening.pairs import orient_pairs
from hlpairs_core.screening.rates import stamps_in_bars
from hlpairs_core.screening.result import Funnel, ScreenResult, Verdict
from hlpairs_core.screening.screen import DEFAULT_COSTS, DEFAULT_SETTINGS, screen
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.screening.spot_side import SpotMarket
from hlpairs_core.screening.universe import Universe, select_universe

__all__ = [
    "CANDIDATE_COLUMNS",
    "CARRY_FEATURES",
    "CARRY_GATES",
    "DEFAULT_COSTS",
    "DEFAULT_SETTINGS",
    "GATES",
    "Candidate",
    "CarryAccount",
    "ConsecutiveTests",
    "ExpectedEdge",
    "Funnel",
    "ScreenResult",
    "ScreenSettings",
    "SpotMarket",
    "Universe",
    "Verdict",
    "carry_candidates",
    "carry_signals",
    "day_notional_usd",
    "day_volatility_bps",
    "expected_edge",
    "leg_weights",
    "luck_of_screen",
    "mark",
    "orient_pairs",
    "screen",
    "screen_carry",
    "select_universe",
    "spread_zscore",
    "stamps_in_bars",
]
