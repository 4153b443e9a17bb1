"""What a trade ties up, when the exchange closes a leg, and how far or how large it must be to pay."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.costs import (
    CostModel,
    MakerCosts,
    RestingOrders,
    break_even_z,
    largest_size_in_books,
    largest_size_with_edge,
    maker_round_trip,
)
from hlpairs_core.market import Panel
from hlpairs_core.screening.edge import leg_weights
from hlpairs_core.screening.pairs import PairTests
from hlpairs_core.screening.priced import CoinFacts, Columns
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["believed_table", "largest_sizes", "liquidation_distance", "maker_costs", "risk_columns"]


def liquidation_distance(short: Any, *, leverage: float, max_leverage: FloatArray) -> FloatArray:
    """Return the move of the price, as a fraction, at which the exchange closes an isolated position.

    Parameters
    ----------
    short : bool or array of bool
        Side of the position.
    leverage : float
        Notional at entry over its margin.
    max_leverage : ndarray
        Of the coin; NaN gives NaN.

    Returns
    -------
    ndarray
        ``(s - 1 / L) / (s - r) - 1`` with s = 1 for a long position and -1 for a short one: where margin and profit are
        down to the maintenance margin, ``r = 1 / (2 max leverage)`` of the value, before fees and funding. -1 or less
        for a long one that cannot be liquidated.
    """
    sign, rate = np.where(short, -1.0, 1.0), 0.5 / max_leverage
    return np.asarray((sign - 1.0 / leverage) / (sign - rate) - 1.0)


def risk_columns(table: pd.DataFrame, facts: CoinFacts, tests: PairTests, settings: ScreenSettings) -> Columns:
    """Return margin, capital, liquidation distances and the break-even z of all tested pairs.

    Parameters
    ----------
    table : DataFrame
        Of `believed_table`.
    facts, tests, settings : CoinFacts, PairTests, ScreenSettings
        Of the screen.
    """
    distance = {
        f"liquidation_distance_{leg}": liquidation_distance(
            (table[f"side_{leg}"] == "short").to_numpy(),
            leverage=settings.leverage,
            max_leverage=facts.max_leverage[places],
        )
        for leg, places in (("y", tests.y), ("x", tests.x))
    }
    margin = np.full(len(table), settings.notional_usd / settings.leverage)
    needed = break_even_z(table, settings=settings)
    return {"margin_usd": margin, "capital_usd": margin, **distance, "break_even_z": needed}


def believed_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return pairs with as much of reversion and funding as is believed to arrive: all, where no model was asked."""
    asked = table["calibrated"]
    gross, funding = (table[name].where(asked, 1.0) for name in ("gross_share", "funding_share"))
    return table.assign(
        sigma=table["sigma"] * gross.where(gross > 0),
        gross_bps=table["gross_bps"] * gross,
        funding_bps=table["funding_bps"] * funding,
    )


def largest_sizes(
    believed: pd.DataFrame, facts: CoinFacts, tests: PairTests, costs: CostModel, which: BoolArray
) -> FloatArray:
    """Return the gross notional (USD) up to which pairs at entry have an edge: by their books, else by the law.

    Shape (n_pairs,); NaN for pairs that are not at entry.
    """
    rows = np.flatnonzero(which)
    y, x, liquidity = tests.y[rows], tests.x[rows], facts.liquidity
    sizes = np.full(len(believed), np.nan)
    sizes[rows] = largest_size_with_edge(
        believed.iloc[rows],
        day_notional_usd=(liquidity.day_notional_usd[y], liquidity.day_notional_usd[x]),
        day_volatility_bps=(liquidity.day_volatility_bps[y], liquidity.day_volatility_bps[x]),
        costs=costs,
    )
    numbers = believed[["beta", "gross_bps", "fee_bps", "funding_bps"]].iloc[rows].to_dict("records")
    for row, one, other, pair in zip(rows.tolist(), y.tolist(), x.tolist(), numbers, strict=True):
        if one in liquidity.books and other in liquidity.books:
            books = liquidity.books[one], liquidity.books[other]
            sizes[row] = largest_size_in_books(cast("Mapping[str, float]", pair), books=books, costs=costs)
    return sizes


def maker_costs(
    known: Panel, tests: PairTests, priced: Columns, costs: CostModel, settings: ScreenSettings, which: BoolArray
) -> Columns:
    """Return what pairs at entry cost with resting orders, and how often these are not filled; NaN for the others."""
    rows, recent = np.flatnonzero(which), known.tail(settings.window + 1)
    orders = RestingOrders.of(
        recent.open, recent.high, recent.low, recent.traded, half_spread_bps=costs.half_spread_bps
    )
    found: MakerCosts = maker_round_trip(
        orders,
        (tests.y[rows], tests.x[rows]),
        leg_weights(tests.beta[rows]),
        (priced["side_y"][rows] == "long", priced["side_x"][rows] == "long"),
        slippage_bps=priced["slippage_bps"][rows],
        costs=costs,
    )
    columns = {name: np.full(len(which), np.nan) for name in ("maker_cost_bps", "maker_unfilled")}
    columns["maker_cost_bps"][rows], columns["maker_unfilled"][rows] = found.cost_bps, found.unfilled
    return columns
