"""The official SDK and ccxt, unchanged, against the exchange over loopback: every call that asks it something."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import ccxt.async_support
import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ClientError, ServerError
from hyperliquid.utils.types import Cloid
from mixed_market import HOUR, NOW_MS, PERPS, hand_made_market
from served import served

from hlpairs_core.simulation import Limits, SimulatedExchange

SINCE = NOW_MS - 20 * HOUR
ADDRESS = "0x" + "1b" * 20
KEY = "0x" + "5c" * 32
MALFORMED = "Failed to deserialize the JSON body into the target type"
REFUSED = "Trading is halted: this exchange is simulated and takes no actions."

PERP, SPOT, BUILDER = "ETH/USDC:USDC", "HYPE/USDC", "XYZ-TSLA/USDC:USDC"

SDK_CALLS: dict[str, tuple[Any, ...]] = {
    "all_mids": ("xyz",),
    "candles_snapshot": ("UBTC/USDC", "15m", SINCE, NOW_MS),
    "delegator_history": (ADDRESS,),
    "extra_agents": (ADDRESS,),
    "frontend_open_orders": (ADDRESS, "flx"),
    "funding_history": ("xyz:TSLA", SINCE, NOW_MS),
    "historical_orders": (ADDRESS,),
    "l2_snapshot": ("PURR/USDC",),
    "meta": ("flx",),
    "meta_and_asset_ctxs": (),
    "name_to_asset": ("flx:OIL",),
    "open_orders": (ADDRESS, "xyz"),
    "perp_dexs": (),
    "portfolio": (ADDRESS,),
    "query_order_by_cloid": (ADDRESS, Cloid.from_int(7)),
    "query_order_by_oid": (ADDRESS, 77738308),
    "query_perp_deploy_auction_status": (),
    "query_referral_state": (ADDRESS,),
    "query_spot_deploy_auction_status": (ADDRESS,),
    "query_sub_accounts": (ADDRESS,),
    "query_user_abstraction_state": (ADDRESS,),
    "query_user_dex_abstraction_state": (ADDRESS,),
    "query_user_to_multi_sig_signers": (ADDRESS,),
    "spot_meta": (),
    "spot_meta_and_asset_ctxs": (),
    "spot_user_state": (ADDRESS,),
    "user_fees": (ADDRESS,),
    "user_fills": (ADDRESS,),
    "user_fills_by_time": (ADDRESS, SINCE),
    "user_funding_history": (ADDRESS, SINCE),
    "user_non_funding_ledger_updates": (ADDRESS, SINCE),
    "user_rate_limit": (ADDRESS,),
    "user_role": (ADDRESS,),
    "user_staking_delegations": (ADDRESS,),
    "user_staking_rewards": (ADDRESS,),
    "user_staking_summary": (ADDRESS,),
    "user_state": (ADDRESS, "xyz"),
    "user_twap_slice_fills": (ADDRESS,),
    "user_vault_equities": (ADDRESS,),
}
SDK_ASKS_NOTHING = {"disconnect_websocket", "post", "set_perp_meta", "subscribe", "unsubscribe"}

CCXT_CALLS: list[tuple[str, tuple[Any, ...]]] = [
    *((method, (symbol,)) for symbol in (PERP, SPOT, BUILDER) for method in (
        "fetch_l2_order_book",
        "fetch_my_liquidations",
        "fetch_my_trades",
        "fetch_open_orders",
        "fetch_order_book",
        "fetch_orders",
        "fetch_ticker",
        "fetch_trades",
        "fetch_trading_fee",
    )),
    *((method, (symbol,)) for symbol in (PERP, BUILDER) for method in (
        "fetch_funding_history",
        "fetch_funding_rate",
        "fetch_funding_rate_history",
        "fetch_open_interest",
        "fetch_position",
    )),
    *((method, ([symbol],)) for symbol in (PERP, BUILDER) for method in (
        "fetch_funding_rates",
        "fetch_open_interests",
        "fetch_positions",
        "fetch_tickers",
    )),
    *(("fetch_ohlcv", (symbol, "1h", None, 50)) for symbol in (PERP, SPOT, BUILDER)),
    ("fetch_balance", ()),
    ("fetch_balance", ({"type": "spot"},)),
    ("fetch_balance", ({"dex": "xyz"},)),
    ("fetch_canceled_and_closed_orders", ()),
    ("fetch_canceled_orders", ()),
    ("fetch_closed_orders", ()),
    ("fetch_currencies", ()),
    ("fetch_deposits", ()),
    ("fetch_funding_rates", ()),
    ("fetch_hip3_markets", ()),
    ("fetch_ledger", ()),
    ("fetch_markets", ()),
    ("fetch_my_trades", (PERP, SINCE)),
    ("fetch_open_interests", ()),
    ("fetch_order", ("77738308", PERP)),
    ("fetch_positions", ()),
    ("fetch_spot_markets", ()),
    ("fetch_status", ()),
    ("fetch_swap_markets", ()),
    ("fetch_tickers", ()),
    ("fetch_tickers", (None, {"hip3": True})),
    ("fetch_time", ()),
    ("fetch_withdrawals", ()),
]  # fmt: skip
CCXT_ELSEWHERE = {"fetchcurrenciesws", "fetchdepositwithdrawfee"}
"""Methods that ccxt says it has, and that go over its socket or nowhere at all."""


@pytest.fixture(scope="module")
def venue() -> Iterator[SimulatedExchange]:
    with served(hand_made_market()) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def info(venue: SimulatedExchange) -> Iterator[Info]:
    client = Info(venue.base_url, skip_ws=True, perp_dexs=["", "xyz", "flx"], timeout=5)
    with client.session:
        yield client


def configured(kind: Any, venue: SimulatedExchange) -> Any:
    urls = {"api": {"public": venue.base_url, "private": venue.base_url}}
    client = kind({"urls": urls, "enableRateLimit": False, "walletAddress": ADDRESS, "privateKey": KEY})
    # Its clock has to be the market's.
    client.milliseconds = venue.market.clock.time_ms
    return client


@pytest.fixture(scope="module")
def exchange_of_ccxt(venue: SimulatedExchange) -> Iterator[Any]:
    client = configured(ccxt.hyperliquid, venue)
    client.load_markets()
    yield client
    client.session.close()


def test_every_question_of_the_sdk_is_among_the_calls() -> None:
    asks = {name for name, _ in inspect.getmembers(Info, inspect.isfunction) if not name.startswith("_")}
    assert asks - SDK_ASKS_NOTHING == SDK_CALLS.keys()


def test_every_question_of_ccxt_is_among_the_calls() -> None:
    said = {name.lower() for name, state in ccxt.hyperliquid().has.items() if state and name.startswith("fetch")}
    own = {name.replace("_", "") for name in ccxt.hyperliquid.__dict__ if name.startswith("fetch_")}
    assert (said | own) - CCXT_ELSEWHERE == {name.replace("_", "") for name, _ in CCXT_CALLS}


@pytest.mark.parametrize("method", SDK_CALLS)
def test_the_sdk_gets_an_answer_to_each_of_its_questions(info: Info, method: str) -> None:
    answer = getattr(info, method)(*SDK_CALLS[method])
    # What it cannot read as JSON it hands on with this key.
    assert not (isinstance(answer, dict) and "error" in answer)


def test_the_sdk_finds_every_asset_by_the_exchanges_numbers(info: Info) -> None:
    assert [info.name_to_asset(coin.name) for coin, _ in PERPS] == list(range(len(PERPS)))
    assert [info.name_to_asset(name) for name in ("xyz:TSLA", "xyz:GOLD", "flx:OIL")] == [110000, 110001, 120000]
    assert [info.name_to_asset(name) for name in ("PURR/USDC", "HYPE/USDC", "UBTC/USDC")] == [10000, 10107, 10142]
    assert info.asset_to_sz_decimals[10142] == 5


def test_what_the_sdk_reads_agrees_with_itself(info: Info) -> None:
    for name, coin, dex in (("ETH", "ETH", ""), ("UBTC/USDC", "@142", ""), ("xyz:GOLD", "xyz:GOLD", "xyz")):
        candles = info.candles_snapshot(name, "15m", SINCE, NOW_MS)
        assert len(candles) == 81
        assert {candle["s"] for candle in candles} == {coin}
        assert candles[-1]["t"] <= NOW_MS <= candles[-1]["T"]
        book = info.l2_snapshot(name)
        bid, ask = (float(side[0]["px"]) for side in book["levels"])
        assert float(info.all_mids(dex)[coin]) == pytest.approx((bid + ask) / 2, rel=1e-12)
        assert abs(float(candles[-1]["c"]) / bid - 1) < 1e-3
    assert len(info.funding_history("ETH", SINCE, NOW_MS)) == 20


@pytest.mark.parametrize(("method", "arguments"), CCXT_CALLS)
def test_ccxt_gets_an_answer_to_each_of_its_questions(
    exchange_of_ccxt: Any, method: str, arguments: tuple[Any, ...]
) -> None:
    if method == "fetch_order":
        with pytest.raises(ccxt.OrderNotFound, match="unknownOid"):
            exchange_of_ccxt.fetch_order(*arguments)
    else:
        assert getattr(exchange_of_ccxt, method)(*arguments) is not None


async def test_ccxts_asynchronous_client_gets_the_same_answers(venue: SimulatedExchange, exchange_of_ccxt: Any) -> None:
    client = configured(ccxt.async_support.hyperliquid, venue)
    try:
        await client.load_markets()
        assert client.markets == exchange_of_ccxt.markets
        for method, arguments in CCXT_CALLS:
            if method != "fetch_order":
                answer = await getattr(client, method)(*arguments)
                assert answer == getattr(exchange_of_ccxt, method)(*arguments), method
    finally:
        await client.close()


def test_ccxt_knows_all_markets_with_their_ticks(exchange_of_ccxt: Any) -> None:
    markets = exchange_of_ccxt.markets
    assert [symbol for symbol, market in markets.items() if market["spot"]] == ["PURR/USDC", SPOT, "BTC/USDC"]
    assert [symbol for symbol, market in markets.items() if not market["active"]] == ["OLD/USDC:USDC"]
    assert {symbol: markets[symbol]["baseId"] for symbol in (PERP, SPOT, BUILDER)} == {
        PERP: "1",
        SPOT: "10107",
        BUILDER: "110000",
    }
    for symbol in (PERP, SPOT, BUILDER):
        book = exchange_of_ccxt.fetch_order_book(symbol)
        tick = markets[symbol]["precision"]["price"]
        prices = [price for side in ("bids", "asks") for price, _ in book[side]]
        assert max(abs(price / tick - round(price / tick)) for price in prices) < 1e-6


def test_what_ccxt_reads_agrees_with_itself(exchange_of_ccxt: Any) -> None:
    tickers = exchange_of_ccxt.fetch_tickers()
    for symbol in (PERP, SPOT, BUILDER):
        book = exchange_of_ccxt.fetch_order_book(symbol)
        assert tickers[symbol]["last"] == pytest.approx((book["bids"][0][0] + book["asks"][0][0]) / 2)
        assert exchange_of_ccxt.fetch_ohlcv(symbol, "1h", limit=3)[-1][4] == pytest.approx(
            tickers[symbol]["last"], 1e-3
        )
    history = exchange_of_ccxt.fetch_funding_rate_history(BUILDER)
    assert len(history) == 500
    assert history[-1]["fundingRate"] == exchange_of_ccxt.fetch_funding_rate(BUILDER)["fundingRate"]
    assert exchange_of_ccxt.fetch_balance()["USDC"] == {"free": 0.0, "used": 0.0, "total": 0.0}
    assert exchange_of_ccxt.fetch_trading_fee(PERP)["taker"] == 0.00045


SDK_ACTIONS: dict[str, Callable[[Exchange], Any]] = {
    "an order": lambda client: client.order("ETH", True, 0.2, 4000, {"limit": {"tif": "Gtc"}}),
    "a spot order": lambda client: client.order("PURR/USDC", True, 100, 0.2, {"limit": {"tif": "Ioc"}}),
    "a market order": lambda client: client.market_open("BTC", True, 0.01),
    "a cancel": lambda client: client.cancel("ETH", 77738308),
    "a cancel by the client's number": lambda client: client.cancel_by_cloid("ETH", Cloid.from_int(7)),
    "a leverage": lambda client: client.update_leverage(3, "ETH"),
    "a scheduled cancel": lambda client: client.schedule_cancel(NOW_MS + 10_000),
    "a transfer": lambda client: client.usd_transfer(1, ADDRESS),
    "a sub-account": lambda client: client.create_sub_account("second"),
}


@pytest.mark.parametrize("act", SDK_ACTIONS.values(), ids=SDK_ACTIONS)
def test_a_signed_action_of_the_sdk_is_refused_in_words(
    venue: SimulatedExchange, act: Callable[[Exchange], Any]
) -> None:
    client = Exchange(Account.from_key(KEY), venue.base_url, timeout=5)
    with client.session, client.info.session:
        assert act(client) == {"status": "err", "response": REFUSED}


CCXT_ACTIONS: dict[str, Callable[[Any], Any]] = {
    "an order": lambda client: client.create_order(PERP, "limit", "buy", 1, 4000),
    "an order of a vault": lambda client: client.create_order(
        PERP, "market", "sell", 1, 4000, {"vaultAddress": ADDRESS}
    ),
    "a cancel": lambda client: client.cancel_order("77738308", PERP),
    "a leverage": lambda client: client.set_leverage(5, PERP),
    "a withdrawal": lambda client: client.withdraw("USDC", 10, ADDRESS),
}


@pytest.mark.parametrize("act", CCXT_ACTIONS.values(), ids=CCXT_ACTIONS)
def test_a_signed_action_of_ccxt_is_refused_in_words(exchange_of_ccxt: Any, act: Callable[[Any], Any]) -> None:
    with pytest.raises(ccxt.ExchangeError, match="Trading is halted"):
        act(exchange_of_ccxt)


def test_clients_recognise_the_exchanges_refusals(info: Info) -> None:
    with pytest.raises(ClientError) as malformed:
        info.user_state("me")
    assert (malformed.value.status_code, malformed.value.error_message) == (422, MALFORMED)
    with pytest.raises(ServerError) as unknown:
        info.post("/info", {"type": "recentTrades", "coin": "NOPE"})
    assert (unknown.value.status_code, unknown.value.message) == (500, "null")


def test_clients_recognise_that_they_asked_too_much() -> None:
    with served(hand_made_market(), limits=Limits(weight_per_minute=30)) as venue:
        # One request of 20 is let in; both clients ask for more than that to begin with.
        with pytest.raises(ClientError) as refused:
            Info(venue.base_url, skip_ws=True, timeout=5)
        assert (refused.value.status_code, refused.value.error_message) == (429, "null")
        client = configured(ccxt.hyperliquid, venue)
        with pytest.raises(ccxt.RateLimitExceeded, match="429"):
            client.load_markets()
        client.session.close()


def test_clients_load_a_market_without_spot_coins_and_get_nothing_of_its_one_pair() -> None:
    with served(hand_made_market(PERPS)) as venue:
        info = Info(venue.base_url, skip_ws=True, timeout=5)
        client = configured(ccxt.hyperliquid, venue)
        with info.session:
            assert info.name_to_asset("PURR/USDC") == 10000
            assert info.l2_snapshot("PURR/USDC")["levels"] == [[], []]
        client.load_markets()
        assert client.fetch_ohlcv("PURR/USDC", "1h") == []
        assert client.fetch_tickers()["PURR/USDC"]["last"] == 0.2
        client.session.close()
