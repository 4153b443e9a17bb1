"""Copies of what is held, taken while an engine goes on."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hlpairs_core.exceptions import InputError, StoreError, StoreNotWritable
from hlpairs_core.store.database import copy_database
from hlpairs_core.store.files import DISK, Files, store_errors
from hlpairs_core.store.listing import segment_names
from hlpairs_core.store.manifest import Listed, Manifest, write_manifest
from hlpairs_core.store.markets import DATABASES, kinds_in, markets_in
from hlpairs_core.store.restore import is_restoring
from hlpairs_core.store.segments import BrokenSegment, check_name

__all__ = ["Backup", "back_up"]

TRIES = 100


@dataclass(frozen=True)
class Backup:
    """A finished backup.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    manifest : Manifest
        What it holds.
    left_out : tuple of str
        Damaged files that are not in it, with the reason of each.
    """

    folder: Path
    manifest: Manifest
    left_out: tuple[str, ...]


def back_up(data_dir: Path, target: Path, *, clock: Callable[[], float] = time.time, files: Files = DISK) -> Backup:
    """Copy all that is held of every market; what was reported stored before this began is in it.

    An engine may go on writing. Addresses, tokens, locks and logs are not copied. The backup is finished when it
    has its ``manifest.json``, which is written last; after an error nothing of it is left.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data folder.
    target : pathlib.Path
        A folder that is empty, or does not exist yet.
    clock : callable
        Wall time in seconds since 1970.
    files : Files, optional
        What changes the disk.

    Raises
    ------
    InputError
        If the target is not empty, or lies in the data folder.
    StoreNotWritable
        If the target cannot be written or is full.
    StoreError
        If there is nothing to back up, or it cannot be read.
    """
    _check_apart(data_dir, target)
    taken_at_ms, markets = round(clock() * 1000), markets_in(data_dir)
    if is_restoring(data_dir):
        raise StoreError(f"a restore of {data_dir} was cut short: start the engine once, it finishes that")
    if not markets:
        raise StoreError(f"{data_dir} holds no market: there is nothing to back up")
    with _empty(target, files):
        copies = _Copies(target, files)
        for market in markets:
            # The databases first: the bars that verdicts and screens speak of are stored before them.
            for name, schema in DATABASES.items():
                copies.database(market, name, schema.what)
            for kind in kinds_in(market):
                copies.segments(market, kind)
        manifest = Manifest(taken_at_ms, tuple(Listed.of(target, path) for path in sorted(copies.paths)))
        write_manifest(target, manifest, files=files)
    return Backup(target, manifest, tuple(copies.left_out))


class _Copies:
    """Copies into a backup, and what could not be copied."""

    def __init__(self, target: Path, files: Files) -> None:
        self.paths: set[str] = set()
        self.left_out: list[str] = []
        self._target = target
        self._files = files

    def database(self, market: Path, name: str, what: str) -> None:
        if not (market / name).exists():
            return
        copy = self._target / market.name / name
        self._files.make_folder(copy.parent)
        try:
            copy_database(market / name, copy, what)
        except StoreNotWritable:
            raise
        except StoreError as damaged:
            self.left_out.append(str(damaged))
            self._files.remove(copy)
        else:
            self._files.sync_folder(copy.parent)
            self.paths.add(f"{market.name}/{name}")

    def segments(self, market: Path, kind: str) -> None:
        """Copy the segments that are there at one moment."""
        source, copy = market / kind, self._target / market.name / kind
        self._files.make_folder(copy)
        copied: set[str] = set()
        for _ in range(TRIES):
            present = segment_names(source)
            # The newest first: these may be merged and removed while we copy. What they held is then in a new one.
            fresh = sorted(present - copied, reverse=True)
            copied.update(name for name in fresh if self._copy(source / name, copy / name))
            if copied >= present:
                break
        else:
            raise StoreError(f"the files in {source} keep changing: try again")
        for name in copied - present:
            self._files.remove(copy / name)
        self._files.sync_folder(copy)
        self.paths.update(f"{market.name}/{kind}/{name}" for name in present if (copy / name).exists())

    def _copy(self, source: Path, copy: Path) -> bool:
        """Copy a segment; False where it is gone by now. A damaged one is left out."""
        try:
            data = self._files.read(source)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"cannot read {source}: {error.strerror}") from error
        try:
            check_name(source.name, data)
        except BrokenSegment as broken:
            self.left_out.append(f"{'/'.join(source.parts[-3:])} {broken}")
        else:
            self._files.write(copy, data, 0o666)
        return True


def _check_apart(data_dir: Path, target: Path) -> None:
    here, there = data_dir.resolve(), target.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise InputError(f"{target} and the data folder {data_dir} contain each other: choose a folder outside it")


@contextmanager
def _empty(target: Path, files: Files) -> Iterator[None]:
    """Make sure that a folder is there and empty; whatever fails leaves it so."""
    with store_errors(target):
        made = not target.exists()
        files.make_folder(target)
        if any(target.iterdir()):
            raise InputError(f"{target} is not empty: choose a new folder for each backup")
        try:
            yield
        except BaseException:
            with suppress(OSError):
                for path in target.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                if made:
                    target.rmdir()
            raise
