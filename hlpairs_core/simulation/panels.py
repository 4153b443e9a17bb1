"""What a simulated market has shown so far as a panel, without a server in between."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, StrArray
from hlpairs_core.intervals import INTERVALS
from hlpairs_core.market import Panel
from hlpairs_core.market._frames import to_times
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.clock import milliseconds
from hlpairs_core.simulation.coins import CoinKind
from hlpairs_core.simulation.epoch import HOUR_MS
from hlpairs_core.simulation.market import SimulatedMarket

__all__ = ["market_panel"]

PERPETUALS: tuple[CoinKind, ...] = ("perp",)


def market_panel(
    market: SimulatedMarket, *, end: Any = None, hours: int | None = None, kinds: Collection[CoinKind] = PERPETUALS
) -> Panel:
    """Return the bars and the funding of a simulated market as a panel: what a client of its server would load.

    Parameters
    ----------
    market : SimulatedMarket
        Synthetic or replayed.
    end : time with a zone, optional
        Only bars that have closed by then; the market's own time when None. A synthetic market can be asked for
        any later time: its clock stays where it is.
    hours : int, optional
        How many of the last hours; all since the market opened when None.
    kinds : collection of {"perp", "builder", "spot"}
        Which coins. Spot pairs have no funding: theirs is NaN.

    Returns
    -------
    Panel
        The coins in order of their names, bars of the market's own length.

    Raises
    ------
    InputError
        If no bar is left.
    """
    end_ms = milliseconds(market.now() if end is None else end)
    bars, funding = market.history.upto(end_ms)
    names = np.array([coin.name for coin in market.coins], dtype=object)
    wanted = np.isin(market.kinds, list(kinds))
    candles, rates = _candles(bars, names, wanted, end_ms), _rates(funding, names, wanted, end_ms)
    panel = Panel.from_candles(candles, rates, interval=_interval(bars))
    return panel if hours is None else panel.tail(max(1, hours * HOUR_MS // bars.interval_ms))


def _candles(bars: BarHistory, names: StrArray, wanted: BoolArray, end_ms: int) -> pd.DataFrame:
    n_bars = min(bars.n_bars, bars.index(end_ms))
    there = np.isfinite(bars.close[:n_bars]) & wanted
    row, coin = np.nonzero(there)
    time = to_times(bars.start_ms + row * bars.interval_ms)
    values: dict[str, FloatArray] = {
        name: getattr(bars, name)[:n_bars][there] for name in ("open", "high", "low", "close", "volume")
    }
    return pd.DataFrame({"coin": names[coin], "time": time, **values})


def _rates(funding: FundingHistory, names: StrArray, wanted: BoolArray, end_ms: int) -> pd.DataFrame:
    known = np.isfinite(funding.rate) & (funding.time_ms <= end_ms) & wanted
    _, coin = np.nonzero(known)
    time = to_times(funding.time_ms[known])
    return pd.DataFrame({"coin": names[coin], "time": time, "funding_rate": funding.rate[known]})


def _interval(bars: BarHistory) -> str:
    length = pd.Timedelta(milliseconds=bars.interval_ms)
    return next(name for name, duration in INTERVALS.items() if duration == length)
