"""What a trade costs: fees, slippage and funding. Pure functions on numbers and arrays."""

from hlpairs_core.costs.book import BookFill, average_fill_price, book_depth_usd, slippage_bps, walk_book
from hlpairs_core.costs.break_even import break_even_z
from hlpairs_core.costs.checks import check_choice, check_integer, check_number
from hlpairs_core.costs.deep_book import DeepFill, deep_slippage_bps, largest_fill_usd
from hlpairs_core.costs.execution import ExecutionModel, ExecutionSchedule
from hlpairs_core.costs.fees import Fee, FeeSchedule
from hlpairs_core.costs.funding import funding_bps_per_hour, funding_sign, funding_stamps
from hlpairs_core.costs.funding_forecast import FundingForecast
from hlpairs_core.costs.funding_rate import (
    FUNDING_CAP_PER_HOUR,
    INTEREST_PER_HOUR,
    funding_rate,
    impact_premium,
)
from hlpairs_core.costs.impact import square_root_slippage_bps
from hlpairs_core.costs.largest_size import largest_size_in_books, largest_size_with_edge
from hlpairs_core.costs.maker import MakerCosts, RestingOrders, maker_round_trip
from hlpairs_core.costs.model import FILLS_PER_ROUND_TRIP, MINIMUM_ORDER_USD, CostModel
from hlpairs_core.costs.spread import abdi_ranaldo_spread, edge_spread, half_spread_from_candles

__all__ = [
    "FILLS_PER_ROUND_TRIP",
    "FUNDING_CAP_PER_HOUR",
    "INTEREST_PER_HOUR",
    "MINIMUM_ORDER_USD",
    "BookFill",
    "CostModel",
    "DeepFill",
    "ExecutionModel",
    "ExecutionSchedule",
    "Fee",
    "FeeSchedule",
    "FundingForecast",
    "MakerCosts",
    "RestingOrders",
    "abdi_ranaldo_spread",
    "average_fill_price",
    "book_depth_usd",
    "break_even_z",
    "check_choice",
    "check_integer",
    "check_number",
    "deep_slippage_bps",
    "edge_spread",
    "funding_bps_per_hour",
    "funding_rate",
    "funding_sign",
    "funding_stamps",
    "half_spread_from_candles",
    "impact_premium",
    "largest_fill_usd",
    "largest_size_in_books",
    "largest_size_with_edge",
    "maker_round_trip",
    "slippage_bps",
    "square_root_slippage_bps",
    "walk_book",
]
