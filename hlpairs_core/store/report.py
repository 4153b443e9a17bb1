from dataclasses import dataclass

import pandas as pd

__all__ = ["StoreReport"]


@dataclass(frozen=True)
class StoreReport:
    """What a store holds.

    Attributes
    ----------
    kind : str
        Such as ``candles-1h``, ``funding`` or ``minutes``.
    coins : int
        Number of coins with rows or answered ranges; spot pairs count beside the perpetuals of their coins.
    rows : int
        Rows in the files; one that was stored again counts again until its files are merged.
    first, last : pandas.Timestamp or None
        Time of the earliest and latest row, UTC; None without rows.
    holes : int
        Ranges that nobody asked for between the first and the last that were answered, over all coins.
    segments : int
        Number of files.
    bytes : int
        Their size.
    set_aside : tuple of str
        Names of files that cannot be read; most end in ``.corrupt``.
    """

    kind: str
    coins: int
    rows: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    holes: int
    segments: int
    bytes: int
    set_aside: tuple[str, ...]
