from collections.abc import Callable

import numpy as np
import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.market.state import MarketState
from hlpairs_core.screening.candidate import CANDIDATE_COLUMNS
from hlpairs_core.screening.forecast import EdgeForecast
from hlpairs_core.screening.judge import JudgedPairs, judge_pairs
from hlpairs_core.screening.pairs import PairTests, cointegration_tests
from hlpairs_core.screening.priced import coin_facts
from hlpairs_core.screening.ranking import nearest_miss, rank, top_candidate
from hlpairs_core.screening.result import Funnel, ScreenResult
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.screening.signals import SIGNAL_TIME, no_signals, signal_frame
from hlpairs_core.screening.spot_side import JudgedCarry, SpotMarket, judge_carry
from hlpairs_core.screening.universe import Universe, select_universe
from hlpairs_core.screening.verdict import write_verdict

__all__ = ["DEFAULT_COSTS", "DEFAULT_SETTINGS", "screen"]

DEFAULT_SETTINGS = ScreenSettings()
DEFAULT_COSTS = CostModel()


def screen(
    panel: Panel,
    *,
    settings: ScreenSettings = DEFAULT_SETTINGS,
    costs: CostModel = DEFAULT_COSTS,
    market: MarketState | None = None,
    test: Callable[[Panel, ScreenSettings], PairTests] = cointegration_tests,
    edge: EdgeForecast | None = None,
    spot: SpotMarket | None = None,
) -> ScreenResult:
    """Find the pair with the largest expected net edge at the panel's last closed bar.

    Parameters
    ----------
    panel : Panel
        Closed bars; at least ``window + 1`` of them.
    settings : ScreenSettings
        What to look for.
    costs : CostModel
        Fees, and what to assume where no book or no funding rate is known.
    market : MarketState, optional
        What the exchange says now. It decides which coins are listed, their 24-hour notional, funding rates,
        maximum leverage and books. Without it: every coin of the panel, its last 24 hours, no leverage limit,
        the square-root law.
    test : callable
        Tests the pairs of the fit window. A `ConsecutiveTests`, kept from bar to bar, spares much of the work.
    edge : EdgeForecast, optional
        Says how much of the expectations arrives: a `CalibratedEdge`. With it, a pair at entry needs a mean net edge
        above 0 with 90 % in place of a projected one above 0, and the ranking goes by that mean; what it has no
        model for does not qualify.
    spot : SpotMarket, optional
        Spot pairs that are held against the perpetuals of the same coins: they are candidates too, see `screen_carry`.

    Returns
    -------
    ScreenResult
        Also where no pair can be formed or none qualifies: its verdict says why.

    Raises
    ------
    InputError
        If the panel is shorter than the window needs, its interval is not the settings', the market lists
        a coin twice or lacks a column, or the settings are outside the grid of `edge`.

    Notes
    -----
    Time convention. The panel's last row is bar t, closed. α, β, the mean, σ, the half-life, the correlation
    and p come from the ``window`` bars before it (t - window to t - 1) and are frozen there. The signal is
    the z-score of bar t's close under these frozen parameters, so bar t has no part in its own yardstick. A
    trade is entered at the open of bar t + 1 (`ScreenResult.closed_at`) or later. Nothing later than bar t is read
    but `market`.

    5 % of unrelated pairs or more pass the p gate of 0.05: `Funnel.expected_by_luck` says how many 5 % are. The
    net edge is a projection of the fit window; what `edge` says of it is calibrated on later data.
    """
    _check_kinds(panel, settings)
    _check_panel(panel, settings)
    universe = select_universe(panel, settings, market)
    judged, carry = _NO_PAIRS, None
    if len(universe.coins) >= 2:
        known = panel.select(universe.coins)
        tests = test(known.tail(settings.window + 1).rows(0, settings.window), settings)
        facts = coin_facts(known, settings, costs, market)
        judged = judge_pairs(known, tests, facts, settings=settings, costs=costs, edge=edge)
    if spot is not None:
        carry = judge_carry(panel, spot, settings=settings, costs=costs, market=market, edge=edge)
    calibrated = edge is not None
    return _result(panel, universe, judged, carry, settings=settings, costs=costs, market=market, calibrated=calibrated)


_NO_PAIRS = JudgedPairs(
    0,
    0.0,
    pd.DataFrame(columns=list(CANDIDATE_COLUMNS)),
    np.zeros(0, dtype=bool),
    0,
    0,
    signal_frame(no_signals(), pd.DatetimeIndex([], dtype=SIGNAL_TIME), ()),
)


def _check_kinds(panel: Panel, settings: ScreenSettings) -> None:
    """Whoever mixes up the arguments is told so: nobody checks types in a notebook."""
    for name, value, kind in (("panel", panel, Panel), ("settings", settings, ScreenSettings)):
        if not isinstance(value, kind):
            raise InputError(f"{name} is a {type(value).__name__}: give a {kind.__name__}")


def _check_panel(panel: Panel, settings: ScreenSettings) -> None:
    if panel.interval != settings.interval:
        raise InputError(
            f"the panel has {panel.interval} bars and the settings say {settings.interval}: make them agree"
        )
    if panel.n_bars < settings.window + 1:
        raise InputError(
            f"a window of {settings.window} bars needs {settings.window + 1} with the signal bar, "
            f"the panel has {panel.n_bars}: shorten the window or load more history"
        )


def _result(
    panel: Panel,
    universe: Universe,
    judged: JudgedPairs,
    carry: JudgedCarry | None,
    *,
    settings: ScreenSettings,
    costs: CostModel,
    market: MarketState | None,
    calibrated: bool,
) -> ScreenResult:
    ranked, in_question = _ranked(judged, carry)
    of_perps = ranked["kind"] == "perp_perp"
    funnel = Funnel(
        coins_listed=universe.listed,
        coins_eligible=len(universe.coins),
        pairs=judged.n_pairs,
        pairs_dependent=len(judged.candidates),
        pairs_cointegrated=int(judged.cointegrated.sum()),
        expected_by_luck=judged.expected_by_luck,
        pairs_at_entry=judged.at_entry,
        pairs_positive_edge=judged.positive_edge,
        pairs_qualifying=int((ranked["qualifies"] & of_perps).sum()),
        carry_pairs=0 if carry is None else len(carry.candidates) // 2,
        carry_qualifying=int((ranked["qualifies"] & ~of_perps).sum()),
    )
    top = top_candidate(ranked)
    closest = nearest_miss(ranked, in_question)
    return ScreenResult(
        candidates=ranked,
        signals=judged.signals if carry is None else _joined_signals(judged.signals, carry.signals),
        top=top,
        nearest_miss=closest,
        verdict=write_verdict(top, closest, funnel, settings, calibrated=calibrated),
        funnel=funnel,
        universe=universe.table,
        settings=settings,
        costs=costs,
        bar_time=panel.time[-1],
        closed_at=panel.closed_at,
        as_of=panel.closed_at if market is None else market.as_of,
    )


def _ranked(judged: JudgedPairs, carry: JudgedCarry | None) -> tuple[pd.DataFrame, int]:
    """Return all candidates, best first, and how many are in question: cointegrated, or spot that can be traded."""
    candidates, sound = judged.candidates, judged.cointegrated
    if carry is not None:
        some = [table for table in (candidates, carry.candidates) if len(table)]
        candidates, sound = pd.concat(some, ignore_index=True), np.concatenate([sound, carry.tradable])
    return rank(candidates, sound), int(sound.sum())


def _joined_signals(pairs: pd.DataFrame, carry: pd.DataFrame) -> pd.DataFrame:
    """Put signals of both kinds into one table; names are plain text, since each kind has categories of its own."""
    words = ["kind", "y", "x", "side_y", "side_x"]
    both = [table.astype(dict.fromkeys(words, object)) for table in (pairs, carry) if len(table)]
    return pd.concat(both, ignore_index=True) if both else pairs
