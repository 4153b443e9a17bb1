"""Faults of the REST side: what becomes of a request, and of its answer."""

import asyncio
import json
import random
from typing import Any

from tornado.web import RequestHandler

from hlpairs_core.simulation.faults import MARKET_FAULTS, Fault, Faults, spoiled
from hlpairs_core.simulation.reply import Reply

__all__ = ["RestFaults"]

_LOOK_SECONDS = 0.05
_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_CONTEXT_NULLS = ("premium", "midPx", "impactPxs")
_UNIVERSE = ("meta", "metaAndAssetCtxs")
_OF_A_COIN = ("candleSnapshot", "fundingHistory", "l2Book", "recentTrades")
# No coin has a name without characters.
_NOBODY = ""


class RestFaults:
    """Lets `Faults` strike requests and answers.

    Parameters
    ----------
    faults : Faults
        What goes wrong now.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rng = random.Random(0)

    async def strikes(self, handler: RequestHandler, request: Any) -> bool:
        """Strike a request; True where that was the end of it."""
        about = _about(request)
        late = self._faults.strike("slow", **about)
        if late is not None:
            await asyncio.sleep(late.size)
        fault = self._faults.strike("refuse", "stall", "html", "limited", "huge", **about)
        if fault is None:
            return False
        if fault.kind == "stall":
            await self._until_over(fault)
        if fault.kind in ("refuse", "stall"):
            _cut(handler)
        else:
            _instead(handler, fault)
        return True

    def heard(self, request: Any) -> Any:
        """Return the request as it is understood: one about a coin that is not listed is about nobody."""
        about = _about(request)
        if about["only"] in _OF_A_COIN and self._faults.strike("unlisted", coin=about["coin"]):
            inner = request.get("req")
            return request | ({"req": inner | {"coin": _NOBODY}} if inner else {"coin": _NOBODY})
        return request

    def said(self, request: Any, reply: Reply) -> Reply:
        """Return the answer as it leaves."""
        about = _about(request)
        payload = self._universe(about["only"], reply)
        for fault in self._faults.strikes("types", "nan", "zero", **about):
            payload = spoiled(reply.payload if payload is None else payload, fault.kind, self._rng)
        return reply if payload is None else Reply(payload, status=reply.status, rows=reply.rows)

    def sent(self, handler: RequestHandler, request: Any, body: str) -> str | None:
        """Return the body that is sent; None where it was cut off on the way."""
        fault = self._faults.strike("cut", "truncate", **_about(request))
        if fault is None:
            return body
        half = body[: len(body) // 2]
        if fault.kind == "truncate":
            return half
        handler.set_header("Content-Length", str(len(body.encode())))
        handler._auto_finish = False  # what is missing of the body is missing on purpose
        assert handler.request.connection is not None
        handler.write(half)
        handler.flush().add_done_callback(lambda _: _cut(handler))
        return None

    @property
    def skew_ms(self) -> int:
        """How far ahead the exchange's clock is (ms)."""
        fault = self._faults.strike("skew")
        return 0 if fault is None else int(1000 * fault.size)

    async def _until_over(self, fault: Fault) -> None:
        while fault in self._faults.active():  # noqa: ASYNC110 - a fault ends by the clock, or by hand
            await asyncio.sleep(_LOOK_SECONDS)

    def _universe(self, kind: str, reply: Reply) -> Any:
        """Return a changed universe; None where nothing changes."""
        faults = [fault for fault in self._faults.active() if fault.kind in MARKET_FAULTS]
        if kind == "allMids" and faults:
            gone = {fault.coin for fault in faults if fault.kind == "unlisted"}
            return {coin: mid for coin, mid in reply.payload.items() if coin not in gone}
        if kind not in _UNIVERSE or not faults:
            return None
        meta, contexts = (reply.payload, None) if kind == "meta" else reply.payload
        rows = list(zip(meta["universe"], contexts or [None] * len(meta["universe"]), strict=True))
        for fault in faults:
            rows = _changed(rows, fault)
        meta = meta | {"universe": [entry for entry, _ in rows]}
        return meta if contexts is None else [meta, [context for _, context in rows]]


def _changed(rows: list[tuple[Any, Any]], fault: Fault) -> list[tuple[Any, Any]]:
    match fault.kind:
        case "empty":
            return []
        case "shrink":
            return rows[: len(rows) // 2]
        case "reorder":
            return rows[::-1]
        case "unlisted":
            return [row for row in rows if row[0]["name"] != fault.coin]
        case "delisted":
            return [_delisted(row) if row[0]["name"] == fault.coin else row for row in rows]
        case _:
            return rows


def _delisted(row: tuple[Any, Any]) -> tuple[Any, Any]:
    entry, context = row
    nulls = dict.fromkeys(_CONTEXT_NULLS) | {"funding": "0.0", "openInterest": "0.0"}
    return entry | {"isDelisted": True}, None if context is None else context | nulls


def _about(request: Any) -> dict[str, str]:
    """Say what a request is about, in the words of `Faults.strike`."""
    fields = request if isinstance(request, dict) else {}
    inner = fields.get("req")
    coin = (inner if isinstance(inner, dict) else fields).get("coin")
    return {"only": str(fields.get("type", "")), "coin": coin if isinstance(coin, str) else ""}


def _cut(handler: RequestHandler) -> None:
    """Close the connection under a request."""
    connection = handler.request.connection
    stream = getattr(connection, "stream", None)
    if stream is not None:
        stream.close()


def _instead(handler: RequestHandler, fault: Fault) -> None:
    """Answer with something else."""
    if fault.kind == "html":
        handler.set_status(502)
        handler.set_header("Content-Type", "text/html")
        handler.finish(_PAGE)
    elif fault.kind == "limited":
        handler.set_status(429)
        handler.set_header("Content-Type", "application/json")
        handler.finish("null")
    else:
        handler.set_header("Content-Type", "application/json")
        handler.finish(json.dumps("x" * int(fault.size)))
