"""The walk of the screen over stored history, in parts that are fixed in time and kept in files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hlpairs_core.backtest import walk_forward
from hlpairs_core.backtest.walk_outcomes import OUTCOMES
from hlpairs_core.backtest.walk_screen import LooseGates, bars_read
from hlpairs_core.costs import CostModel
from hlpairs_core.edge.holds import longest_hold
from hlpairs_core.exceptions import StoreError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import Panel, SpotMatch, perp_rows
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store import CandleStore, FundingStore, SegmentStore
from hlpairs_core.store.files import ReadOnlyFiles

__all__ = ["CADENCE", "PART", "EdgeJob", "parts_of", "read_panel", "read_spots", "walk_part"]

CADENCE = 6
"""Bars from one signal bar to the next."""

PART = 4
"""Signal bars in a part: of hourly bars, those that close at 0, 6, 12 and 18 o'clock of a day."""

# Some seconds of work: other idle work comes between two calls.
PARTS_A_CALL = 30
# Between one year and five quarters of history are walked: what a processor and a disk should bear for ever.
SINCE, MOVED = pd.Timedelta(days=365), pd.Timedelta(days=90)
BLOCK_HOURS = 168.0


@dataclass(frozen=True, eq=False, kw_only=True)
class EdgeJob:
    """What to walk and to fit.

    Attributes
    ----------
    folder : pathlib.Path
        Of the market: its stores are read, and the finished parts are kept below it.
    bar : pandas.Timestamp
        Open of the newest bar to read.
    settings, costs : ScreenSettings, CostModel
        Of the screens and the trades.
    matches : tuple of SpotMatch
        Spot pairs to hold against the perpetuals of their coins.
    done : int
        Parts to pass over: those of earlier calls.
    at_most : int
        Parts a call.
    """

    folder: Path
    bar: pd.Timestamp
    settings: ScreenSettings
    costs: CostModel
    matches: tuple[SpotMatch, ...] = ()
    done: int = 0
    at_most: int = PARTS_A_CALL

    @property
    def walk(self) -> Path:
        """Where the parts are kept. The walk begins anew when its history begins at another time."""
        return self.folder / "edge-walk" / f"{self.since:%Y-%m-%d}"

    @property
    def since(self) -> pd.Timestamp:
        """Time from which on history is read; it moves by a quarter at a time, and not every day."""
        return (self.bar - SINCE).floor(MOVED)

    @property
    def closed_at(self) -> pd.Timestamp:
        """Close of the newest bar to read."""
        return self.bar + interval_duration(self.settings.interval)

    @property
    def hold(self) -> pd.Timedelta:
        """The longest from a signal to its exit."""
        return longest_hold(horizon_hours=self.settings.horizon_hours, bar_hours=self.settings.bar_hours)

    @property
    def block_hours(self) -> float:
        """Length of the blocks that the fit resamples: a week, or a hold that is longer."""
        return max(BLOCK_HOURS, float(self.hold / pd.Timedelta(hours=1)))


def read_panel(job: EdgeJob) -> Panel:
    """Return all history of perpetuals up to the bar: all that are stored, those that are no longer listed too.

    Half of it would not do: what a coin's prices before its listing are depends on all of them.

    Raises
    ------
    StoreError
        If a file is damaged: the walk would take what it held for coins that did not trade.
    """
    candles = _read(CandleStore(job.folder, job.settings.interval, files=ReadOnlyFiles()), job)
    funding = _read(FundingStore(job.folder, files=ReadOnlyFiles()), job)
    return Panel.from_candles(perp_rows(candles), funding, interval=job.settings.interval, end=job.closed_at)


def read_spots(job: EdgeJob) -> Panel | None:
    """Return all history of the matched spot pairs up to the bar; None where nothing of them is stored.

    Raises
    ------
    StoreError
        As `read_panel`.
    """
    store = CandleStore(job.folder, job.settings.interval, files=ReadOnlyFiles())
    candles = _read(store, job, [one.coin for one in job.matches])
    if candles.empty:
        return None
    return Panel.from_candles(candles, interval=job.settings.interval, end=job.closed_at)


def _read(store: SegmentStore, job: EdgeJob, coins: list[str] | None = None) -> pd.DataFrame:
    rows = store.read(coins, job.since, job.closed_at - pd.Timedelta(milliseconds=1))
    if store.problems:
        raise StoreError(str(store.problems[0]))
    return rows


def parts_of(panel: Panel, job: EdgeJob) -> list[int]:
    """Return the positions of the first signal bar of each part that can be walked.

    They are the same whenever the history begins and ends. A part can be walked as soon as any exit of its trades is
    over: before that, only the quick winners among them would be known.
    """
    bar = interval_duration(job.settings.interval)
    closes = (panel.time + bar).as_unit("ms")
    first = np.flatnonzero(closes.asi8 % int(PART * CADENCE * bar / pd.Timedelta(milliseconds=1)) == 0)
    over = closes[first] + (PART - 1) * CADENCE * bar + job.hold <= panel.closed_at
    return [int(one) for one in first[over] if one + 1 >= bars_read(job.settings)]


def walk_part(panel: Panel, first: int, job: EdgeJob) -> pd.DataFrame:
    """Return the candidates of a part, from its file where there is one; without outcomes, which later bars decide.

    Raises
    ------
    InputError, StoreError
        As `walk_forward`.
    """
    read, last = bars_read(job.settings), first + (PART - 1) * CADENCE
    gates = LooseGates()
    walked = walk_forward(
        panel.rows(first + 1 - read, last + 2),
        settings=job.settings,
        costs=job.costs,
        every=CADENCE,
        start=read - 1,
        resume=job.walk,
        candidate_p=max(gates.candidate_p, job.settings.p_max),
        candidate_z=min(gates.candidate_z, job.settings.z_in),
    )
    return walked.rows.drop(columns=list(OUTCOMES))
