"""Made-up tables of screens."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from hlpairs_core.store import ScreenTable
from hlpairs_core.store.pair_rows import NUMBERS, ROW

__all__ = ["FEE_BPS", "GATES", "HOUR_MS", "START", "closed_at", "make_table"]

HOUR_MS = 3_600_000
START = pd.Timestamp("2025-01-01T00:00Z")
GATES = ("cointegrated", "entry", "edge")
FEE_BPS = 9.0


def closed_at(hour: int) -> pd.Timestamp:
    """When the bar of this hour closed."""
    return START + pd.Timedelta(hours=hour + 1)


def make_table(
    hour: int, coins: Sequence[str] = ("BTC", "ETH", "SOL", "XRP"), *, seed: int = 0, **changes
) -> ScreenTable:
    """The screen of an hour: all pairs of these coins, either way round and in any order, with numbers of its own."""
    rng = np.random.default_rng([hour, seed])
    names = tuple(rng.permutation(np.array(coins, dtype=object)))
    pairs = np.array(list(combinations(range(len(names)), 2)), dtype=np.int64).reshape(-1, 2)
    rows = np.zeros(len(pairs), dtype=ROW)
    rows["y"], rows["x"] = rng.permuted(pairs, axis=1)[rng.permutation(len(pairs))].T
    rows["failed"] = rng.integers(0, 2 ** len(GATES), len(rows))
    for name in NUMBERS:
        rows[name] = rng.normal(size=len(rows))
    bar_ms = int(START.timestamp() * 1000) + hour * HOUR_MS
    said = {"gates": GATES, "coins": names, "rows": rows, "n_pairs": len(rows), "expected_by_luck": 0.05 * len(rows)}
    said |= {"bar_ms": bar_ms, "closed_ms": bar_ms + HOUR_MS, "asked": {"settings": {"window": 336}, "costs": {}}}
    said |= {"fee_bps": FEE_BPS, "qualifies": False, "verdict": f"No pair qualifies in hour {hour}."}
    return ScreenTable(**(said | changes))
