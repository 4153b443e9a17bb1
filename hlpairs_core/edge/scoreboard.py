"""What was said of closed bars as they closed, held against what came of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.edge.blocks import time_blocks
from hlpairs_core.edge.calibration import calibration
from hlpairs_core.edge.holds import longest_hold
from hlpairs_core.edge.record import pair_names
from hlpairs_core.intervals import interval_duration
from hlpairs_core.metrics import MeanAndTail, mean_and_tail

__all__ = ["LEAST_BLOCKS", "Outcomes", "Score", "Scoreboard", "scoreboard"]

LEAST_BLOCKS = 12
"""Blocks of a week below which no slope is given."""

_WEEK_HOURS = 168.0


@dataclass(frozen=True)
class Outcomes:
    """Expected and realised net edges of some trades, bps of gross notional.

    Attributes
    ----------
    n : int
        How many.
    mean_expected_bps : float
        NaN without one.
    realised_bps : MeanAndTail or None
        Mean, never without the mean of the worst 5 %; None without a trade.
    gain_share : float
        Share that realised more than 0; NaN without one.
    """

    n: int
    mean_expected_bps: float
    realised_bps: MeanAndTail | None
    gain_share: float

    @classmethod
    def of(cls, expected_bps: FloatArray, realised_bps: FloatArray) -> "Outcomes":
        """Return those of trades; arrays of shape (n,), finite."""
        n = len(expected_bps)
        if not n:
            return cls(0, np.nan, None, np.nan)
        share = float(np.mean(realised_bps > 0))
        return cls(n, float(expected_bps.mean()), mean_and_tail(realised_bps), share)


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one rule said, and what came of it.

    Attributes
    ----------
    bars, abstained : int
        Closed bars it spoke of, and those of which it said that no pair qualifies.
    said : int
        Bars at which it named a pair: ``open + marked + unknown``.
    open, marked, unknown : int
        Whose outcome is not known yet, is known, and cannot be known.
    early : int
        Of the marked, those whose longest hold is not over: quick gains end first, so that they count in no mean yet.
    every : Outcomes
        Of all marked ones whose longest hold is over. **They overlap**: bars that follow each other mostly name the
        same pair, so that these are far fewer trades than their number says.
    trades : Outcomes
        Of those among them that do not overlap: a pair is entered anew only when its trade before is over.
    blocks : int
        Weeks in which `every` has a bar.
    slope, slope_low, slope_high : float
        Of realised on expected over `every`, with its 90 % interval from resampled weeks: 1 is calibrated, 0 says
        nothing. NaN below 12 blocks.
    first : pandas.Timestamp or None
        Close of its first bar.
    """

    bars: int
    abstained: int
    said: int
    open: int
    marked: int
    unknown: int
    early: int
    every: Outcomes
    trades: Outcomes
    blocks: int
    slope: float
    slope_low: float
    slope_high: float
    first: pd.Timestamp | None


@dataclass(frozen=True, kw_only=True)
class Scoreboard:
    """The forward record of a market's engine.

    Attributes
    ----------
    as_of : pandas.Timestamp or None
        Close of the newest bar of which something was said; None without one.
    calibrated : Score
        Of the answers that rest on a fitted model.
    raw : Score
        Of the rule that takes the fitted reversion at its word, at every bar: as the answer where there was no model,
        and beside it where there was.
    """

    as_of: pd.Timestamp | None
    calibrated: Score
    raw: Score


def scoreboard(rows: pd.DataFrame, *, rng: np.random.Generator) -> Scoreboard:
    """Sum up a scorecard.

    Parameters
    ----------
    rows : DataFrame
        As of `read_scorecard`.
    rng : numpy.random.Generator
        Draws the resampled weeks.

    Notes
    -----
    Means are of rows that were signalled a longest hold (two horizons and a bar) before the newest bar, whatever became
    of them: of those signalled later the early winners have ended and the others are open.
    """
    as_of = rows["closed_at"].max() if len(rows) else None
    answers = rows[(rows["rule"] == "answer") & rows["calibrated"]]
    return Scoreboard(
        as_of=as_of,
        calibrated=_score(answers, answers["mean_net_bps"], as_of, rng),
        raw=_score(rows[rows["rule"] == "raw"], rows.loc[rows["rule"] == "raw", "raw_net_bps"], as_of, rng),
    )


def _score(bars: pd.DataFrame, expected_bps: pd.Series, as_of: pd.Timestamp | None, rng: np.random.Generator) -> Score:
    named = bars["qualifies"].to_numpy()
    said, expected = bars[named], expected_bps.to_numpy(dtype=np.float64)[named]
    realised = said["realised_net_bps"].to_numpy(dtype=np.float64)
    # A row that was not frozen cannot be marked, ever.
    settled = (said["marked_at"].notna() | (said["signal"] == "")).to_numpy()
    known = np.isfinite(realised)
    hold = _longest_holds(said)
    over = (said["closed_at"] + hold <= as_of).to_numpy() if len(said) else np.empty(0, dtype=bool)
    judged = settled & known & over & np.isfinite(expected)
    blocks, slopes = _slope(said[judged], expected[judged], realised[judged], hold[judged], rng)
    alone = judged & _one_after_the_other(said, hold)
    return Score(
        bars=len(bars),
        abstained=int((~named).sum()),
        said=len(said),
        open=int((~settled).sum()),
        marked=int((settled & known).sum()),
        unknown=int((settled & ~known).sum()),
        early=int((settled & known & ~over).sum()),
        every=Outcomes.of(expected[judged], realised[judged]),
        trades=Outcomes.of(expected[alone], realised[alone]),
        blocks=blocks,
        slope=slopes[0],
        slope_low=slopes[1],
        slope_high=slopes[2],
        first=bars["closed_at"].min() if len(bars) else None,
    )


def _longest_holds(said: pd.DataFrame) -> pd.Series:
    terms = zip(said["interval"], said["horizon_hours"], strict=True)
    holds = [
        longest_hold(horizon_hours=hours, bar_hours=interval_duration(interval) / pd.Timedelta(hours=1))
        for interval, hours in terms
    ]
    return pd.Series(holds, index=said.index, dtype="timedelta64[ns]")


def _slope(
    said: pd.DataFrame, expected: FloatArray, realised: FloatArray, hold: pd.Series, rng: np.random.Generator
) -> tuple[int, tuple[float, float, float]]:
    """Return the number of blocks, and the slope with its interval where there are enough of them."""
    unknown = (np.nan, np.nan, np.nan)
    if not len(said):
        return 0, unknown
    hours = max(_WEEK_HOURS, hold.max() / pd.Timedelta(hours=1))
    blocks = time_blocks(said["closed_at"], hours=hours)
    n_blocks = int(blocks.max()) + 1
    if n_blocks < LEAST_BLOCKS:
        return n_blocks, unknown
    found = calibration(expected, realised, blocks=blocks, rng=rng, abstained_share=np.nan)
    return n_blocks, (found.slope, found.slope_low, found.slope_high)


def _one_after_the_other(said: pd.DataFrame, hold: pd.Series) -> BoolArray:
    """Return which rows open a trade while their pair has none; one without a known exit lasts the longest hold."""
    ended = said["exit_time"].where(said["exit_time"].notna(), said["closed_at"] + hold)
    alone, free = np.zeros(len(said), dtype=bool), dict[str, pd.Timestamp]()
    for place, (pair, signal, end) in enumerate(zip(pair_names(said), said["closed_at"], ended, strict=True)):
        if pair not in free or signal >= free[pair]:
            alone[place], free[pair] = True, end
    return alone
