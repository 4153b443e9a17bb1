"""A clock that only sleepers move, and a client whose exchange is a function."""

import asyncio
import json
import random
import selectors
from collections.abc import Callable, Coroutine
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


class _Jumping(selectors.DefaultSelector):
    """Where others would wait, its time jumps."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self.now += timeout
            timeout = 0
        return super().select(timeout)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = _Jumping()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def in_virtual_time(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `main` on a loop whose timers take no time, in order; `virtual_time` is its clock."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        runner.run(main())


def virtual_time() -> float:
    """Seconds since the start of the loop: large numbers would swallow its resolution."""
    return asyncio.get_running_loop().time()


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


def builder_universe(dex: str, *names: str) -> list[Any]:
    """A builder's dex with another collateral than USDC and growth mode, as the exchange answers it."""
    assets = [asset(f"{dex}:{name}", growthMode="enabled", marginMode="strictIsolated") for name in names]
    return [{"universe": assets, "marginTables": [], "collateralToken": 235}, [context() for _ in names]]


def dex(name: str = "xyz", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "fullName": name.upper(),
        "deployer": "0x88806A71D74ad0a510b350545c9ae490912f0888",
        "oracleUpdater": None,
        "feeRecipient": None,
        "assetToStreamingOiCap": [[f"{name}:TSLA", "100000000.0"]],
        "subDeployers": [],
        "deployerFeeScale": "1.0",
        "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
        "assetToFundingMultiplier": [[f"{name}:TSLA", "0.5"]],
        "assetToFundingInterestRate": [[f"{name}:TSLA", "0.0"]],
        **fields,
    }


def token(name: str = "UBTC", index: int = 197, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "szDecimals": 5,
        "weiDecimals": 10,
        "index": index,
        "tokenId": "0x8f254b963e8468305d409b33aa137c67",
        "isCanonical": False,
        "evmContract": {"address": "0x9fdbda0a5e284c32744d2f17ee5c74b284993463", "evm_extra_wei_decimals": -2},
        "fullName": "Unit Bitcoin",
        "deployerTradingFeeShare": "1.0",
        **fields,
    }


def spot_meta(*pairs: dict[str, Any]) -> dict[str, Any]:
    tokens = [
        token("USDC", 0, szDecimals=8, fullName=None, evmContract=None, isCanonical=True),
        token("HYPE", 150, szDecimals=2),
        token("UBTC", 197),
        token("PURR", 1, szDecimals=0, isCanonical=True),
    ]
    default = (pair("@142", 142, [197, 0]), pair("PURR/USDC", 0, [1, 0], isCanonical=True), pair("@107", 107, [150, 0]))
    return {"tokens": tokens, "universe": list(pairs or default)}


def pair(name: str, index: int, tokens: list[int], **fields: Any) -> dict[str, Any]:
    return {"tokens": tokens, "name": name, "index": index, "isCanonical": False, **fields}


def spot_context(coin: str = "@142", **fields: Any) -> dict[str, Any]:
    return {
        "prevDayPx": "64000.0",
        "dayNtlVlm": "1234567.5",
        "markPx": "64900.0",
        "midPx": "64900.5",
        "circulatingSupply": "2000.5",
        "coin": coin,
        "totalSupply": "21000000.0",
        "dayBaseVlm": "19.0",
        **fields,
    }


def trade(tid: int = 118906512037719, **fields: Any) -> dict[str, Any]:
    return {
        "coin": "BTC",
        "side": "B",
        "px": "104320.0",
        "sz": "0.015",
        "hash": f"0x{'ab' * 32}",
        "time": NOON * 1000,
        "tid": tid,
        "users": [f"0x{'1' * 40}", f"0x{'2' * 40}"],
        **fields,
    }


def predicted(**fields: Any) -> list[Any]:
    """The documented example."""
    hourly = {"fundingRate": "0.0000125", "nextFundingTime": 1733958000000, "fundingIntervalHours": 1}
    binance = {"fundingRate": "0.0001", "nextFundingTime": 1733961600000, "fundingIntervalHours": 8}
    return [["AVAX", [["BinPerp", binance | fields], ["HlPerp", hourly], ["BybitPerp", None]]]]


def rates(taker: str = "0.00045", maker: str = "0.00015") -> dict[str, str]:
    return {"cross": taker, "add": maker, "spotCross": "0.0007", "spotAdd": "0.0004"}


def user_fees(**fields: Any) -> dict[str, Any]:
    """The documented example."""
    return {
        "dailyUserVlm": [{"date": "2025-05-23", "userCross": "1.5", "userAdd": "0.0", "exchange": "2852367.07"}],
        "feeSchedule": {
            **rates(),
            "tiers": {
                "vip": [{"ntlCutoff": "5000000.0", **rates("0.0004", "0.00012")}],
                "mm": [{"makerFractionCutoff": "0.005", "add": "-0.00001"}],
            },
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [
                {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
                {"bpsOfMaxSupply": "0.0001", "discount": "0.05"},
            ],
        },
        "userCrossRate": "0.000315",
        "userAddRate": "0.000105",
        "userSpotCrossRate": "0.00049",
        "userSpotAddRate": "0.00028",
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": {"type": "tradingUser", "stakingUser": f"0x{'54' * 20}"},
        "activeStakingDiscount": {"bpsOfMaxSupply": "4.75", "discount": "0.3"},
        **fields,
    }


def rate_limit(**fields: Any) -> dict[str, Any]:
    used = {"nRequestsUsed": 2890, "nRequestsCap": 2864574, "nRequestsSurplus": 0}
    return {"cumVlm": "2854574.59", **used, **fields}


def everything() -> Exchange:
    """An exchange that lists two perps, one of a builder's dex and three spot pairs."""

    def of_dex(main: Any, builders: Any) -> Any:
        return lambda body: builders if body.get("dex") == "xyz" else main

    return Exchange(
        meta=of_dex(universe("BTC", "ETH")[0], builder_universe("xyz", "TSLA")[0]),
        metaAndAssetCtxs=of_dex(universe("BTC", "ETH"), builder_universe("xyz", "TSLA")),
        allMids=of_dex({"BTC": "64900.5", "@107": "25.5"}, {"xyz:TSLA": "410.5"}),
        candleSnapshot=[candle()],
        fundingHistory=[payment()],
        l2Book=book(),
        recentTrades=[trade()],
        perpDexs=[None, dex()],
        predictedFundings=predicted(),
        spotMeta=spot_meta(),
        spotMetaAndAssetCtxs=[spot_meta(), [spot_context()]],
        userFees=user_fees(),
        userRateLimit=rate_limit(),
    )


ACCOUNT = f"0x{'0' * 40}"
# Every call of the client, with arguments that `everything` has an answer to.
CALLS: dict[str, Callable[[HyperliquidClient], Coroutine[Any, Any, Any]]] = {
    "universe": lambda client: client.universe(),
    "universe of a dex": lambda client: client.universe("xyz"),
    "contexts": lambda client: client.contexts(),
    "contexts of a dex": lambda client: client.contexts("xyz"),
    "all_mids": lambda client: client.all_mids(),
    "all_mids of a dex": lambda client: client.all_mids("xyz"),
    "perp_dexs": lambda client: client.perp_dexs(),
    "predicted_fundings": lambda client: client.predicted_fundings(),
    "candles": lambda client: client.candles("BTC", "1h", "2026-01-01T00:00Z", "2026-01-01T12:00Z"),
    "funding_history": lambda client: client.funding_history("BTC", "2026-01-01T00:00Z", "2026-01-01T13:00Z"),
    "l2_book": lambda client: client.l2_book("BTC"),
    "recent_trades": lambda client: client.recent_trades("BTC"),
    "spot_meta": lambda client: client.spot_meta(),
    "spot_contexts": lambda client: client.spot_contexts(),
    "user_fees": lambda client: client.user_fees(ACCOUNT),
    "user_rate_limit": lambda client: client.user_rate_limit(ACCOUNT),
}


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
