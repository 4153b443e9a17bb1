"""A pair's own record: what its earlier signals delivered, as far as it was known at each signal."""

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray, StrArray
from hlpairs_core.edge.features import noise_bps
from hlpairs_core.edge.holds import longest_hold

__all__ = ["pair_names", "trades_of_record", "with_record"]

# So many trades of nothing, each expected to move by as much as the spread's noise, are counted in.
_PRIOR_TRADES = 2.0


def with_record(
    rows: pd.DataFrame, *, horizon_hours: float, bar_hours: float = 1.0, past: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Add what each pair's earlier signals delivered, as far as any exit would have been known by the signal.

    Parameters
    ----------
    rows : DataFrame
        Candidates, as of `walk_forward`; outcomes are not needed where `past` is given.
    horizon_hours : float
        Time stop of the trades.
    bar_hours : float
        Length of a bar.
    past : DataFrame, optional
        Candidates with outcomes from which records are taken; `rows` themselves when None. Trades signalled less
        than a longest hold (two horizons and a bar) before a row's signal do not count for it, however early they
        ended, for of these only the quick winners would; nor do trades that ended at that signal or after it. So later
        ones may be among them.

    Returns
    -------
    DataFrame
        A copy of `rows` with two more columns:

        * ``record_trades``: how many there were, none of them signalled before the one before it had ended; the two
          coins may have changed places
        * ``record_share``: the share of their raw expectations that arrived, by least squares in units of the
          spread's noise, drawn towards 0 as by two trades of nothing; 0 without a trade
    """
    past = _known(rows if past is None else past[_is_of_pairs(past, rows)])
    trades, totals = _trades(past), _terms(past, horizon_hours)
    found = np.zeros((len(rows), 3))
    time = _microseconds(rows["signal_time"])
    hold = longest_hold(horizon_hours=horizon_hours, bar_hours=bar_hours) // pd.Timedelta(microseconds=1)
    for pair, at in _places(rows).items():
        if pair in trades:
            mine, signal, ended = trades[pair]
            sums = np.vstack([np.zeros(3), np.cumsum(totals[mine], axis=0)])
            held = np.searchsorted(signal + hold, time[at], side="right")
            # An exit at the signal's very time fills at the open after the signal bar, which is not known yet.
            found[at] = sums[np.minimum(held, np.searchsorted(ended, time[at], side="left"))]
    n, squares, products = found.T
    return rows.assign(record_trades=n, record_share=products / (squares + _PRIOR_TRADES))


def trades_of_record(past: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates that records are made of: given as `past`, they make the same records as all of them.

    Those with a known outcome, none of a pair signalled before the one before it had ended, in order of their signals.
    """
    past = _known(past)
    chosen = [mine for mine, *_ in _trades(past).values()]
    return past.iloc[np.sort(np.concatenate(chosen))] if chosen else past


def _is_of_pairs(past: pd.DataFrame, rows: pd.DataFrame) -> BoolArray:
    """Return which of the earlier candidates are of a pair in `rows`: of many thousands, those of a bar are few."""
    coins = pd.Index(pd.unique(pd.concat([rows["y"].astype(object), rows["x"].astype(object)])))
    theirs, ours = (np.stack([_positions(one[leg], coins) for leg in ("y", "x")]) for one in (past, rows))
    numbers = [legs.min(axis=0) * len(coins) + legs.max(axis=0) for legs in (theirs, ours)]
    return np.asarray((theirs >= 0).all(axis=0) & np.isin(*numbers))


def _positions(names: pd.Series, coins: pd.Index) -> IntArray:
    codes, known = pd.factorize(names)
    return np.asarray(coins.get_indexer(known)[codes], dtype=np.int64)


def _known(past: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates with a known outcome in order of their signals."""
    known = np.isfinite(past["realised_gross_bps"] + past["realised_funding_bps"] + past["expected_gross_bps"])
    past = past[known.to_numpy()]
    return past.iloc[np.argsort(past["signal_time"].to_numpy(), kind="stable")]


def _terms(past: pd.DataFrame, horizon_hours: float) -> FloatArray:
    noise = noise_bps(past, horizon_hours)
    raw = past["expected_gross_bps"].to_numpy(dtype=np.float64) / noise
    income = (past["realised_gross_bps"] + past["realised_funding_bps"]).to_numpy(dtype=np.float64) / noise
    return np.asarray(np.nan_to_num(np.stack([np.ones_like(raw), raw * raw, raw * income], axis=1)))


def _trades(past: pd.DataFrame) -> dict[str, tuple[IntArray, IntArray, IntArray]]:
    """Return of each pair which rows are trades one after the other, and when they were signalled and ended."""
    signal, ended = _microseconds(past["signal_time"]), _microseconds(past["exit_time"])
    trades = {}
    for pair, at in _places(past).items():
        mine, free = [], np.iinfo(np.int64).min
        for place in at.tolist():
            if signal[place] >= free:
                mine.append(place)
                free = ended[place]
        chosen = np.array(mine, dtype=np.int64)
        trades[pair] = chosen, signal[chosen], ended[chosen]
    return trades


def _microseconds(time: pd.Series) -> IntArray:
    return np.asarray(pd.DatetimeIndex(time).as_unit("us").asi8, dtype=np.int64)


def pair_names(rows: pd.DataFrame) -> StrArray:
    """Name each row's two coins in one order, whichever is y."""
    y, x = (rows[leg].astype(str).to_numpy(dtype=object) for leg in ("y", "x"))
    return np.asarray(np.where(y < x, y + "|" + x, x + "|" + y))


def _places(rows: pd.DataFrame) -> dict[str, IntArray]:
    return dict(pd.Series(np.arange(len(rows))).groupby(pair_names(rows)).indices)
