"""Trades of candidates through later bars: what an expected edge was worth."""

from hlpairs_core.backtest.events import Backtest, backtest_pairs
from hlpairs_core.backtest.follow import follow
from hlpairs_core.backtest.margin import isolated_liquidation_price
from hlpairs_core.backtest.outcome import ExitReason, TradeOutcome
from hlpairs_core.backtest.portfolio import Portfolio
from hlpairs_core.backtest.strategy import Decision, FrozenSignals, Moment, ScreenStrategy, Signal, Strategy
from hlpairs_core.backtest.sweep import sweep
from hlpairs_core.backtest.trade import simulate_trade
from hlpairs_core.backtest.walk_carry import walk_carry
from hlpairs_core.backtest.walk_forward import WalkForward, walk_forward
from hlpairs_core.backtest.walk_outcomes import realise

__all__ = [
    "Backtest",
    "Decision",
    "ExitReason",
    "FrozenSignals",
    "Moment",
    "Portfolio",
    "ScreenStrategy",
    "Signal",
    "Strategy",
    "TradeOutcome",
    "WalkForward",
    "backtest_pairs",
    "follow",
    "isolated_liquidation_price",
    "realise",
    "simulate_trade",
    "sweep",
    "walk_carry",
    "walk_forward",
]
