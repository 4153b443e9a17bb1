from typing import Any

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.coins import MARGIN_TABLES
from hlpairs_core.simulation.noise import Stream, uniforms
from hlpairs_core.simulation.premium import current_premium, running_rate
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import numbers, on_lot, on_tick

__all__ = ["asset_contexts", "mids", "perp_meta", "predicted_fundings"]

_HOUR_MS = 3_600_000
_IMPACT_USD = 6000.0
_IMPACT_USD_OF = {"BTC": 20_000.0, "ETH": 20_000.0}
_WEEK_MS = 7 * 86_400_000


def perp_meta(view: MarketView, coins: IntArray) -> dict[str, Any]:
    """Return what ``meta`` says of a dex's coins (their numbers), delisted ones at their place."""
    return {
        "universe": [view.market.coins[coin].entry(delisted=bool(view.delisted[coin])) for coin in coins],
        "marginTables": MARGIN_TABLES,
        "collateralToken": 0,
    }


def mids(view: MarketView, coins: IntArray) -> dict[str, str]:
    """Return mid prices of some coins (their numbers); without a book the last trade, as the exchange does."""
    values = np.where(np.isfinite(view.quotes.mid), view.quotes.mid, view.price)[coins]
    return {view.market.coins[coin].name: mid for coin, mid in zip(coins, numbers(values), strict=True)}


def asset_contexts(view: MarketView, coins: IntArray) -> list[dict[str, Any]]:
    """Return one context for each entry of `perp_meta`'s universe.

    ``funding`` is what the hour so far would settle; ``premium`` is the one of the moment.
    """
    rate, premium = running_rate(view), current_premium(view)
    columns: dict[str, list[Any]] = {
        "funding": numbers(np.where(view.delisted, 0.0, rate)[coins]),
        "openInterest": numbers(np.where(view.delisted, 0.0, _open_interest(view))[coins]),
        "prevDayPx": numbers(view.previous_day[coins]),
        "dayNtlVlm": numbers(view.day_notional[coins]),
        "premium": numbers(premium[coins]),
        "oraclePx": numbers(on_tick(view.price / (1 + premium), view.market.size_decimals)[coins]),
        "markPx": numbers(view.price[coins]),
        "midPx": numbers(view.quotes.mid[coins]),
        "impactPxs": _impact(view, coins),
        "dayBaseVlm": numbers(view.day_base[coins]),
    }
    empty = {"premium": None, "midPx": None, "impactPxs": None}
    contexts: list[dict[str, Any]] = []
    for row, coin in enumerate(coins):
        context: dict[str, Any] = {key: column[row] for key, column in columns.items()}
        contexts.append(context | empty if view.delisted[coin] else context)
    return contexts


def predicted_fundings(view: MarketView) -> list[Any]:
    """Return the answer to ``predictedFundings``: of the exchange's own perpetuals; other venues are not simulated."""
    rates = numbers(running_rate(view))
    following = (view.time_ms // _HOUR_MS + 1) * _HOUR_MS
    return [
        [
            view.market.coins[coin].name,
            [
                ["BinPerp", None],
                [
                    "HlPerp",
                    {
                        "fundingRate": rates[coin],
                        "nextFundingTime": following,
                        "fundingIntervalHours": 1,
                    },
                ],
                ["BybitPerp", None],
            ],
        ]
        for coin in view.universe
        if not view.delisted[coin]
    ]


def _open_interest(view: MarketView) -> FloatArray:
    """About a day's volume, by the last week's average (base units)."""
    bars = view.bars
    rows = slice(max(0, view.bar - _WEEK_MS // bars.interval_ms), view.bar)
    volume = np.nan_to_num(bars.volume[rows]).sum(axis=0)
    days = max(1.0, (rows.stop - rows.start) * bars.interval_ms / (_WEEK_MS / 7))
    factor = 0.3 + 1.2 * uniforms(view.market.seed, Stream.INTEREST, view.market.coin_keys)
    return on_lot(volume / days * factor, view.market.size_decimals)


def _impact(view: MarketView, coins: IntArray) -> list[list[str]]:
    """Average prices of selling and buying the impact notional."""
    quotes, decimals = view.quotes, view.market.size_decimals
    usd = np.array([_IMPACT_USD_OF.get(coin.name, _IMPACT_USD) for coin in view.market.coins])
    levels = usd / view.state.level_usd
    away = 0.5 * view.state.gap_bps / 1e4 * levels
    bid = np.where(levels < 1, quotes.bid, on_tick(quotes.bid * (1 - away), decimals, towards="down"))[coins]
    ask = np.where(levels < 1, quotes.ask, on_tick(quotes.ask * (1 + away), decimals, towards="up"))[coins]
    return [[low, high] for low, high in zip(numbers(bid), numbers(ask), strict=True)]
