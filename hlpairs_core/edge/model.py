"""The expected net edge of a candidate, learned from trades that are over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.edge.cell import Cell
from hlpairs_core.edge.features import FORMS
from hlpairs_core.edge.grid import Grid, kind_of
from hlpairs_core.edge.history import cell_of, check_blocks, ended_trades, largest_p
from hlpairs_core.edge.prediction import check_record, predicted
from hlpairs_core.edge.record import with_record
from hlpairs_core.edge.stored import read_model, write_model
from hlpairs_core.screening import ScreenSettings

__all__ = ["EdgeModel"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EdgeModel:
    """From candidates to calibrated expected net edges, for one kind of pair.

    Costs are known before a trade; what is learned is how much of the raw expectation of gross and funding arrives.
    Make one with `fit` or `load`.

    Attributes
    ----------
    grid : Grid
        The settings it was made for.
    cells : dict of (float, float) to Cell
        By horizon (hours) and ``z_in``.
    span : tuple of pandas.Timestamp
        First signal and last exit among the fitted trades.
    block_hours : float
        Blocks of time that were resampled.
    """

    grid: Grid
    cells: dict[tuple[float, float], Cell]
    span: tuple[pd.Timestamp, pd.Timestamp]
    block_hours: float

    def __repr__(self) -> str:
        first, last = (f"{time:%Y-%m-%d}" for time in self.span)
        return f"<EdgeModel of {self.grid.kind} pairs: {len(self.cells)} cells, fitted on {first} to {last}>"

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame | Mapping[float, pd.DataFrame],
        *,
        settings: ScreenSettings,
        rng: np.random.Generator,
        z_in: Sequence[float] | None = None,
        until: Any = None,
        block_hours: float = 168.0,
    ) -> "EdgeModel":
        """Fit on trades that are over.

        Parameters
        ----------
        rows : DataFrame, or mapping of horizon (hours) to DataFrame
            Candidates with outcomes, as of `walk_forward`, of one kind; of several horizons as `realise` makes them.
            Their order does not matter. Signals less than a longest hold (two horizons and a bar) before the latest
            time in the rows are left out whatever their exit, and trades that ended because the data did.
        settings : ScreenSettings
            Of the walk-forward.
        rng : numpy.random.Generator
            For resamples of blocks.
        z_in : sequence of float, optional
            Entry thresholds of the grid; the settings' when None.
        until : time with a zone, optional
            Only trades signalled a longest hold before it are fitted: to keep those that ended before it would be to
            keep the early winners. All when None.
        block_hours : float
            Length of the blocks of time that are resampled whole; at least the longest hold.

        Returns
        -------
        EdgeModel

        Raises
        ------
        InputError
            If a column is missing, kinds are mixed, blocks are shorter than the longest hold, or the history is too
            short to calibrate (says how much is missing).

        Notes
        -----
        Of each cell, forms from the simplest to the richest are compared on stretches of time that the fit has not
        seen; a richer one is taken if it is better by more than two standard errors. Fits are ridge regressions, drawn
        to "nothing arrives". Then the top of every bar is chosen by out-of-fold expectations, and the slope of what
        came on what was expected of these multiplies all expectations: a maximum of many estimates promises too
        much (Smith & Winkler 2006, Management Science, "The optimizer's curse").
        """
        of_horizon = rows if isinstance(rows, Mapping) else {float(settings.horizon_hours): rows}
        thresholds = tuple(sorted({float(z) for z in (z_in or (settings.z_in,))}))
        ended = {
            float(hours): ended_trades(table, until, horizon_hours=float(hours), bar_hours=settings.bar_hours)
            for hours, table in of_horizon.items()
        }
        cells, spans = {}, []
        for hours, table in ended.items():
            check_blocks(table, hours, block_hours)
            for z in thresholds:
                part = table[~(table["zscore"].abs() < z)]
                cells[hours, z] = cell_of(
                    part, horizon_hours=hours, bar_hours=settings.bar_hours, block_hours=block_hours, rng=rng
                )
            spans.append((table["signal_time"].min(), table["exit_time"].max()))
        tables = list(ended.values())
        grid = Grid(
            kind=kind_of(pd.concat([table[["kind"]] for table in tables])),
            shaping=Grid.shaped_by(settings),
            horizon_hours=tuple(sorted(ended)),
            z_in=thresholds,
            p_max=max(largest_p(table) for table in tables),
        )
        span = min(first for first, _ in spans), max(last for _, last in spans)
        return cls(grid=grid, cells=cells, span=span, block_hours=float(block_hours))

    def predict(
        self, rows: pd.DataFrame, *, settings: ScreenSettings, past: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Say what candidates are expected to bring.

        Parameters
        ----------
        rows : DataFrame
            Candidates with the columns of `walk_forward` that are known at the signal, costs among them: for another
            notional or fee, those of that trade. With a column ``record_share`` (see `with_record`), or with `past`.
        settings : ScreenSettings
            Of the screen; must be in the model's grid.
        past : DataFrame, optional
            Candidates with outcomes from which the pairs' records are taken, those signalled a longest hold before.

        Returns
        -------
        DataFrame
            With the index of `rows`, in bps of gross notional; NaN where an input is unknown:

            * ``mean_net_bps, standard_error_bps``: of the mean of this pair's net edge: the error of the fit, of the
              correction for choosing, and of whether this pair is one that reverts. The error is NaN where no income
              is expected because nothing was learned: the mean is less the costs alone there
            * ``lower_net_bps``: what the mean is above with 90 %, NaN with the error; ``qualifies``: whether that is
              above 0
            * ``low_net_bps, high_net_bps``: 90 % range of this one trade
            * ``gain_probability``: chance that it ends above 0
            * ``deviation_bps, worst_net_bps``: standard deviation of the trade, and mean of its worst 5 %
            * ``share``: how much of the raw expected gross is expected, within 0 and 1
            * ``gross_share, funding_share``: the parts of the mean: ``gross_share`` of the raw gross and
              ``funding_share`` of the raw funding less fees and slippage are ``mean_net_bps``

        Raises
        ------
        InputError
            For settings outside the grid, another kind, p or z beyond what was fitted, or missing columns.
        """
        self.grid.check_settings(settings)
        self.grid.check_rows(rows, settings.z_in)
        hours = float(settings.horizon_hours)
        cell = self.cells[hours, float(settings.z_in)]
        if past is not None:
            rows = with_record(rows, horizon_hours=hours, bar_hours=settings.bar_hours, past=past)
        check_record(rows, cell)
        return predicted(rows, cell, hours)

    def report(self) -> pd.DataFrame:
        """Return what was fitted: one row a cell with the form chosen, its numbers, and what else was tried."""
        table = []
        for (hours, z), cell in self.cells.items():
            arrived = cell.arrival
            table.append(
                {
                    "kind": self.grid.kind,
                    "horizon_hours": hours,
                    "z_in": z,
                    "first_signal": self.span[0],
                    "last_exit": self.span[1],
                    "n_rows": cell.n_rows,
                    "n_unknown": cell.n_unknown,
                    "form": cell.form,
                    "weights": ", ".join(f"{n} {w:.3g}" for n, w in zip(FORMS[cell.form], cell.weights, strict=True)),
                    "n_choices": arrived.n,
                    "n_choice_blocks": arrived.n_blocks,
                    "arrived_of_choices": arrived.raw,
                    "arrived_standard_error": arrived.standard_error,
                    "multiplied_by": arrived.share,
                    "unlike": cell.unlike,
                    "mean_net_bps": cell.mean_net_bps,
                    "n_tried": len(cell.tried),
                    "tried": "; ".join(f"{name}: {gain:.1f}" for name, gain in cell.tried.items()),
                }
            )
        return pd.DataFrame(table)

    def save(self, path: str | Path) -> None:
        """Write the model as JSON, whole or not at all.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        write_model(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> "EdgeModel":
        """Read a model that `save` wrote.

        Raises
        ------
        InputError
            If it is no model, or one of another version: fit it anew.
        """
        return cls(**read_model(Path(path)))
