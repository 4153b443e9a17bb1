"""Which coins enter a screen, and why the others do not."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.market.state import MarketState
from hlpairs_core.screening.liquidity import day_notional_usd
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.wording import stated, told_apart

__all__ = ["Universe", "select_universe"]

# What a screen reads of a market.
_SAID = ("is_delisted", "max_leverage", "funding_rate", "day_notional_usd")
_DELISTED = "the exchange does not list it now"


@dataclass(frozen=True, eq=False)
class Universe:
    """The coins of a screen.

    Attributes
    ----------
    table : DataFrame
        By coin, sorted by name: ``eligible`` (bool), ``reason`` (text, empty when eligible),
        ``day_notional_usd``, ``traded_share``. It has every coin of the panel and, with a market, every coin
        the exchange lists.
    coins : tuple of str
        The eligible ones, sorted by name.
    listed : int
        How many coins the exchange lists now; without a market, how many the panel has.
    """

    table: pd.DataFrame
    coins: tuple[str, ...]
    listed: int


def select_universe(panel: Panel, settings: ScreenSettings, market: MarketState | None = None) -> Universe:
    """Choose the coins that can be fitted and traded.

    A coin is eligible when it is not delisted (judged with a market only), has a close in every bar of the
    fit window and in the signal bar, its price moves in the fit window, at least ``min_traded_share`` of
    these bars traded, and ``min_day_notional_usd`` traded in 24 hours: as the exchange says now, or in the
    panel's last 24 hours without a market.

    Raises
    ------
    InputError
        If the market lists a coin twice, or lacks a column.
    """
    coins = list(panel.coins)
    recent = panel.tail(settings.window + 1)
    listed = None if market is None else _listed(market)
    facts = pd.DataFrame(
        {
            "listed": True if listed is None else [coin in listed for coin in coins],
            "missing": np.sum(~np.isfinite(recent.close), axis=0),
            "moves": np.any(recent.close[:-1] != recent.close[:1], axis=0),
            "traded_share": np.mean(recent.traded, axis=0),
            "day_notional_usd": coin_day_notional(panel, market),
        },
        index=pd.Index(coins, name="coin", dtype=object),
    )
    facts["reason"] = [_reason(row, settings) for row in facts.itertuples(index=False)]
    facts["eligible"] = facts["reason"] == ""
    table = facts[["eligible", "reason", "day_notional_usd", "traded_share"]]
    unrecorded = sorted((listed or set()) - set(coins))
    table = pd.concat([table, _no_candles(unrecorded)]) if unrecorded else table
    table = table.sort_index()
    eligible = tuple(str(coin) for coin in table.index[table["eligible"].to_numpy(dtype=bool)])
    return Universe(table, eligible, len(coins) if listed is None else len(listed))


def coin_day_notional(panel: Panel, market: MarketState | None) -> FloatArray:
    """Return each coin's notional of 24 hours (USD), shape (n_coins,); NaN where the market does not say."""
    if market is None:
        return day_notional_usd(panel)
    said = market.contexts["day_notional_usd"].reindex(list(panel.coins))
    return np.asarray(said.to_numpy(dtype=np.float64))


def _listed(market: MarketState) -> set[str]:
    missing = [name for name in _SAID if name not in market.contexts.columns]
    if missing:
        raise InputError(f"market.contexts lacks {', '.join(missing)}: give what `HyperliquidClient.contexts` returns")
    names = market.contexts.index
    if names.has_duplicates:
        twice = ", ".join(map(repr, names[names.duplicated()].unique()))
        raise InputError(f"market.contexts has {twice} more than once: give every coin one row")
    return set(names[~market.contexts["is_delisted"].to_numpy(dtype=bool)])


def _reason(coin: "pd.Series", settings: ScreenSettings) -> str:
    if not coin.listed:
        return _DELISTED
    if coin.missing:
        return f"{coin.missing} of the last {settings.window + 1} bars are missing"
    if not coin.moves:
        return "its price does not move in the fit window"
    if coin.traded_share < settings.min_traded_share:
        needed = 100 * settings.min_traded_share
        return f"it traded in {told_apart(100 * coin.traded_share, needed, 0)}% of bars, needs {stated(needed, 0)}%"
    if not np.isfinite(coin.day_notional_usd):
        return "its volume of 24 hours is unknown"
    if coin.day_notional_usd < settings.min_day_notional_usd:
        needed = settings.min_day_notional_usd
        return f"{told_apart(coin.day_notional_usd, needed, 0)} USD traded in 24 hours, needs {stated(needed, 0)}"
    return ""


def _no_candles(coins: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "eligible": False,
            "reason": "it has no candles in the panel",
            "day_notional_usd": np.nan,
            "traded_share": np.nan,
        },
        index=pd.Index(coins, name="coin", dtype=object),
    )
