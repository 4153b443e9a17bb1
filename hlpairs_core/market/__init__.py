from hlpairs_core.market._frames import as_utc
from hlpairs_core.market.joined import join_spot
from hlpairs_core.market.lots import check_order, least_size, round_price, round_size, tick_at
from hlpairs_core.market.panel import Panel
from hlpairs_core.market.report import PanelReport
from hlpairs_core.market.spot_names import KNOWN_SPOT, KnownSpot, SpotMatch, match_recorded, match_spot, perp_rows
from hlpairs_core.market.state import MarketState

__all__ = [
    "KNOWN_SPOT",
    "KnownSpot",
    "MarketState",
    "Panel",
    "PanelReport",
    "SpotMatch",
    "as_utc",
    "check_order",
    "join_spot",
    "least_size",
    "match_recorded",
    "match_spot",
    "perp_rows",
    "round_price",
    "round_size",
    "tick_at",
]
