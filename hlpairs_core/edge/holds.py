"""Which trades are over whatever became of them: chosen by their signals, never by their exits."""

import pandas as pd

__all__ = ["data_end", "longest_hold", "over_by"]


def longest_hold(*, horizon_hours: float, bar_hours: float) -> pd.Timedelta:
    """Return the longest time from a signal to the exit: a horizon of waiting to enter, one of holding, and a bar."""
    return pd.Timedelta(hours=2.0 * horizon_hours + bar_hours)


def over_by(rows: pd.DataFrame, until: pd.Timestamp, *, hold: pd.Timedelta) -> pd.Series:
    """Return which trades any exit would have ended by a time.

    Of the signals within a longest hold before a time the early winners have ended and the others are open: to take
    those that have ended is to take the winners. So the signal decides.

    Parameters
    ----------
    rows : DataFrame
        ``signal_time, exit_time``.
    until : pandas.Timestamp
        The cut. A signal a longest hold before it counts.
    hold : pandas.Timedelta
        As of `longest_hold`.

    Returns
    -------
    Series of bool
        A trade that ended at `until` or later all the same, as where a coin stood still, is not known by then: False.
    """
    return (rows["signal_time"] + hold <= until) & (rows["exit_time"] < until)


def data_end(rows: pd.DataFrame) -> pd.Timestamp:
    """Return the latest time that candidates and their outcomes tell of."""
    return max(rows["signal_time"].max(), rows["exit_time"].max())
