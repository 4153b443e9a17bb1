"""A process that stores bars and says so, to be killed; and the look at what it left.

``python bar_writer.py FOLDER backfill|live``
"""

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hlpairs_core.store import (
    Came,
    CandleStore,
    FundingStore,
    Journal,
    Keep,
    MinuteStore,
    Said,
    ScorecardFile,
    ScreenHistory,
    Screens,
    ScreenTable,
    SegmentStore,
    read_scorecard,
)
from hlpairs_core.store.pair_rows import ROW
from hlpairs_core.store.scorecard import Rule

__all__ = ["COINS", "MODES", "StoreChecker", "append_bars", "open_stores"]

MODES = ("backfill", "live")
START = pd.Timestamp("2025-01-01T00:00Z")
HOUR = pd.Timedelta(hours=1)
COINS = ["../up", "<b>&'", *(f"C{number:03d}" for number in range(188))]
COINS_A_BLOCK = 19
BARS_A_BLOCK = 50
BEST = 10
# Fewer than the engine's, so that a merge is often under way.
LOOSE_AT_MOST = 8
# What was stored: of which kind, and its two numbers.
Report = tuple[str, int, int]


def write(folder: Path, mode: str, say: Callable[[str], None]) -> None:
    """Store bars until killed, going on from what is there, and say each time what is stored."""
    say("begun")
    stores = open_stores(folder)
    if mode == "backfill":
        for block, part in itertools.product(range(1, 10**6), range(len(COINS) // COINS_A_BLOCK)):
            bars = range(-block * BARS_A_BLOCK, (1 - block) * BARS_A_BLOCK)
            coins = range(part * COINS_A_BLOCK, (part + 1) * COINS_A_BLOCK)
            if stores["candles"].missing(COINS[coins[0]], START + bars[0] * HOUR, START + bars[-1] * HOUR):
                append_bars(stores["candles"], coins, bars)
                say(f"stored block {block} {part}")
    journal = Journal(folder / "journal.sqlite")
    screens = Screens(folder / "screens.sqlite", keep=Keep(megabytes=0.2, best=BEST))
    scorecard = ScorecardFile(folder / "scorecard.sqlite")
    begun = {name: _bars(store) for name, store in stores.items()}
    for bar in itertools.count(min(begun.values())):
        for name, store in stores.items():
            if bar >= begun[name]:
                append_bars(store, range(len(COINS)), range(bar, bar + 1))
                say(f"stored {name} {bar} 0")
        journal.add_snapshot({"bar": bar, "text": "x" * 4000})
        journal.add_verdict(_verdict(bar), market="demo", bar_closed_ms=bar)
        say(f"stored verdict {bar} 0")
        scorecard.add([_said(bar, "answer"), _said(bar, "raw")])
        say(f"stored said {bar} 0")
        scorecard.mark([Came(closed_ms=bar, rule=rule, net_bps=float(bar)) for rule in ("answer", "raw")])
        say(f"stored came {bar} 0")
        for final in (False, True):
            screens.add(_table(bar, final), final=final)
            say(f"stored {'screen' if final else 'provisional'} {bar} 0")
        screens.prune()


class StoreChecker:
    """Knows what was reported stored in a folder, and compares it with what can be read there.

    Attributes
    ----------
    counts : collections.Counter
        What was reported and seen so far.
    """

    def __init__(self, folder: Path) -> None:
        self.counts: Counter[str] = Counter()
        self._folder = folder
        self._reported: set[Report] = set()

    def heard(self, line: str) -> None:
        """Take note of a line that the process wrote before it was killed."""
        said, *what = line.split(" ")
        if said == "stored":
            self._reported.add((what[0], int(what[1]), int(what[2])))
            self.counts[what[0]] += 1

    def check(self) -> None:
        """Open what the process left.

        Raises
        ------
        AssertionError
            If something that was reported is missing, or anything is there in part or is not what was written.
        """
        self.counts["temporary_files_left"] += sum(1 for _ in self._folder.rglob("*.tmp"))
        whole = self._verdicts() | self._screens() | self._scorecard()
        for name, store in open_stores(self._folder).items():
            whole |= _whole(name, store)
            assert store.problems == (), store.problems
        lost = self._reported - whole
        assert not lost, f"{len(lost)} of {len(self._reported)} are lost: {sorted(lost)[:5]}"
        self.counts["stored_before_it_was_said"] += len(whole - self._reported)
        self._reported |= whole  # it was read: now it must stay

    def _verdicts(self) -> set[Report]:
        if not (self._folder / "journal.sqlite").exists():
            return set()
        journal = Journal(self._folder / "journal.sqlite")
        entries = journal.verdicts()
        assert all(entry["payload"] == _verdict(entry["bar_ms"]) for entry in entries), "a verdict has changed"
        assert journal.problems == (), journal.problems
        journal.close()
        return {("verdict", entry["bar_ms"], 0) for entry in entries}

    def _screens(self) -> set[Report]:
        """Return which screens are there; what one has must be what was written, all of it or its best pairs."""
        history = ScreenHistory(self._folder / "screens.sqlite")
        if not history.path.exists():
            return set()
        there: set[Report] = set()
        for screen in history.screens().itertuples():
            bar = round((screen.time - START) / HOUR)
            rows = history.table(screen.closed_at)
            assert len(rows) == (screen.n_tests if screen.is_whole else BEST), "a screen is there in part"
            assert (rows["zscore"] == bar + screen.is_final / 2).all(), "two screens are mixed"
            there |= {(name, bar, 0) for name in ("provisional", *(["screen"] if screen.is_final else []))}
        return there

    def _scorecard(self) -> set[Report]:
        """Return of which bars something was said and what came of it is there: of both rules or of none."""
        path = self._folder / "scorecard.sqlite"
        if not path.exists():
            return set()
        there: set[Report] = set()
        for closed_at, rows in read_scorecard(path).groupby("closed_at"):
            bar, marked = round(closed_at.timestamp() * 1000), rows["marked_at"].notna()
            assert (len(rows), marked.nunique()) == (2, 1), "a bar is in the scorecard in part"
            assert (rows["text"] == str(bar)).all(), "what was said has changed"
            assert (rows.loc[marked, "realised_net_bps"] == bar).all(), "an outcome has changed"
            there |= {("said", bar, 0), *([("came", bar, 0)] if marked.all() else [])}
        return there


def _whole(name: str, store: SegmentStore) -> set[Report]:
    """Return which bars and blocks are there; nothing else may be, no part of one, and no other number."""
    rows = store.read()
    if rows.empty:
        return set()
    coins = rows["coin"].astype(str).map({coin: place for place, coin in enumerate(COINS)}).to_numpy()
    bars = ((rows["time"] - START) // HOUR).to_numpy()
    numbers = rows[[column for column in rows.columns if column not in ("coin", "time")]]
    expected = _numbers(numbers.columns, coins, bars)
    assert (numbers.to_numpy() == expected.to_numpy()).all(), f"{name}: a number is not what was written"
    first = min(0, int(bars.min())) // BARS_A_BLOCK * BARS_A_BLOCK
    there = np.zeros((len(COINS), max(0, int(bars.max()) + 1) - first), dtype=bool)
    there[coins, bars - first] = True
    history, live = np.split(there, [-first], axis=1)
    blocks = history.reshape(len(COINS) // COINS_A_BLOCK, COINS_A_BLOCK, -first // BARS_A_BLOCK, BARS_A_BLOCK)
    assert (live.all(axis=0) == live.any(axis=0)).all(), f"{name}: a bar has some of its coins"
    assert (blocks.all(axis=(1, 3)) == blocks.any(axis=(1, 3))).all(), f"{name}: a block is there in part"
    whole: set[Report] = {(name, bar, 0) for bar in np.flatnonzero(live.all(axis=0)).tolist()}
    for part, place in np.argwhere(blocks.all(axis=(1, 3))).tolist():
        whole.add(("block", blocks.shape[2] - place, part))
    _check_coverage(name, store, there, first)
    return whole


def _check_coverage(name: str, store: SegmentStore, there: np.ndarray, first: int) -> None:
    """A bar counts as answered if, and only if, it is there."""
    covered = np.zeros_like(there)
    for coin, start, end in store.coverage().itertuples(index=False):
        ends = [(time - START) // HOUR - first for time in (start, end)]
        covered[COINS.index(coin), ends[0] : ends[1] + 1] = True
    assert (covered == there).all(), f"{name}: what counts as answered is not what is there"


def append_bars(store: SegmentStore, coins: range, bars: range) -> None:
    place, bar = (grid.ravel() for grid in np.meshgrid(coins, bars, indexing="ij"))
    frame = pd.DataFrame({"coin": np.array(COINS, dtype=object)[place], "time": _times(bar)})
    columns = store.read([]).columns[2:]
    spans = [(COINS[coin], START + bars[0] * HOUR, START + bars[-1] * HOUR) for coin in coins]
    store.append(pd.concat([frame, _numbers(columns, place, bar)], axis="columns"), spans)
    if store.loose > LOOSE_AT_MOST:
        store.compact()


def _times(bars: np.ndarray) -> pd.DatetimeIndex:
    return (START + pd.to_timedelta(bars, unit="h")).as_unit("ms")


def _numbers(columns: Sequence[str], coins: np.ndarray, bars: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({column: coins * 1e7 + bars + place / 16 for place, column in enumerate(columns)})


def _table(bar: int, final: bool) -> ScreenTable:
    """All pairs of the coins, the final one also of one coin more; their z says which screen it is of."""
    coins = COINS[: 30 + final]
    pairs = np.array(list(itertools.combinations(range(len(coins)), 2)))
    rows = np.zeros(len(pairs), dtype=ROW)
    rows["y"], rows["x"], rows["zscore"] = *pairs.T, bar + final / 2
    opened_ms = round((START + bar * HOUR).timestamp() * 1000)
    times = {"bar_ms": opened_ms, "closed_ms": opened_ms + 3_600_000}
    said = {"asked": {}, "gates": (), "n_pairs": len(rows), "expected_by_luck": 0.0, "fee_bps": 9.0}
    return ScreenTable(**times, **said, coins=tuple(coins), rows=rows, qualifies=False, verdict="None.")


def _said(bar: int, rule: Rule) -> Said:
    pair = {"kind": "perp_perp", "y": COINS[0], "x": COINS[1], "side_y": "long", "side_x": "short"}
    asked = {"settings": {"interval": "1h", "horizon_hours": 48.0}}
    said = {"qualifies": True, "calibrated": True, "text": str(bar)}
    return Said(closed_ms=bar, rule=rule, asked=asked, signal=pair, **said)


def _verdict(bar: int) -> dict[str, object]:
    return {"bar": bar, "text": "x" * 2000}


def _bars(store: SegmentStore) -> int:
    """Return the first bar that is not there yet."""
    last = store.report().last
    return 0 if last is None else max(0, int((last - START) // HOUR) + 1)


def open_stores(folder: Path) -> dict[str, SegmentStore]:
    return {"candles": CandleStore(folder, "1h"), "funding": FundingStore(folder), "minutes": MinuteStore(folder)}


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2], _say)
