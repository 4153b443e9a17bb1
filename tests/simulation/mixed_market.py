"""Markets made by hand: every kind of coin, a late listing and a delisting, on a clock that stands still."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.simulation import MarketClock, SimulatedMarket
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.coins import Coin
from hlpairs_core.simulation.market import RecordedHistory

HOUR = 3_600_000
NOW = pd.Timestamp("2025-09-01T12:34:56.789Z")
NOW_MS = int(NOW.timestamp() * 1000)

N_BARS = 1000
START_MS = NOW_MS // HOUR * HOUR - (N_BARS - 20) * HOUR
LISTED_LATE = 900
BACKFILLED = 50
ENDED_EARLY = 700

PERPS = (
    (Coin("BTC", 5, 40, 56), 100_000.0),
    (Coin("ETH", 4, 25, 55), 4_000.0),
    (Coin("OLD", 1, 20, 20), 0.5),
    (Coin("kPEPE", 0, 10, 52), 0.012),
    (Coin("HYPE", 2, 10, 52), 45.0),
    (Coin("HPOS", 0, 3, 3, only_isolated=True, margin_mode="strictIsolated"), 0.07),
    (Coin("NEW", 1, 3, 3), 1.5),
)
BUILDERS = (
    (Coin("xyz:TSLA", 3, 10, 10, kind="builder"), 330.0),
    (Coin("xyz:GOLD", 4, 20, 20, kind="builder"), 3_500.0),
    (Coin("flx:OIL", 2, 10, 10, kind="builder"), 64.0),
)
SPOTS = (
    (Coin("@142", 5, 1, 0, kind="spot", token="UBTC"), 100_010.0),
    (Coin("PURR/USDC", 0, 1, 0, kind="spot", token="PURR"), 0.17),
    (Coin("@107", 2, 1, 0, kind="spot", token="HYPE"), 45.02),
)
ADDRESS = "0x" + "1b" * 20

REQUEST: dict[str, Any] = {
    "builder": ADDRESS,
    "coin": "BTC",
    "dex": "xyz",
    "id": 20,
    "oid": 5,
    "outcome": 1,
    "req": {"coin": "ETH", "interval": "1h", "startTime": NOW_MS - 9 * HOUR, "endTime": NOW_MS},
    "source": ADDRESS,
    "startTime": NOW_MS - 9 * HOUR,
    "token": 0,
    "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
    "user": ADDRESS,
    "vaultAddress": ADDRESS,
}
"""With a ``type``, a request that is answered, whichever type it is."""

EVERYTHING = (*PERPS, *BUILDERS, *SPOTS)


def hand_made_market(
    coins: tuple[tuple[Coin, float], ...] = EVERYTHING,
    *,
    hour_usd: float = 2e6,
    clock: Callable[[], float] = lambda: 0.0,
) -> SimulatedMarket:
    """A random walk for each coin from its price on, 20 hours of it in the future; OLD ended, NEW was listed late."""
    market_clock = MarketClock(NOW, 1.0, clock)
    names = [coin.name for coin, _ in coins]
    history = RecordedHistory(_bars(coins, names, hour_usd), _funding(coins))
    return SimulatedMarket("demo", "hand-made", market_clock, tuple(coin for coin, _ in coins), history, seed=3)


def blind(market: SimulatedMarket, time_ms: int) -> SimulatedMarket:
    """The same market with a history that ends with the bar in progress at a time."""
    bars, funding = market.history.upto(time_ms)
    kept = bars.index(time_ms) + 1
    arrays = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    cut = BarHistory(bars.start_ms, bars.interval_ms, *(array[:kept].copy() for array in arrays))
    rate = np.where(funding.time_ms <= time_ms, funding.rate, np.nan)
    return replace(market, history=RecordedHistory(cut, FundingHistory(funding.start_ms, rate, funding.time_ms)))


def _bars(coins: tuple[tuple[Coin, float], ...], names: list[str], hour_usd: float) -> BarHistory:
    rng = np.random.default_rng(11)
    shape = (N_BARS, len(coins))
    start = np.array([price for _, price in coins])
    close = start * np.exp(np.cumsum(0.004 * rng.standard_normal(shape), axis=0))
    opened = np.vstack([start, close[:-1]]) * np.exp(0.0005 * rng.standard_normal(shape))
    high = np.maximum(opened, close) * np.exp(0.002 * rng.random(shape))
    low = np.minimum(opened, close) * np.exp(-0.002 * rng.random(shape))
    volume = hour_usd / start * rng.lognormal(0, 0.5, shape)
    matrices = [_rounded(prices, coins) for prices in (opened, high, low, close)] + [_lots(volume, coins)]
    for name, rows in (("OLD", slice(ENDED_EARLY, None)), ("NEW", slice(0, LISTED_LATE - BACKFILLED))):
        if name in names:
            for matrix in matrices:
                matrix[rows, names.index(name)] = np.nan
    if "NEW" in names:
        matrices[4][LISTED_LATE - BACKFILLED : LISTED_LATE, names.index("NEW")] = 0.0
    return BarHistory(START_MS, HOUR, *matrices)


def _rounded(prices: np.ndarray, coins: tuple[tuple[Coin, float], ...]) -> np.ndarray:
    """The tick rule as the official SDK rounds by it."""
    columns = [
        [round(float(f"{price:.5g}"), coin.price_decimals) for price in column]
        for column, (coin, _) in zip(prices.T, coins, strict=True)
    ]
    return np.array(columns).T


def _lots(sizes: np.ndarray, coins: tuple[tuple[Coin, float], ...]) -> np.ndarray:
    columns = [np.round(column, coin.size_decimals) for column, (coin, _) in zip(sizes.T, coins, strict=True)]
    return np.array(columns).T


def _funding(coins: tuple[tuple[Coin, float], ...]) -> FundingHistory:
    rng = np.random.default_rng(12)
    shape = (N_BARS, len(coins))
    rate = np.where(rng.random(shape) < 0.6, 1.25e-5, np.round(1e-5 * rng.standard_normal(shape), 10))
    rate[:, [column for column, (coin, _) in enumerate(coins) if coin.kind == "spot"]] = np.nan
    settled = START_MS + np.arange(N_BARS)[:, None] * HOUR + rng.integers(3, 1400, shape)
    return FundingHistory(START_MS, rate, settled)
