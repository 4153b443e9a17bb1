"""The walk over stored history and the fit on it, in a worker process that reads the store itself."""

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hlpairs_core.backtest import realise
from hlpairs_core.costs import CostModel
from hlpairs_core.edge import CalibratedEdge, EdgeModel
from hlpairs_core.edge.choice import FEWEST_BLOCKS
from hlpairs_core.edge.holds import over_by
from hlpairs_core.edge.record import trades_of_record
from hlpairs_core.engine.edge_parts import CADENCE, PART, EdgeJob, parts_of, read_panel, walk_part
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store.files import remove_left_over, store_errors

__all__ = ["FittedEdge", "Walked", "fit_edge", "refusal", "walk_parts"]


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


@dataclass(frozen=True, eq=False)
class _Walk:
    """What is known between the first call and the fit: candidates by the position of their part."""

    of: tuple[Path, pd.Timestamp, ScreenSettings, CostModel]
    panel: Panel
    rows: dict[int, pd.DataFrame]


# Each thread that works its own.
_kept = threading.local()


def walk_parts(job: EdgeJob) -> Walked:
    """Walk some more parts; what an earlier engine or day has left is taken as it is.

    The coins are all that are stored: at each bar the screen itself says, from what was known then, which were in the
    universe. Coins that were delisted before the store began are missing, so that those that survived count for more.

    Raises
    ------
    InputError
        If the walk refuses the history or the settings.
    StoreError
        If a file of the store is damaged, or a part cannot be written.
    """
    walk = _walk(job)
    parts = parts_of(walk.panel, job)
    _tidy(job.walk)
    done = min(len(parts), job.done + job.at_most)
    try:
        for first in parts[job.done : done]:
            walk.rows[first] = walk_part(walk.panel, first, job)
    except InputError as error:
        if not job.walk.exists():
            raise
        # Other rules made the parts, or prices and coins that are other ones by now.
        with store_errors(job.walk):
            shutil.rmtree(job.walk)
        walk.rows.clear()
        return Walked(0, len(parts), str(error))
    return Walked(done, len(parts))


def fit_edge(job: EdgeJob) -> FittedEdge | str:
    """Fit on all parts; return why the history is too short where it is.

    Raises
    ------
    InputError, StoreError
        As `walk_parts`.
    """
    walk = _walk(job)
    n_bars, closed_at, rows = walk.panel.n_bars, walk.panel.closed_at, _rows(walk, job)
    # The fit needs the room.
    _kept.__dict__.clear()
    del walk
    if rows is None:
        return _too_short(n_bars, job)
    rng = np.random.default_rng(int(job.bar.timestamp()))
    try:
        model = EdgeModel.fit(rows, settings=job.settings, rng=rng, block_hours=job.block_hours)
    except InputError as error:
        return str(error)
    over = over_by(rows, closed_at, hold=job.hold) & (rows["exit_reason"] != "data end")
    past = trades_of_record(rows[over]).reset_index(drop=True)
    return FittedEdge(CalibratedEdge({model.grid.kind: model}, past), closed_at)


def refusal(edge: CalibratedEdge, settings: ScreenSettings) -> str | None:
    """Say why a screen of these settings must not ask the models: it would fail at the first pair they do not know."""
    try:
        edge.check(settings)
    except InputError as error:
        return str(error)
    known = min(model.grid.p_max for model in edge.models.values())
    if settings.p_max > known:
        return f"it knows pairs with p of at most {known:g} and the settings' p_max is {settings.p_max:g}"
    return None


def _walk(job: EdgeJob) -> _Walk:
    of = job.folder, job.bar, job.settings, job.costs
    known: _Walk | None = getattr(_kept, "walk", None)
    if known is None or known.of != of:
        _kept.__dict__.clear()
        known = _kept.walk = _Walk(of, read_panel(job), {})
    return known


def _rows(walk: _Walk, job: EdgeJob) -> pd.DataFrame | None:
    """Return the candidates of all parts with what came of them; None without a part."""
    parts = parts_of(walk.panel, job)
    if not parts:
        return None
    walked = (walk.rows.pop(first) if first in walk.rows else walk_part(walk.panel, first, job) for first in parts)
    rows = pd.concat(list(walked), ignore_index=True)
    return pd.concat([rows, realise(rows, walk.panel, settings=job.settings, costs=job.costs)], axis=1)


def _too_short(n_bars: int, job: EdgeJob) -> str:
    bars, days = job.settings.window + 2 * PART * CADENCE, job.hold / pd.Timedelta(days=1)
    return (
        f"{n_bars:,} bars are stored: until the first trade has ended it takes up to {bars:,} bars and {days:.1f} "
        f"days, and {FEWEST_BLOCKS * job.block_hours / 24:.0f} days of trades that have ended are needed to calibrate"
    )


def _tidy(walk: Path) -> None:
    """Remove walks that began at another time, and what a worker that was ended in the middle of a file has left."""
    with store_errors(walk):
        for other in walk.parent.iterdir() if walk.parent.is_dir() else ():
            if other != walk and other.is_dir():
                shutil.rmtree(other)
    if walk.is_dir():
        remove_left_over(walk)
