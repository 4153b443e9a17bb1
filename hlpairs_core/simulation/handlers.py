"""Answers to ``POST /info``: from a request's body to a status and a payload."""

import json
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.accounts import ACCOUNT_ANSWERS, Answer
from hlpairs_core.simulation.candles import CANDLE_INTERVALS, Candles, candles_at
from hlpairs_core.simulation.chain import CHAIN_ANSWERS
from hlpairs_core.simulation.contexts import asset_contexts, mids, perp_meta, predicted_fundings
from hlpairs_core.simulation.dexs import builder_dexs, coins_of, perp_dexs, requested_dex
from hlpairs_core.simulation.fields import Request, choice, milliseconds_or, text, whole
from hlpairs_core.simulation.l2 import l2_book
from hlpairs_core.simulation.premium import settled_premium
from hlpairs_core.simulation.reply import NOT_FOUND, Reply
from hlpairs_core.simulation.spot import is_stand_in, spot_contexts, spot_meta, spot_mids
from hlpairs_core.simulation.tape import last_trades
from hlpairs_core.simulation.trades import trade_rows
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import numbers

__all__ = ["INFO_TYPES", "Reply", "answer"]

_FUNDING_PAGE = 500
_RECENT_TRADES = 10


def answer(view: MarketView, request: Any) -> Reply:
    """Answer one request as of the view's time.

    Raises
    ------
    InputError
        If the request has no known type, or lacks or mistypes a field (the exchange answers 422).
    """
    if not isinstance(request, dict):
        raise InputError(f"a request must be a JSON object, got {type(request).__name__}")
    kind = text(request, "type")
    if kind not in _ANSWERS:
        raise InputError(f"unknown request type {kind[:80]!r}: use one of {', '.join(INFO_TYPES)}")
    return _ANSWERS[kind](view, request)


def _meta(view: MarketView, request: Request) -> Reply:
    return Reply(perp_meta(view, coins_of(view, requested_dex(view, request))))


def _meta_and_contexts(view: MarketView, request: Request) -> Reply:
    coins = coins_of(view, requested_dex(view, request))
    return Reply([perp_meta(view, coins), asset_contexts(view, coins)])


def _all_perp_metas(view: MarketView, _: Request) -> Reply:
    return Reply([perp_meta(view, coins_of(view, dex)) for dex in ("", *builder_dexs(view))])


def _all_mids(view: MarketView, request: Request) -> Reply:
    dex = requested_dex(view, request)
    return Reply(mids(view, coins_of(view, dex)) | ({} if dex else spot_mids(view)))


def _candles(view: MarketView, request: Request) -> Reply:
    inner = request.get("req")
    if not isinstance(inner, dict):
        raise InputError("candleSnapshot needs an object `req`")
    name, interval = text(inner, "coin"), text(inner, "interval")
    whole(inner, "startTime")
    start, end = (milliseconds_or(inner, key, view.time_ms) for key in ("startTime", "endTime"))
    if interval not in CANDLE_INTERVALS:
        raise InputError(f"unknown interval {interval[:80]!r}: use one of {', '.join(CANDLE_INTERVALS)}")
    if is_stand_in(view, name):
        return Reply([])
    if name not in view.names:
        return NOT_FOUND
    candles = candles_at(view, view.names[name], interval, start, end)
    return Reply(body=_candle_rows(name, interval, candles), rows=len(candles.open_ms))


def _candle_rows(name: str, interval: str, candles: Candles) -> str:
    """Write candles as JSON by hand: with 5,000 of them that takes half of what a dictionary for each would."""
    named = f'"s":{json.dumps(name)},"i":"{interval}"'
    columns = zip(
        candles.open_ms.tolist(),
        candles.close_ms.tolist(),
        numbers(candles.open),
        numbers(candles.close),
        numbers(candles.high),
        numbers(candles.low),
        numbers(candles.volume),
        candles.trades.tolist(),
        strict=True,
    )
    rows = [
        f'{{"t":{t},"T":{last},{named},"o":"{o}","c":"{c}","h":"{h}","l":"{low}","v":"{v}","n":{n}}}'
        for t, last, o, c, h, low, v, n in columns
    ]
    return f"[{','.join(rows)}]"


def _funding_history(view: MarketView, request: Request) -> Reply:
    name = text(request, "coin")
    whole(request, "startTime")
    start, end = (milliseconds_or(request, key, view.time_ms) for key in ("startTime", "endTime"))
    coin = view.names.get(name)
    if coin is None or view.market.coins[coin].kind == "spot":
        return NOT_FOUND
    times, rates = view.funding.rows(coin, start, min(end, view.time_ms))
    times, rates = times[:_FUNDING_PAGE], rates[:_FUNDING_PAGE]
    premia = settled_premium(view, coin, times, rates)
    columns = zip(numbers(rates), numbers(premia), times.tolist(), strict=True)
    rows = [{"coin": name, "fundingRate": rate, "premium": premium, "time": t} for rate, premium, t in columns]
    return Reply(rows, rows=len(rows))


def _predicted_fundings(view: MarketView, _: Request) -> Reply:
    return Reply(predicted_fundings(view))


def _recent_trades(view: MarketView, request: Request) -> Reply:
    name = text(request, "coin")
    if is_stand_in(view, name):
        return Reply([])
    coin = view.names.get(name)
    if coin is None:
        return NOT_FOUND
    rows = trade_rows(name, last_trades(view, coin, _RECENT_TRADES))[::-1]
    return Reply(rows, rows=len(rows))


def _l2_book(view: MarketView, request: Request) -> Reply:
    name = text(request, "coin")
    figures, mantissa = choice(request, "nSigFigs", (2, 3, 4, 5)), choice(request, "mantissa", (1, 2, 5))
    if mantissa is not None and figures != 5:
        raise InputError("mantissa needs nSigFigs 5")
    if is_stand_in(view, name):
        return Reply({"coin": name, "time": view.time_ms, "levels": [[], []]})
    coin = view.names.get(name)
    return Reply(None if coin is None else l2_book(view, coin, figures=figures, mantissa=mantissa))


def _spot_meta(view: MarketView, _: Request) -> Reply:
    return Reply(spot_meta(view))


def _spot_meta_and_contexts(view: MarketView, _: Request) -> Reply:
    return Reply([spot_meta(view), spot_contexts(view)])


def _perp_dexs(view: MarketView, _: Request) -> Reply:
    return Reply(perp_dexs(view))


def _exchange_status(view: MarketView, _: Request) -> Reply:
    return Reply({"time": view.time_ms, "specialStatuses": None})


_MARKET_ANSWERS: dict[str, Answer] = {
    "allMids": _all_mids,
    "allPerpMetas": _all_perp_metas,
    "candleSnapshot": _candles,
    "exchangeStatus": _exchange_status,
    "fundingHistory": _funding_history,
    "l2Book": _l2_book,
    "meta": _meta,
    "metaAndAssetCtxs": _meta_and_contexts,
    "perpDexs": _perp_dexs,
    "predictedFundings": _predicted_fundings,
    "recentTrades": _recent_trades,
    "spotMeta": _spot_meta,
    "spotMetaAndAssetCtxs": _spot_meta_and_contexts,
}
_ANSWERS: dict[str, Answer] = _MARKET_ANSWERS | ACCOUNT_ANSWERS | CHAIN_ANSWERS

INFO_TYPES: tuple[str, ...] = tuple(sorted(_ANSWERS))
"""Request types that are answered."""
