"""One new bar, everything refreshed, against computing it afresh with pandas, statsmodels and arch.

Ours: a closed bar is taken in and every table is made: the Engle-Granger tests with lags by AIC, variance ratios,
Hurst exponents and crossings of all pairs, and three correlation matrices. Peers and ours take turns in one process,
in processor time, so that a busy machine matters little. Peers that go pair by pair are timed on a fresh random
sample in each round and scaled to all pairs; ours runs all pairs.
"""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from arch.unitroot import VarianceRatio
from statsmodels.tsa.stattools import coint

from benchmarks.engle_granger import synthetic
from benchmarks.report import Report, processor_seconds
from hlpairs_core._typing import FloatArray
from hlpairs_core.stats import RollingDependence, RollingScreen, dependence, engle_granger_pairs, reversion_pairs

N_SERIES, N_BARS, LONG, ROUNDS, BARS_PER_ROUND = 200, 672, 2016, 5, 4
PAIRS, COINS, SPANS, METHODS = 40, 24, (2, 4, 8, 16), ("pearson", "spearman", "kendall")
PEERS = "pandas + statsmodels + arch"

Times = dict[str, list[float]]
Rows = list[tuple[str, str]]
Numbers = dict[str, float | int | str]


def run(_data: Path | None) -> Report:
    """Measure one bar of a whole screen, and of Kendall's matrix alone over a longer window."""
    rng = np.random.default_rng(1)
    rows, numbers = _one_bar(synthetic(N_BARS + 1 + ROUNDS * BARS_PER_ROUND, N_SERIES, np.random.default_rng(0)), rng)
    more_rows, more_numbers = _kendall(np.diff(synthetic(LONG + 50, N_SERIES, np.random.default_rng(2)), axis=0), rng)
    return Report("rolling", rows + more_rows, numbers | more_numbers)


def _one_bar(prices: FloatArray, rng: np.random.Generator) -> tuple[Rows, Numbers]:
    engines = {"NumPy": False, "Numba": True} if find_spec("numba") else {"NumPy": False}
    live = {f"ours, {name}": _Live(prices, accelerate=accelerate) for name, accelerate in engines.items()}
    times: Times = {name: [] for name in [PEERS, *live, "ours, afresh"]}
    shares = []
    for bar in range(ROUNDS):
        window = prices[bar * BARS_PER_ROUND :][:N_BARS]
        parts = _peers(window, rng)
        times[PEERS].append(sum(parts.values()))
        shares.append(parts["cointegration"] / sum(parts.values()))
        times["ours, afresh"].append(processor_seconds(partial(_afresh, window)))
        for name, one in live.items():
            times[name] += [processor_seconds(one.next_bar) for _ in range(BARS_PER_ROUND)]
    what = f"{N_SERIES} series, {N_BARS} bars, {N_SERIES * (N_SERIES - 1) // 2:,} pairs, lags by AIC, synthetic prices"
    off = max(one.error() for one in live.values())
    ratios = {f"times_{name}": _ratio(times, f"ours, {name}") for name in engines}
    share = f"{median(shares):.0%} of the peers' time; the rest are variance ratios, crossings and correlations"
    rows = [
        ("one new bar", what),
        *_rows(times),
        ("tests for cointegration", share),
        ("largest |Δt| from the screen of the window", f"{off:.1e}"),
    ]
    numbers = {name: median(values) for name, values in times.items()} | ratios
    return rows, {**numbers, "cointegration_share": median(shares), "max_t_difference": off}


class _Live:
    """Both windows, moved along together."""

    def __init__(self, prices: FloatArray, *, accelerate: bool) -> None:
        self._prices, self._at = prices, N_BARS
        self._screen = RollingScreen(prices[:N_BARS], q=SPANS, accelerate=accelerate)
        self._moves = RollingDependence(np.diff(prices[:N_BARS], axis=0))
        self.next_bar()

    def next_bar(self) -> None:
        self._screen.append(self._prices[self._at], time=self._at)
        self._moves.append(self._prices[self._at] - self._prices[self._at - 1], time=self._at)
        self._at += 1
        self._screen.tests()
        self._screen.reversion()
        for method in METHODS:
            self._moves.matrix(method)

    def error(self) -> float:
        expected = engle_granger_pairs(self._prices[self._at - N_BARS : self._at])
        return float((self._screen.tests()["t_stat"] - expected["t_stat"]).abs().max())


def _afresh(prices: FloatArray) -> None:
    """Make the same tables without knowing those of the bar before."""
    engle_granger_pairs(prices)
    reversion_pairs(prices, q=SPANS)
    for method in METHODS:
        dependence(np.diff(prices, axis=0), method=method)


def _peers(prices: FloatArray, rng: np.random.Generator) -> dict[str, float]:
    """Seconds that each part of one window takes the peers."""
    scale = N_SERIES * (N_SERIES - 1) / 2 / PAIRS
    pairs = [rng.choice(N_SERIES, 2, replace=False) for _ in range(PAIRS)]
    moves = pd.DataFrame(np.diff(prices, axis=0))
    correlations = sum(processor_seconds(partial(moves.corr, method=method)) for method in ("pearson", "spearman"))
    return {
        "cointegration": scale * processor_seconds(lambda: [_coint(prices[:, y], prices[:, x]) for y, x in pairs]),
        "spreads": scale * processor_seconds(lambda: [_describe(prices[:, y], prices[:, x]) for y, x in pairs]),
        "correlations": correlations + _pandas_kendall(moves, rng),
    }


def _coint(y: FloatArray, x: FloatArray) -> None:
    coint(y, x, trend="c", autolag="aic")


def _describe(y: FloatArray, x: FloatArray) -> None:
    slope, intercept = np.polyfit(x, y, 1)
    spread = y - intercept - slope * x
    np.count_nonzero(np.diff(np.sign(spread)))
    for span in SPANS:
        _ = VarianceRatio(spread, lags=span).vr


def _pandas_kendall(moves: pd.DataFrame, rng: np.random.Generator) -> float:
    """Seconds pandas takes for Kendall's matrix, scaled from some columns by the number of pairs."""
    some = moves[rng.choice(moves.shape[1], COINS, replace=False)]
    share = moves.shape[1] * (moves.shape[1] - 1) / (COINS * (COINS - 1))
    return processor_seconds(partial(some.corr, method="kendall")) * share


def _kendall(moves: FloatArray, rng: np.random.Generator) -> tuple[Rows, Numbers]:
    rolling, bars = RollingDependence(moves[: LONG - 1], methods=["kendall"]), _bars(moves, LONG - 1)
    times: Times = {"pandas": [], "ours": []}
    for at in range(ROUNDS):
        window = pd.DataFrame(moves[at * BARS_PER_ROUND :][: LONG - 1])
        times["pandas"].append(_pandas_kendall(window, rng))
        times["ours"] += [processor_seconds(partial(_next_matrix, rolling, *next(bars))) for _ in range(BARS_PER_ROUND)]
    now = moves[ROUNDS * BARS_PER_ROUND :][: LONG - 1]
    equal = bool((rolling.matrix("kendall") == dependence(now, method="kendall")).all())
    rows = [("Kendall's matrix, one new bar", f"{moves.shape[1]} series, {LONG} bars of prices"), *_rows(times)]
    rows.append(("equal to the matrix of the window", "in every bit" if equal else "NO"))
    return rows, {
        "kendall_seconds": median(times["ours"]),
        "kendall_times_pandas": _ratio(times, "ours"),
        "kendall_equal": int(equal),
    }


def _bars(moves: FloatArray, start: int) -> Iterator[tuple[FloatArray, int]]:
    yield from ((moves[at], at) for at in range(start, len(moves)))


def _next_matrix(rolling: RollingDependence, bar: FloatArray, at: int) -> None:
    rolling.append(bar, time=at)
    rolling.matrix("kendall")


def _rows(times: Times) -> Rows:
    rows = []
    for name, values in times.items():
        note = f"{median(values):.4f} s, median of {len(values)} (from {min(values):.4f} to {max(values):.4f})"
        peer = not name.startswith("ours")
        rows.append((name, f"{note}, scaled" if peer else f"{note}; 1 / {_ratio(times, name):,.0f}"))
    return rows


def _ratio(times: Times, ours: str) -> float:
    return median(next(iter(times.values()))) / median(times[ours])
