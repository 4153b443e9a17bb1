from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from mixed_market import HOUR, NOW_MS, START_MS, hand_made_market

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.accounts import ACCOUNT_ANSWERS
from hlpairs_core.simulation.handlers import answer
from hlpairs_core.simulation.view import MarketView

ADDRESS = "0x" + "aB" * 20
BAD_ADDRESSES = [
    *("", "0x", "0x" + "g" * 40, "0x" + "1" * 39, "0x" + "1" * 41, "1" * 42, "0x" + "１" * 40),
    *(7, None, ["0x"]),
]
ALSO = {
    "activeAssetData": {"coin": "xyz:TSLA"},
    "maxBuilderFee": {"builder": ADDRESS},
    "orderStatus": {"oid": 77738308},
    "preTransferCheck": {"source": ADDRESS},
    "userBorrowLendInterest": {"startTime": 0},
    "userFillsByTime": {"startTime": 0},
    "userTwapSliceFillsByTime": {"startTime": 0},
    "vaultDetails": {"vaultAddress": ADDRESS},
}

# What the exchange's documentation and its clients say of an address that never did anything.
NO_MARGIN = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
NOTHING: dict[str, Any] = {
    "approvedBuilders": [],
    "clearinghouseState": {
        "marginSummary": NO_MARGIN,
        "crossMarginSummary": NO_MARGIN,
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": "0.0",
        "assetPositions": [],
        "time": NOW_MS,
    },
    "delegations": [],
    "delegatorHistory": [],
    "delegatorRewards": [],
    "delegatorSummary": {
        "delegated": "0.0",
        "undelegated": "0.0",
        "totalPendingWithdrawal": "0.0",
        "nPendingWithdrawals": 0,
    },
    "extraAgents": [],
    "frontendOpenOrders": [],
    "historicalOrders": [],
    "maxBuilderFee": 0,
    "openOrders": [],
    "orderStatus": {"status": "unknownOid"},
    "spotClearinghouseState": {"balances": []},
    "subAccounts": None,
    "subAccounts2": None,
    "twapHistory": [],
    "userAbstraction": "default",
    "userDexAbstraction": None,
    "userFills": [],
    "userFillsByTime": [],
    "userFunding": [],
    "userNonFundingLedgerUpdates": [],
    "userRateLimit": {"cumVlm": "0.0", "nRequestsUsed": 0, "nRequestsCap": 10000, "nRequestsSurplus": 0},
    "userRole": {"role": "missing"},
    "userToMultiSigSigners": None,
    "userTwapSliceFills": [],
    "userVaultEquities": [],
    "vaultDetails": None,
}


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return hand_made_market()


@pytest.mark.parametrize("kind", NOTHING)
def test_every_address_has_an_account_on_which_nothing_happened(
    market: SimulatedMarket, ask: Callable[..., Any], kind: str
) -> None:
    request = {"type": kind, "user": ADDRESS} | ALSO.get(kind, {})
    assert ask(market, request) == NOTHING[kind]


@pytest.mark.parametrize("kind", ACCOUNT_ANSWERS)
def test_a_bad_address_is_refused(market: SimulatedMarket, kind: str) -> None:
    key = "vaultAddress" if kind == "vaultDetails" else "user"
    for bad in BAD_ADDRESSES:
        with pytest.raises(InputError, match=f"`{key}` must be"):
            ask_once(market, {"type": kind} | ALSO.get(kind, {}) | {key: bad})


@pytest.mark.parametrize(
    ("kind", "field", "problem"),
    [
        ("activeAssetData", {"coin": 3}, "`coin` must be a string"),
        ("clearinghouseState", {"dex": "nope"}, "unknown dex 'nope'"),
        ("clearinghouseState", {"dex": 1}, "`dex` must be a string"),
        ("maxBuilderFee", {"builder": "me"}, "`builder` must be"),
        ("orderStatus", {"oid": -1}, "`oid` must be"),
        ("orderStatus", {"oid": "0x12"}, "`oid` must be"),
        ("orderStatus", {"oid": True}, "`oid` must be"),
        ("userFills", {"aggregateByTime": "yes"}, "`aggregateByTime` must be true or false"),
        ("userFillsByTime", {"startTime": None}, "`startTime` must be"),
        ("userFillsByTime", {"startTime": 0, "endTime": 1.5}, "`endTime` must be"),
        ("userFunding", {"startTime": "0"}, "`startTime` must be"),
        ("vaultDetails", {"user": "me"}, "`user` must be"),
    ],
)
def test_other_fields_are_checked(market: SimulatedMarket, kind: str, field: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        ask_once(market, {"type": kind, "user": ADDRESS} | ALSO.get(kind, {}) | field)


def ask_once(market: SimulatedMarket, request: dict[str, Any]) -> Any:
    return answer(MarketView.at(market, market.clock.time_ms()), request).payload


def test_fees_are_those_of_the_lowest_tier(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    fees = ask(market, {"type": "userFees", "user": ADDRESS})
    assert list(fees) == [
        "dailyUserVlm",
        "feeSchedule",
        "userCrossRate",
        "userAddRate",
        "userSpotCrossRate",
        "userSpotAddRate",
        "activeReferralDiscount",
        "trial",
        "feeTrialReward",
        "nextTrialAvailableTimestamp",
        "stakingLink",
        "activeStakingDiscount",
    ]
    rates = [fees[f"user{kind}Rate"] for kind in ("Cross", "Add", "SpotCross", "SpotAdd")]
    schedule = fees["feeSchedule"]
    assert rates == [schedule[key] for key in ("cross", "add", "spotCross", "spotAdd")]
    assert rates == ["0.00045", "0.00015", "0.0007", "0.0004"]
    first = schedule["tiers"]["vip"][0]
    assert first == {
        "ntlCutoff": "5000000.0",
        "cross": "0.0004",
        "add": "0.00012",
        "spotCross": "0.0006",
        "spotAdd": "0.0003",
    }
    takers = [float(tier["cross"]) for tier in schedule["tiers"]["vip"]]
    assert takers == sorted(takers, reverse=True)
    assert [float(tier["add"]) for tier in schedule["tiers"]["mm"]] == [-1e-5, -2e-5, -3e-5]
    assert [tier["discount"] for tier in schedule["stakingDiscountTiers"]][:3] == ["0.0", "0.05", "0.1"]


def test_the_daily_volume_is_what_the_market_traded_and_ends_today(
    market: SimulatedMarket, ask: Callable[..., Any]
) -> None:
    days = ask(market, {"type": "userFees", "user": ADDRESS})["dailyUserVlm"]
    bars = market.history.upto(NOW_MS)[0]
    by_hand: dict[str, float] = {}
    for row, time in enumerate(range(START_MS, NOW_MS - HOUR, HOUR)):
        date = datetime.fromtimestamp(time / 1000, UTC).date().isoformat()
        by_hand[date] = by_hand.get(date, 0.0) + float(np.nansum(bars.volume[row] * bars.close[row]))
    assert [day["date"] for day in days] == sorted(by_hand)[-15:]
    for day in days[:-1]:
        assert float(day["exchange"]) == pytest.approx(by_hand[day["date"]], rel=1e-9)
    # Of the hour that is running, only what was traded so far.
    running = bars.volume[bars.index(NOW_MS)] * bars.close[bars.index(NOW_MS)]
    today = float(days[-1]["exchange"]) - by_hand[days[-1]["date"]]
    assert 0 < today < 1.05 * float(np.nansum(running))


def test_a_first_day_has_days_without_volume_before_it(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    days = ask(market, {"type": "userFees", "user": ADDRESS}, START_MS + HOUR)["dailyUserVlm"]
    assert [day["exchange"] == "0.0" for day in days] == [True] * 14 + [False]


def test_an_active_asset_tells_its_leverage_and_mark(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    state = ask(market, {"type": "activeAssetData", "user": ADDRESS, "coin": "xyz:GOLD"})
    contexts = ask(market, {"type": "metaAndAssetCtxs", "dex": "xyz"})[1]
    assert state == {
        "user": ADDRESS.lower(),
        "coin": "xyz:GOLD",
        "leverage": {"type": "cross", "value": 20},
        "maxTradeSzs": ["0.0", "0.0"],
        "availableToTrade": ["0.0", "0.0"],
        "markPx": contexts[1]["markPx"],
    }


def test_one_answer_puts_account_and_market_together(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    everything = ask(market, {"type": "webData2", "user": ADDRESS})
    meta, contexts = ask(market, {"type": "metaAndAssetCtxs"})
    assert (everything["meta"], everything["assetCtxs"]) == (meta, contexts)
    assert everything["spotAssetCtxs"] == ask(market, {"type": "spotMetaAndAssetCtxs"})[1]
    assert everything["clearinghouseState"] == NOTHING["clearinghouseState"]
    assert (everything["user"], everything["serverTime"]) == (ADDRESS.lower(), NOW_MS)


def test_a_portfolio_has_each_period_and_nothing_in_it(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    portfolio = ask(market, {"type": "portfolio", "user": ADDRESS})
    assert [period for period, _ in portfolio] == [
        *("day", "week", "month", "allTime"),
        *("perpDay", "perpWeek", "perpMonth", "perpAllTime"),
    ]
    assert {tuple(values) for _, values in portfolio} == {("accountValueHistory", "pnlHistory", "vlm")}
