import math
from dataclasses import dataclass
from typing import Literal

from hlpairs_core.backtest.margin import Margin
from hlpairs_core.costs import check_choice, check_integer, check_number

__all__ = ["Portfolio", "Sizing"]

Sizing = Literal["notional", "capital", "volatility"]


@dataclass(frozen=True, kw_only=True)
class Portfolio:
    """How much is traded at once, and when a trade is cut short. What a screen looks for is in its settings.

    Parameters
    ----------
    capital_usd : float
        Equity at the start (USD).
    sizing : {"notional", "capital", "volatility"}
        Gross notional of a new pair:

        * "notional": the settings' ``notional_usd``
        * "capital": `capital_share` of the equity
        * "volatility": so large that one σ of its spread is `risk_bps` of the equity
    capital_share : float
        Gross notional over equity, for "capital".
    risk_bps : float
        For "volatility".
    max_leg_usd : float
        Largest notional of a leg at entry (USD); a pair is scaled down to it.
    max_leverage : float
        Largest gross notional of all pairs over equity when a pair is entered; a pair is scaled down to it.
    max_pairs, max_pairs_per_coin : int
        Pairs at once, orders that wait included; in all and of each coin.
    margin : {"none", "isolated", "cross"}
        * "none": no margin is asked for and nothing is liquidated
        * "isolated": each leg has its own margin, ``notional / leverage`` of the settings' leverage
        * "cross": the equity of the account stands behind all legs; those in one coin are netted
    delay_bars : int
        Bars that every order comes later than the open after its signal.
    stop_z : float, optional
        A trade is left at a close whose z is at or beyond it on the side of the entry.
    stop_bps : float, optional
        A trade is left at a close at which it has lost so many bps of its notional, costs paid so far included.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """

    capital_usd: float = 100_000.0
    sizing: Sizing = "notional"
    capital_share: float = 0.1
    risk_bps: float = 25.0
    max_leg_usd: float = math.inf
    max_leverage: float = math.inf
    max_pairs: int = 10
    max_pairs_per_coin: int = 1
    margin: Margin = "none"
    delay_bars: int = 0
    stop_z: float | None = None
    stop_bps: float | None = None

    def __post_init__(self) -> None:
        check_choice("sizing", self.sizing, ("notional", "capital", "volatility"))
        check_choice("margin", self.margin, ("none", "isolated", "cross"))
        check_integer("max_pairs", self.max_pairs, low=1, high=10_000)
        check_integer("max_pairs_per_coin", self.max_pairs_per_coin, low=1, high=10_000)
        check_integer("delay_bars", self.delay_bars, low=0, high=1_000)
        for name in ("capital_usd", "capital_share", "risk_bps", "max_leg_usd", "max_leverage", "stop_z", "stop_bps"):
            value = getattr(self, name)
            if value is not None and value != math.inf:
                check_number(name, value, low=0, high=math.inf, low_open=True)

    def wanted_usd(self, *, notional_usd: float, equity: float, beta: float, sigma: float) -> float:
        """Return the gross notional of a new pair before the caps (USD).

        A σ of the spread is worth ``σ / (1 + |β|)`` of the gross notional.
        """
        if self.sizing == "notional":
            return notional_usd
        if self.sizing == "capital":
            return self.capital_share * equity
        return self.risk_bps / 1e4 * equity * (1 + abs(beta)) / sigma

    def allowed_usd(self, wanted: float, *, equity: float, gross: float, largest_weight: float) -> float:
        """Return the gross notional of a new pair within the caps (USD), `gross` being open already."""
        room = math.inf if self.max_leverage == math.inf else max(0.0, self.max_leverage * equity - gross)
        return min(wanted, self.max_leg_usd / largest_weight, room)
