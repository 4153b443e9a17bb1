"""One worker a folder: a lock that the operating system releases when its holder dies."""

import errno
import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from hlpairs_core.exceptions import EngineRunning, InputError, StoreError
from hlpairs_core.store.files import DISK, Files, store_errors

__all__ = ["FolderLock"]

NOTE_BYTES = 4096


class FolderLock:
    """The right to work in a folder in one role; at most one process has it.

    The file stays when the lock is released: removing it would let two processes lock two files of one name.

    Parameters
    ----------
    path : pathlib.Path
        The folder; made where it does not exist.
    role : str
        What the holder does, such as ``engine``; names the file ``<role>.lock``.
    files : Files, optional
        What changes the disk.

    Examples
    --------
    >>> with FolderLock(folder, "engine") as lock:  # doctest: +SKIP
    ...     lock.note(url="http://127.0.0.1:8867")
    """

    def __init__(self, path: Path, role: str = "engine", *, files: Files = DISK) -> None:
        if not role.isidentifier():
            raise InputError(f"role is {role!r}: give a plain word, such as 'engine'")
        self.folder = Path(path)
        self.role = role
        self.path = self.folder / f"{role}.lock"
        self._files = files
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self) -> None:
        """Take the lock; nothing happens if this object has it.

        Raises
        ------
        EngineRunning
            If another holder lives; the message names its process and address.
        StoreNotWritable, StoreError
            If the lock file cannot be made.
        """
        if self._handle is not None:
            return
        with store_errors(self.folder):
            self._files.make_folder(self.folder)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(handle)
                if error.errno == errno.EWOULDBLOCK:
                    raise EngineRunning(self._refusal()) from None
                raise
        self._handle = handle
        try:
            self.note()
        except StoreError:
            self.release()
            raise

    def note(self, **facts: Any) -> None:
        """Write who holds the lock, for the message to the next one; the process id is always among it.

        Raises
        ------
        StoreError
            If this object does not hold the lock.
        StoreNotWritable
            If the folder is full.
        """
        if self._handle is None:
            raise StoreError(f"the lock {self.path} is not held: acquire it first")
        text = json.dumps({"pid": os.getpid(), "role": self.role, **facts}).encode()
        with store_errors(self.folder):
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text, 0)

    def holder(self) -> dict[str, Any] | None:
        """Return what the last holder noted (it may be gone); None where there is nothing readable."""
        try:
            with self.path.open("rb") as file:
                content = json.loads(file.read(NOTE_BYTES))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def release(self) -> None:
        """Give the lock back; nothing happens if this object does not have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _refusal(self) -> str:
        noted = self.holder() or {}
        where = f" at {noted['url']}" if noted.get("url") else ""
        who = f"process {noted['pid']}{where}" if "pid" in noted else "a process that has not said which yet"
        return f"{self.folder} already has its {self.role}: {who}; use that one, or stop it first"

    def __enter__(self) -> "FolderLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
