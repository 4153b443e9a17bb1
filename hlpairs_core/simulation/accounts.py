"""Answers about an account: on a simulated exchange nobody trades, so that every address has the same, empty one."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from hlpairs_core.simulation.contexts import asset_contexts, perp_meta
from hlpairs_core.simulation.dexs import requested_dex
from hlpairs_core.simulation.fees import user_fees
from hlpairs_core.simulation.fields import Request, address, flag, milliseconds_or, text, whole
from hlpairs_core.simulation.reply import NOT_FOUND, Reply
from hlpairs_core.simulation.spot import spot_contexts
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import number

__all__ = ["ACCOUNT_ANSWERS", "Answer"]

Answer: TypeAlias = Callable[[MarketView, Request], Reply]
_Check: TypeAlias = Callable[[MarketView, Request], object]

_CLIENT_ORDER_ID = re.compile(r"0x[0-9a-fA-F]{32}")
_FREE_REQUESTS = 10_000
_NOTHING_YET: dict[str, Any] = {"accountValueHistory": [], "pnlHistory": [], "vlm": "0.0"}
_PERIODS = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")
_BALANCES: dict[str, Any] = {"balances": []}


def _same(payload: Any, *checks: _Check) -> Answer:
    """An answer that says the same of every address, once the request's other fields are checked."""

    reply = Reply(payload)

    def answer(view: MarketView, request: Request) -> Reply:
        address(request, "user")
        for check in checks:
            check(view, request)
        return reply

    return answer


def _span(view: MarketView, request: Request) -> None:
    """Check a time range; not every client sends its start."""
    for key in ("startTime", "endTime"):
        milliseconds_or(request, key, view.time_ms)


def _from_start(view: MarketView, request: Request) -> None:
    """Check a time range whose start must be there."""
    whole(request, "startTime")
    _span(view, request)


def _flags(*keys: str) -> _Check:
    return lambda _, request: [flag(request, key) for key in keys]


def _other(key: str) -> _Check:
    return lambda _, request: address(request, key)


def _order_id(_: MarketView, request: Request) -> None:
    """Check an order's number, or its client's own identifier."""
    oid = request.get("oid")
    if not (isinstance(oid, str) and _CLIENT_ORDER_ID.fullmatch(oid)):
        whole(request, "oid")


def _clearinghouse_state(view: MarketView, request: Request) -> Reply:
    address(request, "user")
    requested_dex(view, request)
    return Reply(_no_positions(view))


def _no_positions(view: MarketView) -> dict[str, Any]:
    summary = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
    return {
        "marginSummary": summary,
        "crossMarginSummary": summary,
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": "0.0",
        "assetPositions": [],
        "time": view.time_ms,
    }


def _fees(view: MarketView, request: Request) -> Reply:
    address(request, "user")
    return Reply(user_fees(view))


def _active_asset(view: MarketView, request: Request) -> Reply:
    user, name = address(request, "user"), text(request, "coin")
    coin = view.names.get(name)
    if coin is None or view.market.coins[coin].kind == "spot":
        return NOT_FOUND
    return Reply(
        {
            "user": user,
            "coin": name,
            "leverage": {"type": "cross", "value": view.market.coins[coin].max_leverage},
            "maxTradeSzs": ["0.0", "0.0"],
            "availableToTrade": ["0.0", "0.0"],
            "markPx": number(float(view.price[coin])),
        }
    )


def _vault(_: MarketView, request: Request) -> Reply:
    """Say of no vault that it exists."""
    address(request, "vaultAddress")
    if request.get("user") is not None:
        address(request, "user")
    return Reply(None)


def _everything(view: MarketView, request: Request) -> Reply:
    """Answer ``webData2``: an account and the market in one."""
    user = address(request, "user")
    return Reply(
        {
            "clearinghouseState": _no_positions(view),
            "leadingVaults": [],
            "totalVaultEquity": "0.0",
            "openOrders": [],
            "agentAddress": None,
            "agentValidUntil": None,
            "cumLedger": "0.0",
            "meta": perp_meta(view, view.universe),
            "assetCtxs": asset_contexts(view, view.universe),
            "serverTime": view.time_ms,
            "isVault": False,
            "user": user,
            "twapStates": [],
            "spotState": _BALANCES,
            "spotAssetCtxs": spot_contexts(view),
            "perpsAtOpenInterestCap": [],
        }
    )


_REFERRAL: dict[str, Any] = {
    "referredBy": None,
    "cumVlm": "0.0",
    "unclaimedRewards": "0.0",
    "claimedRewards": "0.0",
    "builderRewards": "0.0",
    "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}},
    "rewardHistory": [],
    "tokenToState": [],
}
_RATE_LIMIT = {"cumVlm": "0.0", "nRequestsUsed": 0, "nRequestsCap": _FREE_REQUESTS, "nRequestsSurplus": 0}
_STAKING = {"delegated": "0.0", "undelegated": "0.0", "totalPendingWithdrawal": "0.0", "nPendingWithdrawals": 0}
_STRANGER = {"fee": "1.0", "isSanctioned": False, "userExists": False, "userHasSentTx": False}

ACCOUNT_ANSWERS: dict[str, Answer] = {
    "activeAssetData": _active_asset,
    "approvedBuilders": _same([]),
    "borrowLendUserState": _same({"tokenToState": [], "health": "healthy", "healthFactor": None}),
    "clearinghouseState": _clearinghouse_state,
    "delegations": _same([]),
    "delegatorHistory": _same([]),
    "delegatorRewards": _same([]),
    "delegatorSummary": _same(_STAKING),
    "extraAgents": _same([]),
    "frontendOpenOrders": _same([], requested_dex),
    "historicalOrders": _same([], requested_dex),
    "isVip": _same(False),
    "leadingVaults": _same([]),
    "legalCheck": _same({"ipAllowed": True, "acceptedTerms": False, "userAllowed": True}),
    "maxBuilderFee": _same(0, _other("builder")),
    "openOrders": _same([], requested_dex),
    "orderStatus": _same({"status": "unknownOid"}, _order_id),
    "portfolio": _same([[period, _NOTHING_YET] for period in _PERIODS]),
    "preTransferCheck": _same(_STRANGER, _other("source")),
    "referral": _same(_REFERRAL),
    "spotClearinghouseState": _same(_BALANCES, requested_dex),
    "subAccounts": _same(None),
    "subAccounts2": _same(None),
    "twapHistory": _same([]),
    "userAbstraction": _same("default"),
    "userBorrowLendInterest": _same([], _from_start),
    "userDexAbstraction": _same(None),
    "userFees": _fees,
    "userFills": _same([], requested_dex, _flags("aggregateByTime", "reversed")),
    "userFillsByTime": _same([], requested_dex, _from_start, _flags("aggregateByTime", "reversed")),
    "userFunding": _same([], _span),
    "userNonFundingLedgerUpdates": _same([], _span),
    "userRateLimit": _same(_RATE_LIMIT),
    "userRole": _same({"role": "missing"}),
    "userToMultiSigSigners": _same(None),
    "userTwapSliceFills": _same([]),
    "userTwapSliceFillsByTime": _same([], _from_start, _flags("aggregateByTime", "reversed")),
    "userVaultEquities": _same([]),
    "vaultDetails": _vault,
    "webData2": _everything,
}
"""Answers by request type: all that the exchange says of an address."""
