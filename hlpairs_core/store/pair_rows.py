"""The tested pairs of a screen as a table of plain numbers, and as the bytes of a part of it."""

import zlib
from typing import TypeAlias

import numpy as np

from hlpairs_core.exceptions import StoreError

__all__ = ["NUMBERS", "ROW", "PairRows", "from_bytes", "to_bytes"]

NUMBERS = (
    "p_value",
    "q_value",
    "t_stat",
    "zscore",
    "beta",
    "half_life_hours",
    "gross_bps",
    "slippage_bps",
    "funding_bps",
)
"""The numbers of a pair: those of a candidate of the same name. The fee is the same for all pairs of a screen, and
the net edge follows from the others."""

ROW = np.dtype([("y", "<u4"), ("x", "<u4"), ("failed", "<u4"), *((name, "<f4") for name in NUMBERS)])
"""A pair: its coins as numbers, a bit for each gate it fails, and its numbers with seven significant digits."""

PairRows: TypeAlias = np.ndarray[tuple[int], np.dtype[np.void]]
"""Array of `ROW`, shape (n_pairs,)."""


def to_bytes(rows: PairRows) -> bytes:
    """Pack rows: first bytes of all first, since signs and exponents hardly differ from pair to pair."""
    planes = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), ROW.itemsize).T
    return zlib.compress(planes.tobytes(), level=1)


def from_bytes(packed: bytes) -> PairRows:
    """Return the rows that were packed.

    Raises
    ------
    StoreError
        If the bytes are no rows.
    """
    try:
        planes = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(ROW.itemsize, -1)
    except (zlib.error, ValueError) as error:
        raise StoreError(f"a part of a screen cannot be read: {error}") from error
    return np.ascontiguousarray(planes.T).view(ROW)[:, 0]
