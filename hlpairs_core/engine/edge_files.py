"""Fitted models on the disk, so that a restarted engine has them at once."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from hlpairs_core.edge import CalibratedEdge, EdgeModel
from hlpairs_core.engine.fitted_edge import KINDS, FittedEdge
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store.files import store_errors, write_atomically

__all__ = ["load_fit", "save_fit"]

MODELS = {kind: f"edge-model-{kind}.json" for kind in KINDS}
PAST, LIST = "edge-past.parquet", "edge-fit.json"
_FORMAT = 3


def save_fit(folder: Path, fitted: FittedEdge) -> None:
    """Keep models and their records in a market's folder; the list that makes them one comes last.

    Raises
    ------
    StoreError
        If they cannot be written.
    """
    names = [MODELS[kind] for kind in fitted.edge.models]
    with store_errors(folder):
        for kind, model in fitted.edge.models.items():
            model.save(folder / MODELS[kind])
        past = io.BytesIO()
        fitted.edge.past.to_parquet(past, index=False, compression="zstd")
        write_atomically(folder / PAST, past.getvalue())
        listed = {
            "format": _FORMAT,
            "closed_at": fitted.closed_at.isoformat(),
            "files": {name: _digest(folder / name) for name in (*names, PAST)},
            "short": dict(fitted.short),
        }
        write_atomically(folder / LIST, json.dumps(listed, indent=1).encode())
        for other in set(folder.glob("edge-model*.json")) - {folder / name for name in names}:
            other.unlink()


def load_fit(folder: Path, settings: ScreenSettings) -> FittedEdge | None:
    """Return the models that are kept and what is refused of them; None where nothing is kept.

    Raises
    ------
    InputError
        If nothing can be used: it is damaged, of another version, or fitted for other settings; says which.
    """
    listed = _listed(folder / LIST)
    if listed is None:
        return None
    try:
        files = dict(listed["files"])
        short = {str(kind): str(why) for kind, why in dict(listed["short"]).items()}
        closed_at = pd.Timestamp(listed["closed_at"])
        _check(folder / PAST, files)
        past = pd.read_parquet(folder / PAST)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(f"it is damaged ({error})") from None
    models, refused = {}, {}
    for kind, name in MODELS.items():
        if name in files:
            try:
                models[kind] = _model(folder / name, kind, files)
            except InputError as error:
                refused[kind] = str(error)
    kept = FittedEdge(CalibratedEdge(models, past), closed_at, short, refused).usable(settings)
    if not kept.edge.models:
        raise InputError(kept.why_not or "it holds no model")
    return kept


def _model(path: Path, kind: str, files: dict[str, str]) -> EdgeModel:
    try:
        _check(path, files)
    except OSError as error:
        raise InputError(f"it is damaged ({error})") from None
    model = EdgeModel.load(path)
    if model.grid.kind != kind:
        raise InputError(f"{path.name} is of {model.grid.kind} pairs")
    return model


def _listed(path: Path) -> dict[str, Any] | None:
    try:
        listed = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read ({error})") from None
    if not isinstance(listed, dict) or listed.get("format") != _FORMAT:
        raise InputError(f"{path.name} is of another version of hlpairs")
    return listed


def _check(path: Path, files: dict[str, str]) -> None:
    if _digest(path) != files[path.name]:
        raise InputError(f"{path.name} is not what was written")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
