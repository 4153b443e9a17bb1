"""What the two ways of running a sweep are given: arrays and numbers, named."""

from typing import NamedTuple

from hlpairs_core._typing import BoolArray, FloatArray, IntArray

__all__ = ["SMALLEST_RESIDUAL", "TOTALS", "SweepArrays", "SweepRules"]

SMALLEST_RESIDUAL = 1e-12
"""Share of y's variance below which what is left of a fit is rounding: one asset twice."""

TOTALS = (
    "trades",
    "gross_bps",
    "fee_bps",
    "slippage_bps",
    "funding_bps",
    "net_bps",
    "squares",
    "wins",
    "bars",
    "worst",
)
"""What is summed over the trades of a pair under a rule; the last is their minimum."""


class SweepArrays(NamedTuple):
    """A market, one row a coin; see `SweepMarket`. `impact` is that of the window in hand."""

    log_close: FloatArray
    open: FloatArray
    close: FloatArray
    tradable: BoolArray
    funding: FloatArray
    open_funding: FloatArray
    missing: IntArray
    spared: IntArray
    impact: FloatArray


class SweepRules(NamedTuple):
    """Levels of z (`leave` falling, the others rising), holds in bars, and what every rule shares."""

    enter: FloatArray
    leave: FloatArray
    stop: FloatArray
    hold: IntArray
    window: int
    delay: int
    notional: float
    fee_bps: float
    half_spread_bps: float
    least_usd: float
