from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from hlpairs_core.exchange.book import OrderBook

__all__ = ["MarketState"]


@dataclass(frozen=True, eq=False)
class MarketState:
    """What the exchange says now, beside the history in a `Panel`.

    Attributes
    ----------
    as_of : pandas.Timestamp
        Market time (UTC) of this state. In a replay this is the replayed clock, not the wall's.
    contexts : pandas.DataFrame
        By coin, as `HyperliquidClient.contexts` returns it: ``asset, size_decimals, max_leverage,
        only_isolated, is_delisted, funding_rate`` (fraction per hour, running estimate), ``open_interest``
        (base units), ``oracle_price, mark_price, mid_price, premium, impact_bid, impact_ask, prev_day_price``
        (USD; NaN where the exchange said null), ``day_notional_usd, day_base_volume``.
    mids : mapping of str to float
        Mid prices (USD) by coin, newest first-hand quote.
    books : mapping of str to OrderBook
        Order books of the coins they were asked for; a coin without one is priced by the slippage model.
    """

    as_of: pd.Timestamp
    contexts: pd.DataFrame
    mids: Mapping[str, float] = field(default_factory=dict)
    books: Mapping[str, OrderBook] = field(default_factory=dict)
