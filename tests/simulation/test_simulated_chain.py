from collections.abc import Callable
from typing import Any

import pytest
from mixed_market import NOW_MS, hand_made_market

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.handlers import answer
from hlpairs_core.simulation.view import MarketView


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return hand_made_market()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"type": "gossipRootIps"}, []),
        ({"type": "liquidatable"}, []),
        ({"type": "perpsAtOpenInterestCap"}, []),
        ({"type": "perpsAtOpenInterestCap", "dex": "xyz"}, []),
        ({"type": "vaultSummaries"}, []),
        ({"type": "validatorSummaries"}, []),
        ({"type": "outcomeMeta"}, {"outcomes": [], "questions": []}),
        ({"type": "perpDexStatus", "dex": "xyz"}, {"totalNetDeposit": "0.0"}),
        ({"type": "perpDexLimits", "dex": "nope"}, None),
        ({"type": "perpAnnotation", "coin": "BTC"}, None),
        ({"type": "settledOutcome", "outcome": 3}, None),
        (
            {"type": "marginTable", "id": 20},
            {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 20}]},
        ),
    ],
)
def test_what_never_happens_is_answered_in_its_shape(
    market: SimulatedMarket, ask: Callable[..., Any], request_: dict[str, Any], expected: Any
) -> None:
    assert ask(market, request_) == expected


def test_a_margin_table_is_the_one_of_the_metadata(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    tables = ask(market, {"type": "meta"})["marginTables"]
    assert [ask(market, {"type": "marginTable", "id": number}) for number, _ in tables] == [
        table for _, table in tables
    ]


@pytest.mark.parametrize(
    "request_",
    [
        {"type": "marginTable", "id": 0},
        {"type": "marginTable", "id": 57},
        {"type": "borrowLendReserveState", "token": 9},
        {"type": "alignedQuoteTokenInfo", "token": 2**63},
    ],
)
def test_what_is_not_there_is_an_error_without_words(market: SimulatedMarket, request_: dict[str, Any]) -> None:
    reply = answer(MarketView.at(market, NOW_MS), request_)
    assert (reply.status, reply.body) == (500, "null")


@pytest.mark.parametrize("kind", ["perpDexLimits", "perpDexStatus"])
def test_a_dex_must_be_named_where_the_exchange_wants_its_name(market: SimulatedMarket, kind: str) -> None:
    with pytest.raises(InputError, match="`dex` must be a string"):
        answer(MarketView.at(market, NOW_MS), {"type": kind})


def test_the_limits_of_a_dex_name_all_of_its_coins(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    limits = ask(market, {"type": "perpDexLimits", "dex": "xyz"})
    assert list(limits) == ["totalOiCap", "oiSzCapPerPerp", "maxTransferNtl", "coinToOiCap"]
    assert [name for name, _ in limits["coinToOiCap"]] == ["xyz:GOLD", "xyz:TSLA"]


def test_market_orders_are_limited_by_leverage(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    assert ask(market, {"type": "maxMarketOrderNtls"}) == [
        [30_000_000, "BTC"],
        [30_000_000, "ETH"],
        [2_000_000, "kPEPE"],
        [2_000_000, "HYPE"],
        [500_000, "HPOS"],
        [500_000, "NEW"],
    ]


def test_the_auction_that_is_answered_is_running(market: SimulatedMarket, ask: Callable[..., Any]) -> None:
    auction = ask(market, {"type": "perpDeployAuctionStatus"})
    assert list(auction) == ["startTimeSeconds", "durationSeconds", "startGas", "currentGas", "endGas"]
    assert 0 <= NOW_MS / 1000 - auction["startTimeSeconds"] < auction["durationSeconds"]
    user = "0x" + "0" * 40
    assert ask(market, {"type": "spotDeployState", "user": user}) == {"states": [], "gasAuction": auction}
    assert ask(market, {"type": "spotPairDeployAuctionStatus"}) == auction
