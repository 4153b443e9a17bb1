"""Answers about what the exchange's chain does beside its markets: auctions, vaults, loans, votes, outcomes.

None of it happens on a simulated exchange. The answers have the shape of the real ones.
"""

from typing import Any

from hlpairs_core.simulation.accounts import Answer
from hlpairs_core.simulation.coins import MARGIN_TABLES
from hlpairs_core.simulation.dexs import dex_limits, largest_market_orders, requested_dex
from hlpairs_core.simulation.fields import Request, address, text, whole
from hlpairs_core.simulation.reply import NOT_FOUND, Reply
from hlpairs_core.simulation.spot import spot_meta, token_details
from hlpairs_core.simulation.view import MarketView

__all__ = ["CHAIN_ANSWERS"]

_AUCTION_SECONDS = 111_600
_USDC = 0
_ONE_TIER_BELOW = 50
_TABLES: dict[int, Any] = dict(MARGIN_TABLES)
_NOT_ALIGNED = {
    "isAligned": False,
    "firstAlignedTime": 0,
    "evmMintedSupply": "0.0",
    "dailyAmountOwed": [],
    "predictedRate": "0.0",
}
_NO_LOANS = {
    "borrowYearlyRate": "0.05",
    "supplyYearlyRate": "0.0",
    "balance": "0.0",
    "utilization": "0.0",
    "oraclePx": "1.0",
    "ltv": "0.0",
    "totalSupplied": "0.0",
    "totalBorrowed": "0.0",
}


def _same(payload: Any) -> Answer:
    reply = Reply(payload)
    return lambda _, __: reply


def _auction(view: MarketView) -> dict[str, Any]:
    """The auction that runs now; they follow each other, and nobody bids."""
    number = view.time_ms // 1000 // _AUCTION_SECONDS
    return {
        "startTimeSeconds": number * _AUCTION_SECONDS,
        "durationSeconds": _AUCTION_SECONDS,
        "startGas": "500.0",
        "currentGas": "500.0",
        "endGas": None,
    }


def _deploy_auction(view: MarketView, _: Request) -> Reply:
    return Reply(_auction(view))


def _gossip_auction(view: MarketView, _: Request) -> Reply:
    return Reply([[None], [_auction(view)]])


def _spot_deploy_state(view: MarketView, request: Request) -> Reply:
    address(request, "user")
    return Reply({"states": [], "gasAuction": _auction(view)})


def _limits(view: MarketView, request: Request) -> Reply:
    return Reply(dex_limits(view, text(request, "dex")))


def _dex_status(view: MarketView, request: Request) -> Reply:
    text(request, "dex")
    requested_dex(view, request)
    return Reply({"totalNetDeposit": "0.0"})


def _at_cap(view: MarketView, request: Request) -> Reply:
    requested_dex(view, request)
    return Reply([])


def _market_orders(view: MarketView, _: Request) -> Reply:
    return Reply(largest_market_orders(view))


def _margin_table(_: MarketView, request: Request) -> Reply:
    number = whole(request, "id")
    if number in _TABLES:
        return Reply(_TABLES[number])
    if not 0 < number < _ONE_TIER_BELOW:
        return NOT_FOUND
    return Reply({"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": number}]})


def _token(view: MarketView, request: Request) -> Reply:
    return Reply(token_details(view, text(request, "tokenId")))


def _reserve(_: MarketView, request: Request) -> Reply:
    return Reply(_NO_LOANS) if whole(request, "token") == _USDC else NOT_FOUND


def _alignment(view: MarketView, request: Request) -> Reply:
    return Reply(_NOT_ALIGNED) if whole(request, "token") < len(spot_meta(view)["tokens"]) else NOT_FOUND


def _annotation(_: MarketView, request: Request) -> Reply:
    text(request, "coin")
    return Reply(None)


def _outcome(_: MarketView, request: Request) -> Reply:
    whole(request, "outcome")
    return Reply(None)


CHAIN_ANSWERS: dict[str, Answer] = {
    "alignedQuoteTokenInfo": _alignment,
    "allBorrowLendReserveStates": _same([[_USDC, _NO_LOANS]]),
    "borrowLendReserveState": _reserve,
    "gossipPriorityAuctionStatus": _gossip_auction,
    "gossipRootIps": _same([]),
    "liquidatable": _same([]),
    "marginTable": _margin_table,
    "maxMarketOrderNtls": _market_orders,
    "outcomeMeta": _same({"outcomes": [], "questions": []}),
    "outcomeTemplates": _same([]),
    "perpAnnotation": _annotation,
    "perpCategories": _same([]),
    "perpConciseAnnotations": _same([]),
    "perpDeployAuctionStatus": _deploy_auction,
    "perpDexLimits": _limits,
    "perpDexStatus": _dex_status,
    "perpsAtOpenInterestCap": _at_cap,
    "settledOutcome": _outcome,
    "spotDeployState": _spot_deploy_state,
    "spotPairDeployAuctionStatus": _deploy_auction,
    "tokenDetails": _token,
    "usdcRouting": _same({"depositRoute": "bridge", "withdrawalRoute": "bridge"}),
    "validatorL1Votes": _same([]),
    "validatorSummaries": _same([]),
    "vaultSummaries": _same([]),
}
"""Answers by request type."""
