"""Puts a backup in the place of what a data folder holds: all of it, or nothing.

The backup is copied to ``restore.partial`` in the data folder and checked there. Renaming that to ``restore.ready``
decides: before it nothing has changed, after it `finish_restore` moves the old markets aside and the new ones in,
now or, where the machine dies on the way, when the data folder is next used.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hlpairs_core.exceptions import InputError, StoreError
from hlpairs_core.store.files import DISK, Files, store_errors, write_atomically
from hlpairs_core.store.lock import FolderLock
from hlpairs_core.store.manifest import Listed, Manifest, read_manifest
from hlpairs_core.store.markets import markets_in

__all__ = ["Restored", "finish_restore", "is_restoring", "put_back"]

PARTIAL = "restore.partial"
READY = "restore.ready"
PLAN = "plan.json"


@dataclass(frozen=True)
class Restored:
    """A finished restore.

    Attributes
    ----------
    manifest : Manifest
        What was restored.
    aside : pathlib.Path or None
        Where the markets are that were there before; None if there were none.
    """

    manifest: Manifest
    aside: Path | None


def put_back(
    backup: Path,
    data_dir: Path,
    *,
    replace: bool = False,
    clock: Callable[[], float] = time.time,
    files: Files = DISK,
) -> Restored:
    """Put what a backup holds into a data folder.

    Parameters
    ----------
    backup : pathlib.Path
        A finished backup.
    data_dir : pathlib.Path
        The data folder; made where it does not exist.
    replace : bool
        Whether it may hold markets already: all of them are moved aside, to ``replaced-<time>`` in it.
    clock : callable
        Wall time in seconds since 1970.
    files : Files, optional
        What changes the disk.

    Raises
    ------
    EngineRunning
        If an engine works in the data folder.
    InputError
        If the data folder holds markets and `replace` is False.
    StoreNotWritable
        If the data folder cannot be written or is full.
    StoreError
        If the backup is unfinished, or a file of it is missing or damaged. In all these cases the data folder
        holds what it held; only where the disk fails while folders are being moved, the next use finishes that.
    """
    manifest = read_manifest(backup)
    for one in manifest.files:
        _check(backup, one)
    with FolderLock(data_dir, "engine", files=files), store_errors(data_dir):
        finish_restore(data_dir, files=files)
        present = _present(data_dir, manifest)
        if present and not replace:
            raise InputError(
                f"{data_dir} holds {', '.join(present)} already: choose another folder, or replace what is there "
                "(--replace moves it aside)"
            )
        aside = f"replaced-{datetime.fromtimestamp(clock(), UTC):%Y%m%dT%H%M%S%fZ}"
        plan = {"aside": aside, "replaced": present, "restored": manifest.markets}
        with _staged(data_dir) as stage:
            _fill(stage, backup, manifest, files)
            write_atomically(stage / PLAN, json.dumps(plan).encode(), files=files)
            files.replace(stage, data_dir / READY)
        files.sync_folder(data_dir)
        finish_restore(data_dir, files=files)
    return Restored(manifest, data_dir / aside if present else None)


def is_restoring(data_dir: Path) -> bool:
    """Return whether a restore was decided on and is not finished."""
    return (data_dir / READY).exists()


def finish_restore(data_dir: Path, *, files: Files = DISK) -> None:
    """Finish a restore that was decided on, and remove what one that was not has left; the caller holds the lock.

    Raises
    ------
    StoreNotWritable, StoreError
        If a folder cannot be moved; it may be tried again.
    """
    shutil.rmtree(data_dir / PARTIAL, ignore_errors=True)
    if not is_restoring(data_dir):
        return
    ready = data_dir / READY
    with store_errors(data_dir):
        if (ready / PLAN).exists():
            _carry_out(json.loads((ready / PLAN).read_bytes()), ready, data_dir, files)
            files.remove(ready / PLAN)
        ready.rmdir()


def _carry_out(plan: dict[str, Any], ready: Path, data_dir: Path, files: Files) -> None:
    """Move folders; each step is left out where it was done before the machine died."""
    aside = data_dir / plan["aside"]
    if plan["replaced"]:
        files.make_folder(aside)
    for name in plan["replaced"]:
        if (data_dir / name).exists() and not (aside / name).exists():
            files.replace(data_dir / name, aside / name)
    for name in plan["restored"]:
        if (ready / name).exists():
            files.replace(ready / name, data_dir / name)
    for folder in (aside, data_dir, ready):
        if folder.exists():
            files.sync_folder(folder)


def _present(data_dir: Path, manifest: Manifest) -> list[str]:
    """Return what would have to make room: every market, and whatever has the name of one that is restored."""
    taken = {name for name in manifest.markets if (data_dir / name).exists()}
    return sorted(taken.union(market.name for market in markets_in(data_dir)))


@contextmanager
def _staged(data_dir: Path) -> Iterator[Path]:
    """Give a place for what is not decided on yet; whatever fails leaves nothing there."""
    stage = data_dir / PARTIAL
    try:
        yield stage
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def _fill(stage: Path, backup: Path, manifest: Manifest, files: Files) -> None:
    for one in manifest.files:
        files.make_folder((stage / one.path).parent)
        files.copy(backup / one.path, stage / one.path)
        _check(stage, one)
    for folder in sorted({path.parent for path in stage.rglob("*")}):
        files.sync_folder(folder)


def _check(folder: Path, listed: Listed) -> None:
    try:
        found = Listed.of(folder, listed.path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(
            f"the backup in {folder} is not whole: {listed.path}: {reason}; nothing was restored"
        ) from error
    if found != listed:
        raise StoreError(
            f"the backup in {folder} is damaged: {listed.path} is not what was backed up; nothing was restored"
        )
