"""Backtests of pairs in a second, by the sweep and by the event-driven engine, beside vectorbt and backtesting.py.

2,016 hourly bars; rolling fits of 336 bars, frozen while a trade is open; entered and left at the next open. The peers
are no part of the project's environment: name an interpreter that has them in ``PEERS_PYTHON``, or they are left out.
They take turns with ours, each in processor time of its own process. Fits are given to them and not counted; vectorbt
trades both legs, backtesting.py (one instrument) that of y alone; neither knows funding or pays for slippage here.
"""

import json
import os
import subprocess
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.report import Report, processor_seconds
from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.backtest import FrozenSignals, Signal, backtest_pairs, sweep
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.screening import ScreenSettings

N_BARS, N_COINS, WINDOW, ROUNDS = 2016, 20, 336, 5
ENTRY, EXIT, HOLD = 2.0, 0.5, 48
GRID: dict[str, Any] = {
    "entry": (1.5, 1.75, 2.0, 2.5, 3.0), "exit": (0.0, 0.5, 1.0), "stop": (3.5, 5.0, np.inf), "hold": (24, 48, 96),
}  # fmt: skip
ONE: dict[str, Any] = {"entry": (ENTRY,), "exit": (EXIT,), "hold": (HOLD,)}
FREE = CostModel(taker_fee_bps=0.0, half_spread_bps=0.0, impact_coefficient=0.0)
EVENT_PAIRS = 3
PEERS_SCRIPT = Path(__file__).with_name("backtest_peers.py")

Times = dict[str, list[float]]


def run(_data: Path | None) -> Report:
    """Measure ours, and the peers where there is an interpreter for them."""
    panel = synthetic(np.random.default_rng(0))
    pairs = [(y, x) for i, y in enumerate(panel.coins) for x in panel.coins[:i]]
    ways = {"NumPy": False, "Numba": True} if find_spec("numba") else {"NumPy": False}
    for accelerate in ways.values():
        sweep(panel, pairs[:1], window=(WINDOW,), **ONE, accelerate=accelerate)
    with tempfile.TemporaryDirectory() as folder:
        peers = _Peers.start(panel, pairs, Path(folder))
    times = _times(panel, pairs, ways, peers)
    peers.close()
    return _report(times, peers, len(pairs), sweep(panel, pairs, window=(WINDOW,), costs=FREE, **ONE))


def _times(panel: Panel, pairs: list[tuple[str, str]], ways: dict[str, bool], peers: "_Peers") -> Times:
    """Seconds of a backtest of a pair, round by round."""
    times: Times = {name: [] for name in peers.names}
    for _ in range(ROUNDS):
        for name, accelerate in ways.items():
            for rules, grid in (("one rule", ONE), ("135 rules", GRID)):
                some = pairs if accelerate else pairs[:20]
                work = partial(sweep, panel, some, window=(WINDOW,), **grid, accelerate=accelerate)
                count = len(some) * (135 if grid is GRID else 1)
                times.setdefault(f"sweep, {name}, {rules}", []).append(processor_seconds(work) / count)
        times.setdefault("event by event, one rule", []).append(_event_seconds(panel, pairs))
        for name in peers.names:
            times[name].append(peers.seconds(name))
    return times


def synthetic(rng: np.random.Generator) -> Panel:
    """Coins that follow one market and revert to it."""
    factor, own = np.cumsum(rng.normal(0, 0.008, N_BARS))[:, None], np.zeros((N_BARS, N_COINS))
    for t in range(1, N_BARS):
        own[t] = 0.98 * own[t - 1] + rng.normal(0, 0.006, N_COINS)
    close = 100 * np.exp(factor * rng.uniform(0.5, 1.5, N_COINS) + own)
    opens = close * np.exp(rng.normal(0, 0.0005, close.shape))
    coins = tuple(f"C{column}" for column in range(N_COINS))
    time = pd.date_range("2025-01-01T00:00Z", periods=N_BARS, freq="1h").as_unit("ms")
    report = PanelReport(close.size, close.size, True, pd.DataFrame())
    volume, funding = rng.uniform(1e4, 1e5, close.shape), rng.normal(0, 1e-5, close.shape)
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    return Panel(time, coins, "1h", opens, high, low, close, volume, funding, report)


def _event_seconds(panel: Panel, pairs: list[tuple[str, str]]) -> float:
    """Processor seconds of a pair in the event-driven engine; its signals are given, as the peers' fits are."""
    settings = ScreenSettings(window=WINDOW, z_in=ENTRY, z_out=EXIT, horizon_hours=float(HOLD))
    total = 0.0
    for pair in pairs[:EVENT_PAIRS]:
        two = panel.select(pair)
        alpha, beta, sigma = _fits(two, np.array([[0, 1]]))[:, 0]
        zscore = (two.log_close[:, 0] - alpha - beta * two.log_close[:, 1]) / sigma
        signals = FrozenSignals([
            (two.time[t] + pd.Timedelta(hours=1), _signal(pair, alpha[t], beta[t], sigma[t], zscore[t]))
            for t in np.flatnonzero(np.abs(zscore) >= ENTRY)
        ])  # fmt: skip
        total += processor_seconds(partial(backtest_pairs, two, strategy=signals, settings=settings))
    return total / EVENT_PAIRS


def _signal(pair: tuple[str, str], alpha: float, beta: float, sigma: float, zscore: float) -> Signal:
    short_y = zscore > 0
    short_x = short_y == (beta < 0)
    return Signal(
        y=pair[0], x=pair[1], side_y="short" if short_y else "long", side_x="short" if short_x else "long",
        alpha=float(alpha), beta=float(beta), sigma=float(sigma),
    )  # fmt: skip


def _fits(panel: Panel, legs: IntArray) -> FloatArray:
    """Return α, β and σ of the window before each bar by pandas, shape (3, n_pairs, n_bars)."""
    logs = pd.DataFrame(panel.log_close)
    fits = np.empty((3, len(legs), panel.n_bars))
    for row, (y, x) in enumerate(legs):
        rolled_y, rolled_x = logs[y].rolling(WINDOW), logs[x].rolling(WINDOW)
        beta = logs[y].rolling(WINDOW).cov(logs[x]) / rolled_x.var()
        alpha, left = rolled_y.mean() - beta * rolled_x.mean(), rolled_y.var() - beta**2 * rolled_x.var()
        fits[:, row] = np.stack([part.shift() for part in (alpha, beta, np.sqrt(left))])
    return fits


class _Peers:
    """Another interpreter that answers with the seconds of a backtest; without one there are no names."""

    def __init__(self, process: "subprocess.Popen[str] | None") -> None:
        self._process = process
        self.gross_bps: list[float] = []
        self.names: tuple[str, ...] = ()
        if process is not None:
            versions = self._answer()["versions"]
            self.names = (f"vectorbt {versions[0]}, one rule", f"backtesting.py {versions[1]}, one rule, one leg")

    @classmethod
    def start(cls, panel: Panel, pairs: list[tuple[str, str]], folder: Path) -> "_Peers":
        interpreter = os.environ.get("PEERS_PYTHON")
        if not interpreter:
            return cls(None)
        legs = np.array([[panel.coins.index(coin) for coin in pair] for pair in pairs])
        file = folder / "prices.npz"
        np.savez(
                file, open=panel.open, log_close=panel.log_close, pairs=legs, fits=_fits(panel, legs), enter=ENTRY,
                leave=EXIT, hold=HOLD,
            )  # fmt: skip
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        command = [interpreter, str(PEERS_SCRIPT), str(file)]
        return cls(subprocess.Popen(command, text=True, **pipes))

    def seconds(self, name: str) -> float:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(name.split()[0] + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.gross_bps = answer["gross_bps"] or self.gross_bps
        return float(answer["seconds"])

    def close(self) -> None:
        """End the other interpreter."""
        if self._process is not None:
            self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise InputError(f"{os.environ['PEERS_PYTHON']} ended without an answer: has it vectorbt and backtesting?")
        return dict(json.loads(line))


def _report(times: Times, peers: _Peers, n_pairs: int, free: pd.DataFrame) -> Report:
    rows = [("backtests of a pair", f"{N_BARS:,} bars, window {WINDOW}, {n_pairs} pairs, synthetic prices")]
    numbers: dict[str, float | int | str] = {}
    best = median(times.get("sweep, Numba, one rule", times["sweep, NumPy, one rule"]))
    for name, values in times.items():
        spread = f"from {1 / max(values):,.0f} to {1 / min(values):,.0f}"
        ratio = "" if name.startswith("sweep") else f"; the sweep of one rule: {median(values) / best:,.0f} times that"
        rows.append((name, f"{1 / median(values):,.0f} a second ({spread}){ratio}"))
        numbers[name] = 1 / median(values)
    if not peers.names:
        rows.append(("vectorbt, backtesting.py", "left out: PEERS_PYTHON names no interpreter that has them"))
        return Report("backtests", rows, numbers)
    off = float(np.max(np.abs(free["gross_bps"].to_numpy() - np.array(peers.gross_bps))))
    rows.append(("largest |Δ gross| from vectorbt's, without costs", f"{off:.1e} bps, {free['trades'].sum():,} trades"))
    return Report("backtests", rows, numbers | {"max_gross_difference_bps": off})
