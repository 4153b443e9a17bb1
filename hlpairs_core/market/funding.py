"""Joins hourly funding to bars."""

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.market._frames import NO_TIME, LongFrame
from hlpairs_core.market.report import Finding

__all__ = ["HOUR_MS", "join_funding", "missing_funding"]

HOUR_MS = 3_600_000


def join_funding(
    rows: LongFrame | None, time_ms: IntArray, step_ms: int, n_coins: int
) -> tuple[FloatArray, list[Finding]]:
    """Sum the hourly rates due inside each bar.

    Stamps come some milliseconds to seconds after their hour, so they are floored to it. A stamp s belongs to
    the bar with ``open <= s < open + interval``; of two stamps in one hour the last row counts.

    Parameters
    ----------
    rows : LongFrame or None
        With the column ``funding_rate`` (fraction per hour); its coins are those of the panel, in the same
        order.
    time_ms : ndarray of int, shape (n_bars,)
        Bar opens, a regular clock.
    step_ms : int
        Length of a bar.
    n_coins : int
        Number of columns.

    Returns
    -------
    funding : ndarray, shape (n_bars, n_coins)
        Fraction of notional per bar; NaN where a due stamp is unknown, 0 where none is due.
    findings : list of Finding
        Funding rows that could not be used.
    """
    first_hour = int(time_ms[0]) // HOUR_MS
    n_hours = (int(time_ms[-1]) + step_ms - 1) // HOUR_MS - first_hour + 1
    hourly = np.full((n_hours, n_coins), np.nan)
    findings: list[Finding] = []
    if rows is not None:
        findings = _fill(hourly, rows, first_hour)
    if step_ms >= HOUR_MS:
        return hourly.reshape(len(time_ms), step_ms // HOUR_MS, n_coins).sum(axis=1), findings
    funding = np.zeros((len(time_ms), n_coins))
    due = np.flatnonzero(time_ms % HOUR_MS == 0)
    funding[due] = hourly[time_ms[due] // HOUR_MS - first_hour]
    return funding, findings


def _fill(hourly: FloatArray, rows: LongFrame, first_hour: int) -> list[Finding]:
    no_time = rows.time_ms == NO_TIME
    no_rate = ~np.isfinite(rows.values["funding_rate"]) & ~no_time
    hour = rows.time_ms // HOUR_MS - first_hour
    good = np.flatnonzero(~no_time & ~no_rate & (hour >= 0) & (hour < len(hourly)))
    newest = np.full(hourly.shape, -1, dtype=np.int64)
    np.maximum.at(newest, (hour[good], rows.coin[good]), good)
    superseded = good[newest[hour[good], rows.coin[good]] != good]
    known = newest >= 0
    hourly[known] = rows.values["funding_rate"][newest[known]]
    return [
        Finding("funding time missing", rows.coin[no_time], rows.time_ms[no_time]),
        Finding("funding rate not finite", rows.coin[no_rate], rows.time_ms[no_rate]),
        Finding("funding repeated in an hour", rows.coin[superseded], rows.time_ms[superseded]),
    ]


def missing_funding(funding: FloatArray, has_bar: BoolArray, time_ms: IntArray) -> Finding:
    """Return the bars whose funding is not known in full."""
    bar, coin = np.nonzero(has_bar & np.isnan(funding))
    return Finding("missing funding", coin, time_ms[bar])
