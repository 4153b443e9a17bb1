"""Whether the tests of a track record keep what they promise, on returns that have no skill.

Everything is drawn, with fixed seeds; `docs/metrics.md` shows the numbers.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from benchmarks.report import Report
from hlpairs_core._typing import FloatArray
from hlpairs_core.metrics import (
    bootstrap_interval,
    probabilistic_sharpe,
    probability_of_overfitting,
    sharpe_sample,
    superior_ability,
)

N_RECORDS, N_BARS, N_RESAMPLES = 500, 1_000, 200
N_TABLES, N_TRIES = 100, 20

Draw = Callable[[np.random.Generator, int], FloatArray]


def run(data: Path | None) -> Report:
    """Measure all; the recordings are not needed."""
    del data
    rows = [
        (
            "returns of mean 0",
            "PSR > 95 %, 90 % intervals that hold 0, SPA p < 10 %, the same studentised, mean PBO",
        )
    ]
    numbers: dict[str, float | int | str] = {}
    for at, (name, draw) in enumerate(KINDS.items()):
        rng = np.random.default_rng([1, at])
        confident, held = _alone(draw, rng)
        plain, studentised, overfitted = _together(draw, rng)
        rows.append((name, f"{confident:.1%}, {held:.1%}, {plain:.0%}, {studentised:.0%}, {overfitted:.2f}"))
        numbers |= {f"{name}: psr": confident, f"{name}: interval": held, f"{name}: spa": plain}
        numbers |= {f"{name}: spa studentised": studentised, f"{name}: pbo": overfitted}
    return Report("track_record", rows, numbers)


def _independent(rng: np.random.Generator, n: int) -> FloatArray:
    return rng.standard_normal((n, N_BARS))


def _persistent(rng: np.random.Generator, n: int) -> FloatArray:
    shocks = rng.standard_normal((n, N_BARS + 100))
    return np.asarray(lfilter([1.0], [1.0, -0.3], shocks, axis=1)[:, 100:])


def _flat_mostly(rng: np.random.Generator, n: int) -> FloatArray:
    """A position in one bar of five, fat tails."""
    return rng.standard_t(4, size=(n, N_BARS)) * (rng.random((n, N_BARS)) < 0.2)


def _rare_losses(rng: np.random.Generator, n: int) -> FloatArray:
    """One bar in 200 loses what the others earn."""
    small = rng.normal(1.0, 1.0, size=(n, N_BARS))
    return np.where(rng.random((n, N_BARS)) < 0.005, -199.0, small)


KINDS: dict[str, Draw] = {
    "independent, normal": _independent,
    "autocorrelation 0.3": _persistent,
    "flat in 4 of 5 bars, fat tails": _flat_mostly,
    "small gains, rare large losses": _rare_losses,
}


def _alone(draw: Draw, rng: np.random.Generator) -> tuple[float, float]:
    confident = held = 0
    for record in draw(rng, N_RECORDS):
        sample = sharpe_sample(record)
        confident += sample is not None and probabilistic_sharpe(sample) > 0.95
        found = bootstrap_interval(record, lambda bars: float(bars.mean()), rng=rng, n_resamples=N_RESAMPLES)
        held += found.low <= 0.0 <= found.high
    return confident / N_RECORDS, held / N_RECORDS


def _together(draw: Draw, rng: np.random.Generator) -> tuple[float, float, float]:
    superior, overfitted = np.zeros(2), 0.0
    for _ in range(N_TABLES):
        tries = draw(rng, N_TRIES).T
        for at, studentise in enumerate((False, True)):
            found = superior_ability(tries, rng=rng, studentise=studentise, n_resamples=N_RESAMPLES)
            superior[at] += found.p_value < 0.10
        overfitted += probability_of_overfitting(tries, n_blocks=10).probability
    plain, studentised = superior / N_TABLES
    return float(plain), float(studentised), overfitted / N_TABLES
