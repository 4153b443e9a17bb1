"""The trades that a model may learn from: those that are over, and enough of them."""

from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.edge.blocks import time_blocks
from hlpairs_core.edge.cell import Cell, fit_cell
from hlpairs_core.edge.choice import FEWEST_BLOCKS
from hlpairs_core.edge.features import NEEDED
from hlpairs_core.edge.grid import OUTCOMES_NEEDED, check_columns
from hlpairs_core.edge.holds import data_end, longest_hold, over_by
from hlpairs_core.edge.record import with_record
from hlpairs_core.exceptions import InputError

__all__ = ["cell_of", "check_blocks", "ended_trades", "largest_p"]

_DAY = 24.0


def ended_trades(rows: pd.DataFrame, until: Any, *, horizon_hours: float, bar_hours: float) -> pd.DataFrame:
    """Return the trades of signals a longest hold before the cut and the data's end, in order, with pairs' records."""
    check_columns(rows, (*NEEDED, *OUTCOMES_NEEDED))
    end = data_end(rows)
    if until is not None:
        from hlpairs_core.market._frames import as_utc

        end = min(as_utc(until, "until"), end)
    over = over_by(rows, end, hold=longest_hold(horizon_hours=horizon_hours, bar_hours=bar_hours))
    rows = rows[over & (rows["exit_reason"] != "data end")]
    if rows.empty:
        raise InputError("no candidate's trade has ended: nothing to fit; use more history or a later `until`")
    rows = rows.sort_values(["signal_time", "y", "x"], kind="stable")
    rows = rows.assign(y=rows["y"].astype(str), x=rows["x"].astype(str))
    return with_record(rows, horizon_hours=horizon_hours, bar_hours=bar_hours)


def check_blocks(rows: pd.DataFrame, hours: float, block_hours: float) -> None:
    """Refuse blocks of time that are too short, and a history that is."""
    longest = float(((rows["exit_time"] - rows["signal_time"]) / pd.Timedelta(hours=1)).max())
    if block_hours < max(longest, hours):
        raise InputError(
            f"block_hours is {block_hours:g} and the longest trade took {longest:g} hours: blocks of time must hold it"
        )
    span = float((rows["signal_time"].max() - rows["signal_time"].min()) / pd.Timedelta(hours=1))
    needed = FEWEST_BLOCKS * block_hours
    if span < needed:
        raise InputError(
            f"trades that have ended span {span / _DAY:.1f} days, {needed / _DAY:.0f} are needed to calibrate "
            f"({FEWEST_BLOCKS} blocks of {block_hours / _DAY:g} days): {(needed - span) / _DAY:.1f} days are missing"
        )


def cell_of(
    rows: pd.DataFrame, *, horizon_hours: float, bar_hours: float, block_hours: float, rng: np.random.Generator
) -> Cell:
    """Fit the candidates of one horizon and threshold, if they lie in enough blocks of time."""
    blocks = time_blocks(rows["signal_time"], hours=block_hours) if len(rows) else np.empty(0, dtype=np.int64)
    n_blocks = int(blocks.max(initial=-1)) + 1
    if n_blocks < FEWEST_BLOCKS:
        raise InputError(
            f"candidates lie in {n_blocks} blocks of {block_hours / _DAY:g} days, {FEWEST_BLOCKS} are needed to "
            f"calibrate: {FEWEST_BLOCKS - n_blocks} are missing; use more history or a lower z_in"
        )
    return fit_cell(rows, blocks, horizon_hours=horizon_hours, bar_hours=bar_hours, rng=rng)


def largest_p(rows: pd.DataFrame) -> float:
    """Return the gate that the candidates have passed, in hundredths."""
    return float(np.ceil(100 * rows["p_value"].max()) / 100) if "p_value" in rows else float("nan")
