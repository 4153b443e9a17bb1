"""Half-spreads estimated from candles: of drawn markets whose spread is known, and of recorded ones by liquidity."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import Report
from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import abdi_ranaldo_spread, edge_spread, half_spread_from_candles
from hlpairs_core.market import Panel, tick_at

Rows = list[tuple[str, str]]
Numbers = dict[str, float | int | str]

# Half-spreads (bps) and the windows of hourly bars they are drawn with; 1 % of volatility and 60 trades a bar.
DRAWN_BPS, WINDOWS = (0.0, 2.0, 10.0), (336, 2016)
MARKETS, TRADES, VOLATILITY = 200, 60, 0.01
# The latest bars read of each recording.
INTERVALS = {"1h": 24 * 90, "5m": 12 * 24 * 60, "1m": 60 * 24 * 3}
TERCILES = ("most liquid third", "middle third", "least liquid third")


def run(data: Path | None) -> Report:
    """Estimate both ways; the recordings only where a folder is given."""
    rows, numbers = _drawn()
    for interval, bars in INTERVALS.items() if data is not None else ():
        more_rows, more_numbers = _recorded(Path(str(data)) / f"candles_{interval}.parquet", interval, bars)
        rows += more_rows
        numbers |= more_numbers
    return Report("candle_spreads", rows, numbers)


def _drawn() -> tuple[Rows, Numbers]:
    rows: Rows = [("drawn, half-spread in bps", "EDGE 10th, 50th, 90th percentile; Abdi-Ranaldo likewise")]
    numbers: Numbers = {}
    for n_bars in WINDOWS:
        for half in DRAWN_BPS:
            candles = _bounce(np.random.default_rng([7, n_bars, int(half)]), n_bars, 2e-4 * half)
            edge, other = edge_spread(*candles), abdi_ranaldo_spread(*candles[1:])
            found = [np.percentile(5e3 * spread, [10, 50, 90]) for spread in (edge, other)]
            rows.append((f"{half:g}, {n_bars} bars", ";".join("".join(f"{one:8.1f}" for one in way) for way in found)))
            numbers[f"edge_{half:g}_{n_bars}_sd_bps"] = round(float(np.std(5e3 * edge)), 2)
    return rows, numbers


def _bounce(rng: np.random.Generator, n_bars: int, spread: float) -> list[FloatArray]:
    """Open, high, low and close of trades that hit the bid or the ask, shape (n_bars, MARKETS) each."""
    shape = (n_bars * TRADES, MARKETS)
    fair = np.cumsum(rng.standard_normal(shape) * VOLATILITY / np.sqrt(TRADES), axis=0)
    price = np.exp(fair + spread / 2 * rng.choice([-1.0, 1.0], shape)).reshape(n_bars, TRADES, MARKETS)
    return [price[:, 0], price.max(axis=1), price.min(axis=1), price[:, -1]]


def _recorded(path: Path, interval: str, bars: int) -> tuple[Rows, Numbers]:
    panel = Panel.from_candles(pd.read_parquet(path)).tail(bars)
    listed = [coin for coin, price in zip(panel.coins, panel.close[-1], strict=True) if np.isfinite(price)]
    panel = panel.select(listed)
    tick = tick_at(panel.close[-1])
    edge = 5e3 * edge_spread(panel.open, panel.high, panel.low, panel.close)
    other = 5e3 * abdi_ranaldo_spread(panel.high, panel.low, panel.close)
    used = half_spread_from_candles(panel, tick=tick)
    known = np.flatnonzero(np.isfinite(used) & np.isfinite(other))
    order = known[np.argsort(-np.nanmean(panel.notional[:, known], axis=0))]
    rows: Rows = [(f"recorded, {interval} bars, medians", "  EDGE  A-R  as used  half a tick  EDGE below half a tick")]
    numbers: Numbers = {}
    for name, group in zip(TERCILES, np.array_split(order, 3), strict=True):
        least = (1e4 * tick / 2 / panel.close[-1])[group]
        medians = [float(np.median(one)) for one in (edge[group], other[group], used[group], least)]
        unseen = float(np.mean(edge[group] <= least))
        rows.append((f"{name} ({len(group)})", "".join(f"{one:7.2f}" for one in medians) + f"  {unseen:.0%}"))
        numbers[f"{interval}_{name.split()[0]}_used_bps"] = round(medians[2], 2)
    return rows, numbers
