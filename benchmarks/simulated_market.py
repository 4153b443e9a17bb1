"""How long a synthetic market takes, and its moments beside those of recordings."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.moments import HourlyMarket, basis_moments, moments
from benchmarks.report import Report
from hlpairs_core.simulation import SimulatedMarket, synthetic_market

START = "2026-11-21"
SEEDS = (1, 2, 3)
RECORDED_SPOT = {"HYPE": "HYPE", "PURR": "PURR", "UETH": "ETH"}
SPOT = {"@107": "HYPE", "PURR/USDC": "PURR", "@151": "ETH"}
# The first days of a bridged coin hold garbage.
FIRST_SPOT_HOURS = 72


def run(data: Path | None) -> Report:
    """Time markets of 60 and 250 coins; print moments of three of 250 coins, and of recordings where there are any."""
    rows, numbers = [], {}
    for n_coins in (60, 250):
        seconds = _seconds(n_coins)
        rows.append((f"{n_coins} coins, 2025-01-01 to {START}", f"{seconds:.1f} s"))
        numbers[f"seconds_{n_coins}"] = round(seconds, 2)
    markets = [synthetic_market(seed, 250, start=START, clock=lambda: 0.0) for seed in SEEDS]
    synthetic = _mean([_moments(market) for market in markets])
    recorded = _recorded(data) if data is not None else {}
    rows.append(("", f"{'synthetic':>12}  {'recorded':>12}"))
    for name, value in synthetic.items():
        beside = f"{recorded[name]:>12.6g}" if name in recorded else f"{'':>12}"
        rows.append((name, f"{value:>12.6g}  {beside}"))
    return Report("simulated_market", rows, {**numbers, **{name: float(value) for name, value in synthetic.items()}})


def _seconds(n_coins: int) -> float:
    begin = time.perf_counter()
    synthetic_market(7, n_coins, start=START, clock=lambda: 0.0)
    return time.perf_counter() - begin


def _mean(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _moments(market: SimulatedMarket) -> dict[str, float]:
    """Of the perpetuals' last 6,000 hours, as long as the recordings."""
    bars, funding = market.history.upto(market.clock.time_ms())
    rows = slice(bars.index(market.clock.time_ms()) - 6000, bars.index(market.clock.time_ms()))
    names = [coin.name for coin in market.coins]
    perps = [coin.name for coin in market.coins if coin.kind == "perp"]
    arrays = (bars.open, bars.high, bars.low, bars.close, bars.volume, funding.rate)
    frames = [pd.DataFrame(array[rows], columns=names) for array in arrays]
    listed = np.arange(rows.start, rows.stop)[:, None] >= bars.listed
    hourly = HourlyMarket(*(frame.where(listed)[perps] for frame in frames))
    close = frames[3]
    return moments(hourly) | _named({perp: basis_moments(close[spot], close[perp]) for spot, perp in SPOT.items()})


def _recorded(folder: Path) -> dict[str, float]:
    candles = _by_hour(pd.read_parquet(folder / "candles_1h.parquet"))
    funding = pd.read_parquet(folder / "funding.parquet")
    funding["time"] = funding["time"].dt.floor("h")
    rates = funding.pivot_table(index="time", columns="coin", values="funding_rate", observed=True)
    listed = (candles["volume"] > 0).cummax()
    fields = ("open", "high", "low", "close", "volume")
    hourly = HourlyMarket(*(candles[field].where(listed).iloc[520:] for field in fields), rates)
    spot = _by_hour(pd.read_parquet(folder / "spot_candles_1h.parquet"))
    bases = {}
    for token, perp in RECORDED_SPOT.items():
        traded = spot["close"][token].where((spot["volume"][token] > 0).cummax()).dropna().iloc[FIRST_SPOT_HOURS:]
        bases[perp] = basis_moments(traded, candles["close"][perp])
    return moments(hourly) | _named(bases)


def _by_hour(candles: pd.DataFrame) -> dict[str, pd.DataFrame]:
    fields = ("open", "high", "low", "close", "volume")
    return {field: candles.pivot(index="time", columns="coin", values=field).sort_index() for field in fields}


def _named(bases: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"basis of {perp}: {name}": value for perp, found in bases.items() for name, value in found.items()}
