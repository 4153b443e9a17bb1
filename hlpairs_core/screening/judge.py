"""From tested pairs to judged candidates: signal, costs, expected edge, gates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.costs import CostModel, funding_bps_per_hour
from hlpairs_core.screening.candidate import CANDIDATE_COLUMNS
from hlpairs_core.screening.edge import expected_edge, leg_weights, spread_zscore
from hlpairs_core.screening.gates import Gate, collect_misses, names_of_failed, screen_gates
from hlpairs_core.screening.legs import CoinLiquidity, price_legs
from hlpairs_core.screening.pairs import PairTests
from hlpairs_core.screening.ranking import rank
from hlpairs_core.screening.rates import FundingRates
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["CoinFacts", "JudgedPairs", "judge_pairs"]


@dataclass(frozen=True, eq=False)
class CoinFacts:
    """What is known of each eligible coin at the signal bar; arrays have shape (n_coins,).

    Attributes
    ----------
    coins : tuple of str
        Names, by position.
    close : ndarray
        Close of the signal bar (USD).
    liquidity : CoinLiquidity
        Volume, volatility and books.
    funding : FundingRates
        Expected hourly rates.
    max_leverage : ndarray
        NaN where it is unknown.
    """

    coins: tuple[str, ...]
    close: FloatArray
    liquidity: CoinLiquidity
    funding: FundingRates
    max_leverage: FloatArray


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """All tested pairs, best first, and how many passed one gate after the other.

    Attributes
    ----------
    n_pairs : int
        Pairs of eligible coins, before the dependence filter.
    expected_by_luck : float
        How many of the pairs with a p pass its gate when none is cointegrated.
    candidates : DataFrame
        The columns of `Candidate`.
    cointegrated, at_entry, positive_edge : int
        How many are left after these gates.
    """

    n_pairs: int
    expected_by_luck: float
    candidates: pd.DataFrame
    cointegrated: int
    at_entry: int
    positive_edge: int


def judge_pairs(
    tests: PairTests,
    facts: CoinFacts,
    entry_time: pd.Timestamp,
    *,
    settings: ScreenSettings,
    costs: CostModel,
) -> JudgedPairs:
    """Give every tested pair its signal, costs and expected edge, hold it to the gates and rank it."""
    legs = (tests.table["y"].to_numpy(dtype=np.int64), tests.table["x"].to_numpy(dtype=np.int64))
    table = _with_signal(tests.table, legs, facts)
    table = _with_costs(table, legs, facts, settings, costs)
    table = _with_edge(table, entry_time, settings)
    gates = screen_gates(table, settings)
    misses = collect_misses(gates, len(table))
    table["misses"] = pd.Series(misses, index=table.index, dtype=object)
    table["gates_failed"] = pd.Series(names_of_failed(gates, len(table)), index=table.index, dtype=object)
    table["qualifies"] = np.array([not said for said in misses], dtype=bool)
    table["calibrated"] = False
    cointegrated = ~_failed(gates, "cointegrated")
    at_entry = cointegrated & ~_failed(gates, "entry")
    return JudgedPairs(
        n_pairs=tests.n_pairs,
        expected_by_luck=tests.expected_by_luck,
        candidates=rank(table[list(CANDIDATE_COLUMNS)], cointegrated),
        cointegrated=int(cointegrated.sum()),
        at_entry=int(at_entry.sum()),
        positive_edge=int((at_entry & (table["net_edge_bps"].to_numpy() > 0)).sum()),
    )


def _with_signal(tests: pd.DataFrame, legs: tuple[IntArray, IntArray], facts: CoinFacts) -> pd.DataFrame:
    (y, x), beta = legs, tests["beta"].to_numpy()
    names = np.array(facts.coins, dtype=object)
    # With a constant in the regression the residuals of the window sum to zero.
    table = tests.assign(y=names[y], x=names[x], mean=0.0)
    zscore = spread_zscore(
        facts.close[y],
        facts.close[x],
        alpha=tests["alpha"].to_numpy(),
        beta=beta,
        mean=table["mean"].to_numpy(),
        sigma=tests["sigma"].to_numpy(),
    )
    short_y, same_side = zscore > 0, beta < 0
    return table.assign(
        zscore=zscore,
        same_side=same_side,
        side_y=_sides(short_y),
        side_x=_sides(np.where(same_side, short_y, ~short_y)),
    )


def _sides(short: BoolArray) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return np.where(short, "short", "long").astype(object)


def _with_costs(
    table: pd.DataFrame,
    legs: tuple[IntArray, IntArray],
    facts: CoinFacts,
    settings: ScreenSettings,
    costs: CostModel,
) -> pd.DataFrame:
    (y, x), rate, leverage = legs, facts.funding.rate, facts.max_leverage
    weight_y, weight_x = leg_weights(table["beta"].to_numpy())
    priced = price_legs(legs, (weight_y, weight_x), facts.liquidity, settings=settings, costs=costs)
    funding = funding_bps_per_hour(
        table["side_y"].to_numpy(), rate[y], table["side_x"].to_numpy(), rate[x], weight_y, weight_x
    )
    priced_table = table.assign(
        notional_y_usd=weight_y * settings.notional_usd,
        notional_x_usd=weight_x * settings.notional_usd,
        fee_bps=costs.round_trip_fee_bps,
        slippage_bps=priced.slippage_bps,
        slippage_source=np.where(priced.from_book, "book", "model").astype(object),
        capacity_usd=priced.capacity_usd,
        funding_bps_per_hour=funding,
        funding_source=_funding_source(legs, facts.funding),
        unfunded=_named(np.isnan(rate[y]), np.isnan(rate[x]), table),
        max_leverage=np.fmin(leverage[y], leverage[x]),
    )
    return _with_thin_books(priced_table, legs, priced.from_book, facts)


def _funding_source(legs: tuple[IntArray, IntArray], funding: FundingRates) -> pd.Series:
    y, x = legs
    assumed = funding.assumed[y] | funding.assumed[x]
    unknown = np.isnan(funding.rate[y]) | np.isnan(funding.rate[x])
    words = np.select([unknown, assumed], ["unknown", "assumed"], default=funding.source)
    return pd.Series(words.astype(object), dtype=object)


def _named(y: BoolArray, x: BoolArray, table: pd.DataFrame) -> pd.Series:
    """Names of the legs marked, as text for a sentence."""
    both = table["y"] + " and " + table["x"]
    return both.where(y & x, table["y"].where(y, table["x"].where(x, "")))


def _with_thin_books(
    table: pd.DataFrame, legs: tuple[IntArray, IntArray], from_book: BoolArray, facts: CoinFacts
) -> pd.DataFrame:
    coin = np.full(len(table), None, dtype=object)
    needs, depth = np.full(len(table), np.nan), np.full(len(table), np.nan)
    # y last: where both books are too thin, its sentence is the one that is told.
    for name, leg in (("x", legs[1]), ("y", legs[0])):
        visible, wanted = facts.liquidity.book_depth_usd[leg], table[f"notional_{name}_usd"].to_numpy()
        thin = from_book & (wanted > visible)
        coin[thin], needs[thin], depth[thin] = table[name].to_numpy()[thin], wanted[thin], visible[thin]
    return table.assign(thin_coin=pd.Series(coin, dtype=object), thin_needs_usd=needs, thin_depth_usd=depth)


def _with_edge(table: pd.DataFrame, entry_time: pd.Timestamp, settings: ScreenSettings) -> pd.DataFrame:
    edge = expected_edge(
        np.abs(table["zscore"].to_numpy()),
        sigma=table["sigma"].to_numpy(),
        beta=table["beta"].to_numpy(),
        half_life_hours=table["half_life_hours"].to_numpy(),
        fee_bps=table["fee_bps"].to_numpy(),
        slippage_bps=table["slippage_bps"].to_numpy(),
        funding_bps_per_hour=table["funding_bps_per_hour"].to_numpy(),
        entry_time=entry_time,
        settings=settings,
    )
    return table.assign(
        hold_hours=edge.hold_hours,
        gross_bps=edge.gross_bps,
        funding_bps=edge.funding_bps,
        net_edge_bps=edge.net_edge_bps,
    )


def _failed(gates: list[Gate], name: str) -> BoolArray:
    return next(gate.failed for gate in gates if gate.name == name)
