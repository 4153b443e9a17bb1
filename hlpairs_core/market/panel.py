from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market._frames import LongFrame, as_utc, read_long, to_ms, to_times
from hlpairs_core.market.cleaning import FIELDS, Grid, build_grid, gaps, infer_interval
from hlpairs_core.market.funding import join_funding, missing_funding
from hlpairs_core.market.panel_checks import as_numbers, check_clock, check_coins, check_values
from hlpairs_core.market.report import Finding, PanelReport, findings_table

__all__ = ["Panel"]

ARRAYS = (*FIELDS, "funding")


@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """Closed candles of many coins on one clock.

    All arrays have shape (n_bars, n_coins) and are read-only. They are NaN where the coin had no bar: before
    its listing, after its delisting, or where the bar is missing. A bar without a trade is a bar: its prices
    are flat, its volume is 0 and `traded` is False.

    Attributes
    ----------
    time : pandas.DatetimeIndex
        Bar opens (``datetime64[ms, UTC]``), one interval apart, without holes.
    coins : tuple of str
        The columns.
    interval : str
        Length of a bar, such as ``"1h"``.
    open, high, low, close : ndarray
        Prices in USD.
    volume : ndarray
        In base units per bar.
    funding : ndarray
        Sum of the hourly funding rates (fractions of notional, positive: longs pay) stamped inside the bar,
        ``open <= stamp < open + interval``, stamps floored to their hour. NaN too where a stamp that is due
        is unknown; 0 where none is due (bars shorter than an hour).
    report : PanelReport
        What was left out when the panel was built, and why.

    Raises
    ------
    InputError
        If coins or times are there twice or times have holes, an array has another shape, or a value is impossible:
        names the coin, the bar and the value.

    Examples
    --------
    >>> panel = Panel.from_candles(candles, funding)  # doctest: +SKIP
    >>> panel.until("2025-02-01T00:00Z").tail(336).log_close  # doctest: +SKIP
    """

    time: pd.DatetimeIndex
    coins: tuple[str, ...]
    interval: str
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    funding: FloatArray
    report: PanelReport

    def __post_init__(self) -> None:
        object.__setattr__(self, "coins", check_coins(self.coins))
        shape = (len(self.time), len(self.coins))
        if not all(shape):
            raise InputError(f"a panel needs at least one bar and one coin, not {shape[0]} and {shape[1]}")
        check_clock(self.time, self.interval)
        arrays = {name: as_numbers(getattr(self, name), name, shape) for name in ARRAYS}
        check_values(arrays, self.time, self.coins)
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        span = f"{self.time[0]:%Y-%m-%d %H:%M} to {self.time[-1]:%Y-%m-%d %H:%M}"
        return f"<Panel: {self.n_coins} coins, {self.n_bars} bars of {self.interval}, {span}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would lose the read-only flags on the way to a worker process.
        return Panel, tuple(getattr(self, one.name) for one in fields(self))

    @classmethod
    def from_candles(
        cls,
        candles: pd.DataFrame,
        funding: pd.DataFrame | None = None,
        *,
        interval: str | None = None,
        coins: Sequence[str] | None = None,
        end: Any = None,
    ) -> "Panel":
        """Build a panel from long frames, leaving out (and reporting) what is no tradable, closed bar.

        Give all the history there is: leading bars without volume are taken for prices from before the
        listing.

        Parameters
        ----------
        candles : pandas.DataFrame
            ``coin, time, open, high, low, close, volume``; `time` is the bar's open, with a time zone. Any
            order; of two rows with the same coin and time the later row counts. Not changed.
        funding : pandas.DataFrame, optional
            ``coin, time, funding_rate`` (fraction per hour), times as the exchange sends them. None or a
            frame without rows: no funding is known. Coins without candles are passed over.
        interval : str, optional
            Such as ``"1h"``; the most common step between bars when None.
        coins : sequence of str, optional
            The columns, in this order; all coins, by name, when None. A coin without candles is a column of
            NaN and reported as ``no bar``.
        end : time with a zone, optional
            Only bars that have closed by then: the same bars as ``until(end)`` of the panel without it.

        Raises
        ------
        InputError
            If a column is missing or has a wrong type, times have no zone, the interval is unknown or cannot
            be told, or no bar is left.
        """
        rows = read_long(candles, FIELDS, "candles", coins=coins)
        interval = infer_interval(rows) if interval is None else interval
        step_ms = int(interval_duration(interval).total_seconds() * 1000)
        end_ms = None if end is None else to_ms(as_utc(end, "end"))
        grid = build_grid(rows, step_ms, end_ms=end_ms)
        has_funding = funding is not None and not (isinstance(funding, pd.DataFrame) and funding.empty)
        rates = read_long(funding, ("funding_rate",), "funding", coins=rows.names) if has_funding else None
        return _assemble(grid, rows, rates, interval)

    @property
    def n_bars(self) -> int:
        """Number of bars."""
        return len(self.time)

    @property
    def n_coins(self) -> int:
        """Number of coins."""
        return len(self.coins)

    @property
    def closed_at(self) -> pd.Timestamp:
        """Close of the last bar (UTC): from then on it is known."""
        return self.time[-1] + interval_duration(self.interval)

    @property
    def traded(self) -> BoolArray:
        """Whether the bar saw a trade, shape (n_bars, n_coins); False where there is no bar."""
        return self.volume > 0

    @property
    def notional(self) -> FloatArray:
        """Traded notional per bar (USD: volume × close), shape (n_bars, n_coins); NaN without a bar."""
        return self.volume * self.close

    @cached_property
    def log_close(self) -> FloatArray:
        """Natural logarithm of the closes, shape (n_bars, n_coins); NaN where there is no bar."""
        logs: FloatArray = np.log(self.close)
        logs.flags.writeable = False
        return logs

    def log_returns(self) -> FloatArray:
        """Return log returns from close to close, shape (n_bars - 1, n_coins); NaN where a bar is missing."""
        return np.diff(self.log_close, axis=0)

    def rows(self, start: int, stop: int | None) -> "Panel":
        """Return the bars ``start:stop``, as a slice of a list would.

        Raises
        ------
        InputError
            If no bar is left.
        """
        cut = slice(start, stop)
        if not len(range(*cut.indices(self.n_bars))):
            raise InputError(f"rows {start}:{stop} hold none of the panel's {self.n_bars} bars")
        return replace(self, time=self.time[cut], **{name: getattr(self, name)[cut] for name in ARRAYS})

    def tail(self, n: int) -> "Panel":
        """Return the last `n` bars; all of them where there are fewer.

        Raises
        ------
        InputError
            If `n` is below 1.
        """
        if n < 1:
            raise InputError(f"a tail of {n} bars: ask for at least 1")
        return self.rows(max(0, self.n_bars - n), None)

    def until(self, time: Any) -> "Panel":
        """Return the bars that have closed at or before `time`: what could be known then.

        Raises
        ------
        InputError
            If `time` has no zone, or no bar had closed by then.
        """
        moment = as_utc(time, "time")
        stop = int(self.time.searchsorted(moment - interval_duration(self.interval), side="right"))
        if not stop:
            raise InputError(f"no bar had closed at {moment}: the first opens at {self.time[0]}")
        return self.rows(0, stop)

    def select(self, coins: Sequence[str]) -> "Panel":
        """Return these coins, in this order.

        Raises
        ------
        InputError
            If the panel lacks one, one is named twice, or none is named.
        """
        names = (coins,) if isinstance(coins, str) else tuple(coins)
        place = {coin: index for index, coin in enumerate(self.coins)}
        unknown = [coin for coin in names if coin not in place]
        if unknown or not names or len(set(names)) < len(names):
            raise InputError(f"cannot select {names}: name different coins of the panel (unknown: {unknown or 'none'})")
        columns = [place[coin] for coin in names]
        return replace(self, coins=names, **{name: getattr(self, name)[:, columns] for name in ARRAYS})


def _assemble(grid: Grid, rows: LongFrame, rates: LongFrame | None, interval: str) -> Panel:
    """Join the funding and write the report."""
    has_bar = ~np.isnan(grid.values["close"])
    funding, unusable = join_funding(rates, grid.time_ms, grid.step_ms, len(rows.names))
    funding[~has_bar] = np.nan
    findings = [*grid.findings, gaps(grid), *unusable]
    if rates is not None:
        findings.append(missing_funding(funding, has_bar, grid.time_ms))
    table = _with_empty_coins(findings_table(findings, rows.names), has_bar, rows.names)
    report = PanelReport(len(rows), int(has_bar.sum()), rates is not None, table)
    return Panel(to_times(grid.time_ms), rows.names, interval, **grid.values, funding=funding, report=report)


def _with_empty_coins(table: pd.DataFrame, has_bar: BoolArray, names: tuple[str, ...]) -> pd.DataFrame:
    """Add a line for each coin that has no bar at all."""
    empty = np.flatnonzero(~has_bar.any(axis=0))
    if not len(empty):
        return table
    lines = findings_table([Finding("no bar", empty, np.full(len(empty), np.iinfo(np.int64).min))], names)
    return pd.concat([table, lines.assign(count=0)], ignore_index=True)
