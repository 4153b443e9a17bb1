"""The official SDK and ccxt.pro against the simulated feed, unchanged: every call of theirs that a feed answers."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import ccxt
import ccxt.pro
import pytest
from ccxt.base.errors import UnsubscribeError
from feed_doubles import USER, timed
from hyperliquid.info import Info

from hlpairs_core.simulation import SimulatedExchange, SimulatedMarket
from hlpairs_core.simulation.feed_settings import FeedLimits, FeedSettings, Pace
from hlpairs_core.simulation.view import MarketView

START = "2025-09-01T12:34:56.789Z"
SYMBOL = "ETH/USDC:USDC"
QUICK = Pace(block=0.02, candle=0.05, context=0.05, mids=0.05, book=0.05, fast_book=0.05, contexts=0.05, account=0.05)
# The limits of the exchange are on: ordinary use stays within them.
SETTINGS = FeedSettings(pace=QUICK, limits=FeedLimits())

MARKET_SUBSCRIPTIONS = (
    {"type": "allMids"},
    {"type": "l2Book", "coin": "ETH"},
    {"type": "trades", "coin": "ETH"},
    {"type": "bbo", "coin": "ETH"},
    {"type": "candle", "coin": "ETH", "interval": "1m"},
    {"type": "activeAssetCtx", "coin": "ETH"},
)
ACCOUNT_SUBSCRIPTIONS = (
    {"type": "userFills", "user": USER},
    {"type": "userFundings", "user": USER},
    {"type": "userNonFundingLedgerUpdates", "user": USER},
    {"type": "webData2", "user": USER},
    {"type": "activeAssetData", "user": USER, "coin": "ETH"},
)
SILENT_SUBSCRIPTIONS = ({"type": "userEvents", "user": USER}, {"type": "orderUpdates", "user": USER})


class Listener:
    """Callback of an SDK subscription: keeps what comes and says when that is enough."""

    def __init__(self, enough: int = 1) -> None:
        self.messages: list[dict[str, Any]] = []
        self.satisfied = threading.Event()
        self._enough = enough

    def __call__(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if len(self.messages) >= self._enough:
            self.satisfied.set()


@contextmanager
def sdk(base_url: str) -> Iterator[Info]:
    info = Info(base_url, timeout=10)
    try:
        yield info
    finally:
        manager = info.ws_manager
        assert manager is not None
        # It notices its own end of the connection ten seconds later, but the server's at once.
        manager.subscribe({"type": "trades", "coin": "NOPE"}, print)
        manager.join(15)
        info.disconnect_websocket()
        info.session.close()


async def test_every_subscription_of_the_official_sdk_is_answered(
    demo: SimulatedMarket, wall: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def use(base_url: str) -> dict[str, Listener]:
        listeners: dict[str, Listener] = {}
        with sdk(base_url) as info:
            numbers = []
            for subscription in (*MARKET_SUBSCRIPTIONS, *ACCOUNT_SUBSCRIPTIONS, *SILENT_SUBSCRIPTIONS):
                listener = listeners[subscription["type"]] = Listener()
                numbers.append((subscription, info.subscribe(dict(subscription), listener)))
            for subscription in (*MARKET_SUBSCRIPTIONS, *ACCOUNT_SUBSCRIPTIONS):
                assert listeners[subscription["type"]].satisfied.wait(10), subscription
            # What is on its way when it unsubscribes surprises it again.
            assert "unexpected subscription" not in capsys.readouterr().out
            assert all(info.unsubscribe(dict(subscription), number) for subscription, number in numbers)
        return listeners

    async with SimulatedExchange(timed(demo, START, wall), feed=SETTINGS) as exchange:
        heard = await asyncio.to_thread(use, exchange.base_url or "")
    data = {kind: [message["data"] for message in listener.messages] for kind, listener in heard.items()}
    assert all(not data[subscription["type"]] for subscription in SILENT_SUBSCRIPTIONS)
    assert data["bbo"][0]["bbo"] == [side[0] for side in data["l2Book"][0]["levels"]]
    assert len(data["trades"][0]) == 30
    assert float(data["activeAssetCtx"][0]["ctx"]["midPx"]) == float(data["allMids"][0]["mids"]["ETH"])
    assert data["candle"][0]["s"] == "ETH"
    assert data["userFills"][0]["fills"] == []


async def test_the_official_sdk_follows_a_moving_market(demo: SimulatedMarket) -> None:
    """Real time at sixty times the speed: quotes and candles move, trades do not repeat after the replay."""

    def use(base_url: str) -> dict[str, Listener]:
        listeners = {"bbo": Listener(5), "trades": Listener(4), "candle": Listener(3)}
        with sdk(base_url) as info:
            for kind, listener in listeners.items():
                fields = {"interval": "1m"} if kind == "candle" else {}
                info.subscribe({"type": kind, "coin": "BTC", **fields}, listener)
            assert all(listener.satisfied.wait(30) for listener in listeners.values())
        return listeners

    market = timed(demo, START, time.time, speed=60)
    async with SimulatedExchange(market, feed=SETTINGS) as exchange:
        heard = await asyncio.to_thread(use, exchange.base_url or "")
    trades = [(trade["time"], trade["tid"]) for message in heard["trades"].messages for trade in message["data"]]
    assert len(trades) == len(set(trades))
    assert trades == sorted(trades)
    opens = [message["data"]["t"] for message in heard["candle"].messages]
    assert opens == sorted(opens)
    assert len(set(opens)) > 1


@asynccontextmanager
async def ccxt_pro(base_url: str) -> AsyncIterator[Any]:
    api = {"public": base_url, "private": base_url, "ws": {"public": f"ws{base_url[4:]}/ws"}}
    client = ccxt.pro.hyperliquid({"urls": {"api": api}, "enableRateLimit": False, "walletAddress": USER})
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


async def test_ccxt_pro_watches_a_market_and_stops_watching_it(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall)
    async with SimulatedExchange(market, feed=SETTINGS) as exchange, ccxt_pro(exchange.base_url or "") as client:
        async with asyncio.timeout(30):
            trades = await client.watch_trades(SYMBOL)
            book = await client.watch_order_book(SYMBOL)
            candles = await client.watch_ohlcv(SYMBOL, "1m")
            tickers = await client.watch_tickers([SYMBOL])
            ticker = await client.watch_ticker(SYMBOL)
            for stop in (
                client.un_watch_trades(SYMBOL),
                client.un_watch_order_book(SYMBOL),
                client.un_watch_ohlcv(SYMBOL, "1m"),
                client.un_watch_tickers(),
                client.un_watch_ticker(SYMBOL),
            ):
                assert await stop is True
            again = await client.watch_trades(SYMBOL)
    view = MarketView.at(market, market.clock.time_ms())
    quotes, coin = view.quotes, view.names["ETH"]
    assert len(trades) == len({(trade["timestamp"], trade["id"]) for trade in trades}) == len(again) == 30
    assert (book["bids"][0][0], book["asks"][0][0]) == (quotes.bid[coin], quotes.ask[coin])
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert candles[-1][0] == market.clock.time_ms() // 60_000 * 60_000
    assert tickers[SYMBOL]["last"] == pytest.approx(quotes.mid[coin])
    assert ticker["symbol"] == SYMBOL
    assert ticker["last"] == pytest.approx(quotes.mid[coin])


async def test_ccxt_pro_watches_an_account_without_anything(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall)
    async with SimulatedExchange(market, feed=SETTINGS) as exchange, ccxt_pro(exchange.base_url or "") as client:
        async with asyncio.timeout(30):
            swap = await client.watch_balance({"type": "swap"})
            assert await client.un_watch_balance({"type": "swap"}) is True
            assert await client.watch_positions() == []
            assert await client.un_watch_positions() is True
            spot = await client.watch_balance({"type": "spot"})
            for watch, stop in (
                (client.watch_orders, client.un_watch_orders),
                (client.watch_my_trades, client.un_watch_my_trades),
            ):
                # Nothing ever happens there: the subscription stands until it is ended.
                waiting = asyncio.ensure_future(watch())
                await subscribed(client)
                assert await stop() is True
                with pytest.raises(UnsubscribeError):
                    await waiting
    assert swap["USDC"] == {"free": 0.0, "used": 0.0, "total": 0.0}
    assert spot["info"] == []


async def subscribed(client: Any) -> None:
    """Everything that was sent so far is answered: the connection takes one message after the other."""
    book = await client.watch_order_book(SYMBOL)
    assert book["bids"]


async def test_ccxt_pro_watches_many_coins_at_once(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall)
    async with SimulatedExchange(market, feed=SETTINGS) as exchange, ccxt_pro(exchange.base_url or "") as client:
        active = [name for name, entry in client.markets.items() if entry["active"] and entry["swap"]][:30]
        async with asyncio.timeout(30):
            books = await asyncio.gather(*(client.watch_order_book(symbol) for symbol in active))
            everything = await client.watch_tickers()
    assert [book["symbol"] for book in books] == active
    assert set(active) <= set(everything)


async def test_ccxt_pro_is_told_that_orders_over_the_feed_are_refused(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall)
    async with SimulatedExchange(market, feed=SETTINGS) as exchange, ccxt_pro(exchange.base_url or "") as client:
        client.privateKey = "0x" + "11" * 32
        # It would first ask over REST for the approval of a fee.
        client.options["approvedBuilderFee"] = True
        async with asyncio.timeout(30):
            with pytest.raises(ccxt.ExchangeError, match="Trading is halted"):
                await client.create_order_ws(SYMBOL, "limit", "buy", 0.1, 1000)
            with pytest.raises(ccxt.ExchangeError, match="Trading is halted"):
                await client.cancel_order_ws("1", SYMBOL)
            # The connection is none the worse.
            assert await client.watch_trades(SYMBOL)


async def test_ccxt_pro_is_told_of_a_coin_that_does_not_exist(demo: SimulatedMarket, wall: Any) -> None:
    market = timed(demo, START, wall)
    nowhere = {"subscription": {"type": "candle", "coin": "NOPE", "interval": "1m"}}
    async with SimulatedExchange(market, feed=SETTINGS) as exchange, ccxt_pro(exchange.base_url or "") as client:
        async with asyncio.timeout(30):
            with pytest.raises(ccxt.ExchangeError, match="Invalid subscription"):
                await client.watch_ohlcv(SYMBOL, "1m", params=nowhere)
            nowhere["subscription"] = {"type": "l2Book", "coin": "NOPE"}
            with pytest.raises(ccxt.NetworkError):
                await client.watch_order_book(SYMBOL, params=nowhere)
