"""A full Engle-Granger screen against loops over statsmodels and arch.

All take turns in one process, so that a busy moment of the machine hits them alike, and times are the processor's.
The loops are timed on a fresh random sample of pairs in each round and scaled to all pairs; ours run all pairs.
"""

import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from arch.unitroot import engle_granger
from statsmodels.tsa.stattools import coint

from benchmarks import screen_exactness
from benchmarks.report import Report, processor_seconds
from hlpairs_core._typing import FloatArray
from hlpairs_core.stats import engle_granger_pairs
from hlpairs_core.stats._batch import engle_granger_from_gram
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._inputs import lag_plan

N_SERIES, N_BARS, LONG, SAMPLE, ROUNDS, OURS_PER_ROUND = 200, 672, 2016, 40, 7, 3
NULL_COINS, NULL_SCREENS, PEAK_SIZE = 100, 50, 1024
ENGINES = {"numpy": False} | ({"numba": True} if find_spec("numba") else {})

Pair = tuple[int, int]
Rows = list[tuple[str, str]]
Numbers = dict[str, float | int | str]
Times = dict[str, list[float]]


def run(data: Path | None) -> Report:
    """Measure the speed on synthetic prices and, given recordings, the exactness on real ones."""
    parts = [
        _against_peers(N_BARS, "aic"),
        _against_peers(N_BARS, "bic"),
        _against_peers(LONG, "aic"),
        _null_screens(),
        _gram_step(),
        _memory(),
    ]
    if data is not None:
        parts += [screen_exactness.measure(data, trend, ENGINES) for trend in ("c", "ct")]
    rows = [row for rows, _ in parts for row in rows]
    return Report("engle_granger", rows, {name: value for _, numbers in parts for name, value in numbers.items()})


def synthetic(n_bars: int, n_series: int, rng: np.random.Generator) -> FloatArray:
    """Log prices of random walks with fat-tailed steps, rounded to five significant figures."""
    steps = 0.01 * rng.standard_t(4, size=(n_bars, n_series))
    logs = np.cumsum(steps, axis=0) + rng.uniform(-9.0, 11.0, n_series)
    digits = 10.0 ** (4 - np.floor(logs / np.log(10.0)))
    rounded: FloatArray = np.log(np.round(np.exp(logs) * digits) / digits)
    return rounded


def statsmodels_loop(prices: FloatArray, pairs: Iterable[Pair], rule: str = "aic") -> None:
    """Test each pair by itself."""
    for y, x in pairs:
        coint(prices[:, y], prices[:, x], trend="c", autolag=rule)


def arch_loop(prices: FloatArray, pairs: Iterable[Pair], rule: str = "aic") -> None:
    """Test each pair by itself."""
    for y, x in pairs:
        engle_granger(prices[:, y], prices[:, x], trend="c", method=rule)


PEERS = {"statsmodels": statsmodels_loop, "arch": arch_loop}


def _against_peers(n_bars: int, rule: str) -> tuple[Rows, Numbers]:
    prices, rng = synthetic(n_bars, N_SERIES, np.random.default_rng(0)), np.random.default_rng(1)
    every = np.column_stack(np.triu_indices(N_SERIES, 1))
    screens = {name: partial(engle_granger_pairs, prices, lag_rule=rule, accelerate=a) for name, a in ENGINES.items()}
    for screen in screens.values():
        screen()
    times: Times = {name: [] for name in (*ENGINES, *PEERS)}
    for _ in range(ROUNDS):
        pairs = rng.choice(every, SAMPLE, replace=False).tolist()
        for name, screen in screens.items():
            times[name] += [processor_seconds(screen) for _ in range(OURS_PER_ROUND)]
        for name, loop in PEERS.items():
            times[name].append(processor_seconds(partial(loop, prices, pairs, rule)) / SAMPLE * len(every))
    return _peer_rows(times, n_bars, rule, len(every)), {
        f"{rule}_{n_bars}_{name}_seconds": median(values) for name, values in times.items()
    }


def _peer_rows(times: Times, n_bars: int, rule: str, n_pairs: int) -> Rows:
    rows = [("screen", f"{N_SERIES} series, {n_bars} bars, {n_pairs:,} pairs, lags by {rule.upper()}, synthetic")]
    for name, values in times.items():
        how = "all pairs"
        if name in PEERS:
            ratios = ", ".join(f"{median(values) / median(times[engine]):,.0f} times {engine}" for engine in ENGINES)
            how = f"scaled from {SAMPLE} random pairs a round; {ratios}"
        spread = f"median of {len(values)} (from {min(values):.3f} to {max(values):.3f})"
        rows.append((name, f"{median(values):.3f} s, {spread}, {how}"))
    return rows


def _null_screens() -> tuple[Rows, Numbers]:
    """Time what a simulated null distribution repeats: products and tests of a fresh panel, on arrays."""
    y, x = np.triu_indices(NULL_COINS, 1)
    plan, rng = lag_plan(N_BARS, "aic", None), np.random.default_rng(2)
    rows, numbers = [], {}
    for name, accelerate in ENGINES.items():
        seconds = []
        for _ in range(NULL_SCREENS):
            walks = np.cumsum(rng.normal(size=(N_BARS, NULL_COINS)), axis=0)

            def screen(series: FloatArray = walks, accelerate: bool = accelerate) -> None:
                gram = LaggedGram.of(series, plan.max_lag)
                engle_granger_from_gram(gram, y, x, plan, accelerate=accelerate)

            seconds.append(processor_seconds(screen))
        numbers[f"null_{name}_ms"] = 1e3 * median(seconds)
        shape = f"{NULL_COINS} series, {N_BARS} bars, {len(y):,} pairs, AIC"
        rows.append((f"one of many, {name}", f"{1e3 * median(seconds):.1f} ms ({shape}; panel to p-values)"))
    return rows, numbers


def _gram_step() -> tuple[Rows, Numbers]:
    """Compare the arithmetic a second of the products with that of one large matrix product."""
    square, rows, numbers = np.random.default_rng(3).normal(size=(PEAK_SIZE, PEAK_SIZE)), [], {}
    for n_series, n_bars in ((N_SERIES, N_BARS), (N_SERIES, LONG), (500, N_BARS)):
        series = synthetic(n_bars, n_series, np.random.default_rng(4))
        lags = lag_plan(n_bars, "aic", None).max_lag
        flops = 2.0 * n_series**2 * (n_bars + (lags + 1) * (n_bars - 1 - lags))
        ours, peak = [], []
        for _ in range(4 * ROUNDS):
            ours.append(flops / processor_seconds(partial(LaggedGram.of, series, lags)))
            peak.append(2.0 * PEAK_SIZE**3 / processor_seconds(partial(np.matmul, square, square)))
        # Neighbours on the machine slow both down: each is judged by its undisturbed moments.
        share = max(ours) / max(peak)
        numbers[f"gram_share_{n_series}_{n_bars}"] = share
        shape = f"{n_series} series, {n_bars} bars"
        rows.append(
            ("products", f"{share:.0%} of a {PEAK_SIZE}-square product's {max(peak) / 1e9:.0f} Gflop/s ({shape})")
        )
    return rows, numbers


def _memory() -> tuple[Rows, Numbers]:
    prices = synthetic(LONG, N_SERIES, np.random.default_rng(0))
    rows, numbers = [], {}
    for name, accelerate in ENGINES.items():
        peak = _peak_mib(partial(engle_granger_pairs, prices, accelerate=accelerate))
        numbers[f"peak_{name}_mib"] = peak
        rows.append((f"memory, {name}", f"{peak:.0f} MiB at its peak (tracemalloc; {N_SERIES} series, {LONG} bars)"))
    return rows, numbers


def _peak_mib(work: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
