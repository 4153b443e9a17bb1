"""Writes files so that a crash leaves the old one or the new one, never a part."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from hlpairs_core.exceptions import StoreError, StoreNotWritable

__all__ = ["DISK", "DiskFiles", "Files", "store_errors", "write_atomically"]

TEMPORARY = ".tmp"
NOT_WRITABLE = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)
)


class Files(Protocol):
    """The steps that read and change a folder."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and its parents where they do not exist."""

    def read(self, path: Path) -> bytes:
        """Return the content of a file."""

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Write a new file with these permissions (less the umask) and flush it to the disk."""

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file, replacing the target in one step."""

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens if there is none."""

    def sync_folder(self, folder: Path) -> None:
        """Flush a folder's list of names to the disk."""


class DiskFiles:
    """`Files` of the operating system."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and its parents where they do not exist."""
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, path: Path) -> bytes:
        """Return the content of a file."""
        return path.read_bytes()

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Write a new file with these permissions (less the umask) and flush it to the disk."""
        # The mode is given at creation: a chmod afterwards would leave an instant for others to open it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file, replacing the target in one step."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens if there is none."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Flush a folder's list of names to the disk."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


DISK = DiskFiles()


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Turn an error of the operating system into one that names the folder and the cause.

    Raises
    ------
    StoreNotWritable
        If the folder is read-only, full, or not ours.
    StoreError
        For any other error of the operating system.
    """
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        if error.errno in NOT_WRITABLE:
            raise StoreNotWritable(
                f"cannot write to {folder}: {cause.lower()}; make room, give access, or choose another folder"
            ) from error
        raise StoreError(f"cannot use {folder}: {cause.lower()}") from error


def write_atomically(path: Path, data: bytes, *, files: Files = DISK, mode: int = 0o666) -> None:
    """Write a file beside its target and rename it into place, both flushed to the disk.

    After an error the target is what it was; after a crash a file that ends in ``.tmp`` may be left behind.

    Raises
    ------
    StoreNotWritable, StoreError
        As `store_errors` has it.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    with store_errors(path.parent):
        files.make_folder(path.parent)
        try:
            files.write(temporary, data, mode)
            files.replace(temporary, path)
        except OSError:
            files.remove(temporary)
            raise
        files.sync_folder(path.parent)
