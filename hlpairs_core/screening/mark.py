from collections.abc import Iterable, Mapping
from dataclasses import fields

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening.edge import ExpectedEdge, expected_edge, spread_zscore
from hlpairs_core.screening.forecast import believed_bps
from hlpairs_core.screening.result import ScreenResult
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["held_edge", "mark", "mark_states", "signal_edge"]


def mark(
    result: ScreenResult, mids: Mapping[str, float], *, pairs: Iterable[tuple[str, str]] | None = None
) -> pd.DataFrame:
    """Re-evaluate candidates with new mid prices under the parameters frozen at the closed bar.

    Selection, order, sides, costs and verdict stay: a maximum over ticks would pick noise. With the signal
    bar's closes as mids the numbers are those of the screen.

    Parameters
    ----------
    result : ScreenResult
        What was selected.
    mids : mapping of str to float
        Mid prices (USD) by coin. A coin without one, or with one that is not a finite number above 0, leaves
        its pairs unknown.
    pairs : iterable of (y, x), optional
        Which candidates; all by default.

    Returns
    -------
    DataFrame
        The candidates' columns, in their order, with ``zscore, hold_hours, gross_bps, funding_bps,
        net_edge_bps`` at the new mids (NaN where unknown), and in addition

        * ``signal_zscore``, ``signal_net_edge_bps``: what the selection saw
        * ``mean_net_bps, lower_net_bps``: the calibrated mean and its lower bound, of the new expectation as much as
          was expected of the selection's to arrive, with the same margin between them. The range and the chance of a
          gain stay those of the signal
        * ``mark_state``: where z stands, counted in the direction that the sides bet against: ``"entry"``
          from `z_in` on, ``"faded"`` between `z_out` and `z_in`, ``"reverted"`` at ``|z| <= z_out``,
          ``"crossed"`` beyond `z_out` on the other side of the mean, ``"unknown"`` without a mid; ``"held"`` for
          spot, which is held for its funding whatever prices do: its edge stays

        Beyond the mean the expected reversion is negative: what is left of the trade moves against its sides.

    Raises
    ------
    InputError
        If a pair is not among the candidates.
    """
    table = result.candidates if pairs is None else _selected(result.candidates, pairs)
    zscore = spread_zscore(
        _prices(table["y"], mids),
        _prices(table["x"], mids),
        **{name: _floats(table[name]) for name in ("alpha", "beta", "mean", "sigma")},
    )
    held = (table["kind"] == "spot_perp").to_numpy()
    zscore = np.where(held, np.nan, zscore)
    # z = 0 at the signal has no sign of its own; the sides have.
    distance = np.where(table["side_y"] == "short", zscore, -zscore)
    edge = expected_edge(
        distance,
        **{name: _floats(table[name]) for name in _FROZEN},
        entry_time=result.closed_at,
        settings=result.settings,
    )
    edge = held_edge(edge, held, signal_edge(table))
    mean, lower = believed_bps(edge, **{name: _floats(table[name]) for name in _BELIEVED}, held=held)
    return table.assign(
        mean_net_bps=mean,
        lower_net_bps=lower,
        signal_zscore=_floats(table["zscore"]),
        signal_net_edge_bps=_floats(table["net_edge_bps"]),
        zscore=zscore,
        hold_hours=edge.hold_hours,
        gross_bps=edge.gross_bps,
        funding_bps=edge.funding_bps,
        net_edge_bps=edge.net_edge_bps,
        mark_state=mark_states(distance, held, result.settings),
    )


_BELIEVED = ("gross_share", "funding_share", "fee_bps", "slippage_bps", "mean_net_bps", "lower_net_bps")
_FROZEN = ("sigma", "beta", "half_life_hours", "fee_bps", "slippage_bps", "funding_bps_per_hour")


def signal_edge(table: pd.DataFrame) -> ExpectedEdge:
    """Return the edges that candidates had at the signal."""
    return ExpectedEdge(**{field.name: _floats(table[field.name]) for field in fields(ExpectedEdge)})


def held_edge(edge: ExpectedEdge, held: BoolArray, at_signal: ExpectedEdge) -> ExpectedEdge:
    """Return the edges with those of what is held (spot) as they were at the signal: no price moves them."""
    names = (field.name for field in fields(ExpectedEdge))
    return ExpectedEdge(*(np.where(held, getattr(at_signal, name), getattr(edge, name)) for name in names))


def _selected(candidates: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    wanted = pd.MultiIndex.from_tuples(list(pairs), names=["y", "x"])
    position = pd.MultiIndex.from_frame(candidates[["y", "x"]]).get_indexer(wanted)
    if (position < 0).any():
        y, x = wanted[int(np.argmax(position < 0))]
        raise InputError(f"the pair {y!r}/{x!r} is not among the candidates: mark pairs that were tested")
    return candidates.iloc[position].reset_index(drop=True)


def _prices(coins: pd.Series, mids: Mapping[str, float]) -> FloatArray:
    position, names = pd.factorize(coins)
    price = np.array([mids.get(name, np.nan) for name in names], dtype=np.float64)
    return np.asarray(np.where(np.isfinite(price) & (price > 0), price, np.nan)[position])


def _floats(column: pd.Series) -> FloatArray:
    return np.asarray(column.to_numpy(dtype=np.float64))


def mark_states(distance: FloatArray, held: BoolArray, settings: ScreenSettings) -> pd.Series:
    """Return where z stands, in the words of `mark`, counted in the direction that the sides bet against."""
    z_in, z_out = settings.z_in, settings.z_out
    known = [held, distance >= z_in, distance > z_out, distance >= -z_out, distance < -z_out]
    words = np.select(known, ["held", "entry", "faded", "reverted", "crossed"], default="unknown")
    return pd.Series(words.astype(object), dtype=object)
