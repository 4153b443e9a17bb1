"""Trades of candidates through later bars: what an expected edge was worth."""

from hlpairs_core.backtest.follow import follow
from hlpairs_core.backtest.outcome import ExitReason, TradeOutcome
from hlpairs_core.backtest.trade import simulate_trade
from hlpairs_core.backtest.walk_forward import WalkForward, walk_forward
from hlpairs_core.backtest.walk_outcomes import realise

__all__ = ["ExitReason", "TradeOutcome", "WalkForward", "follow", "realise", "simulate_trade", "walk_forward"]
