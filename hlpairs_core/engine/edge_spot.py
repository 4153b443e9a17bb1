"""The walk of spot against perpetuals over stored history: quick, so that nothing of it is kept."""

import pandas as pd

from hlpairs_core.backtest.walk_carry import walk_carry
from hlpairs_core.engine.edge_parts import CADENCE, PART, EdgeJob, read_spots
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel

__all__ = ["walk_spot"]


def walk_spot(perps: Panel, parts: list[int], job: EdgeJob) -> pd.DataFrame:
    """Return the candidates of all parts with what came of them.

    Parameters
    ----------
    perps : Panel
        As of `read_panel`.
    parts : list of int
        As of `parts_of`, at least one: the signal bars are those of the perpetuals' walk.
    job : EdgeJob
        With the matches of today: pairs that were listed before and are no longer are not among them.

    Raises
    ------
    InputError
        If nothing of a matched pair is stored.
    StoreError
        As `read_panel`.
    """
    spots = read_spots(job)
    stored = () if spots is None else spots.coins
    matches = [one for one in job.matches if one.coin in stored and one.perp in perps.coins]
    if spots is None or not matches:
        raise InputError("no candles of it are stored")
    walked = walk_carry(
        perps,
        spots,
        matches,
        settings=job.settings,
        costs=job.costs,
        every=CADENCE,
        start=parts[0],
        stop=parts[-1] + (PART - 1) * CADENCE + 1,
    )
    return walked.rows
