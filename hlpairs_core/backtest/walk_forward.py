import concurrent.futures as cf
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.backtest.walk_folder import Part, WalkFolder
from hlpairs_core.backtest.walk_outcomes import realise
from hlpairs_core.backtest.walk_screen import BarRange, LooseGates, WalkRules, bars_read, screen_bars
from hlpairs_core.costs import CostModel, check_integer
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.screen import DEFAULT_COSTS, DEFAULT_SETTINGS

__all__ = ["WalkForward", "walk_forward"]

# Signal bars a task: seconds of work, and not much more history to hand over than it screens.
_BARS_A_TASK = 120


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class WalkForward:
    """What a screen would have said at many closed bars, and what came of it.

    Attributes
    ----------
    rows : DataFrame
        One row a candidate: a pair at a signal bar. Unknown numbers are NaN. Names and words are categories.

        * ``kind`` ("perp_perp"), ``signal_time`` (close of the signal bar, UTC), ``y, x, side_y, side_x``
        * as the screen has them: ``alpha, beta, sigma, p_value, q_value, t_stat, half_life_hours, r_squared,
          correlation, zscore``, and ``expected_gross_bps, expected_fee_bps, expected_slippage_bps,
          expected_funding_bps, expected_net_bps, expected_hold_hours, capacity_usd, qualifies``
        * ``is_top``: the screen's answer at that bar
        * ``half_life_low, half_life_high`` (hours): 90 % interval of the regression; NaN where no reversion cannot
          be excluded
        * ``crossings``: how often the spread changed sides in the fit window
        * ``beta_drift``: β of the window's second half less that of the first, in standard errors
        * ``spread_vol_bps``: standard deviation of the spread's moves (bps of gross notional a bar); ``vol_y_bps,
          vol_x_bps`` of the legs' log returns (bps a bar)
        * ``market_beta_y, market_beta_x``: slopes of the legs' returns on the mean return of eligible coins
        * ``day_notional_y_usd, day_notional_x_usd``: what traded in 24 hours; ``funding_y_per_hour,
          funding_x_per_hour``: expected rates
        * ``signal_age_bars``: bars since z, under today's parameters, last reached ``z_in`` on this side; NaN where
          it did not within the window
        * outcomes, as `realise` has them: ``realised_gross_bps, realised_fee_bps, realised_slippage_bps,
          realised_funding_bps, realised_net_bps, hold_hours, entry_time, exit_time, exit_reason,
          funding_assumed, unknown``
    bars : DataFrame
        One row a signal bar: ``signal_time, n_coins`` (eligible), ``n_pairs, n_tests, expected_by_luck`` (tests
        with p below ``p_max`` if nothing is cointegrated), ``n_candidates, n_qualifying``.
    settings, costs : ScreenSettings, CostModel
        Of the screens and the trades.
    candidate_p, candidate_z : float
        Gates of the rows.
    span : tuple of pandas.Timestamp
        Close of the first and of the last signal bar (UTC).
    """

    rows: pd.DataFrame
    bars: pd.DataFrame
    settings: ScreenSettings
    costs: CostModel
    candidate_p: float
    candidate_z: float
    span: tuple[pd.Timestamp, pd.Timestamp]

    def __repr__(self) -> str:
        first, last = (f"{time:%Y-%m-%d %H:%M}" for time in self.span)
        tops = int(self.rows["is_top"].sum())
        return (
            f"<WalkForward: {len(self.bars):,} signal bars from {first} to {last} UTC, {len(self.rows):,} candidates, "
            f"{tops:,} of them a bar's top>"
        )


def walk_forward(
    panel: Panel,
    *,
    settings: ScreenSettings = DEFAULT_SETTINGS,
    costs: CostModel = DEFAULT_COSTS,
    every: int = 1,
    horizon: float | None = None,
    executor: cf.Executor | None = None,
    start: Any = None,
    stop: Any = None,
    resume: str | Path | None = None,
    progress: Callable[[int, int], object] | None = None,
    candidate_p: float = 0.10,
    candidate_z: float = 1.5,
) -> WalkForward:
    """Screen every closed bar on what was known then, and trade every candidate through the bars after it.

    Parameters
    ----------
    panel : Panel
        History with funding.
    settings, costs : ScreenSettings, CostModel
        Of the screens and the trades.
    every : int
        Bars from one screen to the next.
    horizon : float, optional
        Time stop (hours), in place of the settings'.
    executor : concurrent.futures.Executor, optional
        Runs the screens, some bars a task: threads, processes, or ``Client(...).get_executor()`` of
        `dask.distributed` (the extra ``distributed``). The rows are the same. A task is handed the bars that its
        screens read and no later ones.
    start, stop : int or time with a zone, optional
        The first signal bar and the one to stop before, as positions in the panel or as times of closes; by default
        the first with a full window before it, and the last that has a bar after it.
    resume : path, optional
        Folder for finished parts: a run that was interrupted goes on with what is there. A part that is damaged is
        computed anew. The history may have grown at its end.
    progress : callable, optional
        Called with how many signal bars are done and how many there are, after each part.
    candidate_p, candidate_z : float
        Pairs with p below the one and |z| at the other or above become rows. The settings' own gates must not be
        wider, so that each bar's top is among the rows.

    Returns
    -------
    WalkForward
        In order of time; within a bar in the order of the tests.

    Raises
    ------
    InputError
        If the history is too short (says by how much), no signal bar lies between `start` and `stop`, `every`
        is below 1, the settings' gates are wider than the candidates', or `resume` holds parts by other rules or
        from another panel.
    StoreError
        If `resume` cannot be written to.

    Notes
    -----
    Time convention as in `screen`: nothing after the signal bar decides on a row, membership of the universe
    included; trades are entered at the next open or later. With shared coins and overlapping holds the rows are far
    from independent: judge them in blocks of time.
    """
    settings = settings if horizon is None else replace(settings, horizon_hours=horizon)
    rules = WalkRules(
        settings=settings, costs=costs, gates=LooseGates(candidate_p=candidate_p, candidate_z=candidate_z)
    )
    _check_rules(panel, rules)
    panel = panel.select(sorted(panel.coins))
    bars = _signal_bars(panel, settings, every, start, stop)
    folder = None if resume is None else WalkFolder(Path(resume))
    if folder is not None:
        folder.claim(rules)
    tasks = [_task(panel, bars[at : at + _BARS_A_TASK], rules) for at in range(0, len(bars), _BARS_A_TASK)]
    parts: dict[int, Part] = {}
    done = 0
    for number, part in _finished(tasks, folder, executor):
        parts[number] = part
        done += len(tasks[number].bars)
        if progress is not None:
            progress(done, len(bars))
    rows, counts = (
        pd.concat(each, ignore_index=True) for each in zip(*(parts[i] for i in range(len(tasks))), strict=True)
    )
    outcomes = realise(rows, panel, settings=settings, costs=costs)
    return WalkForward(
        rows=pd.concat([rows, outcomes], axis=1),
        bars=counts,
        settings=settings,
        costs=costs,
        candidate_p=candidate_p,
        candidate_z=candidate_z,
        span=(counts["signal_time"].iloc[0], counts["signal_time"].iloc[-1]),
    )


def _check_rules(panel: Panel, rules: WalkRules) -> None:
    settings, gates = rules.settings, rules.gates
    if panel.interval != settings.interval:
        raise InputError(
            f"the panel has {panel.interval} bars and the settings say {settings.interval}: make them agree"
        )
    if settings.p_max > gates.candidate_p or settings.z_in < gates.candidate_z:
        raise InputError(
            f"candidates need p < {gates.candidate_p:g} and |z| >= {gates.candidate_z:g}, the settings' p_max is "
            f"{settings.p_max:g} and z_in {settings.z_in:g}: widen candidate_p or candidate_z, so that each bar's top "
            "is a candidate"
        )
    needed = settings.window + 2
    if panel.n_bars < needed:
        raise InputError(
            f"a window of {settings.window} bars, a signal bar and one to trade in need {needed} bars, the panel has "
            f"{panel.n_bars}: {needed - panel.n_bars} are missing"
        )


def _signal_bars(panel: Panel, settings: ScreenSettings, every: int, start: Any, stop: Any) -> list[int]:
    check_integer("every", every, low=1, high=panel.n_bars)
    least, most = settings.window, panel.n_bars - 1
    first, last = _position(panel, "start", start, least), _position(panel, "stop", stop, most)
    if not least <= first < last <= most:
        raise InputError(
            f"start {start!r} and stop {stop!r} are the bars {first} and {last}: use a range from {least}, closed at "
            f"{_close(panel, least)} (the window comes before it), to {most} (the last bar is there to trade in)"
        )
    return list(range(first, last, every))


def _position(panel: Panel, name: str, value: Any, default: int) -> int:
    """Return a bar's position, given as such or as a time: the first bar that closes then or later."""
    if value is None:
        return default
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    from hlpairs_core.market._frames import as_utc

    length = panel.closed_at - panel.time[-1]
    return int(panel.time.searchsorted(as_utc(value, name) - length))


def _close(panel: Panel, bar: int) -> str:
    return f"{panel.time[bar] + (panel.closed_at - panel.time[-1]):%Y-%m-%d %H:%M} UTC"


def _task(panel: Panel, bars: list[int], rules: WalkRules) -> BarRange:
    first = max(0, bars[0] + 1 - bars_read(rules.settings))
    return BarRange(panel.rows(first, bars[-1] + 1), tuple(bar - first for bar in bars), rules)


def _finished(
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
