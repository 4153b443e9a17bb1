"""The forward record, as readers are told of it: all that was said of closed bars here, against what came of it.

Means and the slope are of bars whose longest hold is over. Numbers that are unknown are ``null``; all ``*_bps`` are
net, in basis points of gross notional.
"""

from typing import TypedDict

__all__ = ["OutcomesSaid", "RuleRecord", "TrackRecord"]


class OutcomesSaid(TypedDict):
    """Expected against realised; a mean is never shown without that of the worst 5 %."""

    n: int
    mean_expected_bps: float | None
    mean_realised_bps: float | None
    worst_realised_bps: float | None  # mean of the worst 5 %
    gain_share: float | None


class RuleRecord(TypedDict):
    """What one rule said, and what came of it: ``said = open + marked + unknown``, ``bars = said + abstained``."""

    bars: int  # closed bars it spoke of
    abstained: int  # bars at which it said that no pair qualifies
    said: int  # bars at which it named a pair
    open: int  # not known yet what came of it
    marked: int
    unknown: int  # it cannot be known
    early: int  # of the marked: over before the longest hold is; in no mean yet
    every: OutcomesSaid  # each bar that named a pair: these overlap, they are no independent trades
    trades: OutcomesSaid  # those that do not overlap: a pair anew only when its trade before is over
    weeks: int
    slope: float | None  # of realised on expected, over `every`; null below 12 weeks
    slope_low: float | None  # 90 % interval from resampled weeks
    slope_high: float | None
    first_closed_at: str | None


class TrackRecord(TypedDict):
    """Answer of ``GET /scorecard``."""

    as_of: str | None  # close of the newest bar of which something was said
    calibrated: RuleRecord  # answers that rest on a fitted model
    raw: RuleRecord  # the rule that takes the fitted reversion at its word, at every bar
