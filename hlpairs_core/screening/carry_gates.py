"""What a carry trade ties up, when the exchange closes it, and what it must pass to qualify by its raw numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hlpairs_core.costs import MINIMUM_ORDER_USD
from hlpairs_core.screening.gates import Gate
from hlpairs_core.screening.priced import Columns
from hlpairs_core.screening.risk import liquidation_distance
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["CARRY_GATES", "CarryAccount", "carry_gates"]

CARRY_GATES = ("history", "borrow", "funding", "slippage", "edge", "capacity", "order", "leverage")
"""Names of the gates, in the order in which a failure tells most."""


@dataclass(frozen=True, kw_only=True)
class CarryAccount:
    """What an account may do with spot.

    Attributes
    ----------
    spot_short : bool
        Whether spot can be borrowed and sold. Where it cannot the reverse direction is shown, and fails ``borrow``.
    portfolio_margin : bool
        Whether spot margins the perpetual. Then no USDC is tied up beside it, and when the exchange closes the trade
        depends on the whole account: NaN.
    max_leverage : mapping of str to float
        Of perpetuals; unknown where one is not there.
    """

    spot_short: bool = False
    portfolio_margin: bool = False
    max_leverage: Mapping[str, float] = field(default_factory=dict)

    def columns(self, columns: Columns, settings: ScreenSettings) -> Columns:
        """Return what candidates tie up and how far they are from liquidation."""
        short, allowed = columns["short_y"], np.array([self.max_leverage.get(x, np.nan) for x in columns["x"]])
        perp = columns["notional_x_usd"]
        margin = np.zeros_like(perp) if self.portfolio_margin else perp / settings.leverage
        distance = liquidation_distance(~short, leverage=settings.leverage, max_leverage=allowed)
        return {
            "tradable": self.spot_short | ~short,
            "margin_usd": margin,
            "capital_usd": columns["notional_y_usd"] + margin,
            # Spot that is paid in full is nobody's to close; what borrowed spot needs is not known.
            "liquidation_distance_y": np.where(short | self.portfolio_margin, np.nan, np.inf),
            "liquidation_distance_x": np.where(self.portfolio_margin, np.nan, distance),
            "max_leverage": allowed,
        }


def carry_gates(column: Mapping[str, Any], settings: ScreenSettings) -> list[Gate]:
    """Judge candidates by every gate, in the order in which a failure tells most.

    Parameters
    ----------
    column : mapping of str to ndarray, shape (n,)
        The columns of `screen_carry`, and ``unsound`` (why a history cannot be relied on, or empty) and
        ``max_leverage`` (NaN where unknown).
    settings : ScreenSettings
        Notional and leverage.
    """
    fee, slippage = column["expected_fee_bps"], column["expected_slippage_bps"]
    income, capacity = column["expected_gross_bps"] + column["expected_funding_bps"], column["capacity_usd"]
    leg, allowed = np.minimum(column["notional_y_usd"], column["notional_x_usd"]), column["max_leverage"]
    x, unsound, size = column["x"], column["unsound"], settings.notional_usd

    def costs(i: int) -> str:
        return f"fees {fee[i]:.1f} + slippage {slippage[i]:.1f} bps exceed the expected funding {income[i]:.1f} bps"

    def too_small(i: int) -> str:
        if np.isnan(capacity[i]):
            return "its capacity is unknown"
        return f"its volume and books take at most {capacity[i]:,.0f} USD gross, the trade is {size:,.0f}"

    return [
        Gate("history", np.asarray(unsound != "", dtype=bool), lambda i: str(unsound[i])),
        Gate("borrow", ~column["tradable"], lambda _: "spot cannot be sold short: there is nowhere to borrow it"),
        Gate("funding", ~np.isfinite(income), lambda i: f"the funding of {x[i]} is unknown"),
        Gate("slippage", ~np.isfinite(slippage), lambda _: "the slippage is unknown, or a visible book too thin"),
        Gate("edge", np.asarray(income - fee - slippage <= 0), costs),
        Gate("capacity", ~(capacity >= size), too_small),
        Gate(
            "order",
            np.asarray(leg < MINIMUM_ORDER_USD),
            lambda i: f"a leg is {leg[i]:.2f} USD, the exchange takes no order below {MINIMUM_ORDER_USD:g}",
        ),
        Gate(
            "leverage",
            np.asarray(allowed < settings.leverage),
            lambda i: f"leverage is {settings.leverage:g}, {x[i]} allows {allowed[i]:g}",
        ),
    ]
