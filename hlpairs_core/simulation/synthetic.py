import time
from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd

from hlpairs_core.exceptions import SettingsError
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.clock import MarketClock, milliseconds
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import listed_coins
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.process import EPOCH_MS, HOUR_MS, Chunk, MarketProcess

__all__ = ["EARLIEST_START", "LATEST_START", "SyntheticHistory", "synthetic_market"]

EARLIEST_START = pd.Timestamp(EPOCH_MS, unit="ms", tz="UTC") + pd.Timedelta(days=30)
LATEST_START = pd.Timestamp("2050-01-01", tz="UTC")
_CHUNK_HOURS = 30 * 24
_COINS = (2, 250)


def synthetic_market(
    seed: int = 7,
    n_coins: int = 60,
    *,
    start: str | datetime | pd.Timestamp | None = None,
    speed: float = 1.0,
    clock: Callable[[], float] = time.time,
) -> SimulatedMarket:
    """Return a made-up market that opened on 2025-01-01 and goes on for ever.

    A bar depends on `seed`, `n_coins` and its own time alone: a restart at any moment finds the same history.
    `SimulatedMarket.truth` says which pairs are cointegrated by construction.

    Parameters
    ----------
    seed : int
        Fixes the market.
    n_coins : int
        Number of perpetuals over the market's life, 2 to 250; a few are listed late, one is delisted.
    start : str, datetime or pandas.Timestamp, optional
        Market time now; by default the wall's. From `EARLIEST_START` to `LATEST_START`.
    speed : float
        Market seconds per wall second.
    clock : callable
        Wall time in seconds since the epoch.

    Raises
    ------
    SettingsError
        If a setting is not allowed.
    """
    chosen = pd.Timestamp(clock(), unit="s", tz="UTC") if start is None else start
    _check(seed, n_coins, chosen)
    listings = listed_coins(n_coins)
    model = FactorModel.drawn(seed, listings)
    history = SyntheticHistory(MarketProcess(seed, listings, model))
    history.upto(milliseconds(chosen))
    # Read the clock again: making the history took a moment, and without a start the market keeps wall time.
    begin = pd.Timestamp(clock(), unit="s", tz="UTC") if start is None else start
    return SimulatedMarket(
        kind="demo",
        name=f"demo-seed{seed}-{n_coins}",
        clock=MarketClock(begin, speed, clock),
        coins=tuple(listing.coin for listing in listings),
        history=history,
        seed=seed,
        pairs=model.pairs,
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
        self._bars: BarHistory | None = None
        self._funding: FundingHistory | None = None

    def upto(self, time_ms: int) -> tuple[BarHistory, FundingHistory]:
        """Return histories that reach past a time."""
        if self._bars is None or self._funding is None or time_ms >= self._bars.end_ms:
            hours = (time_ms - EPOCH_MS) // HOUR_MS + 1 + _CHUNK_HOURS
            made = 0 if self._bars is None else self._bars.n_bars
            return self._extended(self._process.advance(hours - made))
        return self._bars, self._funding

    def _extended(self, chunk: Chunk) -> tuple[BarHistory, FundingHistory]:
        fresh = (chunk.open, chunk.high, chunk.low, chunk.close, chunk.volume)
        rate, settled = chunk.rate, chunk.settled_ms
        if self._bars is not None and self._funding is not None:
            old = self._bars
            known = (old.open, old.high, old.low, old.close, old.volume)
            fresh = tuple(np.concatenate(both) for both in zip(known, fresh, strict=True))  # type: ignore[assignment]
            rate = np.concatenate([self._funding.rate, rate])
            settled = np.concatenate([self._funding.time_ms, settled])
        self._bars = BarHistory(EPOCH_MS, HOUR_MS, *fresh)
        self._funding = FundingHistory(EPOCH_MS, rate, settled)
        return self._bars, self._funding
