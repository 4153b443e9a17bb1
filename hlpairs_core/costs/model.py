import math
from dataclasses import dataclass

from hlpairs_core.costs.checks import check_number

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

    def __post_init__(self) -> None:
        check_number("taker_fee_bps", self.taker_fee_bps, low=-100, high=100)
        check_number("maker_fee_bps", self.maker_fee_bps, low=-100, high=100)
        check_number("impact_coefficient", self.impact_coefficient, low=0, high=math.inf)
        check_number("half_spread_bps", self.half_spread_bps, low=0, high=1000)
        if self.assumed_funding_per_hour is not None:
            check_number("assumed_funding_per_hour", self.assumed_funding_per_hour, low=-0.04, high=0.04)

    @property
    def round_trip_fee_bps(self) -> float:
        """Fees of the four taker fills of a pair's round trip, in bps of its gross notional.

        Each leg pays on its own notional when it opens and again when it closes, so with legs of weights w_y
        and w_x = 1 - w_y of the gross the fee is ``(2 w_y + 2 w_x) f = 2 f``, whatever the hedge ratio:
        9 bps at the base tier. Price moves between entry and exit are left out, as the expectation leaves
        them out.
        """
        return FILLS_PER_ROUND_TRIP / 2 * self.taker_fee_bps
