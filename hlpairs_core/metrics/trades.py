"""What a table of trades says: how often they gain, how long they last, how much they move."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics.mean_and_tail import MeanAndTail, mean_and_tail

__all__ = ["TradeSummary", "entered", "exposure", "summarise_trades", "traded_notional_usd"]


@dataclass(frozen=True)
class TradeSummary:
    """Trades in bps of each one's own notional, all trades counting alike.

    Attributes
    ----------
    net : MeanAndTail
        Mean net profit of a trade with the mean of the worst 5 % (bps); NaN without a trade.
    median_bps : float
        Half of the trades earned more.
    hit_rate : float
        Share of trades that earned more than 0.
    profit_factor : float
        Sum of the gains over the sum of the losses; NaN where no trade lost.
    mean_hold_hours : float
        From entry fill to exit fill; NaN where the table has no ``hold_hours``.
    n_trades, n_not_entered : int
        Trades counted, and orders that were never filled, which are not.
    """

    net: MeanAndTail
    median_bps: float
    hit_rate: float
    profit_factor: float
    mean_hold_hours: float
    n_trades: int
    n_not_entered: int


def summarise_trades(trades: pd.DataFrame, *, level: float = 0.05) -> TradeSummary:
    """Summarise trades, each in bps of its own notional.

    Parameters
    ----------
    trades : DataFrame
        One row a trade, columns as in `TradeOutcome`: ``net_bps``; if there, ``hold_hours`` and ``exit_reason``
        ("no entry": never filled, and left out).
    level : float, default 0.05
        Share of trades that counts as worst.

    Raises
    ------
    InputError
        If there is no ``net_bps``, or it is unknown for a trade that was entered.
    """
    made = entered(trades)
    net: FloatArray = made["net_bps"].to_numpy(dtype=np.float64)
    n_missed = len(trades) - len(made)
    if not len(net):
        nothing = math.nan
        return TradeSummary(MeanAndTail(nothing, nothing, level, 0), nothing, nothing, nothing, nothing, 0, n_missed)
    lost = -float(net[net < 0.0].sum())
    hold = float(made["hold_hours"].mean(skipna=False)) if "hold_hours" in made else math.nan
    return TradeSummary(
        net=mean_and_tail(net, level=level),
        median_bps=float(np.median(net)),
        hit_rate=float(np.mean(net > 0.0)),
        profit_factor=float(net[net > 0.0].sum()) / lost if lost else math.nan,
        mean_hold_hours=hold,
        n_trades=len(net),
        n_not_entered=n_missed,
    )


def entered(trades: pd.DataFrame) -> pd.DataFrame:
    """Return the trades that were entered, refusing one whose profit is unknown.

    Raises
    ------
    InputError
        Names the row.
    """
    if not isinstance(trades, pd.DataFrame) or "net_bps" not in trades:
        raise InputError("trades must be a DataFrame with the column net_bps, one row a trade")
    made = trades[trades["exit_reason"] != "no entry"] if "exit_reason" in trades else trades
    net = made["net_bps"].to_numpy(dtype=np.float64)
    unknown = ~np.isfinite(net)
    if unknown.any():
        row = made.index[int(np.argmax(unknown))]
        raise InputError(
            f"net_bps of the trade in row {row!r} is {net[unknown][0]}, one of {unknown.sum()} unknown: "
            "price these trades or leave them out on purpose"
        )
    return made


def exposure(times: pd.DatetimeIndex, trades: pd.DataFrame, *, bar: pd.Timedelta) -> float:
    """Return the share of bars in which at least one trade was open for a moment or longer.

    Parameters
    ----------
    times : DatetimeIndex
        Opens of the bars, regular and in order.
    trades : DataFrame
        ``entry_time`` and ``exit_time`` of the fills. A fill at the open of a bar, out of a trade, does not count.
    bar : Timedelta
        Length of a bar.

    Raises
    ------
    InputError
        If a trade has no times, or reaches beyond the bars.
    """
    if not len(trades):
        return 0.0
    entry = _on_clock(trades, "entry_time", times)
    leave = _on_clock(trades, "exit_time", times)
    wrong = ~((entry >= times[0]) & (leave >= entry) & (leave <= times[-1] + bar))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"the trade from {entry[at]} to {leave[at]} has no place in the bars from {times[0]} to {times[-1] + bar}: "
            "give the returns of the whole time"
        )
    steps = np.zeros(len(times) + 1, dtype=np.int64)
    first, last = times.searchsorted(entry, side="right") - 1, times.searchsorted(leave, side="left")
    np.add.at(steps, first, 1)
    np.add.at(steps, last, -1)
    return float(np.mean(np.cumsum(steps[:-1]) > 0))


def traded_notional_usd(trades: pd.DataFrame) -> float:
    """Return what entries and exits moved: twice the gross notional at entry of each trade."""
    return 2.0 * float(trades["notional_usd"].sum(skipna=False))


def _on_clock(trades: pd.DataFrame, column: str, times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    stamps = pd.DatetimeIndex(trades[column])
    if (stamps.tz is None) != (times.tz is None):
        raise InputError(f"{column} is in time zone {stamps.tz} and the returns are in {times.tz}: use UTC for both")
    return stamps
