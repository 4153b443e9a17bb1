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
from hlpairs_core.engine.edge_spot import walk_spot
from hlpairs_core.engine.fitted_edge import KINDS, FittedEdge
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store.files import remove_left_over, store_errors

__all__ = ["Walked", "fit_edge", "walk_parts"]


@dataclass(frozen=True)
class Walked:
    """Parts done and parts that there are; `anew` says why those of earlier days were thrown away."""

    done: int
    total: int
    anew: str | None = None


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


def fit_edge(job: EdgeJob) -> FittedEdge:
    """Fit each kind of pair on all parts; of a kind whose history is too short the answer says what is missing.

    Raises
    ------
    InputError, StoreError
        As `walk_parts`.
    """
    walk = _walk(job)
    closed_at, parts = walk.panel.closed_at, parts_of(walk.panel, job)
    if not parts:
        return FittedEdge(CalibratedEdge({}), closed_at, dict.fromkeys(KINDS, _too_short(walk.panel.n_bars, job)))
    walked, short = _walked(walk, parts, job)
    # The fits need the room.
    _kept.__dict__.clear()
    del walk
    models, pasts = {}, []
    for kind, rows in walked.items():
        rng = np.random.default_rng(int(job.bar.timestamp()))
        try:
            models[kind] = EdgeModel.fit(rows, settings=job.settings, rng=rng, block_hours=job.block_hours)
        except InputError as error:
            short[kind] = str(error)
            continue
        over = over_by(rows, closed_at, hold=job.hold) & (rows["exit_reason"] != "data end")
        pasts.append(trades_of_record(rows[over]))
    return FittedEdge(CalibratedEdge(models, _together(pasts)), closed_at, short)


def _walk(job: EdgeJob) -> _Walk:
    of = job.folder, job.bar, job.settings, job.costs
    known: _Walk | None = getattr(_kept, "walk", None)
    if known is None or known.of != of:
        _kept.__dict__.clear()
        known = _kept.walk = _Walk(of, read_panel(job), {})
    return known


def _walked(walk: _Walk, parts: list[int], job: EdgeJob) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Return the candidates of each kind with what came of them, and why a kind cannot be walked."""
    found, short = {"perp_perp": _rows(walk, parts, job)}, {}
    if job.matches:
        try:
            found["spot_perp"] = walk_spot(walk.panel, parts, job)
        except InputError as error:
            short["spot_perp"] = str(error)
    return found, short


def _rows(walk: _Walk, parts: list[int], job: EdgeJob) -> pd.DataFrame:
    """Return the candidates of all parts with what came of them."""
    walked = (walk.rows.pop(first) if first in walk.rows else walk_part(walk.panel, first, job) for first in parts)
    rows = pd.concat(list(walked), ignore_index=True)
    return pd.concat([rows, realise(rows, walk.panel, settings=job.settings, costs=job.costs)], axis=1)


def _together(pasts: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the trades of all kinds into one table; each has categories of its own."""
    filled = [CalibratedEdge({}, one).past for one in pasts if len(one)]
    if len(filled) < 2:
        return filled[0].reset_index(drop=True) if filled else pd.DataFrame()
    past = pd.concat(filled, ignore_index=True)
    return past.astype(dict.fromkeys(("kind", "y", "x"), "category"))


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
