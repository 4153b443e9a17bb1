"""Runs the parts of a walk-forward: here or by an executor, and not those that a folder holds."""

import concurrent.futures as cf
from collections.abc import Iterator

from hlpairs_core.backtest.walk_folder import Part, WalkFolder
from hlpairs_core.backtest.walk_screen import BarRange, WalkRules, bars_read, screen_bars
from hlpairs_core.market import Panel

__all__ = ["finished", "split"]

# Signal bars a task: seconds of work, and not much more history to hand over than it screens.
_BARS_A_TASK = 120


def split(panel: Panel, bars: list[int], rules: WalkRules) -> list[BarRange]:
    """Return the tasks that screen these bars."""
    return [_task(panel, bars[at : at + _BARS_A_TASK], rules) for at in range(0, len(bars), _BARS_A_TASK)]


def _task(panel: Panel, bars: list[int], rules: WalkRules) -> BarRange:
    first = max(0, bars[0] + 1 - bars_read(rules.settings))
    return BarRange(panel.rows(first, bars[-1] + 1), tuple(bar - first for bar in bars), rules)


def finished(
    tasks: list[BarRange], folder: WalkFolder | None, executor: cf.Executor | None
) -> Iterator[tuple[int, Part]]:
    """Yield the number and the result of each task, as they come."""
    todo = []
    for number, task in enumerate(tasks):
        kept = None if folder is None else folder.read(task)
        if kept is None:
            todo.append(number)
        else:
            yield number, kept
    for number, part in _screened({number: tasks[number] for number in todo}, executor):
        if folder is not None:
            folder.write(tasks[number], part)
        yield number, part


def _screened(tasks: dict[int, BarRange], executor: cf.Executor | None) -> Iterator[tuple[int, Part]]:
    if executor is None:
        for number, task in tasks.items():
            yield number, screen_bars(task)
        return
    futures = {executor.submit(screen_bars, task): number for number, task in tasks.items()}
    try:
        for future in cf.as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()
