"""Hedge ratios of one pair: ``y - alpha - beta x``, estimated in ten ways."""

from hlpairs_core.stats.hedge.ratio import hedge_ratio
from hlpairs_core.stats.hedge.result import HedgeRatio

__all__ = ["HedgeRatio", "hedge_ratio"]
