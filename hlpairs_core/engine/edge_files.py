"""A fitted model on the disk, so that a restarted engine has it at once."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from hlpairs_core.edge import CalibratedEdge, EdgeModel
from hlpairs_core.engine.edge_walk import FittedEdge, refusal
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store.files import store_errors, write_atomically

__all__ = ["load_fit", "save_fit"]

MODEL, PAST, LIST = "edge-model.json", "edge-past.parquet", "edge-fit.json"
_FORMAT = 1


def save_fit(folder: Path, fitted: FittedEdge) -> None:
    """Keep a model and its records in a market's folder; the list that makes them one comes last.

    Raises
    ------
    StoreError
        If they cannot be written.
    """
    (model,) = fitted.edge.models.values()
    with store_errors(folder):
        model.save(folder / MODEL)
        past = io.BytesIO()
        fitted.edge.past.to_parquet(past, index=False, compression="zstd")
        write_atomically(folder / PAST, past.getvalue())
        closed_at = fitted.closed_at.isoformat()
        listed = {"format": _FORMAT, "closed_at": closed_at, "files": _digests(folder)}
        write_atomically(folder / LIST, json.dumps(listed, indent=1).encode())


def load_fit(folder: Path, settings: ScreenSettings) -> FittedEdge | None:
    """Return the model that is kept; None where there is none.

    Raises
    ------
    InputError
        If it is damaged, of another version, or fitted for other settings: says which.
    """
    listed = _listed(folder / LIST)
    if listed is None:
        return None
    try:
        if _digests(folder) != listed["files"]:
            raise InputError(f"{MODEL} or {PAST} is not what was written")
        closed_at = pd.Timestamp(listed["closed_at"])
        past = pd.read_parquet(folder / PAST)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(f"it is damaged ({error})") from None
    model = EdgeModel.load(folder / MODEL)
    edge = CalibratedEdge({model.grid.kind: model}, past)
    reason = refusal(edge, settings)
    if reason is not None:
        raise InputError(reason)
    return FittedEdge(edge, closed_at)


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


def _digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (MODEL, PAST)}
