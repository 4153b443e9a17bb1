"""Writes files so that a crash leaves the old one or the new one, never a part."""

import errno
import fcntl
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from hlpairs_core.exceptions import StoreError, StoreNotWritable

__all__ = ["DISK", "DiskFiles", "Files", "ReadOnlyFiles", "remove_left_over", "store_errors", "write_atomically"]

TEMPORARY = re.compile(r".*\.(?:(\d{1,9})-)?[0-9a-f]{8}\.tmp")
NOT_WRITABLE = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)
)


class Files(Protocol):
    """The steps that read and change a folder."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and its parents where they do not exist, and flush their names to the disk."""

    def read(self, path: Path) -> bytes:
        """Return the content of a file."""

    def read_end(self, path: Path, size: int) -> bytes:
        """Return the last bytes of a file, all of it where it is shorter."""

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Write a new file with these permissions (less the umask) and flush it to the disk."""

    def copy(self, source: Path, target: Path) -> None:
        """Copy the content of a file to a new one and flush it to the disk."""

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file or folder; a target that is a file is replaced in one step."""

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens if there is none."""

    def sync_folder(self, folder: Path) -> None:
        """Flush a folder's list of names to the disk."""


class DiskFiles:
    """`Files` of the operating system."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and its parents where they do not exist, and flush their names to the disk."""
        made = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in made:
            self._flush_folder(one.parent)

    def read(self, path: Path) -> bytes:
        """Return the content of a file."""
        return path.read_bytes()

    def read_end(self, path: Path, size: int) -> bytes:
        """Return the last bytes of a file, all of it where it is shorter."""
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read()

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Write a new file with these permissions (less the umask) and flush it to the disk."""
        # The mode is given at creation: a chmod afterwards would leave an instant for others to open it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            self._flush(file.fileno())

    def copy(self, source: Path, target: Path) -> None:
        """Copy the content of a file to a new one and flush it to the disk."""
        with source.open("rb") as original, target.open("xb") as file:
            shutil.copyfileobj(original, file)
            file.flush()
            self._flush(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file or folder; a target that is a file is replaced in one step."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens if there is none."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Flush a folder's list of names to the disk."""
        self._flush_folder(folder)

    def _flush_folder(self, folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            self._flush(handle)
        finally:
            os.close(handle)

    def _flush(self, handle: int) -> None:
        """Wait until it is on the disk, not only in its cache where the system tells these apart."""
        if sys.platform == "darwin":
            with suppress(OSError):  # not every file system there can
                fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
                return
        os.fsync(handle)


class ReadOnlyFiles(DiskFiles):
    """`Files` that change nothing: for a look into a folder where another process writes."""

    def _refuse(self, *_: object) -> None:
        raise OSError(errno.EROFS, "opened for reading only")

    make_folder = write = copy = replace = remove = _refuse  # type: ignore[assignment]


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

    After a crash, or an error before the rename, the target is what it was; a crash may leave a temporary file
    behind (`remove_left_over`). If only the flush after the rename fails, the target is the new one, perhaps not
    yet for good.

    Raises
    ------
    StoreNotWritable, StoreError
        As `store_errors` has it.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with store_errors(path.parent):
        files.make_folder(path.parent)
        try:
            files.write(temporary, data, mode)
            files.replace(temporary, path)
        except OSError:
            files.remove(temporary)
            raise
        files.sync_folder(path.parent)


def remove_left_over(folder: Path, *, files: Files = DISK) -> None:
    """Remove what `write_atomically` of processes that are gone has left in a folder.

    Raises
    ------
    StoreNotWritable, StoreError
        As `store_errors` has it.
    """
    with store_errors(folder):
        for path in folder.iterdir():
            match = TEMPORARY.fullmatch(path.name)
            if match and not _is_writing(match[1]):
                files.remove(path)


def _is_writing(pid: str | None) -> bool:
    # Ours are no longer being written: one thread at a time works in a folder.
    if pid is None or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
