"""Whether luck is called luck: null screens of simulated markets in which nothing is cointegrated.

A correct empirical p of the best pair is at or below 10 % in 10 % of windows, however volatility behaves. Here
it changes by the hour and the day, moves have fat tails, and one coin in ten has a decoy as close as a pair.
"""

from pathlib import Path

import numpy as np

from benchmarks.engle_granger import Numbers, Rows
from benchmarks.report import Report
from hlpairs_core._typing import FloatArray
from hlpairs_core.simulation import synthetic_market
from hlpairs_core.stats import null_screen

MARKETS, WINDOWS, APART, N_BARS, N_COINS, N_SCREENS = 25, 4, 1500, 336, 40, 99
# As the screen's own default: coins that trade in fewer hours are not screened.
LEAST_TRADED = 0.9
RESAMPLINGS = (
    ("blocks", {"resampling": "blocks"}),
    ("blocks of 1 bar", {"resampling": "blocks", "block_length": 1}),
    ("signs", {"resampling": "signs"}),
    ("independent", {"resampling": "independent"}),
)


def run(_data: Path | None) -> Report:
    """Screen windows of many null markets against their own null."""
    best: dict[str, list[float]] = {name: [] for name, _ in RESAMPLINGS}
    passing: dict[str, list[float]] = {name: [] for name, _ in RESAMPLINGS}
    for seed in range(1, MARKETS + 1):
        for number, walks in enumerate(_windows(seed)):
            for name, options in RESAMPLINGS:
                luck = null_screen(walks, rng=np.random.default_rng([seed, number]), n_screens=N_SCREENS, **options)
                best[name].append(luck.p_best)
                passing[name].append(float(luck.gates["p"][0]))
    rows: Rows = [("windows", f"{MARKETS * WINDOWS} of {N_BARS} bars, {N_COINS} coins, nothing cointegrated")]
    numbers: Numbers = {}
    for name, _ in RESAMPLINGS:
        rows.append((name, f"best pair: {_said(best[name])}; pairs with p < 5 %: {_said(passing[name])}"))
        numbers[f"best_{name}"] = float(np.mean(np.array(best[name]) <= 0.1))
        numbers[f"passing_{name}"] = float(np.mean(np.array(passing[name]) <= 0.1))
    return Report("null_calibration", rows, numbers)


def _windows(seed: int) -> list[FloatArray]:
    """Log closes of the liquid perpetuals in windows that are two months apart."""
    market = synthetic_market(seed, N_COINS + 20, start="2025-12-01T00:00Z", clock=lambda: 0.0, planted=False)
    now = market.clock.time_ms()
    bars, _ = market.history.upto(now)
    perps = [column for column, coin in enumerate(market.coins) if coin.kind == "perp"]
    found = []
    for number in range(WINDOWS):
        stop = bars.index(now) - number * APART
        close, volume = (values[stop - N_BARS : stop][:, perps] for values in (bars.close, bars.volume))
        traded = (volume > 0).mean(axis=0) >= LEAST_TRADED
        found.append(np.log(close[:, traded][:, :N_COINS]))
    return found


def _said(p: list[float]) -> str:
    low, high = (np.mean(np.array(p) <= level) for level in (0.1, 0.5))
    return f"p <= 10 % in {low:.0%}, p <= 50 % in {high:.0%}"
