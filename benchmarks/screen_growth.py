"""How the cost of a full Engle-Granger screen grows with the number of series and of bars: a figure in the docs."""

from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.engle_granger import ENGINES, PEERS, synthetic
from benchmarks.figure import Line, Panel, save
from benchmarks.report import Report, processor_seconds
from hlpairs_core._typing import FloatArray
from hlpairs_core.stats import engle_granger_pairs

FIGURE = Path(__file__).resolve().parents[1] / "docs" / "figures" / "engle_granger_growth.svg"
N_SERIES, N_BARS = (50, 100, 200, 500, 1000), (500, 1000, 2000, 5000, 10_000)
SERIES, BARS, SAMPLE, REPEATS = 200, 672, 4, 3

Costs = dict[str, list[float]]


def run(data: Path | None) -> Report:  # noqa: ARG001 - benchmarks share one signature
    """Measure, draw `FIGURE`, and say the numbers in it."""
    by_series = _costs([(n, BARS) for n in N_SERIES])
    by_bars = _costs([(SERIES, bars) for bars in N_BARS])
    save(
        [
            _panel(f"{BARS} bars", "series (all pairs of them)", N_SERIES, by_series),
            _panel(f"{SERIES} series, {SERIES * (SERIES - 1) // 2:,} pairs", "bars", N_BARS, by_bars),
        ],
        FIGURE,
    )
    rows = [(f"{n} series, {BARS} bars", _say(by_series, at)) for at, n in enumerate(N_SERIES)]
    rows += [(f"{SERIES} series, {n} bars", _say(by_bars, at)) for at, n in enumerate(N_BARS)]
    numbers: dict[str, float | int | str] = {}
    for axis, costs in (("series", by_series), ("bars", by_bars)):
        numbers |= {f"{axis}_{name}_seconds": str(values) for name, values in costs.items()}
    return Report("screen_growth", [*rows, ("figure", str(FIGURE.name))], numbers)


def _costs(shapes: list[tuple[int, int]]) -> Costs:
    """Seconds of each engine (best of a few), and of each peer's loop scaled from a few pairs."""
    costs: Costs = {name: [] for name in (*ENGINES, *PEERS)}
    for n_series, n_bars in shapes:
        prices = synthetic(n_bars, n_series, np.random.default_rng(n_series + n_bars))
        for name, accelerate in ENGINES.items():
            screen = partial(engle_granger_pairs, prices, accelerate=accelerate)
            costs[name].append(min(processor_seconds(screen) for _ in range(REPEATS)))
        for name, loop in PEERS.items():
            seconds = processor_seconds(partial(loop, prices, _some_pairs(prices)))
            costs[name].append(seconds / SAMPLE * n_series * (n_series - 1) / 2)
    return costs


def _some_pairs(prices: FloatArray) -> list[tuple[int, int]]:
    return [(leg, leg + SAMPLE) for leg in range(SAMPLE) if leg + SAMPLE < prices.shape[1]]


def _panel(title: str, x_label: str, ticks: tuple[int, ...], costs: Costs) -> Panel:
    lines = [Line(name, ticks, values) for name, values in costs.items()]
    return Panel(title, x_label, "seconds of one processor", ticks, lines)


def _say(costs: Costs, at: int) -> str:
    return ", ".join(f"{name} {values[at]:,.3g} s" for name, values in costs.items())
