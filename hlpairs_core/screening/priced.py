"""From tested pairs to what a trade of each is expected to cost and to earn, on arrays."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, StrArray
from hlpairs_core.costs import CostModel, funding_bps_per_hour
from hlpairs_core.market.panel import Panel
from hlpairs_core.market.state import MarketState
from hlpairs_core.screening.edge import expected_edge, leg_weights, spread_zscore
from hlpairs_core.screening.legs import CoinLiquidity, LegCosts, price_legs
from hlpairs_core.screening.liquidity import day_volatility_bps
from hlpairs_core.screening.pairs import PairTests
from hlpairs_core.screening.rates import FundingRates, expected_rates
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.screening.universe import coin_day_notional

__all__ = ["CoinFacts", "Columns", "coin_facts", "leg_costs", "price_pairs", "signal_zscores"]

Columns: TypeAlias = dict[str, Any]
"""Arrays of shape (n_pairs,) by name: the columns of `Candidate`."""


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


def coin_facts(known: Panel, settings: ScreenSettings, costs: CostModel, market: MarketState | None) -> CoinFacts:
    """Collect what is known of a panel's coins, all of them eligible, at its last bar."""
    leverage = np.full(known.n_coins, np.nan)
    if market is not None:
        said = market.contexts["max_leverage"].reindex(list(known.coins))
        leverage = said.to_numpy(dtype=np.float64)
    recent = known.tail(settings.window + 1)
    liquidity = CoinLiquidity.of(
        known.coins,
        coin_day_notional(known, market),
        day_volatility_bps(recent.close[:-1], known.interval),
        {} if market is None else market.books,
    )
    return CoinFacts(known.coins, recent.close[-1], liquidity, expected_rates(known, costs, market), leverage)


def signal_zscores(tests: PairTests, facts: CoinFacts) -> FloatArray:
    """Return the z-score of each pair at the signal bar's close, shape (n_pairs,)."""
    # With a constant in the regression the residuals of the window sum to zero.
    return spread_zscore(
        facts.close[tests.y], facts.close[tests.x], alpha=tests.alpha, beta=tests.beta, mean=0.0, sigma=tests.sigma
    )


def leg_costs(tests: PairTests, facts: CoinFacts, settings: ScreenSettings, costs: CostModel) -> LegCosts:
    """Price the round trips of all pairs."""
    return price_legs((tests.y, tests.x), leg_weights(tests.beta), facts.liquidity, settings=settings, costs=costs)


def price_pairs(
    tests: PairTests,
    zscore: FloatArray,
    facts: CoinFacts,
    legs: LegCosts,
    entry_time: pd.Timestamp,
    *,
    settings: ScreenSettings,
    costs: CostModel,
) -> Columns:
    """Return what a trade of each pair is expected to cost and to earn.

    Parameters
    ----------
    tests : PairTests
        The pairs.
    zscore : ndarray, shape (n_pairs,)
        Of `signal_zscores`.
    facts : CoinFacts
        Of their coins.
    legs : LegCosts
        Of `leg_costs`.
    entry_time : pandas.Timestamp
        When trades would be entered.
    settings, costs : ScreenSettings, CostModel
        Notional, horizon and ``z_out``; fees.
    """
    weight_y, weight_x = leg_weights(tests.beta)
    short_y, same_side = zscore > 0, tests.beta < 0
    side_y, side_x = _sides(short_y), _sides(np.where(same_side, short_y, ~short_y))
    rate, leverage = facts.funding.rate, facts.max_leverage
    rate_y, rate_x = rate[tests.y], rate[tests.x]
    carried: Columns = {
        "fee_bps": np.full(len(zscore), costs.round_trip_fee_bps),
        "slippage_bps": legs.slippage_bps,
        "funding_bps_per_hour": funding_bps_per_hour(side_y, rate_y, side_x, rate_x, weight_y, weight_x),
    }
    frozen = {"sigma": tests.sigma, "beta": tests.beta, "half_life_hours": tests.half_life_hours}
    edge = expected_edge(np.abs(zscore), **frozen, **carried, entry_time=entry_time, settings=settings)
    return carried | {
        "mean": np.zeros(len(zscore)),
        "zscore": zscore,
        "same_side": same_side,
        "side_y": side_y,
        "side_x": side_x,
        "notional_y_usd": weight_y * settings.notional_usd,
        "notional_x_usd": weight_x * settings.notional_usd,
        "capacity_usd": legs.capacity_usd,
        "max_leverage": np.fmin(leverage[tests.y], leverage[tests.x]),
        "hold_hours": edge.hold_hours,
        "gross_bps": edge.gross_bps,
        "funding_bps": edge.funding_bps,
        "net_edge_bps": edge.net_edge_bps,
    }


def _sides(short: BoolArray) -> StrArray:
    return np.where(short, "short", "long").astype(object)
