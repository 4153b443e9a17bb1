"""A clock that only sleepers move, and a client whose exchange is a function."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import httpx

from hlpairs_core.exchange import HyperliquidClient

NOON = 1_767_268_800  # 2026-01-01T12:00:00Z
HOUR_MS = 3_600_000
LOCAL = "http://127.0.0.1:3001"


class Clock:
    """Seconds since 1970; `sleep` moves it and remembers the naps."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Exchange:
    """Answers requests by type and remembers them; an answer is JSON, a Response, an error or a Script."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.headers: dict[str, str] = {}
        self.seen: list[dict[str, Any]] = []
        self.methods: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.seen.append(body)
        self.methods.append((request.method, str(request.url)))
        answer = self.answers[body["type"]]
        if isinstance(answer, Script):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, text=json.dumps(answer), headers=self.headers)

    def count(self, kind: str) -> int:
        return sum(body["type"] == kind for body in self.seen)


class Script(list[Any]):
    """Answers in turn; the last one stays."""


def client_of(
    exchange: Callable[[httpx.Request], Any],
    clock: Clock | None = None,
    base_url: str = LOCAL,
    **options: Any,
) -> HyperliquidClient:
    clock = clock or Clock()
    return HyperliquidClient(
        base_url,
        transport=httpx.MockTransport(exchange),
        clock=clock,
        sleep=clock.sleep,
        rng=random.Random(7),
        **options,
    )


def asset(name: str = "BTC", **fields: Any) -> dict[str, Any]:
    return {"szDecimals": 5, "name": name, "maxLeverage": 40, "marginTableId": 56, **fields}


def context(**fields: Any) -> dict[str, Any]:
    return {
        "funding": "0.0000125",
        "openInterest": "24469.14838",
        "prevDayPx": "67779.0",
        "dayNtlVlm": "3631161834.2844824791",
        "premium": "-0.0004239084",
        "oraclePx": "70770.0",
        "markPx": "70736.0",
        "midPx": "70739.5",
        "impactPxs": ["70739.0", "70740.0"],
        "dayBaseVlm": "52614.45662",
        **fields,
    }


def universe(*names: str) -> list[Any]:
    return [{"universe": [asset(name) for name in names]}, [context() for _ in names]]


def candle(t: int = NOON * 1000 - HOUR_MS, **fields: Any) -> dict[str, Any]:
    return {
        "t": t,
        "T": t + HOUR_MS - 1,
        "s": "BTC",
        "i": "1h",
        "o": "29295.0",
        "c": "29258.0",
        "h": "29309.0",
        "l": "29250.0",
        "v": "0.98639",
        "n": 189,
        **fields,
    }


def payment(t: int = NOON * 1000 + 39, **fields: Any) -> dict[str, Any]:
    return {"coin": "BTC", "fundingRate": "0.0000125", "premium": "-0.0002437152", "time": t, **fields}


def level(px: str = "64900.0", sz: str = "12.5", **fields: Any) -> dict[str, Any]:
    return {"px": px, "sz": sz, "n": 3, **fields}


def book(**fields: Any) -> dict[str, Any]:
    sides = [[level("64900.0"), level("64899.0")], [level("64901.0"), level("64902.0")]]
    return {"coin": "BTC", "time": NOON * 1000, "levels": sides, **fields}
