"""What is held, for a terminal and for a program."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hlpairs_core.store.journal_reader import JournalReport
from hlpairs_core.store.markets import MarketReport
from hlpairs_core.store.report import StoreReport
from hlpairs_core.store.scorecard_reader import ScorecardReport
from hlpairs_core.store.screen_history import ScreensReport

__all__ = ["held_json", "held_text"]

HEADINGS = ("kind", "coins", "rows", "first", "last", "holes", "files", "MB")
MB = 1_000_000


def held_text(data_dir: Path, markets: Sequence[MarketReport]) -> str:
    """Return what is held as lines for a terminal."""
    if not markets:
        return f"{data_dir} holds no market yet"
    return "\n\n".join([str(data_dir), *("\n".join(_lines(market)) for market in markets)])


def held_json(data_dir: Path, markets: Sequence[MarketReport]) -> dict[str, Any]:
    """Return what is held as plain JSON values; times are ISO 8601, UTC."""
    listed = [asdict(market) for market in markets]
    for market in listed:
        for store in market["stores"]:
            store |= {end: store[end] and store[end].isoformat() for end in ("first", "last")}
    return {"data_dir": str(data_dir), "markets": listed}


def _lines(market: MarketReport) -> list[str]:
    table = [HEADINGS, *(_cells(store) for store in market.stores)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rows = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]
    kept = [_of_journal(market.journal)] if market.journal else []
    kept += [_of_screens(market.screens)] if market.screens else []
    kept += [_of_scorecard(market.scorecard)] if market.scorecard else []
    aside = [f"set aside: {store.kind}/{name}" for store in market.stores for name in store.set_aside]
    return [market.market, *(f"  {line}" for line in (*rows, *kept, *aside, *market.problems))]


def _cells(store: StoreReport) -> tuple[str, ...]:
    ends = ("-" if end is None else f"{end:%Y-%m-%d %H:%M}" for end in (store.first, store.last))
    counts = (f"{store.holes:,}", f"{store.segments:,}", f"{store.bytes / MB:,.1f}")
    return store.kind, f"{store.coins:,}", f"{store.rows:,}", *ends, *counts


def _of_journal(journal: JournalReport) -> str:
    since, size = _since(journal.first_verdict_ms), f"{journal.bytes / MB:,.1f} MB"
    return f"journal: {journal.verdicts:,} verdicts{since}, {journal.snapshots:,} snapshots, {size}"


def _of_screens(screens: ScreensReport) -> str:
    since, size = _since(screens.first_closed_ms), f"{screens.bytes / MB:,.1f} MB"
    return f"screens: {screens.screens:,}{since}, {screens.whole:,} of them with all pairs, {size}"


def _of_scorecard(scorecard: ScorecardReport) -> str:
    since, size = _since(scorecard.first_closed_ms), f"{scorecard.bytes / MB:,.1f} MB"
    return (
        f"scorecard: {scorecard.bars:,} bars{since}, {scorecard.marked:,} of {scorecard.named:,} pairs marked, {size}"
    )


def _since(first_ms: int | None) -> str:
    return "" if first_ms is None else f" since {datetime.fromtimestamp(first_ms / 1000, UTC):%Y-%m-%d %H:%M}"
