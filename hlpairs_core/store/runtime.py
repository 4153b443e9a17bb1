import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hlpairs_core.exceptions import StoreError
from hlpairs_core.store.files import DISK, Files, remove_left_over, store_errors, write_atomically

__all__ = ["RuntimeFile"]

logger = logging.getLogger(__name__)

OWNER_ONLY = 0o600


class RuntimeFile:
    """How to reach the process that works in a folder: address and tokens, readable by its owner only.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    files : Files, optional
        What changes the disk.
    """

    def __init__(self, path: Path, *, files: Files = DISK) -> None:
        self.path = Path(path)
        self._files = files

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace the file in one step; it never exists with wider permissions than 0600.

        Raises
        ------
        StoreNotWritable, StoreError
            If it cannot be written; then the old one stays.
        """
        write_atomically(self.path, json.dumps(content).encode(), files=self._files, mode=OWNER_ONLY)
        remove_left_over(self.path.parent, files=self._files)

    def read(self) -> dict[str, Any] | None:
        """Return the content; None where there is no file, or (with a logged warning) no readable one.

        Raises
        ------
        StoreError
            If the file exists and the operating system does not let us read it.
        """
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror}") from error
        except ValueError as error:
            logger.warning("%s is passed over, it is no JSON: %s", self.path, error)
            return None
        if not isinstance(content, dict):
            logger.warning("%s is passed over, it holds no object", self.path)
            return None
        return content

    def remove(self) -> None:
        """Remove the file; nothing happens if there is none.

        Raises
        ------
        StoreNotWritable, StoreError
            If it cannot be removed.
        """
        with store_errors(self.path.parent):
            self._files.remove(self.path)
