"""Null screens: their speed against a loop over statsmodels, and luck's answer on recorded prices.

Ours and the loop take turns in one process. The loop is timed on a fresh random sample of pairs of a fresh null
panel in each round and scaled to all pairs of all screens; ours to all screens. Seconds are of a processor: what
other work on the machine leaves alone.
"""

import time
import tracemalloc
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.engle_granger import Numbers, Rows, statsmodels_loop, synthetic
from benchmarks.report import Report, processor_seconds
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, luck_of_screen, select_universe
from hlpairs_core.stats import NullScreen, null_screen

N_COINS, N_BARS, N_SCREENS, SAMPLE, ROUNDS, SCREENS_PER_ROUND = 100, 672, 1000, 60, 5, 20
RECORDED_SCREENS = 400
MANY_COINS = 200
# The last hour of each window of recorded bars, and its length.
WINDOWS = (
    ("2025-05-14T00:00Z", 672),
    ("2025-05-14T00:00Z", 336),
    ("2025-02-15T00:00Z", 672),
    ("2024-11-15T00:00Z", 672),
)


def run(data: Path | None) -> Report:
    """Measure the speed on synthetic prices and, given recordings, what luck makes of real ones."""
    rows, numbers = _speed()
    for n_coins in (N_COINS, MANY_COINS):
        more_rows, more_numbers = _whole(n_coins)
        rows += more_rows
        numbers |= more_numbers
    if data is not None:
        candles = pd.read_parquet(data / "candles_1h.parquet")
        panel = Panel.from_candles(candles, interval="1h")
        for end, window in WINDOWS:
            rows += _recorded(panel, end, window)
    return Report("null_screen", rows, numbers)


def _speed() -> tuple[Rows, Numbers]:
    prices = synthetic(N_BARS, N_COINS, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    first, second = np.triu_indices(N_COINS, 1)
    ours = partial(null_screen, prices, n_screens=SCREENS_PER_ROUND)
    engines = {"ours": None, "ours without Numba": False}
    times: dict[str, list[float]] = {name: [] for name in (*engines, "statsmodels")}
    ours(rng=rng)
    for _ in range(ROUNDS):
        for name, accelerate in engines.items():
            times[name].append(processor_seconds(partial(ours, rng=rng, accelerate=accelerate)) / SCREENS_PER_ROUND)
        chosen = rng.choice(len(first), SAMPLE, replace=False)
        pairs = list(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))
        walks = synthetic(N_BARS, N_COINS, rng)
        times["statsmodels"].append(processor_seconds(partial(statsmodels_loop, walks, pairs)) / SAMPLE * len(first))
    typical = {name: median(values) * N_SCREENS for name, values in times.items()}
    rows = [("null screens", f"{N_SCREENS:,} of {N_COINS} coins, {N_BARS} bars, {len(first):,} pairs, lags by AIC")]
    for name, values in times.items():
        spread = f"from {min(values) * N_SCREENS:,.1f} to {max(values) * N_SCREENS:,.1f}"
        ratio = "" if name == "ours" else f"; {typical[name] / typical['ours']:,.1f} times ours"
        rows.append((name, f"{typical[name]:,.1f} s, scaled, median of {ROUNDS} rounds ({spread}){ratio}"))
    return rows, {
        "seconds_ours": typical["ours"],
        "seconds_numpy": typical["ours without Numba"],
        "seconds_statsmodels": typical["statsmodels"],
        "times_statsmodels": typical["statsmodels"] / typical["ours"],
    }


def _whole(n_coins: int) -> tuple[Rows, Numbers]:
    """Time all screens, not scaled, also by what they take of a core, and look at the memory of a few."""
    prices = synthetic(N_BARS, n_coins, np.random.default_rng(2))
    screens = partial(null_screen, prices, rng=np.random.default_rng(3))
    start = time.perf_counter()
    busy = processor_seconds(partial(screens, n_screens=N_SCREENS))
    seconds = time.perf_counter() - start
    tracemalloc.start()
    try:
        screens(n_screens=3)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    row = (f"all of them, {n_coins} coins", f"{busy:.1f} s of one core in {seconds:.1f} s, {peak:.0f} MiB at most")
    return [row], {
        f"seconds_{n_coins}_coins": seconds,
        f"core_seconds_{n_coins}_coins": busy,
        f"peak_mib_{n_coins}_coins": peak,
    }


def _recorded(panel: Panel, end: str, window: int) -> Rows:
    settings = ScreenSettings(window=window)
    known = panel.until(end)
    universe = select_universe(known, settings, None)
    bars = known.select(universe.coins).tail(window)
    luck = luck_of_screen(bars, settings, rng=np.random.default_rng(4), n_screens=RECORDED_SCREENS)
    # Once more with the other resampling, which keeps no reversion at all.
    pairs = list(zip(luck.pairs["y"], luck.pairs["x"], strict=True))
    prices = pd.DataFrame(np.log(bars.close), columns=bars.coins)
    signs = null_screen(
        prices, rng=np.random.default_rng(4), pairs=pairs, resampling="signs", n_screens=RECORDED_SCREENS
    )
    best = luck.pairs.loc[luck.pairs["t_stat"].idxmin()]
    title = f"{bars.time[0]:%Y-%m-%d %H:%M} to {bars.closed_at:%Y-%m-%d %H:%M}"
    return [
        (title, f"{window} bars, {luck.n_coins} coins, {luck.n_pairs:,} pairs, blocks of {luck.block_length}"),
        ("  real best", f"{best['y']} on {best['x']}, t {best['t_stat']:.2f}, MacKinnon's p {best['p_value']:.1e}"),
        ("  by luck, blocks", _luck(luck)),
        ("  by luck, signs", _luck(signs)),
    ]


def _luck(luck: NullScreen) -> str:
    typical, good = np.quantile(luck.best[:, 0], [0.5, 0.05])
    gate = luck.gates.iloc[0]
    counts = f"p < 5 %: {gate['observed']:.0f} pairs, by luck {gate['expected']:.0f}"
    span = f"({gate['low']:.0f} to {gate['high']:.0f}, nominal {gate['nominal']:.0f}; p {gate['p']:.3f})"
    best = f"best t {typical:.2f}, 5 % of them below {good:.2f}; empirical p of the real best {luck.p_best:.3f}"
    return f"{best}; {counts} {span}"
