"""Spot pairs and perpetuals on one clock and in one unit."""

from collections.abc import Sequence

import numpy as np

from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import ARRAYS, Panel
from hlpairs_core.market.spot_names import SpotMatch

__all__ = ["join_spot"]

_PRICES = ("open", "high", "low", "close")


def join_spot(perps: Panel, spots: Panel, matches: Sequence[SpotMatch]) -> Panel:
    """Put matched spot pairs beside their perpetuals.

    Parameters
    ----------
    perps, spots : Panel
        Of one interval; the columns of `spots` are the matches' ``coin``.
    matches : sequence of SpotMatch
        At least one.

    Returns
    -------
    Panel
        On the clock of `perps`: the matched perpetuals by name, then the spot pairs in the order of the matches. **A
        unit of spot is as many tokens as one unit of the perpetual holds**, so that one unit of each is the same
        amount of the coin: prices of UBONK are times 1,000 and its volume divided by that. Spot has no funding: NaN.
        The report is that of `perps`.

    Raises
    ------
    InputError
        If the intervals differ or their bars open at different minutes, nothing is matched, or a panel lacks a coin.
    """
    if perps.interval != spots.interval:
        raise InputError(f"perps have {perps.interval} bars and spots {spots.interval}: give panels of one interval")
    if not matches:
        raise InputError("no spot pair is matched with a perpetual: there is nothing to join")
    base = perps.select(sorted({one.perp for one in matches}))
    theirs = spots.select([one.coin for one in matches])
    at = base.time.get_indexer(theirs.time)
    if not (at >= 0).any() and base.time[0] <= theirs.time[-1] and theirs.time[0] <= base.time[-1]:
        raise InputError(f"bars of spots open at {theirs.time[0]:%H:%M}, those of perps at {base.time[0]:%H:%M}")
    per_perp = np.array([one.per_perp for one in matches])
    arrays = {}
    for name in ARRAYS:
        values = np.full((base.n_bars, theirs.n_coins), np.nan)
        if name != "funding":
            scale = per_perp if name in _PRICES else 1.0 / per_perp
            values[at[at >= 0]] = getattr(theirs, name)[at >= 0] * scale
        arrays[name] = np.concatenate([getattr(base, name), values], axis=1)
    return Panel(base.time, (*base.coins, *theirs.coins), base.interval, **arrays, report=base.report)
