"""The screen of one closed bar after the other, and its candidates as rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.costs import CostModel, check_number
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.gates import screen_gates
from hlpairs_core.screening.liquidity import bars_per_day
from hlpairs_core.screening.pairs import PairTests, cointegration_tests
from hlpairs_core.screening.priced import Columns, coin_facts, leg_costs, price_pairs, signal_zscores
from hlpairs_core.screening.signals import no_signals, signal_columns, signal_frame
from hlpairs_core.screening.universe import CoinChecks

__all__ = ["BARS", "BarRange", "LooseGates", "WalkRules", "bars_read", "screen_bars"]

BARS = ("signal_time", "n_coins", "n_pairs", "n_tests", "expected_by_luck", "n_candidates", "n_qualifying")
"""Columns of the table of signal bars."""


@dataclass(frozen=True, kw_only=True)
class LooseGates:
    """Which tested pairs become rows: p below one number and |z| at another or above.

    Raises
    ------
    InputError
        If a number is not allowed.
    """

    candidate_p: float = 0.10
    candidate_z: float = 1.5

    def __post_init__(self) -> None:
        check_number("candidate_p", self.candidate_p, low=0, high=1, low_open=True)
        check_number("candidate_z", self.candidate_z, low=0, high=100)


@dataclass(frozen=True, kw_only=True)
class WalkRules:
    """What decides on the rows, beside the prices."""

    settings: ScreenSettings
    costs: CostModel
    gates: LooseGates


@dataclass(frozen=True, eq=False)
class BarRange:
    """Some signal bars and all that their screens read: rows of a panel up to the last of them, none later.

    Attributes
    ----------
    panel : Panel
        Coins sorted by name.
    bars : tuple of int
        Positions of the signal bars in it.
    rules : WalkRules
        How to screen.
    """

    panel: Panel
    bars: tuple[int, ...]
    rules: WalkRules


def bars_read(settings: ScreenSettings) -> int:
    """Return how many bars up to its signal bar a screen looks at: the window, or a day where that is longer."""
    return max(settings.window + 1, int(np.ceil(bars_per_day(settings.interval))))


def screen_bars(task: BarRange) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Screen the signal bars of a range; return the candidates (`SIGNALS`) and the bars (`BARS`)."""
    n_read = bars_read(task.rules.settings)
    found = [_screen_bar(task.panel.rows(max(0, bar + 1 - n_read), bar + 1), task.rules) for bar in task.bars]
    times = (task.panel.time[list(task.bars)] + (task.panel.closed_at - task.panel.time[-1])).as_unit("ms")
    counts = pd.DataFrame([one for _, one in found], columns=list(BARS[1:]))
    counts.insert(0, "signal_time", times)
    columns = {name: np.concatenate([rows[name] for rows, _ in found]) for name in found[0][0]}
    bar = np.repeat(np.arange(len(found)), counts["n_candidates"])
    return signal_frame(columns, times[bar], task.panel.coins), counts


def _screen_bar(panel: Panel, rules: WalkRules) -> tuple[Columns, tuple[Any, ...]]:
    """Return the candidates at the last bar of a panel, as columns, and the numbers of `BARS`."""
    settings = rules.settings
    eligible = np.flatnonzero(CoinChecks.of(panel, settings).eligible)
    if len(eligible) < 2:
        return no_signals(), (len(eligible), 0, 0, 0.0, 0, 0)
    from hlpairs_core.stats import expected_false_positives

    known = panel.select([panel.coins[i] for i in eligible])
    tests = cointegration_tests(known.tail(settings.window + 1).rows(0, settings.window), settings)
    columns = _candidates(known, tests, rules)
    columns["y"], columns["x"] = eligible[columns["y"]], eligible[columns["x"]]
    by_luck = expected_false_positives(tests.n_tests, settings.p_max)
    counts = (len(columns["y"]), int(columns["qualifies"].sum()))
    return columns, (len(eligible), tests.n_pairs, tests.n_tests, by_luck, *counts)


def _candidates(known: Panel, every: PairTests, rules: WalkRules) -> Columns:
    """Judge the pairs that pass the loose gates by the rules of the screen."""
    settings, costs = rules.settings, rules.costs
    facts = coin_facts(known, settings, costs, None)
    zscores = signal_zscores(every, facts)
    loose = (every.p_value < rules.gates.candidate_p) & (np.abs(zscores) >= rules.gates.candidate_z)
    rows = np.flatnonzero(loose)
    tests, zscore = every.take(rows), zscores[rows]
    legs = leg_costs(tests, facts, settings, costs)
    priced = price_pairs(tests, zscore, facts, legs, known.closed_at, settings=settings, costs=costs)
    judged = screen_gates(priced | {"p_value": tests.p_value, "reason": tests.reason}, settings)
    qualifies = ~np.any([gate.failed for gate in judged], axis=0)
    return signal_columns(known, tests, priced, facts, qualifies, settings)
