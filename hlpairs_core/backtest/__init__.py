"""Trades of candidates through later bars: what an expected edge was worth."""

from hlpairs_core.backtest.follow import follow
from hlpairs_core.backtest.outcome import ExitReason, TradeOutcome
from hlpairs_core.backtest.trade import simulate_trade

__all__ = ["ExitReason", "TradeOutcome", "follow", "simulate_trade"]
