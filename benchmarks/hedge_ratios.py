"""How close each hedge ratio comes to a known one, and how often its interval holds it: the table of the docs.

``BENCH_SAMPLES`` says how many pairs are simulated per market (300, which takes some minutes).
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import lfilter

from benchmarks.engle_granger import Numbers, Rows
from benchmarks.report import Report
from hlpairs_core._typing import FloatArray, HedgeMethod
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import HedgeRatio, hedge_ratio

N_BARS, BETA, SEED = 500, 0.8, 20251121
OPTIONS: dict[HedgeMethod, dict[str, Any]] = {
    "ols": {},
    "rolling_ols": {"window": 200},
    "tls": {},
    "huber": {},
    "theil_sen": {},
    "kalman": {},
    "johansen": {},
    "dols": {"leads": 2, "lags": 2},
    "fmols": {},
    "min_half_life": {},
}


@dataclass(frozen=True)
class Market:
    """What a simulated pair is made of: ``y = 1 + beta x + spread``, x a random walk with steps of 1 %.

    Attributes
    ----------
    persistence : float
        Coefficient of the spread's AR(1).
    link : float
        Correlation of the spread's shocks with the steps of x.
    wrong : float
        Share of the bars whose y is off by 20 %, up or down.
    beta_step : float
        Standard deviation of the steps of beta, which counts x from its first bar.
    """

    persistence: float = 0.8
    link: float = 0.0
    wrong: float = 0.0
    beta_step: float = 0.0

    def pair(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, float]:
        """Return y, x and the last bar's beta; the spread has a standard deviation of 2 %."""
        steps, own = rng.normal(size=(2, N_BARS))
        shocks = self.link * steps + np.sqrt(1.0 - self.link**2) * own
        spread = lfilter([0.02 * np.sqrt(1.0 - self.persistence**2)], [1.0, -self.persistence], shocks)
        x = 4.0 + np.cumsum(0.01 * steps)
        beta = BETA + np.cumsum(self.beta_step * rng.normal(size=N_BARS))
        off = 0.2 * rng.choice([-1.0, 1.0], N_BARS) * (rng.random(N_BARS) < self.wrong)
        return 1.0 + BETA * x[0] + beta * (x - x[0]) + spread + off, x, float(beta[-1])


MARKETS = {
    "quick": Market(),
    "slow": Market(persistence=0.97, link=0.5),
    "wrong prices": Market(wrong=0.02),
    "moving beta": Market(beta_step=0.02),
}


def run(_: Path | None) -> Report:
    """Simulate each market and let every method estimate every pair."""
    samples = int(os.environ.get("BENCH_SAMPLES", "300"))
    rows: Rows = [("simulated", f"{samples} pairs a market, {N_BARS} bars, beta {BETA}, seed {SEED}")]
    numbers: Numbers = {"samples": samples}
    for market, kind in MARKETS.items():
        pairs = [kind.pair(np.random.default_rng([SEED, sample])) for sample in range(samples)]
        for method in OPTIONS:
            bias, error, covered, failed = _score(method, pairs)
            held = "no interval" if np.isnan(covered) else f"covers {100 * covered:.0f} %"
            note = f", {failed} without a result" if failed else ""
            rows.append((f"{market}: {method}", f"bias {bias:+.4f}, RMSE {error:.4f}, {held}{note}"))
            prefix = f"{market.replace(' ', '_')}_{method}"
            numbers |= {f"{prefix}_bias": bias, f"{prefix}_rmse": error}
            if not np.isnan(covered):
                numbers[f"{prefix}_coverage"] = covered
    return Report("hedge_ratios", rows, numbers)


def _score(method: HedgeMethod, pairs: list[tuple[FloatArray, FloatArray, float]]) -> tuple[float, float, float, int]:
    found = [(_estimate(method, y, x), beta) for y, x, beta in pairs]
    errors = np.array([ratio.beta - beta for ratio, beta in found if ratio is not None])
    held = [ratio.interval[0] <= beta <= ratio.interval[1] for ratio, beta in found if ratio and ratio.interval]
    coverage = float(np.mean(held)) if held else float("nan")
    return float(errors.mean()), float(np.sqrt(np.mean(errors**2))), coverage, len(found) - len(errors)


def _estimate(method: HedgeMethod, y: FloatArray, x: FloatArray) -> HedgeRatio | None:
    try:
        return hedge_ratio(y, x, method=method, **OPTIONS[method])
    except InputError:
        return None
