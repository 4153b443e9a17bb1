import time
from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.exceptions import SettingsError
from hlpairs_core.simulation.bars import BarHistory, FundingHistory, PremiumHistory
from hlpairs_core.simulation.clock import MarketClock, milliseconds
from hlpairs_core.simulation.epoch import EPOCH_MS, HOUR_MS
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import SPOT_LINKS, listed_coins
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.planted import planted_pairs
from hlpairs_core.simulation.process import Chunk, MarketProcess

__all__ = ["EARLIEST_START", "LATEST_START", "SyntheticHistory", "synthetic_market"]

EARLIEST_START = pd.Timestamp(EPOCH_MS, unit="ms", tz="UTC") + pd.Timedelta(days=30)
LATEST_START = pd.Timestamp("2050-01-01", tz="UTC")
# Part of a market's name, which names its data: raised with every change of what is made.
_MODEL = 2
_CHUNK_HOURS = 30 * 24
_COINS = (2, 250)


def synthetic_market(
    seed: int = 7,
    n_coins: int = 60,
    *,
    start: str | datetime | pd.Timestamp | None = None,
    speed: float = 1.0,
    clock: Callable[[], float] = time.time,
    planted: bool = True,
) -> SimulatedMarket:
    """Return a made-up market that opened on 2025-01-01 and goes on for ever.

    A bar depends on `seed`, `n_coins`, `planted` and its own time alone: a restart at any moment finds the same
    history. `SimulatedMarket.truth` says which pairs are cointegrated by construction. What is made, and with which
    parameters, is written down in ``docs/simulated-market.md``.

    Parameters
    ----------
    seed : int
        Fixes the market.
    n_coins : int
        Number of the exchange's own perpetuals over the market's life, 2 to 250. Of twenty or more some are listed
        late and some delisted. Three perpetuals of a builder's dex and up to six spot pairs come on top.
    start : str, datetime or pandas.Timestamp, optional
        Market time now; by default the wall's. From `EARLIEST_START` to `LATEST_START`.
    speed : float
        Market seconds per wall second.
    clock : callable
        Wall time in seconds since the epoch.
    planted : bool
        Whether some pairs revert. Without them nothing is to be earned after costs, spot included.

    Raises
    ------
    SettingsError
        If a setting is not allowed.
    """
    chosen = pd.Timestamp(clock(), unit="s", tz="UTC") if start is None else start
    _check(seed, n_coins, chosen)
    listings = listed_coins(n_coins)
    model = FactorModel.drawn(seed, listings, planted=planted)
    history = SyntheticHistory(MarketProcess(seed, listings, model, planted=planted))
    history.upto(milliseconds(chosen))
    # Read the clock again: making the history took a moment, and without a start the market keeps wall time.
    begin = pd.Timestamp(clock(), unit="s", tz="UTC") if start is None else start
    return SimulatedMarket(
        kind="demo",
        name=f"demo-v{_MODEL}-seed{seed}-{n_coins}{'' if planted else '-null'}",
        clock=MarketClock(begin, speed, clock),
        coins=tuple(listing.coin for listing in listings),
        history=history,
        seed=seed,
        pairs=planted_pairs(seed, listings, model, planted=planted),
        wide_books={link.name: link.half_spread_bps for link in SPOT_LINKS},
    )


def _check(seed: int, n_coins: int, chosen: str | datetime | pd.Timestamp) -> None:
    if not _COINS[0] <= n_coins <= _COINS[1]:
        raise SettingsError(f"a synthetic market has {_COINS[0]} to {_COINS[1]} coins, got {n_coins}")
    if not 0 <= seed < 2**63:
        raise SettingsError(f"the seed must be from 0 to 2**63 - 1, got {seed}")
    if not EARLIEST_START <= pd.Timestamp(milliseconds(chosen), unit="ms", tz="UTC") <= LATEST_START:
        raise SettingsError(
            f"a synthetic market cannot start at {chosen}: choose a time from {EARLIEST_START.isoformat()} "
            f"to {LATEST_START.isoformat()}"
        )


class SyntheticHistory:
    """History of a synthetic market, made as far as it is needed and a month further."""

    def __init__(self, process: MarketProcess) -> None:
        self._process = process
        self._made: tuple[BarHistory, FundingHistory] | None = None

    def upto(self, time_ms: int) -> tuple[BarHistory, FundingHistory]:
        """Return histories that reach past a time."""
        if self._made is None or time_ms >= self._made[0].end_ms:
            n_hours = (time_ms - EPOCH_MS) // HOUR_MS + 1 + _CHUNK_HOURS
            made = 0 if self._made is None else self._made[0].n_bars
            # Month by month, so that what is worked on stays small.
            starts = range(made, n_hours, _CHUNK_HOURS)
            chunks = [self._process.advance(min(_CHUNK_HOURS, n_hours - start)) for start in starts]
            self._made = _joined(self._made, chunks)
        return self._made


def _joined(made: tuple[BarHistory, FundingHistory] | None, chunks: list[Chunk]) -> tuple[BarHistory, FundingHistory]:
    """Histories and what follows them, as one."""
    columns = [_columns(chunk) for chunk in chunks]
    if made is not None:
        bars, funding = made
        premium = funding.premium
        assert premium is not None
        known = (bars.open, bars.high, bars.low, bars.close, bars.volume, funding.rate, premium.open, premium.mean)
        columns.insert(0, (*known, funding.time_ms))
    opened, high, low, close, volume, rate, at_open, mean, settled = map(np.concatenate, zip(*columns, strict=True))
    bars = BarHistory(EPOCH_MS, HOUR_MS, opened, high, low, close, volume)
    return bars, FundingHistory(EPOCH_MS, rate, settled, PremiumHistory(at_open, mean))


def _columns(chunk: Chunk) -> tuple[FloatArray | IntArray, ...]:
    bars = chunk.bars
    prices = (bars.open, bars.high, bars.low, bars.close)
    return (*prices, bars.volume, chunk.rate, chunk.premium_open, chunk.premium_mean, chunk.settled_ms)
