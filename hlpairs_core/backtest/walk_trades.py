"""Candidates as the market that trades them sees them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.liquidity import bars_per_day

__all__ = ["Trades"]


@dataclass(frozen=True, eq=False)
class Trades:
    """What is frozen of N candidates; arrays have shape (N,), those of legs (2, N): y, x.

    Attributes
    ----------
    first : ndarray of int
        The first bar in which an order can be filled.
    coin : ndarray of int, shape (2, N)
        Positions in the panel.
    short : ndarray of bool, shape (2, N)
        Sides.
    alpha, beta, sigma : ndarray
        The spread and its yardstick.
    day_notional_usd, day_volatility_bps : ndarray, shape (2, N)
        As known at the signal.
    is_carry : ndarray of bool
        y is spot and x the perpetual of the same coin.
    """

    first: IntArray
    coin: IntArray
    short: BoolArray
    alpha: FloatArray
    beta: FloatArray
    sigma: FloatArray
    day_notional_usd: FloatArray
    day_volatility_bps: FloatArray
    is_carry: BoolArray

    @classmethod
    def of(cls, rows: pd.DataFrame, panel: Panel, settings: ScreenSettings, delay_bars: int) -> "Trades":
        """Look the rows of a walk-forward up in a panel.

        Raises
        ------
        InputError
            If the intervals of panel and settings differ, a coin is not in the panel, or a signal has no bar after it.
        """
        if panel.interval != settings.interval:
            raise InputError(
                f"the panel has {panel.interval} bars and the settings say {settings.interval}: make them agree"
            )
        volatility = _legs(rows, "vol_{}_bps") * np.sqrt(bars_per_day(panel.interval))
        return cls(
            first=_first_bars(rows["signal_time"], panel) + delay_bars,
            coin=np.stack([_positions(rows[name], panel) for name in ("y", "x")]),
            short=np.stack([(rows[name] == "short").to_numpy(dtype=bool) for name in ("side_y", "side_x")]),
            alpha=rows["alpha"].to_numpy(),
            beta=rows["beta"].to_numpy(),
            sigma=rows["sigma"].to_numpy(),
            day_notional_usd=_legs(rows, "day_notional_{}_usd"),
            day_volatility_bps=volatility,
            is_carry=_is_carry(rows),
        )

    def take(self, part: slice) -> "Trades":
        """Return some of the candidates."""
        return Trades(**{name: values[..., part] for name, values in vars(self).items()})


def _is_carry(rows: pd.DataFrame) -> BoolArray:
    kind = rows["kind"] if "kind" in rows else pd.Series("perp_perp", index=rows.index)
    return np.asarray((kind == "spot_perp").to_numpy(dtype=bool))


def _legs(rows: pd.DataFrame, name: str) -> FloatArray:
    return np.stack([rows[name.format(leg)].to_numpy(dtype=np.float64) for leg in ("y", "x")])


def _positions(names: pd.Series, panel: Panel) -> IntArray:
    place = {coin: position for position, coin in enumerate(panel.coins)}
    codes, known = pd.factorize(names)
    unknown = [name for name in known if name not in place]
    if unknown:
        raise InputError(f"the panel has no {unknown[0]!r}: give the panel that the candidates come from")
    return np.asarray(np.array([place[name] for name in known], dtype=np.int64)[codes])


def _first_bars(signal_time: pd.Series, panel: Panel) -> IntArray:
    """Return the bar that opens when each signal bar closes."""
    times = pd.DatetimeIndex(signal_time)
    bars = panel.time.get_indexer(times)
    if (bars < 0).any():
        late = times[int(np.argmax(bars < 0))]
        raise InputError(f"no bar of the panel opens at {late}: give one that goes on after every signal")
    return np.asarray(bars, dtype=np.int64)
