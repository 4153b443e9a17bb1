from hlpairs_core.market._frames import as_utc
from hlpairs_core.market.lots import check_order, least_size, round_price, round_size, tick_at
from hlpairs_core.market.panel import Panel
from hlpairs_core.market.report import PanelReport
from hlpairs_core.market.state import MarketState

__all__ = [
    "MarketState",
    "Panel",
    "PanelReport",
    "as_utc",
    "check_order",
    "least_size",
    "round_price",
    "round_size",
    "tick_at",
]
