"""From tested pairs to judged candidates: their numbers, the gates, the words."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, IntArray, StrArray
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening.candidate import CANDIDATE_COLUMNS
from hlpairs_core.screening.forecast import EdgeForecast, forecast_columns
from hlpairs_core.screening.gates import Gate, collect_misses, names_of_failed, screen_gates
from hlpairs_core.screening.legs import LegCosts
from hlpairs_core.screening.pairs import PairTests
from hlpairs_core.screening.priced import CoinFacts, Columns, leg_costs, price_pairs, signal_zscores
from hlpairs_core.screening.rates import FundingRates
from hlpairs_core.screening.risk import believed_table, largest_sizes, maker_costs, risk_columns
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.screening.signals import SIGNAL_TIME, signal_columns, signal_frame

__all__ = ["JudgedPairs", "judge_pairs"]


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """All tested pairs, and how many passed one gate after the other.

    Attributes
    ----------
    n_pairs : int
        Pairs of eligible coins, before the dependence filter.
    expected_by_luck : float
        How many of the pairs with a p pass its gate when none is cointegrated.
    candidates : DataFrame
        The columns of `Candidate`.
    cointegrated : ndarray of bool
        Which of them pass that gate.
    at_entry, positive_edge : int
        How many are left after these gates.
    signals : DataFrame
        Those at entry, in the columns of `SIGNALS`.
    """

    n_pairs: int
    expected_by_luck: float
    candidates: pd.DataFrame
    cointegrated: BoolArray
    at_entry: int
    positive_edge: int
    signals: pd.DataFrame


def judge_pairs(
    known: Panel,
    tests: PairTests,
    facts: CoinFacts,
    *,
    settings: ScreenSettings,
    costs: CostModel,
    edge: EdgeForecast | None,
) -> JudgedPairs:
    """Give every tested pair its signal, costs and expected edge, and hold it to the gates."""
    from hlpairs_core.stats import expected_false_positives

    legs, zscore = leg_costs(tests, facts, settings, costs), signal_zscores(tests, facts)
    numbers = price_pairs(tests, zscore, facts, legs, known.closed_at, settings=settings, costs=costs)
    table = tests.table.assign(**numbers, **_words(tests, numbers, facts, legs))
    raw = screen_gates(_arrays(table), settings)
    is_signal = ~_failed(raw, "cointegrated") & ~_failed(raw, "entry")
    signals = _signals(known, tests, numbers, facts, raw, is_signal, settings)
    said = None if edge is None else edge.predict(signals, settings=settings)
    table = table.assign(is_signal=is_signal, **forecast_columns(said, is_signal))
    gates = raw if edge is None else screen_gates(_arrays(table), settings, calibrated=True)
    misses = collect_misses(gates, len(table))
    table["misses"] = pd.Series(misses, index=table.index, dtype=object)
    table["gates_failed"] = pd.Series(names_of_failed(gates, len(table)), index=table.index, dtype=object)
    table["qualifies"] = np.array([not said for said in misses], dtype=bool)
    table["calibrated"] = is_signal & (edge is not None)
    believed = believed_table(table)
    table = table.assign(
        **risk_columns(believed, facts, tests, settings),
        **maker_costs(known, tests, numbers, costs, settings, is_signal),
    )
    table["largest_size_usd"] = largest_sizes(believed, facts, tests, costs, is_signal)
    cointegrated = ~_failed(gates, "cointegrated")
    net = table["net_edge_bps" if edge is None else "mean_net_bps"].to_numpy()
    return JudgedPairs(
        n_pairs=tests.n_pairs,
        expected_by_luck=expected_false_positives(tests.n_tests, settings.p_max),
        candidates=table[list(CANDIDATE_COLUMNS)],
        cointegrated=cointegrated,
        at_entry=int(is_signal.sum()),
        positive_edge=int((is_signal & (net > 0)).sum()),
        signals=signals,
    )


def _arrays(table: pd.DataFrame) -> Columns:
    return {name: table[name].to_numpy() for name in table.columns if name != "lag"}


def _signals(
    known: Panel,
    tests: PairTests,
    numbers: Columns,
    facts: CoinFacts,
    gates: list[Gate],
    which: BoolArray,
    settings: ScreenSettings,
) -> pd.DataFrame:
    """Return the pairs at entry as a walk-forward has them."""
    qualifies = ~np.any([gate.failed for gate in gates], axis=0)
    priced = {name: values[which] for name, values in numbers.items()}
    columns = signal_columns(known, tests.take(np.flatnonzero(which)), priced, facts, qualifies[which], settings)
    times = pd.DatetimeIndex([known.closed_at] * int(which.sum()), dtype=SIGNAL_TIME)
    return signal_frame(columns, times, known.coins)


def _words(tests: PairTests, numbers: Columns, facts: CoinFacts, legs: LegCosts) -> Columns:
    """Return the columns of names and words, and what only sentences need."""
    names, rate = np.array(facts.coins, dtype=object), facts.funding.rate
    y, x = names[tests.y], names[tests.x]
    return {
        "kind": np.full(len(y), "perp_perp", dtype=object),
        "y": y,
        "x": x,
        "spot_token": np.full(len(y), "", dtype=object),
        "spot_leg": np.full(len(y), "", dtype=object),
        "slippage_source": np.where(legs.from_book, "book", "model").astype(object),
        "funding_source": _funding_source((tests.y, tests.x), facts.funding),
        "unfunded": _named(np.isnan(rate[tests.y]), np.isnan(rate[tests.x]), y, x),
        **_thin_books(tests, numbers, facts, legs),
    }


def _funding_source(legs: tuple[IntArray, IntArray], funding: FundingRates) -> pd.Series:
    y, x = legs
    assumed = funding.assumed[y] | funding.assumed[x]
    unknown = np.isnan(funding.rate[y]) | np.isnan(funding.rate[x])
    words = np.select([unknown, assumed], ["unknown", "assumed"], default=funding.source)
    return pd.Series(words.astype(object), dtype=object)


def _named(y_marked: BoolArray, x_marked: BoolArray, y: StrArray, x: StrArray) -> StrArray:
    """Names of the legs marked, as text for a sentence."""
    return np.where(y_marked & x_marked, y + " and " + x, np.where(y_marked, y, np.where(x_marked, x, "")))


def _thin_books(tests: PairTests, numbers: Columns, facts: CoinFacts, legs: LegCosts) -> Columns:
    names, n_pairs = np.array(facts.coins, dtype=object), len(tests.y)
    coin = np.full(n_pairs, None, dtype=object)
    needs, depth = np.full(n_pairs, np.nan), np.full(n_pairs, np.nan)
    # y last: where both books are too thin, its sentence is the one that is told.
    for name, leg in (("x", tests.x), ("y", tests.y)):
        visible, wanted = facts.liquidity.book_depth_usd[leg], numbers[f"notional_{name}_usd"]
        thin = legs.from_book & (wanted > visible)
        coin[thin], needs[thin], depth[thin] = names[leg][thin], wanted[thin], visible[thin]
    return {"thin_coin": pd.Series(coin, dtype=object), "thin_needs_usd": needs, "thin_depth_usd": depth}


def _failed(gates: list[Gate], name: str) -> BoolArray:
    return next(gate.failed for gate in gates if gate.name == name)
