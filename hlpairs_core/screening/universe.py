"""Which coins enter a screen, and why the others do not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.market.state import MarketState
from hlpairs_core.screening.liquidity import day_notional_usd
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.wording import stated, told_apart

__all__ = ["CoinChecks", "Universe", "coin_day_notional", "listed_coins", "select_universe"]

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
    checks = CoinChecks.of(panel, settings, market)
    table = pd.DataFrame(
        {
            "eligible": checks.eligible,
            "reason": checks.reasons(),
            "day_notional_usd": checks.day_notional_usd,
            "traded_share": checks.traded_share,
        },
        index=pd.Index(list(panel.coins), name="coin", dtype=object),
    )
    listed = None if market is None else listed_coins(market)
    unrecorded = sorted((listed or set()) - set(panel.coins))
    table = pd.concat([table, _no_candles(unrecorded)]) if unrecorded else table
    table = table.sort_index()
    eligible = tuple(str(coin) for coin in table.index[table["eligible"].to_numpy(dtype=bool)])
    return Universe(table, eligible, panel.n_coins if listed is None else len(listed))


@dataclass(frozen=True, eq=False)
class CoinChecks:
    """What decides whether the coins of a panel can be fitted and traded; arrays have shape (n_coins,).

    Attributes
    ----------
    day_notional_usd : ndarray
        NaN where it is unknown.
    traded_share : ndarray
        Share of the fit window's bars and the signal bar with a trade.
    hurdles : list of (ndarray of bool, callable)
        Who fails one condition, and from a coin's position the sentence that says so; the first that fails is told.
    """

    day_notional_usd: FloatArray
    traded_share: FloatArray
    hurdles: list[tuple[BoolArray, Callable[[int], str]]]

    @classmethod
    def of(cls, panel: Panel, settings: ScreenSettings, market: MarketState | None = None) -> "CoinChecks":
        """Check the coins at the panel's last bar."""
        recent = panel.tail(settings.window + 1)
        listed = None if market is None else listed_coins(market)
        delisted = np.array([listed is not None and coin not in listed for coin in panel.coins], dtype=bool)
        missing = np.sum(~np.isfinite(recent.close), axis=0)
        still = ~np.any(recent.close[:-1] != recent.close[:1], axis=0)
        share, notional = np.mean(recent.traded, axis=0), coin_day_notional(panel, market)
        hurdles: list[tuple[BoolArray, Callable[[int], str]]] = [
            (delisted, lambda _: _DELISTED),
            (missing > 0, lambda i: f"{missing[i]} of the last {settings.window + 1} bars are missing"),
            (still, lambda _: "its price does not move in the fit window"),
            (share < settings.min_traded_share, lambda i: _rarely_traded(share[i], settings)),
            (~np.isfinite(notional), lambda _: "its volume of 24 hours is unknown"),
            (notional < settings.min_day_notional_usd, lambda i: _small_volume(notional[i], settings)),
        ]
        return cls(notional, share, hurdles)

    @property
    def eligible(self) -> BoolArray:
        """Which coins fail nothing."""
        return np.asarray(~np.any([failed for failed, _ in self.hurdles], axis=0))

    def reasons(self) -> list[str]:
        """Return why each coin is not eligible; empty for those that are."""
        said = [""] * len(self.traded_share)
        for failed, sentence in reversed(self.hurdles):
            for i in np.flatnonzero(failed).tolist():
                said[i] = sentence(i)
        return said


def coin_day_notional(panel: Panel, market: MarketState | None) -> FloatArray:
    """Return each coin's notional of 24 hours (USD), shape (n_coins,); NaN where the market does not say."""
    if market is None:
        return day_notional_usd(panel)
    said = market.contexts["day_notional_usd"].reindex(list(panel.coins))
    return np.asarray(said.to_numpy(dtype=np.float64))


def listed_coins(market: MarketState) -> set[str]:
    """Return the coins that the exchange lists and has not delisted."""
    missing = [name for name in _SAID if name not in market.contexts.columns]
    if missing:
        raise InputError(f"market.contexts lacks {', '.join(missing)}: give what `HyperliquidClient.contexts` returns")
    names = market.contexts.index
    if names.has_duplicates:
        twice = ", ".join(map(repr, names[names.duplicated()].unique()))
        raise InputError(f"market.contexts has {twice} more than once: give every coin one row")
    return set(names[~market.contexts["is_delisted"].to_numpy(dtype=bool)])


def _rarely_traded(share: float, settings: ScreenSettings) -> str:
    needed = 100 * settings.min_traded_share
    return f"it traded in {told_apart(100 * share, needed, 0)}% of bars, needs {stated(needed, 0)}%"


def _small_volume(notional: float, settings: ScreenSettings) -> str:
    needed = settings.min_day_notional_usd
    return f"{told_apart(notional, needed, 0)} USD traded in 24 hours, needs {stated(needed, 0)}"


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
