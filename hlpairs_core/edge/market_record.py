"""A market's own record: whether its tight pairs have delivered anything, as far as it was known at each signal.

A model says what share of the pairs that look alike are true ones. That is a number of the markets that it was fitted
on; in another market, or after a change of this one, there may be none.
"""

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.edge.choice import LEVEL_Z
from hlpairs_core.edge.features import tightness
from hlpairs_core.edge.grid import check_columns
from hlpairs_core.edge.holds import longest_hold
from hlpairs_core.edge.record import PRIOR_TRADES, pair_names, pairs_among, raw_and_income, trades_of_record

__all__ = ["READ_OF_RECORDS", "reads_market", "with_market_record"]

READ_OF_RECORDS = ("beta", "vol_y_bps", "vol_x_bps")
"""Columns of earlier candidates that their tightness is made of, beside those of a pair's record."""


def reads_market(terms: tuple[str, ...]) -> bool:
    """Return whether a regression expects more of tight pairs, so that a market's tight pairs tell of it."""
    return any(name.startswith("tight") for name in terms)


def with_market_record(
    rows: pd.DataFrame, *, past: pd.DataFrame, horizon_hours: float, bar_hours: float = 1.0
) -> pd.DataFrame:
    """Add what the tight pairs of a market have delivered by each signal.

    Parameters
    ----------
    rows : DataFrame
        Candidates: ``signal_time``.
    past : DataFrame
        Candidates of the same market with outcomes, as of `walk_forward`. What counts for a signal is as in
        `with_record`: trades of a pair one after the other, signalled a longest hold before.
    horizon_hours, bar_hours : float
        Time stop of the trades, and length of a bar.

    Returns
    -------
    DataFrame
        A copy of `rows` with a column ``market_share_low``: what the share of the raw gross that arrived, over all
        tight pairs, is above with 90 %; NaN where fewer than two of them have a trade. By least squares in units of
        the spread's noise, weighted by tightness and drawn towards 0 as by two trades of nothing. Its error is that of
        whole pairs (sandwich, with P / (P - 1) for P pairs): a pair that delivers does so again and again.

    Raises
    ------
    InputError
        If a column is missing.
    """
    check_columns(past, READ_OF_RECORDS)
    tight = trades_of_record(past[pairs_among(past, past[tightness(past) > 0])])
    weight = tightness(tight)
    tight, weight = tight[weight > 0], weight[weight > 0]
    pair = np.asarray(pd.factorize(pair_names(tight))[0], dtype=np.int64)
    raw, income = raw_and_income(tight, horizon_hours)
    squares, products = weight * raw * raw, weight * raw * income
    hold = longest_hold(horizon_hours=horizon_hours, bar_hours=bar_hours)
    low = {}
    for time in rows["signal_time"].unique():
        known = ((tight["signal_time"] + hold <= time) & (tight["exit_time"] < time)).to_numpy()
        low[time] = _share_low(squares, products, pair, known)
    return rows.assign(market_share_low=rows["signal_time"].map(low).astype(np.float64))


def _share_low(squares: FloatArray, products: FloatArray, pair: IntArray, known: BoolArray) -> float:
    """Return what the share that arrived is above with 90 %."""
    number = np.unique(pair[known], return_inverse=True)[1]
    n_pairs = int(number.max(initial=-1)) + 1
    if n_pairs < 2:
        return float("nan")
    of_squares, of_products = (np.bincount(number, weights=terms[known]) for terms in (squares, products))
    size = float(of_squares.sum()) + PRIOR_TRADES
    share = float(of_products.sum()) / size
    miss = of_products - share * of_squares
    return share - LEVEL_Z * float(np.sqrt(n_pairs / (n_pairs - 1) * np.sum(miss**2))) / size
