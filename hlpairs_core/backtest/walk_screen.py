"""The screen of one closed bar after the other, and its candidates as rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray, StrArray
from hlpairs_core.backtest.walk_features import FEATURES, describe_candidates
from hlpairs_core.costs import CostModel, check_number
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.gates import screen_gates
from hlpairs_core.screening.liquidity import bars_per_day
from hlpairs_core.screening.pairs import PairTests, cointegration_tests
from hlpairs_core.screening.priced import Columns, coin_facts, leg_costs, price_pairs, signal_zscores
from hlpairs_core.screening.universe import CoinChecks

__all__ = ["BARS", "DECISIONS", "BarRange", "LooseGates", "WalkRules", "bars_read", "screen_bars"]

_TESTED = ("alpha", "beta", "sigma", "p_value", "q_value", "t_stat", "half_life_hours", "r_squared", "correlation")
_EXPECTED = {
    "gross_bps": "expected_gross_bps",
    "fee_bps": "expected_fee_bps",
    "slippage_bps": "expected_slippage_bps",
    "funding_bps": "expected_funding_bps",
    "net_edge_bps": "expected_net_bps",
    "hold_hours": "expected_hold_hours",
}
DECISIONS = (
    "kind", "signal_time", "y", "x", "side_y", "side_x", *_TESTED, "zscore", *FEATURES, *_EXPECTED.values(),
    "capacity_usd", "qualifies", "is_top",
)  # fmt: skip
"""Columns of a candidate that are known at its signal bar."""

BARS = ("signal_time", "n_coins", "n_pairs", "n_tests", "expected_by_luck", "n_candidates", "n_qualifying")
"""Columns of the table of signal bars."""

_KINDS, _SIDES = ("perp_perp", "spot_perp"), ("long", "short")


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
    """Screen the signal bars of a range; return the candidates (`DECISIONS`) and the bars (`BARS`)."""
    n_read = bars_read(task.rules.settings)
    found = [_screen_bar(task.panel.rows(max(0, bar + 1 - n_read), bar + 1), task.rules) for bar in task.bars]
    times = (task.panel.time[list(task.bars)] + (task.panel.closed_at - task.panel.time[-1])).as_unit("ms")
    counts = pd.DataFrame([one for _, one in found], columns=list(BARS[1:]))
    counts.insert(0, "signal_time", times)
    columns = {name: np.concatenate([rows[name] for rows, _ in found]) for name in found[0][0]}
    bar = np.repeat(np.arange(len(found)), counts["n_candidates"])
    return _frame(columns, times[bar], task.panel.coins), counts


def _screen_bar(panel: Panel, rules: WalkRules) -> tuple[Columns, tuple[Any, ...]]:
    """Return the candidates at the last bar of a panel, as columns, and the numbers of `BARS`."""
    settings = rules.settings
    eligible = np.flatnonzero(CoinChecks.of(panel, settings).eligible)
    if len(eligible) < 2:
        return _NOTHING, (len(eligible), 0, 0, 0.0, 0, 0)
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
    names = np.array(known.coins)
    return {
        "y": tests.y,
        "x": tests.x,
        "short_y": priced["side_y"] == "short",
        "short_x": priced["side_x"] == "short",
        **{name: getattr(tests, name) for name in _TESTED},
        "zscore": zscore,
        **describe_candidates(known, tests, zscore, facts, settings),
        **{ours: priced[theirs] for theirs, ours in _EXPECTED.items()},
        "capacity_usd": priced["capacity_usd"],
        "qualifies": qualifies,
        "is_top": _is_top(qualifies, priced["net_edge_bps"], names[tests.y], names[tests.x]),
    }


def _is_top(qualifies: BoolArray, net: FloatArray, y: StrArray, x: StrArray) -> BoolArray:
    """Mark the qualifying pair with the largest net edge; ties go by name, as in the screen's ranking."""
    top = np.zeros(len(net), dtype=bool)
    rows = np.flatnonzero(qualifies)
    if len(rows):
        top[rows[np.lexsort((x[rows], y[rows], -net[rows]))[0]]] = True
    return top


_WHOLE = dict.fromkeys(("y", "x"), np.int64)
_TRUE_OR_FALSE = dict.fromkeys(("short_y", "short_x", "qualifies", "is_top"), np.bool_)
_NUMBERS = (*_TESTED, "zscore", *FEATURES, *_EXPECTED.values(), "capacity_usd")
_NOTHING: Columns = {
    name: np.empty(0, dtype=(_WHOLE | _TRUE_OR_FALSE).get(name, np.float64))
    for name in ("y", "x", "short_y", "short_x", *_NUMBERS, "qualifies", "is_top")
}


def _frame(columns: Columns, times: pd.DatetimeIndex, coins: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows as a table; names and words are categories, because there are few of them."""

    def words(codes: "IntArray | BoolArray", known: tuple[str, ...]) -> pd.Categorical:
        return pd.Categorical.from_codes(codes.astype(np.int64), categories=list(known))

    names = {
        "kind": words(np.zeros(len(times), dtype=np.int64), _KINDS),
        "signal_time": times,
        "y": words(columns["y"], coins),
        "x": words(columns["x"], coins),
        "side_y": words(columns["short_y"], _SIDES),
        "side_x": words(columns["short_x"], _SIDES),
    }
    numbers = {name: columns[name].astype(np.float64) for name in _NUMBERS}
    return pd.DataFrame(names | numbers | {name: columns[name] for name in ("qualifies", "is_top")})[list(DECISIONS)]
