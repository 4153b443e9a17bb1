"""The list of files that makes a folder a finished backup."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hlpairs_core.exceptions import StoreError
from hlpairs_core.store.files import Files, write_atomically
from hlpairs_core.store.markets import DATABASES, is_kind, is_market_name
from hlpairs_core.store.segments import age_of

__all__ = ["MANIFEST", "Listed", "Manifest", "read_manifest", "write_manifest"]

MANIFEST = "manifest.json"
FORMAT = "hlpairs backup"
VERSION = 3
# The first had no screens, the second no scorecard.
READABLE = (1, 2, VERSION)


@dataclass(frozen=True)
class Listed:
    """A file of a backup: its path in it, its size, and the SHA-256 of its content."""

    path: str
    bytes: int
    sha256: str

    @property
    def market(self) -> str:
        """The market it belongs to."""
        return PurePosixPath(self.path).parts[0]

    @classmethod
    def of(cls, folder: Path, path: str) -> "Listed":
        """Return what to list of a file in the folder of a backup."""
        with (folder / path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(path, file.tell(), found)


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes
    ----------
    taken_at_ms : int
        When it was begun: wall time, milliseconds since 1970. What was reported stored by then is in it.
    files : tuple of Listed
        Every file.
    """

    taken_at_ms: int
    files: tuple[Listed, ...]

    @property
    def markets(self) -> list[str]:
        """Names of the markets, sorted."""
        return sorted({one.market for one in self.files})

    def __str__(self) -> str:
        size = sum(one.bytes for one in self.files) / 1_000_000
        return f"{len(self.files):,} files, {size:,.1f} MB, of {', '.join(self.markets)}"


def write_manifest(folder: Path, manifest: Manifest, *, files: Files) -> None:
    """Finish a backup: its other files are on the disk already."""
    content = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
    write_atomically(folder / MANIFEST, json.dumps(content, indent=1).encode(), files=files)


def read_manifest(folder: Path) -> Manifest:
    """Return what a finished backup holds.

    Raises
    ------
    StoreError
        If the folder is no backup, an unfinished one, one of a newer version, or its list cannot be trusted.
    """
    path = folder / MANIFEST
    try:
        content: Any = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        if content["version"] not in READABLE:
            raise StoreError(f"{folder} is a backup of version {content['version']!r}: update hlpairs")
        files = tuple(Listed(str(one["path"]), int(one["bytes"]), str(one["sha256"])) for one in content["files"])
        strange = [one.path for one in files if not _belongs(one.path)]
        if strange:
            raise ValueError(f"it lists {strange[0]!r}, which is no file of a market")
        return Manifest(int(content["taken_at_ms"]), files)
    except FileNotFoundError:
        raise StoreError(f"{folder} is no backup, or one that was never finished: it has no {MANIFEST}") from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path} is not the list of a backup: {error or type(error).__name__}") from error


def _belongs(path: str) -> bool:
    """Return whether this is where a file of a market can be: nothing else is ever written by a restore."""
    parts = path.split("/")
    if not is_market_name(parts[0]):
        return False
    return (len(parts) == 2 and parts[1] in DATABASES) or (
        len(parts) == 3 and is_kind(parts[1]) and age_of(parts[2]) is not None
    )
