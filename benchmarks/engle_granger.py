"""A full Engle-Granger screen against loops over statsmodels and arch.

The three take turns in one process, so that a busy moment of the machine hits them alike. The loops are timed
on a fresh random sample of pairs in each round and scaled to all pairs; ours runs all pairs.
"""

import time
import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from arch.unitroot import engle_granger
from statsmodels.tsa.stattools import adfuller, coint

from benchmarks.report import Report
from hlpairs_core._typing import FloatArray
from hlpairs_core.stats import engle_granger_pairs

N_SERIES, N_BARS, SAMPLE, ROUNDS, OURS_PER_ROUND = 200, 672, 80, 5, 3
N_COINS, NEAR = 100, 0.05

Pair = tuple[int, int]
Rows = list[tuple[str, str]]
Numbers = dict[str, float | int | str]


def run(data: Path | None) -> Report:
    """Measure the speed on synthetic prices and, given recordings, the exactness on real ones."""
    rows, numbers = _speed(synthetic(N_BARS, N_SERIES, np.random.default_rng(0)), np.random.default_rng(1))
    if data is not None:
        more_rows, more_numbers = _exactness(recorded(data, N_COINS, N_BARS))
        rows += more_rows
        numbers |= more_numbers
    return Report("engle_granger", rows, numbers)


def synthetic(n_bars: int, n_series: int, rng: np.random.Generator) -> FloatArray:
    """Log prices of random walks with fat-tailed steps, rounded to five significant figures."""
    steps = 0.01 * rng.standard_t(4, size=(n_bars, n_series))
    logs = np.cumsum(steps, axis=0) + rng.uniform(-9.0, 11.0, n_series)
    digits = 10.0 ** (4 - np.floor(logs / np.log(10.0)))
    rounded: FloatArray = np.log(np.round(np.exp(logs) * digits) / digits)
    return rounded


def recorded(folder: Path, n_coins: int, n_bars: int) -> FloatArray:
    """Log closes of the last hourly bars of the coins with the most turnover among those without a gap."""
    candles = pd.read_parquet(folder / "candles_1h.parquet", columns=["coin", "time", "close", "volume"])
    candles = candles[candles["time"] > candles["time"].max() - pd.Timedelta(hours=n_bars)]
    wide = candles.pivot_table(index="time", columns="coin", values=["close", "volume"], observed=True)
    close = wide["close"].dropna(axis="columns")
    turnover = (close * wide["volume"][close.columns]).median()
    logs: FloatArray = np.log(close[turnover.nlargest(n_coins).index].to_numpy())
    return logs


def _speed(prices: FloatArray, rng: np.random.Generator) -> tuple[Rows, Numbers]:
    first, second = np.triu_indices(prices.shape[1], 1)
    n_pairs = len(first)
    screen = partial(engle_granger_pairs, prices)
    screen()
    times: dict[str, list[float]] = {"ours": [], "statsmodels": [], "arch": []}
    for _ in range(ROUNDS):
        chosen = rng.choice(n_pairs, SAMPLE, replace=False)
        pairs = list(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))
        times["ours"] += [_seconds(screen) for _ in range(OURS_PER_ROUND)]
        for name, loop in (("statsmodels", _statsmodels_loop), ("arch", _arch_loop)):
            times[name].append(_seconds(partial(loop, prices, pairs)) / SAMPLE * n_pairs)
    typical = {name: median(values) for name, values in times.items()}
    return _speed_rows(times, typical, prices.shape, n_pairs), {
        "n_series": prices.shape[1],
        "n_bars": prices.shape[0],
        "n_pairs": n_pairs,
        **{f"{name}_seconds": value for name, value in typical.items()},
        "ours_best_seconds": min(times["ours"]),
        "times_statsmodels": typical["statsmodels"] / typical["ours"],
        "times_arch": typical["arch"] / typical["ours"],
        "peak_mib": _peak_mib(screen),
    }


def _speed_rows(times: dict[str, list[float]], typical: dict[str, float], shape: tuple[int, ...], n_pairs: int) -> Rows:
    rows = [("screen", f"{shape[1]} series, {shape[0]} bars, {n_pairs:,} pairs, lags by AIC, synthetic prices")]
    for name, values in times.items():
        note = f", median of {len(values)} (from {min(values):.3f} to {max(values):.3f})"
        how = "all pairs" if name == "ours" else f"scaled from {SAMPLE} random pairs a round"
        ratio = "" if name == "ours" else f"; {typical[name] / typical['ours']:,.0f} times ours"
        rows.append((name, f"{typical[name]:.3f} s{note}, {how}{ratio}"))
    return rows


def _statsmodels_loop(prices: FloatArray, pairs: Iterable[Pair]) -> None:
    for y, x in pairs:
        coint(prices[:, y], prices[:, x], trend="c", autolag="aic")


def _arch_loop(prices: FloatArray, pairs: Iterable[Pair]) -> None:
    for y, x in pairs:
        engle_granger(prices[:, y], prices[:, x], trend="c", method="aic")


def _exactness(prices: FloatArray) -> tuple[Rows, Numbers]:
    frame = engle_granger_pairs(prices)
    pairs = zip(frame["y"], frame["x"], strict=True)
    expected = np.array([_statsmodels_test(prices[:, y], prices[:, x]) for y, x in pairs])
    p = frame["p_value"].to_numpy()
    numbers: Numbers = {
        "recorded_coins": prices.shape[1],
        "recorded_pairs": len(frame),
        "max_t_difference": float(np.abs(frame["t_stat"] - expected[:, 0]).max()),
        "max_p_difference": float(np.abs(p - expected[:, 1]).max()),
        "lags_that_differ": int((frame["lag"].to_numpy(dtype=float) != expected[:, 2]).sum()),
        "decisions_that_differ": int(((p < NEAR) != (expected[:, 1] < NEAR)).sum()),
        "pairs_below_5_percent": int((p < NEAR).sum()),
    }
    window = f"{numbers['recorded_coins']} coins with the most turnover, last {len(prices)} hourly bars"
    return [
        ("recorded prices", f"{window}, {len(frame):,} pairs, against statsmodels"),
        ("largest |Δt|, |Δp|", f"{numbers['max_t_difference']:.1e}, {numbers['max_p_difference']:.1e}"),
        (
            "lags, 5 % decisions that differ",
            f"{numbers['lags_that_differ']}, {numbers['decisions_that_differ']}",
        ),
        ("pairs with p < 5 %", f"{numbers['pairs_below_5_percent']}"),
    ], numbers


def _statsmodels_test(y: FloatArray, x: FloatArray) -> tuple[float, float, int]:
    t, p, _ = coint(y, x, trend="c", autolag="aic")
    design = np.column_stack([x, np.ones(len(x))])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(t), float(p), int(adfuller(residual, regression="n", autolag="aic", result_object=True).lags)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_mib(work: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
