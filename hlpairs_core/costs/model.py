import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs.checks import check_choice, check_number
from hlpairs_core.costs.fees import Fee, FeeSchedule, LiquidityRole

__all__ = ["FILLS_PER_ROUND_TRIP", "MINIMUM_ORDER_USD", "CostModel"]

FILLS_PER_ROUND_TRIP = 4
"""Two legs, each opened and closed."""

MINIMUM_ORDER_USD = 10.0
"""Smallest order the exchange takes (USD)."""


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """What a trade pays beside the price.

    Parameters
    ----------
    taker_fee_bps, maker_fee_bps : float
        Fee of one fill, in bps of that fill's own notional. The defaults are the exchange's base tier;
        a negative fee is a rebate. At most 100 either way.
    impact_coefficient : float
        Y of the square-root law ``half spread + Y σ_day √(Q / V_day)``, used where no book is known.
    half_spread_bps : float
        Half the bid-ask spread assumed where no book is known, in bps of the mid.
    assumed_funding_per_hour : float, optional
        Funding rate (fraction per hour) assumed for a coin whose rate is unknown. None assumes nothing: the
        net edge of its pairs is unknown, and they do not qualify. The exchange caps the rate at 0.04.
    spot_taker_fee_bps, spot_maker_fee_bps : float
        The same on spot.
    slippage_multiple : float
        What all slippage, of books and of the law, is multiplied with: 0, 1 and 2 show how much an edge rests on it.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """

    taker_fee_bps: float = 4.5
    maker_fee_bps: float = 1.5
    impact_coefficient: float = 1.0
    half_spread_bps: float = 1.0
    assumed_funding_per_hour: float | None = None
    spot_taker_fee_bps: float = 7.0
    spot_maker_fee_bps: float = 4.0
    slippage_multiple: float = 1.0

    def __post_init__(self) -> None:
        for field in ("taker_fee_bps", "maker_fee_bps", "spot_taker_fee_bps", "spot_maker_fee_bps"):
            check_number(field, getattr(self, field), low=-100, high=100)
        check_number("slippage_multiple", self.slippage_multiple, low=0, high=100)
        check_number("impact_coefficient", self.impact_coefficient, low=0, high=math.inf)
        check_number("half_spread_bps", self.half_spread_bps, low=0, high=1000)
        if self.assumed_funding_per_hour is not None:
            check_number("assumed_funding_per_hour", self.assumed_funding_per_hour, low=-0.04, high=0.04)

    @classmethod
    def from_schedule(cls, schedule: FeeSchedule, *, perp: Fee | None = None, **others: Any) -> "CostModel":
        """Return the costs of an account.

        Parameters
        ----------
        schedule : FeeSchedule
            What the account pays.
        perp : Fee, optional
            Of the perpetuals, where they are not the exchange's own: ``schedule.fee("builder", ...)``.
        **others
            The other fields of the model.
        """
        perp, spot = perp or schedule.fee("perp"), schedule.fee("spot")
        return cls(
            taker_fee_bps=perp.taker_bps,
            maker_fee_bps=perp.maker_bps,
            spot_taker_fee_bps=spot.taker_bps,
            spot_maker_fee_bps=spot.maker_bps,
            **others,
        )

    def fee_bps(self, kind: Literal["perp", "spot"], role: LiquidityRole = "taker") -> float:
        """Return the fee of one fill of a leg, in bps of the fill's notional.

        Raises
        ------
        InputError
            For another kind or role.
        """
        check_choice("kind", kind, ("perp", "spot"))
        check_choice("role", role, ("taker", "maker"))
        prefix = "" if kind == "perp" else "spot_"
        return float(getattr(self, f"{prefix}{role}_fee_bps"))

    def round_trip_bps(
        self,
        weight_y: ArrayLike,
        weight_x: ArrayLike,
        *,
        kinds: tuple[Literal["perp", "spot"], Literal["perp", "spot"]] = ("perp", "perp"),
        role: LiquidityRole = "taker",
    ) -> FloatArray:
        """Return the fees of a pair's four fills, in bps of its gross notional: ``2 w_y f_y + 2 w_x f_x``.

        Parameters
        ----------
        weight_y, weight_x : array_like
            The legs' shares of the gross notional.
        kinds : pair of {"perp", "spot"}
            Of y and x.
        role : {"taker", "maker"}
            Of all four fills.
        """
        per_leg = FILLS_PER_ROUND_TRIP / 2
        fee_y, fee_x = (per_leg * self.fee_bps(kind, role) for kind in kinds)
        return np.asarray(np.asarray(weight_y) * fee_y + np.asarray(weight_x) * fee_x)

    @property
    def round_trip_fee_bps(self) -> float:
        """Fees of the four taker fills of a pair's round trip, in bps of its gross notional.

        Each leg pays on its own notional when it opens and again when it closes, so with legs of weights w_y
        and w_x = 1 - w_y of the gross the fee is ``(2 w_y + 2 w_x) f = 2 f``, whatever the hedge ratio:
        9 bps at the base tier. Price moves between entry and exit are left out, as the expectation leaves
        them out.
        """
        return FILLS_PER_ROUND_TRIP / 2 * self.taker_fee_bps
