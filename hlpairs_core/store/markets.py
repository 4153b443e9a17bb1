"""What is held in a data folder: a look that changes nothing, also while an engine works there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hlpairs_core.exceptions import InputError, StoreError
from hlpairs_core.intervals import INTERVALS
from hlpairs_core.store.candles import CandleStore, FundingStore, MinuteStore
from hlpairs_core.store.files import DISK, Files, ReadOnlyFiles
from hlpairs_core.store.journal import JOURNAL_SCHEMA
from hlpairs_core.store.journal_reader import JournalReport, report_journal
from hlpairs_core.store.report import StoreReport
from hlpairs_core.store.scorecard import SCORECARD_SCHEMA
from hlpairs_core.store.scorecard_reader import ScorecardReport, report_scorecard
from hlpairs_core.store.screen_history import ScreensReport, report_screens
from hlpairs_core.store.screens import SCREENS_SCHEMA
from hlpairs_core.store.series import SegmentStore

__all__ = [
    "DATABASES",
    "JOURNAL",
    "SCORECARD",
    "SCREENS",
    "MarketReport",
    "held",
    "is_kind",
    "is_market_name",
    "kinds_in",
    "market_with",
    "markets_in",
    "open_store",
]

JOURNAL = "journal.sqlite"
SCREENS = "screens.sqlite"
SCORECARD = "scorecard.sqlite"
DATABASES = {JOURNAL: JOURNAL_SCHEMA, SCREENS: SCREENS_SCHEMA, SCORECARD: SCORECARD_SCHEMA}
CANDLES = "candles-"
Report = TypeVar("Report")
OTHERS = (".", "engine.", "restore.", "replaced-")


@dataclass(frozen=True)
class MarketReport:
    """What is held of one market.

    Attributes
    ----------
    market : str
        Its name, which is its folder's.
    stores : tuple of StoreReport
        Candles by interval, funding, minutes; only those that exist.
    journal : JournalReport or None
    screens : ScreensReport or None
    scorecard : ScorecardReport or None
        None where there is none, or it cannot be read.
    problems : tuple of str
        What cannot be read, and why.
    """

    market: str
    stores: tuple[StoreReport, ...]
    journal: JournalReport | None
    screens: ScreensReport | None
    scorecard: ScorecardReport | None
    problems: tuple[str, ...]


def held(data_dir: Path) -> tuple[MarketReport, ...]:
    """Report on every market in a data folder, by name.

    Raises
    ------
    StoreError
        If the folder cannot be listed.
    """
    return tuple(_report(market) for market in markets_in(data_dir))


def markets_in(data_dir: Path) -> list[Path]:
    """Return the folders of markets in a data folder, sorted; none where there is no folder.

    Raises
    ------
    StoreError
        If a folder cannot be listed.
    """
    folders = (path for path in _folders(data_dir) if is_market_name(path.name))
    return sorted(path for path in folders if _has_database(path) or kinds_in(path))


def market_with(data_dir: Path, market: str | None, name: str, what: str) -> Path:
    """Return the folder of the market that has a file; without a market's name, of the only one that has it.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data folder.
    market : str or None
        Which market is meant.
    name, what : str
        Of the file, and what it is called in messages.

    Raises
    ------
    InputError
        If the market has none, or it has to be said which is meant.
    """
    names = [path.name for path in markets_in(data_dir) if (path / name).exists()]
    if market is None and len(names) == 1:
        market = names[0]
    if market not in names:
        known = ", ".join(names) or "no market"
        which = "" if market is None else f", {market!r} has not"
        raise InputError(f"{known} in {data_dir} has {what}{which}: say which market is meant (--market)")
    return data_dir / market


def kinds_in(market: Path) -> list[str]:
    """Return the kinds of segments in the folder of a market, sorted.

    Raises
    ------
    StoreError
        If the folder cannot be listed.
    """
    return sorted(path.name for path in _folders(market) if is_kind(path.name))


def open_store(market: Path, kind: str, *, files: Files = DISK) -> SegmentStore:
    """Open one of `kinds_in`."""
    if kind == "funding":
        return FundingStore(market, files=files)
    if kind == "minutes":
        return MinuteStore(market, files=files)
    return CandleStore(market, kind.removeprefix(CANDLES), files=files)


def is_market_name(name: str) -> bool:
    """Return whether a folder of this name can be a market's: the data folder has others."""
    return name.isprintable() and "\\" not in name and name != "" and not name.startswith(OTHERS)


def is_kind(name: str) -> bool:
    """Return whether a folder of this name holds segments."""
    return name in ("funding", "minutes") or (name.startswith(CANDLES) and name.removeprefix(CANDLES) in INTERVALS)


def _has_database(market: Path) -> bool:
    return any((market / name).exists() for name in DATABASES)


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"cannot list {folder}: {error.strerror}") from error


def _report(market: Path) -> MarketReport:
    stores: list[StoreReport] = []
    problems: list[str] = []
    for kind in kinds_in(market):
        try:
            store = open_store(market, kind, files=ReadOnlyFiles())
            stores.append(store.report())
            problems += [f"{kind}: {problem}" for problem in store.problems]
        except StoreError as error:
            problems.append(f"{kind}: {error}")
    journal = _reported(report_journal, market / JOURNAL, problems)
    screens = _reported(report_screens, market / SCREENS, problems)
    scorecard = _reported(report_scorecard, market / SCORECARD, problems)
    return MarketReport(market.name, tuple(stores), journal, screens, scorecard, tuple(problems))


def _reported(report: Callable[[Path], Report], path: Path, problems: list[str]) -> Report | None:
    try:
        return report(path) if path.exists() else None
    except StoreError as error:
        problems.append(str(error))
        return None
