"""Walk-forward of the whole screen at every bar of six months, outcomes of all candidates included.

The peer is a loop over statsmodels' `coint` alone, which is timed on a sample of pairs and bars and scaled to all: it
would take days. Times are the processor's.
"""

import cProfile
import pstats
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import coint

from benchmarks.report import Report, processor_seconds
from hlpairs_core.backtest import WalkForward, realise, walk_forward
from hlpairs_core.backtest.walk_screen import BarRange, LooseGates, WalkRules, screen_bars
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import market_panel, synthetic_market

N_COINS, N_BARS, SPARE_COINS = 100, 4320, 20
SAMPLE_PAIRS, PROFILED_BARS = 100, 60
SETTINGS, COSTS = ScreenSettings(), CostModel()

# Which function's time is which part's; each is called by none of the others.
PARTS = {
    "who is eligible": ("universe.py", "of"),
    "correlations": ("dependence.py", "dependence"),
    "products of all series": ("_gram.py", "of"),
    "regressions of all pairs": ("_batch.py", "engle_granger_from_gram"),
    "q-values": ("multiplicity.py", "benjamini_yekutieli"),
    "costs and expected edge": ("priced.py", "price_pairs"),
    "volume, volatility, funding": ("priced.py", "coin_facts"),
    "features of candidates": ("features.py", "describe_candidates"),
}

Rows = list[tuple[str, str]]


def run(data: Path | None) -> Report:
    """Walk a synthetic market or, given recordings, their most liquid coins."""
    panel, what = _synthetic() if data is None else _recorded(data)
    walks: list[WalkForward] = []
    before = _statsmodels_seconds(panel)
    seconds = processor_seconds(lambda: walks.append(_walk(panel)))
    walked = walks[0]
    outcomes = processor_seconds(partial(realise, walked.rows, panel, settings=SETTINGS, costs=COSTS))
    tests = int(walked.bars["n_tests"].sum())
    # Neighbours on the machine slow a measurement down: the peer's better one counts.
    peer = min(before, _statsmodels_seconds(panel))
    rows = [
        ("market", what),
        ("walked", f"{len(walked.bars):,} bars, {tests:,} tests, {len(walked.rows):,} candidates traded"),
        ("took", f"{seconds:.0f} s, {1e3 * seconds / len(walked.bars):.1f} ms a bar, engine {_engine()}"),
        ("outcomes", f"{outcomes:.1f} s of it, {1e6 * outcomes / len(walked.rows):.1f} µs a candidate"),
        ("statsmodels", f"{peer * tests:,.0f} s for the tests alone, {peer * tests / seconds:,.0f} times as long"),
        ("", f"extrapolated from the faster of two samples of {SAMPLE_PAIRS} tests, {1e3 * peer:.1f} ms each"),
        *_where(panel, seconds / len(walked.bars)),
    ]  # fmt: skip
    numbers: dict[str, float | int | str] = {
        "bars": len(walked.bars),
        "tests": tests,
        "candidates": len(walked.rows),
        "seconds": seconds,
        "outcome_seconds": outcomes,
        "statsmodels_ratio": peer * tests / seconds,
    }
    return Report("walk_forward", rows, numbers)


def _walk(panel: Panel) -> WalkForward:
    return walk_forward(panel, settings=SETTINGS, costs=COSTS)


def _engine() -> str:
    return "numba" if find_spec("numba") else "numpy"


def _synthetic() -> tuple[Panel, str]:
    market = synthetic_market(7, N_COINS + SPARE_COINS, start="2025-08-01T00:00Z", clock=lambda: 0.0)
    panel = market_panel(market, hours=SETTINGS.window + N_BARS + 1)
    there = np.isfinite(panel.close).sum(axis=0)
    return _first(panel, there), f"synthetic, {N_COINS} coins that were listed throughout"


def _recorded(data: Path) -> tuple[Panel, str]:
    candles, funding = (pd.read_parquet(data / name) for name in ("candles_1h.parquet", "funding.parquet"))
    panel = Panel.from_candles(candles, funding, end="2025-05-14T00:00Z").tail(SETTINGS.window + N_BARS + 1)
    return _first(panel, np.nansum(panel.notional, axis=0)), f"recorded, the {N_COINS} coins with the largest volume"


def _first(panel: Panel, merit: np.ndarray) -> Panel:
    """Take the coins with the largest merit; of equal ones the first by name."""
    best = sorted(range(panel.n_coins), key=lambda i: (-merit[i], panel.coins[i]))[:N_COINS]
    return panel.select([panel.coins[i] for i in best])


def _statsmodels_seconds(panel: Panel) -> float:
    """Time one test, on random pairs at random bars with all closes."""
    rng, logs = np.random.default_rng(0), panel.log_close
    windows = []
    while len(windows) < SAMPLE_PAIRS:
        bar, pair = int(rng.integers(SETTINGS.window, panel.n_bars)), rng.choice(panel.n_coins, 2, replace=False)
        window = logs[bar - SETTINGS.window : bar, pair]
        if np.isfinite(window).all() and (np.ptp(window, axis=0) > 0).all():
            windows.append(window)

    def loop() -> None:
        for window in windows:
            coint(window[:, 0], window[:, 1], trend="c", autolag="aic")

    return processor_seconds(loop) / SAMPLE_PAIRS


def _where(panel: Panel, seconds_a_bar: float) -> Rows:
    """Profile some bars; what a profile adds to the time is spread over the parts."""
    rules = WalkRules(settings=SETTINGS, costs=COSTS, gates=LooseGates())
    bars = tuple(np.linspace(SETTINGS.window, panel.n_bars - 2, PROFILED_BARS).astype(int).tolist())
    profile = cProfile.Profile(time.process_time)
    profile.runcall(screen_bars, BarRange(panel, bars, rules))
    times = {(Path(where[0]).name, where[2]): one[3] for where, one in pstats.Stats(profile).stats.items()}  # type: ignore[attr-defined]
    whole = times["walk_screen.py", "screen_bars"]
    parts = {label: times[name] for label, name in PARTS.items()}
    parts["all else"] = whole - sum(parts.values())
    return [(label, f"{t / whole:.0%}, {1e3 * seconds_a_bar * t / whole:.1f} ms a bar") for label, t in parts.items()]
