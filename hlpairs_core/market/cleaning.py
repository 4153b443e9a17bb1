"""From rows as they came to bars on one clock; whatever is left out is a `Finding`."""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import INTERVALS
from hlpairs_core.market._frames import NO_TIME, LongFrame, to_times
from hlpairs_core.market.report import Finding

__all__ = ["FIELDS", "Grid", "build_grid", "infer_interval"]

FIELDS = ("open", "high", "low", "close", "volume")
DAY_MS = 86_400_000
# One absurd time among good ones would ask for a clock of decades: refuse rather than fill the memory.
MOST_CELLS_A_ROW = 20
FREE_CELLS = 20_000_000


@dataclass(frozen=True, eq=False)
class Grid:
    """Clean bars on one clock.

    Attributes
    ----------
    first_ms, step_ms : int
        Open of the first bar and distance of the bars, in milliseconds.
    values : dict of str to ndarray, shape (n_bars, n_coins)
        By field of `FIELDS`; NaN where there is no bar.
    findings : list of Finding
        What was left out.
    """

    first_ms: int
    step_ms: int
    values: dict[str, FloatArray]
    findings: list[Finding]

    @property
    def time_ms(self) -> IntArray:
        """Bar opens, in milliseconds since 1970."""
        return self.first_ms + self.step_ms * np.arange(len(self.values["close"]), dtype=np.int64)


def infer_interval(rows: LongFrame) -> str:
    """Return the interval whose length is the most common step between a coin's consecutive bars.

    Raises
    ------
    InputError
        If no coin has two bars, or the step is no interval of the exchange.
    """
    order = np.lexsort((rows.time_ms, rows.coin))
    time, coin = rows.time_ms[order], rows.coin[order]
    usable = (np.diff(coin) == 0) & (time[:-1] != NO_TIME) & (time[1:] > time[:-1])
    steps, counts = np.unique((time[1:] - time[:-1])[usable], return_counts=True)
    if not len(steps):
        raise InputError("no coin has two bars, so the interval cannot be told: give interval=")
    step = int(steps[np.argmax(counts)])
    for name, duration in INTERVALS.items():
        if duration.total_seconds() * 1000 == step:
            return name
    raise InputError(f"bars are mostly {step / 1000:g} s apart, which is no interval of the exchange: give interval=")


def build_grid(rows: LongFrame, step_ms: int, *, end_ms: int | None = None) -> Grid:
    """Put rows on one clock and leave out what is no tradable, closed bar.

    In this order: rows that cannot be a bar, all but the last row of a time, leading bars without volume (the
    exchange back-fills prices from before a coin was listed), bars not closed at `end_ms`. Each step looks at
    the past of a bar only, and the clock starts at the first bar left, so an earlier end gives the same bars,
    fewer.

    Raises
    ------
    InputError
        If no bar is left, or the times are so far apart that they cannot belong together.
    """
    faults, findings = _row_faults(rows, step_ms)
    good = np.flatnonzero(faults == 0)
    if not len(good):
        raise InputError(f"none of {len(rows):,} candle rows is a bar; the first is {_first_fault(rows, findings)}")
    first_ms, last_ms = int(rows.time_ms[good].min()), int(rows.time_ms[good].max())
    _check_span(first_ms, last_ms, step_ms, rows)
    bar = (rows.time_ms[good] - first_ms) // step_ms
    kept, repeated = _last_of_each(bar * len(rows.names) + rows.coin[good])
    findings.append(_finding("duplicate time", rows, good[repeated]))
    grid = Grid(first_ms, step_ms, _scatter(rows, good[kept], bar[kept]), findings)
    return _only_closed(_trimmed(_without_backfill(grid)), end_ms)


def _row_faults(rows: LongFrame, step_ms: int) -> tuple[IntArray, list[Finding]]:
    """Return for each row 0, or the number of the first reason against it; and the findings."""
    o, high, low, close, volume = (rows.values[name] for name in FIELDS)
    checks: list[tuple[str, BoolArray]] = [
        ("time missing", rows.time_ms == NO_TIME),
        ("off the clock", ~rows.whole_ms | ((rows.time_ms - _phase(rows.time_ms, step_ms)) % step_ms != 0)),
        ("price not finite", ~(np.isfinite(o) & np.isfinite(high) & np.isfinite(low) & np.isfinite(close))),
        ("price not positive", np.minimum(np.minimum(o, close), np.minimum(high, low)) <= 0),
        ("high below low", high < low),
        ("open or close outside high and low", (np.maximum(o, close) > high) | (np.minimum(o, close) < low)),
        ("volume negative or not finite", ~(np.isfinite(volume) & (volume >= 0))),
    ]
    faults = np.zeros(len(rows), dtype=np.int64)
    for number, (_, bad) in enumerate(checks, start=1):
        faults[bad & (faults == 0)] = number
    faulty = np.flatnonzero(faults)
    findings = [
        _finding(reason, rows, faulty[faults[faulty] == number]) for number, (reason, _) in enumerate(checks, start=1)
    ]
    return faults, findings


def _phase(time_ms: IntArray, step_ms: int) -> int:
    """Return the clock's offset: candles open on multiples of their length, those above a day need not."""
    known = time_ms[time_ms != NO_TIME]
    if step_ms <= DAY_MS or not len(known):
        return 0
    offsets, counts = np.unique(known % step_ms, return_counts=True)
    return int(offsets[np.argmax(counts)])


def _finding(reason: str, rows: LongFrame, where: IntArray) -> Finding:
    return Finding(reason, rows.coin[where], rows.time_ms[where])


def _first_fault(rows: LongFrame, findings: list[Finding]) -> str:
    for finding in findings:
        if len(finding.coin):
            return f"{rows.names[finding.coin[0]]}: {finding.reason}"
    return "of a coin that was not asked for"


def _check_span(first_ms: int, last_ms: int, step_ms: int, rows: LongFrame) -> None:
    n_bars, n_coins = (last_ms - first_ms) // step_ms + 1, len(rows.names)
    if n_bars * n_coins <= max(FREE_CELLS, MOST_CELLS_A_ROW * len(rows)):
        return
    first, last = np.array([first_ms, last_ms]).view("datetime64[ms]")
    raise InputError(
        f"{len(rows):,} candle rows span {first} to {last}, which would be {n_bars:,} bars of {n_coins} "
        "coins: remove the rows with wrong times, or give the right interval="
    )


def _last_of_each(key: IntArray) -> tuple[IntArray, IntArray]:
    """Return the positions of the last entry of each key, and of all others."""
    position = np.arange(len(key), dtype=np.int64)
    last = np.full(int(key.max()) + 1, -1, dtype=np.int64)
    np.maximum.at(last, key, position)
    newest = last[key] == position
    return np.flatnonzero(newest), np.flatnonzero(~newest)


def _scatter(rows: LongFrame, where: IntArray, bar: IntArray) -> dict[str, FloatArray]:
    shape = (int(bar.max()) + 1, len(rows.names))
    values = {}
    for name in FIELDS:
        values[name] = np.full(shape, np.nan)
        values[name][bar, rows.coin[where]] = rows.values[name][where]
    return values


def _without_backfill(grid: Grid) -> Grid:
    has_bar = ~np.isnan(grid.values["close"])
    listed = np.logical_or.accumulate(grid.values["volume"] > 0, axis=0)
    backfill = has_bar & ~listed
    grid.findings.append(_cells("before listing: zero volume", backfill, grid.time_ms))
    for column in grid.values.values():
        column[backfill] = np.nan
    return grid


def _trimmed(grid: Grid) -> Grid:
    """Let the clock run from the first to the last bar that is left."""
    filled = np.flatnonzero(~np.isnan(grid.values["close"]).all(axis=1))
    if not len(filled):
        raise InputError("no coin ever traded in these candles: every volume is zero")
    return _cut(grid, int(filled[0]), int(filled[-1]) + 1)


def _only_closed(grid: Grid, end_ms: int | None) -> Grid:
    if end_ms is None:
        return grid
    keep = int(np.searchsorted(grid.time_ms, end_ms - grid.step_ms, side="right"))
    closed = _cut(grid, 0, keep)
    late = np.ones((len(grid.values["close"]), 1), dtype=bool)
    late[:keep] = False
    closed.findings.append(_cells("not closed at end", late & ~np.isnan(grid.values["close"]), grid.time_ms))
    if not keep or np.isnan(closed.values["close"]).all():
        raise InputError(f"no bar is closed at the end {to_times(np.array([end_ms]))[0]}: give a later one")
    return closed


def _cut(grid: Grid, start: int, stop: int) -> Grid:
    values = {name: column[start:stop] for name, column in grid.values.items()}
    return Grid(grid.first_ms + start * grid.step_ms, grid.step_ms, values, grid.findings)


def _cells(reason: str, where: BoolArray, time_ms: IntArray) -> Finding:
    bar, coin = np.nonzero(where)
    return Finding(reason, coin, time_ms[bar])


def gaps(grid: Grid) -> Finding:
    """Return the bars missing between a coin's first and its last."""
    has_bar = ~np.isnan(grid.values["close"])
    begun = np.logical_or.accumulate(has_bar, axis=0)
    goes_on = np.logical_or.accumulate(has_bar[::-1], axis=0)[::-1]
    return _cells("missing", begun & goes_on & ~has_bar, grid.time_ms)
