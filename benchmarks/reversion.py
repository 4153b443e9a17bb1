"""How far estimates of reversion are off, how often break alarms are false, and one example of all thresholds.

Everything is drawn, with fixed seeds; `docs/reversion.md` shows the numbers.
"""

import math
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from benchmarks.report import Report
from hlpairs_core._typing import FloatArray
from hlpairs_core.stats import (
    OrnsteinUhlenbeck,
    break_monitor,
    fit_ornstein_uhlenbeck,
    half_life,
    hurst_exponent,
    optimal_thresholds,
)
from hlpairs_core.stats.first_passage import cycle_time_mean
from hlpairs_core.stats.half_life import HalfLifeMethod
from hlpairs_core.stats.hurst import HurstMethod
from hlpairs_core.stats.thresholds import ThresholdMethod, Thresholds

# How many spreads are drawn of how many bars: the exact distribution takes its time.
DRAWS, HALF_LIVES = {168: 300, 672: 100}, (6.0, 24.0, math.inf)
METHODS: tuple[HalfLifeMethod, ...] = ("least_squares", "kendall", "median_unbiased")
HURST_METHODS: tuple[HurstMethod, ...] = ("structure", "dfa")
FIT_BARS, MONITORED_BARS, PAIRS = (168, 336, 672), 4, 300
PAIR_HALF_LIVES = (3.0, 12.0, 24.0)
# Half-life 12 hours, standard deviation 1 %, 0.2 % for a round trip.
EXAMPLE = OrnsteinUhlenbeck(
    mu=0.0, theta_per_hour=math.log(2) / 12, sigma_per_sqrt_hour=0.01 * math.sqrt(math.log(2) / 6)
)
COST = 0.002

Rows = list[tuple[str, str]]
Numbers = dict[str, float | int | str]


def run(data: Path | None) -> Report:
    """Measure everything; the recordings are not needed."""
    del data
    rows: Rows = []
    numbers: Numbers = {}
    for part in (_half_lives, _exponents, _alarms, _thresholds):
        more_rows, more_numbers = part()
        rows += more_rows
        numbers |= more_numbers
    return Report("reversion", rows, numbers)


def _half_lives() -> tuple[Rows, Numbers]:
    rows: Rows = [("half-life", "median estimate, share of 95 % intervals that hold the truth")]
    numbers: Numbers = {}
    for n_bars in DRAWS:
        for row, truth in enumerate(HALF_LIVES):
            spreads = _spreads(truth, n_bars, np.random.default_rng([1, n_bars, row]))
            parts = []
            for method in METHODS:
                found = [half_life(spread, method=method) for spread in spreads]
                middle = float(np.median([one.bars for one in found]))
                held = float(np.mean([one.low_bars <= truth <= one.high_bars for one in found]))
                parts.append(f"{method} {middle:.1f} ({held:.0%})")
                numbers[f"half_life_{n_bars}_{truth:g}_{method}"] = middle if math.isfinite(middle) else "inf"
                numbers[f"coverage_{n_bars}_{truth:g}_{method}"] = held
            rows.append((f"{truth:g}, {DRAWS[n_bars]} times {n_bars} bars", ", ".join(parts)))
    return rows, numbers


def _spreads(truth: float, n_bars: int, rng: np.random.Generator) -> list[FloatArray]:
    if math.isinf(truth):
        return [np.cumsum(rng.normal(size=n_bars)) for _ in range(DRAWS[n_bars])]
    process = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=math.log(2) / truth, sigma_per_sqrt_hour=1.0)
    return [process.draw(n_bars, rng=rng) for _ in range(DRAWS[n_bars])]


def _exponents() -> tuple[Rows, Numbers]:
    rows: Rows = [("Hurst exponent", f"mean (standard deviation) over {DRAWS[672]} spreads of 672 bars")]
    numbers: Numbers = {}
    for truth in (6.0, 24.0, math.inf):
        spreads = _spreads(truth, 672, np.random.default_rng(2))
        parts = []
        for method in HURST_METHODS:
            found = [hurst_exponent(spread, method=method) for spread in spreads]
            parts.append(f"{method} {np.mean(found):.2f} ({np.std(found):.2f})")
            numbers[f"hurst_{truth:g}_{method}"] = float(np.mean(found))
        rows.append((f"half-life {truth:g}", ", ".join(parts)))
    return rows, numbers


def _alarms() -> tuple[Rows, Numbers]:
    rows: Rows = [
        ("break alarms", f"share of {PAIRS} pairs, watched for {MONITORED_BARS} times the fit; 5 % asked for, no break")
    ]
    numbers: Numbers = {}
    for fit_bars in FIT_BARS:
        parts = []
        for bars in PAIR_HALF_LIVES:
            rng = np.random.default_rng(3)
            false = np.mean([_first_alarm(rng, fit_bars, bars, 0.0) is not None for _ in range(PAIRS)])
            parts.append(f"half-life {bars:g}: {false:.1%}")
            numbers[f"false_alarms_{fit_bars}_{bars:g}"] = float(false)
        rows.append((f"fit of {fit_bars} bars", ", ".join(parts)))
    rng = np.random.default_rng(4)
    delays = [_first_alarm(rng, 672, 12.0, 1.0) for _ in range(PAIRS)]
    late = [math.inf if bar is None else bar - 2 * 672 for bar in delays if bar is None or bar >= 2 * 672]
    rows.append(("reversion stops", f"found after {np.median(late):.0f} bars (median; fit of 672, half-life 12)"))
    numbers["delay_bars"] = float(np.median(late))
    return rows, numbers


def _first_alarm(rng: np.random.Generator, fit_bars: int, bars: float, wander: float) -> int | None:
    """First alarm of a drawn pair whose spread, if `wander` is 1, becomes a random walk after two fits."""
    n_bars = (1 + MONITORED_BARS) * fit_bars
    slope = 0.5 ** (1 / bars)
    steps = rng.normal(size=n_bars)
    x = np.cumsum(rng.normal(size=n_bars))
    spread = lfilter([1.0], [1.0, -slope], steps)
    if wander:
        spread[2 * fit_bars :] = spread[2 * fit_bars] + np.cumsum(steps[2 * fit_bars :])
    return break_monitor(x + spread, x, fit_bars=fit_bars).first_alarm


def _thresholds() -> tuple[Rows, Numbers]:
    rows: Rows = [("thresholds", "half-life 12 h, standard deviation 1 %, cost 0.2 %; per 1 of spread")]
    numbers: Numbers = {}
    options: dict[ThresholdMethod, dict[str, float]] = {
        "zeng_lee_reverse": {},
        "zeng_lee_mean": {},
        "bertram_return": {},
        "bertram_sharpe": {"hurdle_per_trade": 0.002},
        "leung_li": {"discount_per_hour": 0.001},
    }
    for method, more in options.items():
        found = optimal_thresholds(EXAMPLE, cost=COST, method=method, **more)
        rows.append(
            (
                method,
                f"entry {found.entry_sigma:+.2f} σ, exit {found.exit_sigma:+.2f} σ, "
                f"{100 * found.profit_per_trade:.2f} % a trade, {found.expected_trade_hours:.1f} h in it, one in "
                f"{found.expected_cycle_hours:.1f} h, {1e4 * found.expected_return_per_hour:.2f} bps/h",
            )
        )
        numbers[f"entry_sigma_{method}"] = found.entry_sigma
        numbers[f"bps_per_hour_{method}"] = 1e4 * found.expected_return_per_hour
    numbers |= _with_estimated_process()
    rows.append(
        (
            "with an estimated process",
            f"fit of 336 bars, traded on: {numbers['share_of_return']:.0%} of the return of the true one (mean)",
        )
    )
    return rows, numbers


def _with_estimated_process() -> Numbers:
    """What is left of the return when the levels come from a fit of 336 hourly bars and the process stays."""
    rng = np.random.default_rng(5)
    best = _return(optimal_thresholds(EXAMPLE, cost=COST))
    shares = []
    for _ in range(200):
        process = fit_ornstein_uhlenbeck(EXAMPLE.draw(336, rng=rng)).process
        if process is not None:
            shares.append(_return(optimal_thresholds(process, cost=COST)) / best)
    return {"share_of_return": float(np.mean(shares))}


def _return(levels: Thresholds) -> float:
    """Return per hour of reversing at these levels while the example's process goes on."""
    low, high = (level / EXAMPLE.stationary_std for level in (levels.entry, levels.exit))
    return 2.0 * (levels.exit - levels.entry - COST) * EXAMPLE.theta_per_hour / cycle_time_mean(low, high)
