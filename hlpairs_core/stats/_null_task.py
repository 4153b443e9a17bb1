from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray, Trend
from hlpairs_core.stats._batch import engle_granger_from_gram
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._inputs import LagPlan
from hlpairs_core.stats._null_panel import NullPanel
from hlpairs_core.stats.mackinnon import mackinnon_p

__all__ = ["NullTask", "Progress", "Statistic", "Tally", "pair_statistics", "run_screens"]

Statistic: TypeAlias = Literal["t", "better_t"]
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Tally:
    """What some null screens found.

    Attributes
    ----------
    best : ndarray, shape (m, keep)
        The smallest t of each screen, smallest first.
    passing : ndarray of int, shape (m, n_levels)
        Pairs with a p below each level.
    as_small : ndarray of int, shape (n_pairs,)
        Screens in which the pair's own t was at or below its real one.
    as_small_among : ndarray of int, shape (n_pairs,)
        Screens in which the smallest t of the pair and of all that are really weaker was.
    """

    best: FloatArray
    passing: IntArray
    as_small: IntArray
    as_small_among: IntArray


@dataclass(frozen=True, eq=False)
class NullTask:
    """Everything a process needs to run some of the null screens; `run` depends on their numbers alone."""

    panel: NullPanel
    y: IntArray
    x: IntArray
    plan: LagPlan
    statistic: Statistic
    trend: Trend
    real: FloatArray
    levels: tuple[float, ...]
    keep: int
    seed: int
    accelerate: bool | None

    def run(self, start: int, stop: int) -> Tally:
        """Run the screens `start` to `stop` - 1."""
        best = np.empty((stop - start, self.keep))
        passing = np.empty((stop - start, len(self.levels)), dtype=np.int64)
        as_small, as_small_among = np.zeros((2, len(self.real)), dtype=np.int64)
        strongest_first = np.argsort(self.real, kind="stable")
        ordered = self.real[strongest_first]
        for row, number in enumerate(range(start, stop)):
            t = self._screen(number)
            best[row] = np.sort(np.partition(t, self.keep - 1)[: self.keep])
            p = mackinnon_p(t, trend=self.trend)
            passing[row] = [(p < level).sum() for level in self.levels]
            as_small += t <= self.real
            weakest_on = np.minimum.accumulate(t[strongest_first][::-1])[::-1]
            as_small_among[strongest_first] += weakest_on <= ordered
        return Tally(best, passing, as_small, as_small_among)

    def _screen(self, number: int) -> FloatArray:
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,)))
        walks = self.panel.simulate(rng)
        t = pair_statistics(
            walks, self.y, self.x, self.plan, self.statistic, trend=self.trend, accelerate=self.accelerate
        )
        # As in a real screen, one asset twice and a residual that hardly moves are no tests.
        t[~np.isfinite(t)] = np.inf
        return t


def pair_statistics(
    series: FloatArray,
    y: IntArray,
    x: IntArray,
    plan: LagPlan,
    statistic: Statistic,
    *,
    trend: Trend = "c",
    accelerate: bool | None = None,
) -> FloatArray:
    """Return the Engle-Granger t of the pairs, or the smaller one of both orientations."""
    gram = LaggedGram.of(series, plan.max_lag, trend=trend)
    if statistic == "t":
        return engle_granger_from_gram(gram, y, x, plan, accelerate=accelerate).t_stat
    legs, hedges = np.concatenate([y, x]), np.concatenate([x, y])
    both = engle_granger_from_gram(gram, legs, hedges, plan, accelerate=accelerate).t_stat
    return np.minimum(both[: len(y)], both[len(y) :])


def run_screens(
    task: NullTask, n_screens: int, *, executor: Executor | None, chunk_size: int, progress: Progress | None
) -> Tally:
    """Run all null screens, here or by `executor`; the result depends on neither it nor the chunks."""
    chunks = [(start, min(start + chunk_size, n_screens)) for start in range(0, n_screens, chunk_size)]
    report = progress or _say_nothing
    report(0, n_screens)
    tallies = _run_here(task, chunks, report) if executor is None else _run_by(executor, task, chunks, report)
    return Tally(
        best=np.concatenate([tally.best for tally in tallies]),
        passing=np.concatenate([tally.passing for tally in tallies]),
        as_small=np.sum([tally.as_small for tally in tallies], axis=0),
        as_small_among=np.sum([tally.as_small_among for tally in tallies], axis=0),
    )


def _say_nothing(_done: int, _total: int) -> None:
    """Be the progress callback of who wants none."""


def _run_here(task: NullTask, chunks: list[tuple[int, int]], report: Progress) -> list[Tally]:
    tallies = []
    for start, stop in chunks:
        tallies.append(task.run(start, stop))
        report(stop, chunks[-1][1])
    return tallies


def _run_by(executor: Executor, task: NullTask, chunks: list[tuple[int, int]], report: Progress) -> list[Tally]:
    futures: list[Future[Tally]] = [executor.submit(task.run, start, stop) for start, stop in chunks]
    try:
        done = 0
        for future in as_completed(futures):
            done += len(future.result().best)
            report(done, chunks[-1][1])
    finally:
        # After an error, or a progress callback that raises to stop, nothing is left running for nobody.
        for future in futures:
            future.cancel()
    return [future.result() for future in futures]
