"""Hourly funding: who pays, and how often within a hold."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError

__all__ = ["funding_bps_per_hour", "funding_sign", "funding_stamps"]


def funding_sign(side: ArrayLike) -> FloatArray:
    """Return what a side receives of a positive rate: -1 for ``"long"`` (it pays), +1 for ``"short"``.

    Raises
    ------
    InputError
        For any other word.
    """
    sides = np.asarray(side, dtype=object)
    short = np.equal(sides, "short").astype(bool)
    if not np.all(short | np.equal(sides, "long").astype(bool)):
        raise InputError(f"side is {side!r}: use 'long' or 'short'")
    return np.where(short, 1.0, -1.0)


def funding_bps_per_hour(
    side_y: ArrayLike,
    rate_y: ArrayLike,
    side_x: ArrayLike,
    rate_x: ArrayLike,
    weight_y: ArrayLike,
    weight_x: ArrayLike,
) -> FloatArray:
    """Return a pair's funding in bps of its gross notional per hour, positive when received.

    ``1e4 (s_y w_y f_y + s_x w_x f_x)`` with s = -1 for a long leg and +1 for a short one: the long pays the
    short when the rate is positive.

    Parameters
    ----------
    side_y, side_x : {"long", "short"} or array of them
        Sides of the legs.
    rate_y, rate_x : array_like
        Funding rates, fraction per hour.
    weight_y, weight_x : array_like
        Each leg's share of the gross notional, not negative.

    Returns
    -------
    ndarray
        Broadcast shape; NaN where a rate is NaN: unknown funding is not 0.

    Raises
    ------
    InputError
        For a side that is neither long nor short.
    """
    leg_y = funding_sign(side_y) * np.asarray(weight_y) * np.asarray(rate_y)
    leg_x = funding_sign(side_x) * np.asarray(weight_x) * np.asarray(rate_x)
    return np.asarray(1e4 * (leg_y + leg_x), dtype=np.float64)


def funding_stamps(entry: pd.Timestamp, hold_hours: ArrayLike) -> FloatArray:
    """Return how many hourly funding stamps lie inside a hold.

    A rate stamped h settles the positions open at h, and a fill at the very hour h, opening or closing,
    neither pays nor receives the stamp h: counted are the full hours h with ``entry < h < entry + hold``.

    Parameters
    ----------
    entry : pandas.Timestamp
        Time of the entry fill, UTC.
    hold_hours : array_like
        Time from entry to exit (hours).

    Returns
    -------
    ndarray
        Whole numbers of the shape of `hold_hours`; NaN where it is NaN.
    """
    past_the_hour = (entry - entry.floor("h")) / pd.Timedelta(hours=1)
    # Times are whole milliseconds; the tolerance is far below one and above the rounding of the quotient.
    inside = np.ceil(np.asarray(hold_hours, dtype=np.float64) - (1 - past_the_hour) - 1e-8)
    return np.asarray(np.maximum(inside, 0.0))
