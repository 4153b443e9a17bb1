"""The Kalman filter over all pairs against a loop over statsmodels' and a loop in plain NumPy.

All take turns in one process, so that a busy moment of the machine hits them alike. The loops are timed on a fresh
random sample of pairs in each round and scaled to all pairs; ours filters all pairs. All are given the variances, and
return the same final state and likelihood.
"""

import importlib.util
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from statsmodels.tsa.statespace.mlemodel import MLEModel

from benchmarks.engle_granger import Numbers, Rows, synthetic
from benchmarks.report import Report
from hlpairs_core._typing import FloatArray
from hlpairs_core.stats import kalman_pairs

N_SERIES, N_BARS, SAMPLE, ROUNDS, OURS_PER_ROUND = 200, 2016, 25, 5, 3
OBSERVATION, LEVEL, BETA = 1e-4, 1e-6, 1e-5
NOISE = {"observation_noise": OBSERVATION, "level_noise": LEVEL, "beta_noise": BETA}

State = tuple[float, float, float]


def run(_: Path | None) -> Report:
    """Measure the speed, and the largest difference to statsmodels, on synthetic prices."""
    prices = synthetic(N_BARS, N_SERIES, np.random.default_rng(0))
    ways = {"numpy": partial(kalman_pairs, prices, **NOISE, compiled=False)}
    if importlib.util.find_spec("numba") is not None:
        ways["numba"] = partial(kalman_pairs, prices, **NOISE, compiled=True)
    first_call = {name: _seconds(way) for name, way in ways.items()}
    times, largest = _times(prices, ways, np.random.default_rng(1))
    typical = {name: median(values) for name, values in times.items()}
    n_pairs = N_SERIES * (N_SERIES - 1) // 2
    rows: Rows = [("filters", f"{N_SERIES} series, {N_BARS} bars, {n_pairs:,} pairs, given variances, final state")]
    numbers: Numbers = {"n_series": N_SERIES, "n_bars": N_BARS, "n_pairs": n_pairs, "max_difference": largest}
    for name, values in times.items():
        how = "all pairs" if name in ways else f"scaled from {SAMPLE} random pairs a round"
        spread = f"median of {len(values)} (from {min(values):.3f} to {max(values):.3f})"
        rows.append((name, f"{typical[name]:.3f} s, {spread}, {how}"))
        numbers[f"{name}_seconds"] = typical[name]
    for name in ways:
        for loop in ("statsmodels", "loop"):
            numbers[f"{name}_times_{loop}"] = typical[loop] / typical[name]
        ratios = (f"{typical[loop] / typical[name]:,.0f} times {what}" for loop, what in _LOOPS.items())
        rows.append((f"{name} is", f"{', '.join(ratios)}; its first call took {first_call[name]:.2f} s"))
    estimated = _seconds(partial(kalman_pairs, prices))
    numbers["estimated_seconds"] = estimated
    rows.append(("variances by likelihood", f"{estimated:.1f} s for all pairs, once"))
    rows.append(("largest difference", f"{largest:.1e}, relative, to statsmodels' final states and likelihoods"))
    return Report("kalman", rows, numbers)


_LOOPS = {"statsmodels": "statsmodels", "loop": "the plain loop"}


def _times(
    prices: FloatArray, ways: dict[str, Callable[[], object]], rng: np.random.Generator
) -> tuple[dict[str, list[float]], float]:
    first, second = np.triu_indices(prices.shape[1], 1)
    times: dict[str, list[float]] = {name: [] for name in (*ways, *_LOOPS)}
    largest = 0.0
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name] += [_seconds(way) for _ in range(OURS_PER_ROUND)]
        chosen = rng.choice(len(first), SAMPLE, replace=False)
        pairs = [(prices[:, first[pair]], prices[:, second[pair]]) for pair in chosen]
        found: list[State] = []
        times["statsmodels"].append(_seconds(lambda: found.extend(_statsmodels(*pair) for pair in pairs)))  # noqa: B023
        times["loop"].append(_seconds(lambda: [_plain_loop(*pair) for pair in pairs]))  # noqa: B023
        ours = kalman_pairs(prices, **NOISE).loc[chosen, ["beta", "innovation", "log_likelihood"]].to_numpy()
        largest = max(largest, float(np.abs(ours / np.array(found) - 1.0).max()))
    for name in _LOOPS:
        times[name] = [seconds / SAMPLE * len(first) for seconds in times[name]]
    return times, largest


def _statsmodels(y: FloatArray, x: FloatArray) -> State:
    model = MLEModel(y, k_states=2, initialization="diffuse")
    model["design"] = np.stack([np.ones_like(x), x - x[0]])[None]
    model["transition"] = model["selection"] = np.eye(2)
    model["state_cov"] = np.diag([LEVEL, BETA])
    model["obs_cov", 0, 0] = OBSERVATION
    result = model.ssm.filter()
    return result.filtered_state[1, -1], result.forecasts_error[0, -1], result.llf


def _plain_loop(y: FloatArray, x: FloatArray) -> tuple[FloatArray, float]:
    """The filter as one would write it, from a start so wide that it is as good as diffuse."""
    state, covariance, noise, likelihood = np.zeros(2), 1e6 * np.eye(2), np.diag([LEVEL, BETA]), 0.0
    design = np.column_stack([np.ones_like(x), x - x[0]])
    for z, value in zip(design, y, strict=True):
        covariance = covariance + noise
        seen = covariance @ z
        variance = z @ seen + OBSERVATION
        error = value - z @ state
        state = state + seen * (error / variance)
        covariance = covariance - np.outer(seen, seen) / variance
        likelihood -= 0.5 * (np.log(2.0 * np.pi * variance) + error * error / variance)
    return state, likelihood


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
