"""The walk of the screen over stored history and the fit on it, in a worker process that reads the store itself."""

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hlpairs_core.backtest import realise, walk_forward
from hlpairs_core.backtest.walk_outcomes import OUTCOMES
from hlpairs_core.backtest.walk_screen import LooseGates, bars_read
from hlpairs_core.costs import CostModel
from hlpairs_core.edge import CalibratedEdge, EdgeModel
from hlpairs_core.edge.choice import FEWEST_BLOCKS
from hlpairs_core.edge.holds import longest_hold, over_by
from hlpairs_core.edge.record import trades_of_record
from hlpairs_core.exceptions import InputError, StoreError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store import CandleStore, FundingStore
from hlpairs_core.store.files import ReadOnlyFiles, store_errors

__all__ = ["CADENCE", "PART", "EdgeJob", "FittedEdge", "Walked", "fit_edge", "walk_parts"]

CADENCE = 6
"""Bars from one signal bar to the next."""

PART = 4
"""Signal bars in a part, which is kept in a file of its own: of hourly bars, those of a day."""

# Seconds to a minute of work: other idle work comes between two calls.
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
    done : int
        Parts to pass over: those of earlier calls.
    at_most : int
        Parts a call.
    """

    folder: Path
    bar: pd.Timestamp
    settings: ScreenSettings
    costs: CostModel
    done: int = 0
    at_most: int = PARTS_A_CALL

    @property
    def walk(self) -> Path:
        """Where the parts are kept. It begins anew when the history that is walked does."""
        return self.folder / "edge-walk" / f"{self.since:%Y-%m-%d}"

    @property
    def since(self) -> pd.Timestamp:
        """Time from which on the history is read; moved by a quarter at a time, for what is before changes nothing."""
        return (self.bar - SINCE).floor(MOVED)

    @property
    def hold(self) -> pd.Timedelta:
        """The longest from a signal to its exit."""
        return longest_hold(horizon_hours=self.settings.horizon_hours, bar_hours=self.settings.bar_hours)

    @property
    def block_hours(self) -> float:
        """Length of the blocks that the fit resamples: a week, or a hold that is longer."""
        return max(BLOCK_HOURS, float(self.hold / pd.Timedelta(hours=1)))


@dataclass(frozen=True)
class Walked:
    """Parts done and parts that there are; `anew` says why those of earlier days were thrown away."""

    done: int
    total: int
    anew: str | None = None


@dataclass(frozen=True, eq=False)
class FittedEdge:
    """Models with their records, and the close of the newest bar that they know."""

    edge: CalibratedEdge
    closed_at: pd.Timestamp


# The panel from the first call to the fit: each thread that works its own.
_kept = threading.local()


def walk_parts(job: EdgeJob) -> Walked:
    """Walk some more parts; what an earlier engine or day has left is taken as it is.

    Coins are all that are stored, those that are no longer listed too: at each bar, the screen itself says from what
    was known then which of them were in the universe. Coins that were delisted before the store began are missing.

    Raises
    ------
    InputError
        If the walk refuses the history or the settings.
    StoreError
        If a file of the store is damaged, or a part cannot be written.
    """
    panel = _panel(job)
    parts = _parts(panel, job)
    _remove_others(job.walk)
    done = min(len(parts), job.done + job.at_most)
    try:
        for first in parts[job.done : done]:
            _walk_part(panel, first, job)
    except InputError as error:
        if not job.walk.exists():
            raise
        # Other rules made the parts, or prices that the exchange has corrected since.
        _remove(job.walk)
        return Walked(0, len(parts), str(error))
    return Walked(done, len(parts))


def fit_edge(job: EdgeJob) -> FittedEdge | str:
    """Fit on all parts; return why the history is too short where it is.

    Raises
    ------
    InputError, StoreError
        As `walk_parts`.
    """
    try:
        panel = _panel(job)
        rows = _rows(panel, job)
    finally:
        _kept.__dict__.clear()
    if rows is None:
        return _too_short(panel, job)
    rng = np.random.default_rng(int(job.bar.timestamp()))
    try:
        model = EdgeModel.fit(rows, settings=job.settings, rng=rng, block_hours=job.block_hours)
    except InputError as error:
        return str(error)
    over = over_by(rows, panel.closed_at, hold=job.hold) & (rows["exit_reason"] != "data end")
    past = trades_of_record(rows[over]).reset_index(drop=True)
    return FittedEdge(CalibratedEdge({model.grid.kind: model}, past), panel.closed_at)


def _rows(panel: Panel, job: EdgeJob) -> pd.DataFrame | None:
    """Return the candidates of all parts with what came of them; None without a part."""
    walked = [_walk_part(panel, first, job) for first in _parts(panel, job)]
    if not walked:
        return None
    rows = pd.concat(walked, ignore_index=True)
    return pd.concat([rows, realise(rows, panel, settings=job.settings, costs=job.costs)], axis=1)


def _walk_part(panel: Panel, first: int, job: EdgeJob) -> pd.DataFrame:
    """Return the candidates of a part, without outcomes: those need the bars after it."""
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


def _parts(panel: Panel, job: EdgeJob) -> list[int]:
    """Return the positions of the first signal bar of each part.

    Parts lie fixed in time, so that they are the same whenever the history begins and ends. A signal belongs to one as
    soon as any exit of its trade is over: of later ones only the quick winners would be known.
    """
    bar = interval_duration(job.settings.interval)
    closes = (panel.time + bar).as_unit("ms")
    first = np.flatnonzero(closes.asi8 % _ms(PART * CADENCE * bar) == 0)
    over = closes[first] + (PART - 1) * CADENCE * bar + job.hold <= panel.closed_at
    return [int(one) for one in first[over] if one + 1 >= bars_read(job.settings)]


def _panel(job: EdgeJob) -> Panel:
    """Return all history up to the bar. Half of it would not do: what coins were before their listing depends on it."""
    key = (job.folder, job.bar)
    if getattr(_kept, "key", None) != key:
        _kept.panel, _kept.key = _read(job), key
    panel: Panel = _kept.panel
    return panel


def _read(job: EdgeJob) -> Panel:
    closed_at = job.bar + interval_duration(job.settings.interval)
    stores = (
        CandleStore(job.folder, job.settings.interval, files=ReadOnlyFiles()),
        FundingStore(job.folder, files=ReadOnlyFiles()),
    )
    candles, funding = (store.read(None, job.since, closed_at - pd.Timedelta(milliseconds=1)) for store in stores)
    damaged = [problem for store in stores for problem in store.problems]
    if damaged:
        raise StoreError(str(damaged[0]))
    return Panel.from_candles(candles, funding, interval=job.settings.interval, end=closed_at)


def _too_short(panel: Panel, job: EdgeJob) -> str:
    bars, days = bars_read(job.settings) + 2 * PART * CADENCE, job.hold / pd.Timedelta(days=1)
    return (
        f"{panel.n_bars:,} bars are stored: before the first trade has ended it takes up to {bars:,} bars and "
        f"{days:.1f} days, and {FEWEST_BLOCKS * job.block_hours / 24:.0f} days of such trades are needed to calibrate"
    )


def _remove_others(walk: Path) -> None:
    for other in walk.parent.iterdir() if walk.parent.is_dir() else ():
        if other != walk:
            _remove(other)


def _remove(folder: Path) -> None:
    with store_errors(folder):
        shutil.rmtree(folder)


def _ms(span: pd.Timedelta) -> int:
    return int(span / pd.Timedelta(milliseconds=1))
