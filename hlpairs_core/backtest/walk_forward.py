import concurrent.futures as cf
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from hlpairs_core.backtest.walk_folder import Part, WalkFolder
from hlpairs_core.backtest.walk_outcomes import realise
from hlpairs_core.backtest.walk_run import finished, split
from hlpairs_core.backtest.walk_screen import BarRange, LooseGates, WalkRules
from hlpairs_core.backtest.walk_span import check_rules, signal_bars
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.screen import DEFAULT_COSTS, DEFAULT_SETTINGS

__all__ = ["WalkForward", "walk_forward"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class WalkForward:
    """What a screen would have said at many closed bars, and what came of it.

    Attributes
    ----------
    rows : DataFrame
        One row a candidate: a pair at a signal bar. Unknown numbers are NaN. Names and words are categories.

        * ``kind`` ("perp_perp"; "spot_perp" of `walk_carry`), ``signal_time`` (close of the signal bar, UTC), ``y, x,
          side_y, side_x``
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
        with p below ``p_max`` if nothing is cointegrated), ``n_candidates, n_qualifying``. ``expected_by_luck`` is
        nominal (tests times ``p_max``): with lags by AIC luck passes more, up to about twice as many at recorded
        prices, which `null_screen` counts.
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

    Examples
    --------
    >>> from hlpairs_core.simulation import market_panel, synthetic_market
    >>> market = synthetic_market(7, 20, start="2025-03-01T00:00Z", clock=lambda: 0.0)
    >>> walk_forward(market_panel(market, hours=480), every=24)
    <WalkForward: 6 signal bars from 2025-02-23 01:00 to 2025-02-28 01:00 UTC, 16 candidates, 1 of them a bar's top>
    """
    settings = settings if horizon is None else replace(settings, horizon_hours=horizon)
    rules = WalkRules(
        settings=settings, costs=costs, gates=LooseGates(candidate_p=candidate_p, candidate_z=candidate_z)
    )
    check_rules(panel, rules)
    panel = panel.select(sorted(panel.coins))
    bars = signal_bars(panel, settings, every, start, stop)
    folder = None if resume is None else WalkFolder(Path(resume))
    if folder is not None:
        folder.claim(rules)
    parts = _told(split(panel, bars, rules), folder, executor, progress)
    rows, counts = (pd.concat(each, ignore_index=True) for each in zip(*parts, strict=True))
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


def _told(
    tasks: list[BarRange],
    folder: WalkFolder | None,
    executor: cf.Executor | None,
    progress: Callable[[int, int], object] | None,
) -> list[Part]:
    """Return the parts in order of time, telling how far they are."""
    parts: dict[int, Part] = {}
    total = sum(len(task.bars) for task in tasks)
    for number, part in finished(tasks, folder, executor):
        parts[number] = part
        if progress is not None:
            progress(sum(len(tasks[one].bars) for one in parts), total)
    return [parts[number] for number in range(len(tasks))]
