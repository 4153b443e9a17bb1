"""Finished parts of a walk-forward in a folder, so that an interrupted run goes on where it stopped."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hlpairs_core.backtest.walk_screen import BARS, BarRange, WalkRules
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.market.panel import ARRAYS
from hlpairs_core.screening.signals import SIGNALS
from hlpairs_core.store.files import write_atomically

__all__ = ["WalkFolder"]

_FORMAT = 1
_MANIFEST = "walk-forward.json"
_META = b"hlpairs.walk_forward"

Part = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class WalkFolder:
    """A folder of one walk-forward: a Parquet file a part, named by hashes of its rules and span and of its content.

    What is kept is known at the signal bars; outcomes are worked out anew, so that the same folder serves when the
    history has grown. Each file says which prices it was made from.
    """

    path: Path

    def claim(self, rules: WalkRules) -> None:
        """Take the folder for these rules.

        Raises
        ------
        InputError
            If it holds parts by other rules: says which differ.
        StoreError
            If it cannot be written to.
        """
        ours, manifest = _described(rules), self.path / _MANIFEST
        if manifest.exists():
            self._refuse_others(ours, manifest)
        else:
            write_atomically(manifest, json.dumps(ours, indent=1).encode())

    def _refuse_others(self, ours: Mapping[str, Any], manifest: Path) -> None:
        try:
            theirs = json.loads(manifest.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{manifest} cannot be read ({error}): use another folder") from None
        names = sorted({*ours, *theirs})
        other = [f"{name} is {theirs.get(name)!r} there, {ours.get(name)!r} here" for name in names
                 if theirs.get(name) != ours.get(name)]  # fmt: skip
        if other:
            raise InputError(f"{self.path} was made by other rules: {'; '.join(other)}; use another folder")

    def read(self, task: BarRange) -> Part | None:
        """Return a part, or None where it is not there or damaged.

        Raises
        ------
        InputError
            If it was made from other prices, or has columns that are not known.
        """
        path = self._find(task)
        data = b"" if path is None else path.read_bytes()
        if path is None or path.stem.rpartition("-")[2] != _digest(data):
            return None
        table = pq.read_table(pa.BufferReader(data))
        self._refuse_columns(path, table.schema.names)
        content = json.loads(table.schema.metadata[_META])
        self._refuse_prices(task, content["coins"])
        return _decoded(table, content["bars"], task)

    def write(self, task: BarRange, part: Part) -> None:
        """Keep a part.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        rows, bars = part
        told = bars.assign(signal_time=pd.DatetimeIndex(bars["signal_time"]).as_unit("ms").asi8)
        content = {"coins": _fingerprints(task), "bars": told.to_numpy(dtype=object).tolist()}
        table = pa.Table.from_pandas(rows, preserve_index=False)
        meta = {**(table.schema.metadata or {}), _META: json.dumps(content).encode()}
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(meta), sink, compression="zstd")
        data, damaged = bytes(sink.getvalue()), self._find(task)
        path = self.path / f"{_name(task)}-{_digest(data)}.parquet"
        write_atomically(path, data)
        if damaged not in (None, path):
            damaged.unlink()

    def _find(self, task: BarRange) -> Path | None:
        return next(iter(sorted(self.path.glob(f"{_name(task)}-*.parquet"))), None)

    def _refuse_columns(self, path: Path, names: list[str]) -> None:
        other = [*(set(names) - set(SIGNALS)), *(set(SIGNALS) - set(names))]
        if other:
            raise InputError(
                f"{path} has unknown columns or lacks some ({', '.join(sorted(other))}): another version wrote it; "
                "use another folder"
            )

    def _refuse_prices(self, task: BarRange, theirs: Mapping[str, str]) -> None:
        ours = _fingerprints(task)
        other = [coin for coin in sorted({*ours, *theirs}) if ours.get(coin) != theirs.get(coin)]
        if other:
            span = f"{task.panel.time[0]:%Y-%m-%d %H:%M} to {task.panel.time[-1]:%Y-%m-%d %H:%M} UTC"
            more = f" and {len(other) - 5} more" if len(other) > 5 else ""
            raise InputError(
                f"{self.path} was made from another panel: bars of {', '.join(other[:5])}{more} differ in {span}; "
                "use another folder"
            )


def _described(rules: WalkRules) -> dict[str, Any]:
    return {"format": _FORMAT, **asdict(rules.settings), **asdict(rules.costs), **asdict(rules.gates)}


def _name(task: BarRange) -> str:
    times = task.panel.time[list(task.bars)].asi8.tolist()
    return f"bars-{_digest(json.dumps([_described(task.rules), times]).encode())}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def _fingerprints(task: BarRange) -> dict[str, str]:
    """Return a hash of each coin's bars; a coin that had none yet does not count."""
    panel: Panel = task.panel
    stacked = np.stack([getattr(panel, name) for name in ARRAYS])
    listed = np.flatnonzero(np.isfinite(panel.close).any(axis=0))
    return {panel.coins[i]: hashlib.sha256(stacked[:, :, i].tobytes()).hexdigest()[:16] for i in listed}


def _decoded(table: pa.Table, counts: list[list[Any]], task: BarRange) -> Part:
    rows = table.to_pandas()[list(SIGNALS)]
    for leg in ("y", "x"):
        rows[leg] = rows[leg].cat.set_categories(list(task.panel.coins))
    bars = pd.DataFrame(counts, columns=list(BARS))
    times = pd.DatetimeIndex(bars["signal_time"].to_numpy(dtype="datetime64[ms]")).tz_localize("UTC")
    return rows, bars.assign(signal_time=times)
