"""What the exchange charges for each kind of request."""

import math
from dataclasses import dataclass

__all__ = ["WEIGHTS", "RequestWeight"]


@dataclass(frozen=True)
class RequestWeight:
    """What one kind of request costs.

    Attributes
    ----------
    base : int
        Weight of the request itself.
    rows_per_unit : int or None
        One more unit of weight per this many rows of the answer; None where rows are free.
    """

    base: int
    rows_per_unit: int | None = None

    def of(self, rows: int = 0) -> int:
        """Return the weight of a request whose answer has `rows` rows (a started unit counts in full)."""
        if self.rows_per_unit is None:
            return self.base
        return self.base + math.ceil(rows / self.rows_per_unit)


WEIGHTS: dict[str, RequestWeight] = {
    "allMids": RequestWeight(2),
    "candleSnapshot": RequestWeight(20, rows_per_unit=60),
    "fundingHistory": RequestWeight(20, rows_per_unit=20),
    "l2Book": RequestWeight(2),
    "meta": RequestWeight(20),
    "metaAndAssetCtxs": RequestWeight(20),
    "perpDexs": RequestWeight(20),
    "predictedFundings": RequestWeight(20),
    "recentTrades": RequestWeight(20, rows_per_unit=20),
    "spotMeta": RequestWeight(20),
    "spotMetaAndAssetCtxs": RequestWeight(20),
    "userFees": RequestWeight(20),
    "userRateLimit": RequestWeight(20),
}
