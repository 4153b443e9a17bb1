from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import IntArray
from hlpairs_core.market._frames import to_times

__all__ = ["Finding", "PanelReport"]

COLUMNS = ["coin", "reason", "count", "first", "last"]
NAMED_COINS = 5


@dataclass(frozen=True, eq=False)
class Finding:
    """Rows or bars that share one reason: which coin (index) and when (ms since 1970)."""

    reason: str
    coin: IntArray
    time_ms: IntArray


@dataclass(frozen=True, eq=False)
class PanelReport:
    """What was left out of a `Panel`, or is unknown in it, and why.

    It describes the frames the panel was built from; slices of the panel carry it unchanged.

    Attributes
    ----------
    rows : int
        Candle rows given, of the coins asked for.
    bars : int
        Of these, how many became a bar of the panel.
    has_funding : bool
        False when no funding was given: then none is known, and none is reported missing.
    table : pandas.DataFrame
        One row a coin and reason: ``coin, reason, count`` and the ``first`` and ``last`` time concerned
        (``datetime64[ms, UTC]``). Reasons that begin with ``missing`` count bars inside the coin's life that
        are unknown; ``funding`` reasons count funding rows; ``no bar`` has count 0; all others count dropped
        candle rows.
    """

    rows: int
    bars: int
    has_funding: bool
    table: pd.DataFrame

    def count(self, reason: str, *, coin: str | None = None) -> int:
        """Return how many rows or bars have this reason, for one coin or for all."""
        wanted = self.table["reason"] == reason
        if coin is not None:
            wanted &= self.table["coin"] == coin
        return int(self.table.loc[wanted, "count"].sum())

    @property
    def dropped(self) -> int:
        """Candle rows that did not become a bar."""
        return self.rows - self.bars

    @property
    def missing(self) -> pd.Series:
        """Bars missing inside a coin's life, by coin; coins without a gap are left out."""
        gaps = self.table[self.table["reason"] == "missing"]
        return gaps.set_index("coin")["count"].rename("missing")

    def __str__(self) -> str:
        lines = [f"{self.rows:,} candle rows gave {self.bars:,} bars; {self.dropped:,} were dropped"]
        lines += [_line(str(reason), part) for reason, part in self.table.groupby("reason", sort=False)]
        if not self.has_funding:
            lines.append("funding: none given")
        return "\n".join(lines)


def _line(reason: str, part: pd.DataFrame) -> str:
    worst = part.sort_values("count", ascending=False, kind="stable").head(NAMED_COINS)
    named = ", ".join(f"{coin} {count:,}" for coin, count in zip(worst["coin"], worst["count"], strict=True))
    more = f" and {len(part) - NAMED_COINS} more coins" if len(part) > NAMED_COINS else ""
    return f"{reason}: {int(part['count'].sum()):,} ({named}{more})"


def findings_table(findings: Iterable[Finding], names: tuple[str, ...]) -> pd.DataFrame:
    """Count findings by coin and reason, in the order of the reasons, then of the coins."""
    parts = [_summary(finding, names) for finding in findings if len(finding.coin)]
    if parts:
        return pd.concat(parts, ignore_index=True)
    empty = np.array([], dtype=np.int64)
    return _summary(Finding("", empty, empty), names)


def _summary(finding: Finding, names: tuple[str, ...]) -> pd.DataFrame:
    count = np.bincount(finding.coin, minlength=len(names))
    first = np.full(len(names), np.iinfo(np.int64).max)
    last = np.full(len(names), np.iinfo(np.int64).min)
    np.minimum.at(first, finding.coin, finding.time_ms)
    np.maximum.at(last, finding.coin, finding.time_ms)
    seen = np.flatnonzero(count)
    columns = (
        pd.Series([names[index] for index in seen], dtype="str"),
        pd.Series([finding.reason] * len(seen), dtype="str"),
        count[seen],
        to_times(first[seen]),
        to_times(last[seen]),
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
