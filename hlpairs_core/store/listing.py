"""Which segments are in a folder where another process may be writing."""

from pathlib import Path

from hlpairs_core.exceptions import StoreError
from hlpairs_core.store.segments import age_of

__all__ = ["TRIES", "restless", "segment_names"]

TRIES = 20


def segment_names(folder: Path) -> set[str]:
    """Return the names of the segments in a folder, none where there is no folder.

    A list that is made while the writer replaces segments by one could miss both: two lists in a row must hold
    the same ones, or more.
    """
    before = _listed(folder)
    for _ in range(TRIES):
        now = _listed(folder)
        if before <= now:
            return now
        before = now
    raise restless(folder)


def restless(folder: Path) -> StoreError:
    """Return the error that a folder goes on changing."""
    return StoreError(f"the files in {folder} keep changing: is more than one process writing there?")


def _listed(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir() if age_of(path.name)}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StoreError(f"cannot list {folder}: {error.strerror}") from error
