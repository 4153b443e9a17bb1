from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["MARGIN_TABLES", "Coin", "CoinKind", "margin_table_of"]

CoinKind: TypeAlias = Literal["perp", "builder", "spot"]

# A price has at most so many decimals, less those of a size.
_PRICE_DECIMALS: dict[CoinKind, int] = {"perp": 6, "builder": 6, "spot": 8}

# Tables 50 and above are tiered; below 50 the table's number is its one maximal leverage.
_TIERS: dict[int, tuple[str, tuple[tuple[str, int], ...]]] = {
    50: ("", (("0.0", 50),)),
    51: ("tiered 10x", (("0.0", 10), ("3000000.0", 5))),
    52: ("tiered 10x (2)", (("0.0", 10), ("20000000.0", 5))),
    53: ("tiered 20x", (("0.0", 20), ("40000000.0", 10))),
    54: ("tiered 20x (2)", (("0.0", 20), ("70000000.0", 10))),
    55: ("tiered 25x", (("0.0", 25), ("100000000.0", 15))),
    56: ("tiered 40x", (("0.0", 40), ("150000000.0", 20))),
}

MARGIN_TABLES: list[list[Any]] = [
    [
        number,
        {
            "description": description,
            "marginTiers": [{"lowerBound": bound, "maxLeverage": leverage} for bound, leverage in tiers],
        },
    ]
    for number, (description, tiers) in _TIERS.items()
]
"""``marginTables`` as the exchange sends them."""


@dataclass(frozen=True)
class Coin:
    """What the exchange's metadata say about a perpetual or a spot pair.

    Attributes
    ----------
    name : str
        Name on the wire: ``BTC``, ``dex:COIN`` of a builder's dex, ``PURR/USDC`` or ``@107`` of a spot pair.
    size_decimals : int
        Decimals of a size.
    max_leverage : int
        Largest leverage.
    margin_table : int
        Number of its margin table.
    only_isolated : bool
        Whether cross margin is refused.
    margin_mode : str or None
        ``"strictIsolated"`` or ``"noCross"``; None for ordinary coins.
    kind : {"perp", "builder", "spot"}
        Perpetual of the exchange, perpetual of a builder's dex, or spot pair against USDC.
    token : str or None
        Name of a spot pair's base token, such as ``UBTC``; None for perpetuals.
    """

    name: str
    size_decimals: int
    max_leverage: int
    margin_table: int
    only_isolated: bool = False
    margin_mode: str | None = None
    kind: CoinKind = "perp"
    token: str | None = None

    @property
    def dex(self) -> str:
        """Name of its builder's dex; empty for all others."""
        return self.name.partition(":")[0] if self.kind == "builder" else ""

    @property
    def pair_index(self) -> int:
        """Index of a spot pair: the number in its name; 0 of PURR/USDC, the one pair that is named."""
        return int(self.name[1:]) if self.name.startswith("@") else 0

    @property
    def price_decimals(self) -> int:
        """The most decimals that a price of it may have."""
        return _PRICE_DECIMALS[self.kind] - self.size_decimals

    def entry(self, *, delisted: bool) -> dict[str, Any]:
        """Return its entry in ``universe``: optional keys are absent when false."""
        entry: dict[str, Any] = {
            "szDecimals": self.size_decimals,
            "name": self.name,
            "maxLeverage": self.max_leverage,
            "marginTableId": self.margin_table,
        }
        if self.only_isolated:
            entry["onlyIsolated"] = True
        if delisted:
            entry["isDelisted"] = True
        if self.margin_mode is not None:
            entry["marginMode"] = self.margin_mode
        return entry


def margin_table_of(max_leverage: int) -> int:
    """Return the number of the one-tier table for a leverage below 50."""
    return min(max_leverage, 50)
