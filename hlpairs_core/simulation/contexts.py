from typing import Any

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.simulation.coins import MARGIN_TABLES
from hlpairs_core.simulation.noise import Stream, uniforms
from hlpairs_core.simulation.premium import BASE_RATE, premium_of
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import number, numbers, on_lot, on_tick

__all__ = ["asset_contexts", "mids", "perp_meta"]

_HOUR_MS = 3_600_000
_IMPACT_USD = 6000.0
_WEEK_MS = 7 * 86_400_000


def perp_meta(view: MarketView) -> dict[str, Any]:
    """Return the answer to ``meta``: coins listed by now, delisted ones at their place."""
    coins, delisted = view.market.coins, view.delisted
    return {
        "universe": [coins[coin].entry(delisted=bool(delisted[coin])) for coin in view.universe],
        "marginTables": MARGIN_TABLES,
        "collateralToken": 0,
    }


def mids(view: MarketView) -> dict[str, str]:
    """Return mid prices by coin; without a book the last trade, as the exchange does."""
    values = np.where(np.isfinite(view.quotes.mid), view.quotes.mid, view.price)
    texts = numbers(values)
    return {name: texts[coin] for name, coin in view.names.items()}


def asset_contexts(view: MarketView) -> list[dict[str, Any]]:
    """Return one context for each entry of `perp_meta`'s universe.

    ``funding`` is the last settled rate; a coin without one so far has the base rate.
    """
    rate = _running_rate(view)
    hour = view.time_ms // _HOUR_MS
    premium = premium_of(rate, view.market.seed, np.array([hour]), view.market.coin_keys)
    columns: dict[str, list[Any]] = {
        "funding": numbers(np.where(view.delisted, 0.0, rate)),
        "openInterest": numbers(np.where(view.delisted, 0.0, _open_interest(view))),
        "prevDayPx": numbers(view.previous_day),
        "dayNtlVlm": numbers(view.day_notional),
        "premium": numbers(premium),
        "oraclePx": numbers(on_tick(view.price / (1 + premium), view.market.size_decimals)),
        "markPx": numbers(view.price),
        "midPx": numbers(view.quotes.mid),
        "impactPxs": _impact(view),
        "dayBaseVlm": numbers(view.day_base),
    }
    delisted = view.delisted
    empty = {"premium": None, "midPx": None, "impactPxs": None}
    contexts: list[dict[str, Any]] = []
    for coin in view.universe:
        context: dict[str, Any] = {key: column[coin] for key, column in columns.items()}
        contexts.append(context | empty if delisted[coin] else context)
    return contexts


def predicted_fundings(view: MarketView) -> list[Any]:
    """Return the answer to ``predictedFundings``; other venues are not simulated."""
    rates = numbers(_running_rate(view))
    following = (view.time_ms // _HOUR_MS + 1) * _HOUR_MS
    return [
        [
            name,
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
        for name, coin in view.names.items()
        if not view.delisted[coin]
    ]


def _running_rate(view: MarketView) -> FloatArray:
    settled = view.funding.settled(view.time_ms)
    return np.where(np.isfinite(settled), settled, BASE_RATE)


def _open_interest(view: MarketView) -> FloatArray:
    """About a day's volume, by the last week's average (base units)."""
    bars = view.bars
    rows = slice(max(0, view.bar - _WEEK_MS // bars.interval_ms), view.bar)
    volume = np.nan_to_num(bars.volume[rows]).sum(axis=0)
    days = max(1.0, (rows.stop - rows.start) * bars.interval_ms / (_WEEK_MS / 7))
    factor = 0.3 + 1.2 * uniforms(view.market.seed, Stream.INTEREST, view.market.coin_keys)
    return on_lot(volume / days * factor, view.market.size_decimals)


def _impact(view: MarketView) -> list[list[str]]:
    """Average prices of selling and buying the impact notional."""
    quotes, decimals = view.quotes, view.market.size_decimals
    levels = _IMPACT_USD / view.state.level_usd
    away = 0.35 * view.state.half_spread_bps / 1e4 * levels
    bid = np.where(levels < 1, quotes.bid, on_tick(quotes.bid * (1 - away), decimals, towards="down"))
    ask = np.where(levels < 1, quotes.ask, on_tick(quotes.ask * (1 + away), decimals, towards="up"))
    return [[number(low), number(high)] for low, high in zip(bid.tolist(), ask.tolist(), strict=True)]
