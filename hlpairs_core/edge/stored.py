"""A model as a JSON file."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hlpairs_core.edge.cell import Cell
from hlpairs_core.edge.choice import Arrival
from hlpairs_core.edge.features import FORMS
from hlpairs_core.edge.grid import Grid
from hlpairs_core.edge.outcomes import OutcomeShape
from hlpairs_core.exceptions import InputError, StoreError

if TYPE_CHECKING:
    from hlpairs_core.edge.model import EdgeModel

__all__ = ["VERSION", "read_model", "write_model"]

VERSION = 1
"""Raised whenever a term or the meaning of a number changes: a model of another version is refused."""


def write_model(model: "EdgeModel", path: Path) -> None:
    """Write a model; a reader finds the old file or the new one, never half of one."""
    content = {
        "hlpairs_edge_model": VERSION,
        "grid": asdict(model.grid),
        "span": [time.isoformat() for time in model.span],
        "block_hours": model.block_hours,
        "cells": [
            {"horizon_hours": hours, "z_in": z, "terms": FORMS[cell.form]} | _cell_as_dict(cell)
            for (hours, z), cell in model.cells.items()
        ],
    }
    written = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        written.write_text(json.dumps(_plain(content), indent=1, allow_nan=False))
        written.replace(path)
    except OSError as problem:
        written.unlink(missing_ok=True)
        raise StoreError(f"cannot write the model to {path}: {problem}") from problem


def read_model(path: Path) -> dict[str, Any]:
    """Read the fields of a model."""
    try:
        content = json.loads(path.read_text())
        version = content["hlpairs_edge_model"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputError(f"{path} is not an edge model ({problem!r}): give a file that EdgeModel.save wrote") from None
    if version != VERSION:
        raise InputError(f"{path} is an edge model of version {version}, this is version {VERSION}: fit it anew")
    try:
        return _fields(content)
    except (ValueError, KeyError, TypeError) as problem:
        raise InputError(f"{path} is a damaged edge model ({problem!r}): fit it anew") from None


def _fields(content: dict[str, Any]) -> dict[str, Any]:
    grid = dict(content["grid"])
    for name in ("horizon_hours", "z_in"):
        grid[name] = tuple(grid[name])
    grid["p_max"] = _number(grid["p_max"])
    first, last = (pd.Timestamp(time) for time in content["span"])
    cells = {(cell["horizon_hours"], cell["z_in"]): _cell(cell) for cell in content["cells"]}
    return {"grid": Grid(**grid), "cells": cells, "span": (first, last), "block_hours": content["block_hours"]}


def _cell_as_dict(cell: Cell) -> dict[str, Any]:
    return {name: asdict(value) if name in ("arrival", "shape") else value for name, value in vars(cell).items()}


def _cell(stored: dict[str, Any]) -> Cell:
    if tuple(stored["terms"]) != FORMS[stored["form"]]:
        raise ValueError(f"form {stored['form']!r} has other terms now")
    k = len(stored["terms"])
    arrived, shape = stored["arrival"], stored["shape"]
    return Cell(
        form=stored["form"],
        weights=np.array(stored["weights"], dtype=np.float64),
        covariance=np.array(stored["covariance"], dtype=np.float64).reshape(k, k),
        arrival=Arrival(**{name: _number(value) for name, value in arrived.items()}),
        shape=OutcomeShape(**{name: np.array(value, dtype=np.float64) for name, value in shape.items()}),
        unlike=stored["unlike"],
        tried=stored["tried"],
        n_rows=stored["n_rows"],
        n_unknown=stored["n_unknown"],
        mean_net_bps=stored["mean_net_bps"],
    )


def _number(value: float | int | None) -> Any:
    return float("nan") if value is None else value


def _plain(value: Any) -> Any:
    """Return only what JSON has: lists, and null for an undefined number."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
