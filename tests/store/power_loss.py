"""A machine that can lose power: what was not flushed to the disk may be gone, there, or there in part."""

import os
import random
from pathlib import Path
from typing import TypeAlias

from hlpairs_core.store.files import DiskFiles

# Content of a file, None for a folder.
Entry: TypeAlias = "bytes | None"


class PowerCut(BaseException):
    """The machine is gone."""


class Machine(DiskFiles):
    """A disk of which it is known what was flushed; the power goes before its k-th step.

    What survives is worked out from the calls of fsync alone: content of a file once it was flushed itself, the
    names in a folder as they were when the folder was last flushed. Names that came or went since then each may
    have reached the disk or not, in any order; a file that was not flushed may be empty, cut short, or zeros.

    Parameters
    ----------
    root : pathlib.Path
        Everything in it is on the disk already.
    cut_at : int
        Which step never happens.
    """

    def __init__(self, root: Path, cut_at: int = -1) -> None:
        self.root = root
        self.left = cut_at
        self._content: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, Entry]] = {}
        for folder, _, files in os.walk(root):
            self._content |= {(path := Path(folder, name)).stat().st_ino: path.read_bytes() for name in files}
            self._names[Path(folder)] = self._live(Path(folder))

    def write(self, path: Path, data: bytes, mode: int) -> None:
        self._step()
        super().write(path, data, mode)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def _flush(self, handle: int) -> None:
        self._step()
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.is_dir():
            self._names[path] = self._live(path)
        else:
            self._content[path.stat().st_ino] = path.read_bytes()

    def after_power_is_back(self, target: Path, rng: random.Random) -> None:
        """Write to a folder what may be on the disk then."""
        self._rebuild(self.root, target, rng)

    def _step(self) -> None:
        self.left -= 1
        if self.left == -1:
            raise PowerCut

    def _live(self, folder: Path) -> dict[str, Entry]:
        return {path.name: None if path.is_dir() else self._flushed(path) for path in folder.iterdir()}

    def _flushed(self, path: Path) -> bytes:
        """Return a file's content as far as it is known to be on the disk, else a mark."""
        content = path.read_bytes()
        return content if self._content.get(path.stat().st_ino) == content else b"?" + content

    def _rebuild(self, folder: Path, target: Path, rng: random.Random) -> None:
        target.mkdir()
        kept, live = self._names.get(folder, {}), self._live(folder)
        for name in sorted(kept.keys() | live.keys()):
            chosen = kept if rng.random() < 0.5 else live
            if kept.get(name, b"") == live.get(name, b"") and name in kept and name in live:
                chosen = kept
            if name not in chosen:
                continue
            content = chosen[name]
            if content is None:
                self._rebuild(folder / name, target / name, rng)
            else:
                (target / name).write_bytes(self._torn(content[1:], rng) if content[:1] == b"?" else content)

    def _torn(self, content: bytes, rng: random.Random) -> bytes:
        length = rng.choice([0, rng.randrange(len(content) + 1), len(content)])
        return content[:length] if rng.random() < 0.5 else b"\0" * length


class Forgetful(Machine):
    """A machine whose program forgets to flush: folders or files."""

    def __init__(self, root: Path, cut_at: int = -1, *, forgets: str) -> None:
        super().__init__(root, cut_at)
        self._forgets = forgets

    def _flush(self, handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().is_dir() != (self._forgets == "folders"):
            super()._flush(handle)
