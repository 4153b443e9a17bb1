"""Answers to ``POST /info``: from a request's body to a status and a payload."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.book import LEVELS, BookSide, aggregated, book_side
from hlpairs_core.simulation.candles import CANDLE_INTERVALS, candles_at
from hlpairs_core.simulation.contexts import asset_contexts, mids, perp_meta, predicted_fundings
from hlpairs_core.simulation.premium import premium_of
from hlpairs_core.simulation.spot import SPOT_CONTEXTS, SPOT_META, SPOT_MIDS
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import number, numbers

__all__ = ["INFO_TYPES", "Reply", "answer"]

_HOUR_MS = 3_600_000
_FUNDING_PAGE = 500
_LATEST_MS = 2**53

Request = Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """What is sent back: an HTTP status and a payload that becomes JSON."""

    payload: Any
    status: int = 200


# The exchange's answer to candles or funding of a coin it does not list is a server error without words.
_NO_SUCH_COIN = Reply(None, status=500)


def answer(view: MarketView, request: Any) -> Reply:
    """Answer one request as of the view's time.

    Raises
    ------
    InputError
        If the request has no known type, or lacks or mistypes a field (the exchange answers 422).
    """
    if not isinstance(request, dict):
        raise InputError(f"a request must be a JSON object, got {type(request).__name__}")
    kind = _text(request, "type")
    if kind not in _ANSWERS:
        raise InputError(f"unknown request type {kind!r}: use one of {', '.join(INFO_TYPES)}")
    return _ANSWERS[kind](view, request)


def _meta(view: MarketView, request: Request) -> Reply:
    _main_dex(request)
    return Reply(perp_meta(view))


def _meta_and_contexts(view: MarketView, request: Request) -> Reply:
    _main_dex(request)
    return Reply([perp_meta(view), asset_contexts(view)])


def _all_perp_metas(view: MarketView, _: Request) -> Reply:
    return Reply([perp_meta(view)])


def _all_mids(view: MarketView, request: Request) -> Reply:
    _main_dex(request)
    return Reply(mids(view) | SPOT_MIDS)


def _candles(view: MarketView, request: Request) -> Reply:
    inner = request.get("req")
    if not isinstance(inner, dict):
        raise InputError("candleSnapshot needs an object `req`")
    name, interval = _text(inner, "coin"), _text(inner, "interval")
    start, end = _time(inner, "startTime"), _time(inner, "endTime", view.time_ms)
    if interval not in CANDLE_INTERVALS:
        raise InputError(f"unknown interval {interval!r}: use one of {', '.join(CANDLE_INTERVALS)}")
    if name not in view.names:
        return _NO_SUCH_COIN
    candles = candles_at(view, view.names[name], interval, start, end)
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
    return Reply(
        [
            {"t": t, "T": last, "s": name, "i": interval, "o": o, "c": c, "h": h, "l": low, "v": v, "n": n}
            for t, last, o, c, h, low, v, n in columns
        ]
    )


def _funding_history(view: MarketView, request: Request) -> Reply:
    name = _text(request, "coin")
    start, end = _time(request, "startTime"), _time(request, "endTime", view.time_ms)
    if name not in view.names:
        return _NO_SUCH_COIN
    coin = view.names[name]
    times, rates = view.funding.rows(coin, start, min(end, view.time_ms))
    times, rates = times[:_FUNDING_PAGE], rates[:_FUNDING_PAGE]
    premia = premium_of(rates, view.market.seed, times // _HOUR_MS, view.market.coin_keys[coin])
    rows = zip(numbers(rates), numbers(premia), times.tolist(), strict=True)
    return Reply([{"coin": name, "fundingRate": rate, "premium": premium, "time": t} for rate, premium, t in rows])


def _predicted_fundings(view: MarketView, _: Request) -> Reply:
    return Reply(predicted_fundings(view))


def _l2_book(view: MarketView, request: Request) -> Reply:
    name = _text(request, "coin")
    figures, mantissa = _choice(request, "nSigFigs", (2, 3, 4, 5)), _choice(request, "mantissa", (1, 2, 5))
    if mantissa is not None and figures != 5:
        raise InputError("mantissa needs nSigFigs 5")
    if name not in view.names:
        return Reply(None)
    coin = view.names[name]
    decimals = view.market.coins[coin].size_decimals
    bids, asks = (book_side(view, coin, asks=side) for side in (False, True))
    book: dict[str, Any] = {"coin": name, "time": view.time_ms}
    if figures is None:
        return Reply(book | {"levels": [_levels(bids), _levels(asks)]})
    shown = [
        aggregated(side, asks=which, figures=figures, mantissa=mantissa or 1, size_decimals=decimals)
        for which, side in ((False, bids), (True, asks))
    ]
    book["levels"] = [_levels(side) for side in shown]
    if len(bids.price) and len(asks.price):
        book["spread"] = number(round(float(asks.price[0] - bids.price[0]), 10))
    return Reply(book)


def _spot_meta(_: MarketView, __: Request) -> Reply:
    return Reply(SPOT_META)


def _spot_meta_and_contexts(_: MarketView, __: Request) -> Reply:
    return Reply([SPOT_META, SPOT_CONTEXTS])


def _perp_dexs(_: MarketView, __: Request) -> Reply:
    return Reply([None])


def _exchange_status(view: MarketView, _: Request) -> Reply:
    return Reply({"time": view.time_ms, "specialStatuses": None})


_ANSWERS: dict[str, Callable[[MarketView, Request], Reply]] = {
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
    "spotMeta": _spot_meta,
    "spotMetaAndAssetCtxs": _spot_meta_and_contexts,
}

INFO_TYPES: tuple[str, ...] = tuple(_ANSWERS)
"""Request types that are answered."""


def _levels(side: BookSide) -> list[dict[str, Any]]:
    columns = zip(numbers(side.price[:LEVELS]), numbers(side.size[:LEVELS]), side.orders[:LEVELS].tolist(), strict=True)
    return [{"px": price, "sz": size, "n": orders} for price, size, orders in columns]


def _main_dex(request: Request) -> None:
    """Refuse a dex other than the first: a simulated exchange has no builder-deployed ones."""
    if request.get("dex") not in (None, ""):
        raise InputError(f"unknown dex {request['dex']!r}")


def _text(request: Request, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise InputError(f"`{key}` must be a string, got {value!r}")
    return value


def _time(request: Request, key: str, default: int | None = None) -> int:
    """A time in milliseconds; without a default it must be there."""
    value = request.get(key, default)
    if value is None and default is not None:
        return default
    if type(value) is not int or value < 0:
        raise InputError(f"`{key}` must be a time in milliseconds, got {value!r}")
    return min(value, _LATEST_MS)


def _choice(request: Request, key: str, allowed: tuple[int, ...]) -> int | None:
    value = request.get(key)
    if value is None:
        return None
    if type(value) is not int or value not in allowed:
        raise InputError(f"`{key}` must be one of {allowed}, got {value!r}")
    return int(value)
