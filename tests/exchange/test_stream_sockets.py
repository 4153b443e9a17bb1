import itertools

import pytest
from stream_doubles import NOON, NOON_MS, Reader, Scene, scene, settle, trade

from hlpairs_core.exceptions import ExchangeUnavailable, InputError, UnknownCoin
from hlpairs_core.exchange import (
    GapEvent,
    HyperliquidStream,
    MidsEvent,
    QuoteEvent,
    StreamLimits,
    Subscription,
    TradesEvent,
)

BBO = Subscription("bbo", "BTC")
MIDS = Subscription("allMids")


def many(count: int, channel: str = "bbo") -> tuple[list[str], list[Subscription]]:
    coins = [f"C{number}" for number in range(count)]
    return coins, [Subscription(channel, coin) for coin in coins]


async def tick_quotes(play: Scene, seconds: float, *coins: str) -> None:
    for _ in range(int(seconds)):
        await play.time.advance(1)
        for coin in coins:
            play.server.quote(coin)
    await settle()


async def test_what_is_subscribed_arrives():
    async with scene() as play:
        await play.subscribe(BBO, MIDS)
        play.server.quote("BTC", 99.5, 100.5)
        play.server.push(MIDS, {"mids": {"BTC": "100.0", "@107": "0.5"}})
        quote, mids = await play.reader.take()
        assert quote == QuoteEvent("BTC", NOON_MS, 99.5, 1.0, 100.5, 1.0, NOON)
        assert mids == MidsEvent({"BTC": 100.0, "@107": 0.5}, NOON)
        status = play.stream.status()
        assert (status.subscribed, status.pending, status.sockets_open, status.sockets_wanted) == (2, 0, 1, 1)
        assert status.last_message_at == NOON
        assert status.messages == 5  # the greeting, two acknowledgements, two of news
        assert status.faults == {}


@pytest.mark.parametrize("coin", ["NOPE", "@999", "xyz:NOPE", "LUNA"])
async def test_an_unlisted_or_delisted_coin_is_refused_before_anything_is_sent(coin: str):
    async with scene("BTC", "LUNA") as play:
        play.rest.delisted.add("LUNA")
        with pytest.raises(UnknownCoin, match=f"does not list '{coin}'"):
            await play.subscribe(BBO, Subscription("bbo", coin))
        assert play.server.opened_at == []
        assert play.stream.status().pending == 0


async def test_spot_pairs_and_builders_perps_are_found_in_their_own_listings():
    async with scene() as play:
        await play.subscribe(Subscription("bbo", "@107"), Subscription("bbo", "xyz:TSLA"))
        assert play.rest.calls == ["all_mids", "l2_book"]
        assert play.stream.status().subscribed == 2


async def test_the_universe_is_asked_for_again_only_for_names_it_did_not_have():
    async with scene() as play:
        await play.subscribe(BBO)
        await play.subscribe(Subscription("bbo", "ETH"))
        assert play.rest.calls == ["universe"]
        play.rest.coins.append("NEW")
        await play.subscribe(Subscription("bbo", "NEW"))
        assert play.rest.calls == ["universe", "universe"]


@pytest.mark.parametrize(
    ("subscription", "problem"),
    [
        (Subscription("nosuch", "BTC"), "unknown channel 'nosuch'"),  # type: ignore[arg-type]
        (Subscription("bbo", ""), "'' is no coin"),
        (Subscription("bbo", "A\u202eB"), "is no coin"),
        (Subscription("allMids", "BTC"), "allMids takes no coin"),
        (Subscription("candle", "BTC"), "unknown interval ''"),
        (Subscription("candle", "BTC", "7m"), "unknown interval '7m'"),
        (Subscription("trades", "BTC", "1m"), "trades takes no interval"),
        (Subscription("bbo", "BTC", fast=True), "bbo cannot be fast"),
    ],
)
async def test_a_subscription_that_cannot_be_written_is_refused(subscription: Subscription, problem: str):
    async with scene() as play:
        with pytest.raises(InputError, match=problem):
            await play.subscribe(subscription)


async def test_without_the_universe_nothing_is_subscribed():
    async with scene() as play:
        play.rest.fails = ExchangeUnavailable("meta: no usable answer")
        with pytest.raises(ExchangeUnavailable):
            await play.subscribe(BBO)
        play.rest.fails = None
        await play.subscribe(BBO)
        assert play.stream.status().subscribed == 1


async def test_subscribing_twice_changes_nothing():
    async with scene() as play:
        await play.subscribe(BBO)
        await play.subscribe(BBO, BBO)
        assert play.server.wires[0].asked() == [BBO]


async def test_unsubscribing_tells_the_exchange_and_the_last_one_closes_the_socket():
    other = Subscription("bbo", "ETH")
    async with scene() as play:
        await play.subscribe(BBO, other)
        await play.stream.unsubscribe(other)
        await settle()
        assert play.server.wires[0].asked("unsubscribe") == [other]
        await play.stream.unsubscribe(BBO)
        await settle()
        assert play.server.open == []
        with pytest.raises(InputError, match="is not subscribed"):
            await play.stream.unsubscribe(BBO)
        await play.subscribe(BBO)
        assert play.stream.status().subscribed == 1
        assert len(play.server.wires) == 2


async def test_frames_that_were_on_their_way_when_it_was_unsubscribed_are_no_fault():
    async with scene() as play:
        await play.subscribe(BBO, MIDS)
        await play.stream.unsubscribe(BBO)
        await settle()
        play.server.wires[0].receive({"channel": "bbo", "data": {"coin": "BTC", "time": NOON_MS, "bbo": [None, None]}})
        play.server.wires[0].receive({"channel": "bbo", "data": {"coin": "ETH", "time": NOON_MS, "bbo": [None, None]}})
        assert await play.reader.take() == []
        assert play.stream.status().faults == {"not subscribed": 1}


async def test_subscriptions_are_spread_over_sockets_and_those_of_a_coin_stay_together():
    coins = [f"C{number}" for number in range(10)]
    wanted = [Subscription(channel, coin) for channel in ("bbo", "trades", "activeAssetCtx") for coin in coins]
    async with scene(*coins, limits=StreamLimits(subscriptions_per_socket=12)) as play:
        await play.subscribe(*wanted)
        assert [len(wire.subscribed) for wire in play.server.wires] == [12, 12, 6]
        assert play.server.subscribed == set(wanted)
        for wire in play.server.wires:
            coins_here = {subscription.coin for subscription in wire.subscribed}
            assert len(wire.subscribed) == 3 * len(coins_here)


async def test_what_is_subscribed_later_joins_its_coin():
    wanted = [Subscription(channel, coin) for coin in ("A", "B") for channel in ("bbo", "trades")]
    async with scene("A", "B", limits=StreamLimits(subscriptions_per_socket=3)) as play:
        await play.subscribe(*wanted[:3])
        await play.subscribe(wanted[3])
        first, second = play.server.wires
        await play.stream.unsubscribe(wanted[0])
        await play.subscribe(Subscription("activeAssetCtx", "B"))
        assert set(first.subscribed) == {wanted[1], wanted[2]}
        assert set(second.subscribed) == {wanted[3], Subscription("activeAssetCtx", "B")}


async def test_what_is_let_go_before_it_was_sent_is_not_sent():
    eth = Subscription("bbo", "ETH")
    async with scene(limits=StreamLimits(unacknowledged=1)) as play:
        play.server.unheard.add(BBO)
        await play.subscribe(BBO, eth)
        await play.stream.unsubscribe(eth)
        play.server.unheard.clear()
        await play.time.advance(25)
        assert play.server.wires[0].asked() == [BBO, BBO]
        assert play.server.wires[0].asked("unsubscribe") == []


async def test_more_than_fits_into_the_limits_is_refused_and_one_connection_is_kept():
    coins, wanted = many(10)
    async with scene(*coins, limits=StreamLimits(connections=3, subscriptions_per_socket=4)) as play:
        with pytest.raises(InputError, match="10 subscriptions: 8 fit"):
            await play.subscribe(*wanted)
        await play.subscribe(*wanted[:8])
        assert len(play.server.wires) == 2


async def test_no_more_are_sent_than_may_be_unacknowledged():
    coins, wanted = many(10)
    async with scene(*coins, limits=StreamLimits(unacknowledged=4)) as play:
        play.server.unheard = set(wanted)
        await play.subscribe(*wanted)
        assert len(play.server.wires[0].asked()) == 4


async def test_connections_and_messages_stay_below_the_rates_of_a_minute():
    coins, wanted = many(300)
    limits = StreamLimits(connections_per_minute=3, messages_per_minute=100, subscriptions_per_socket=50)
    async with scene(*coins, limits=limits, stall_seconds=3600, ping_seconds=10) as play:
        await play.subscribe(*wanted)
        assert len(play.server.opened_at) == 3
        assert len(play.server.heard_at) == 90  # a tenth is left to pings
        await play.time.advance(600)
        assert play.server.subscribed == set(wanted)
        for times, most in ((play.server.opened_at, 3), (play.server.heard_at, 100)):
            assert all(sum(start <= time < start + 60 for time in times) <= most for start in times)


async def test_a_subscription_the_exchange_does_not_hear_is_sent_again_and_holds_up_no_other():
    coins, wanted = many(6)
    async with scene(*coins, limits=StreamLimits(unacknowledged=2)) as play:
        play.server.unheard = set(wanted[:2])
        await play.subscribe(*wanted)
        assert play.stream.status().subscribed == 0
        await play.time.advance(12)
        assert play.stream.status().subscribed == 4
        assert play.stream.status().faults == {"not acknowledged": 2}
        play.server.unheard.clear()
        await play.time.advance(12)
        assert play.stream.status().subscribed == 6
        assert len(play.server.wires) == 1


async def test_news_of_a_subscription_are_its_acknowledgement():
    async with scene() as play:
        play.server.unheard.add(BBO)
        await play.subscribe(BBO)
        play.server.wires[0].receive({"channel": "bbo", "data": {"coin": "BTC", "time": NOON_MS, "bbo": [None, None]}})
        assert len(await play.reader.take(QuoteEvent)) == 1
        assert play.stream.status().subscribed == 1


async def test_a_socket_full_of_messages_does_not_keep_the_reader_waiting():
    async with scene() as play:
        await play.subscribe(BBO)
        for number in range(1000):
            play.server.quote("BTC", time_ms=NOON_MS + number)
        quotes = await play.reader.take(QuoteEvent)
        assert len(quotes) >= 10
        assert quotes[-1].time_ms == NOON_MS + 999


async def test_already_subscribed_is_an_acknowledgement():
    async with scene() as play:
        play.server.unheard.add(BBO)
        await play.subscribe(BBO)
        play.server.wires[0].receive({"channel": "error", "data": 'Already subscribed: {"coin":"BTC","type":"bbo"}'})
        await settle()
        assert play.stream.status().subscribed == 1
        assert play.stream.status().faults == {}


async def test_it_pings_and_a_socket_that_answers_stays():
    async with scene(ping_seconds=20) as play:
        await play.subscribe(Subscription("trades", "BTC"))
        await play.time.advance(200)
        assert len(play.server.wires) == 1
        pings = [message for message in play.server.wires[0].sent if message == {"method": "ping"}]
        assert len(pings) == 10


async def test_a_socket_on_which_nothing_comes_not_even_a_pong_is_replaced():
    async with scene(ping_seconds=20) as play:
        await play.subscribe(BBO)
        play.server.quote("BTC")
        await settle()
        play.server.is_mute = True
        await play.time.advance(30)
        assert len(play.server.wires) == 1
        play.server.is_mute = False
        await play.time.advance(3)
        assert len(play.server.wires) == 2
        assert not play.server.wires[0].is_open
        assert play.stream.status().subscribed == 1
        assert play.stream.status().reconnects == 1


@pytest.mark.parametrize("silent_from_the_start", [True, False])
async def test_a_feed_that_stalls_on_a_socket_that_answers_pings_is_asked_for_anew(silent_from_the_start: bool):
    eth = Subscription("bbo", "ETH")
    async with scene(stall_seconds=15) as play:
        await play.subscribe(BBO, eth)
        if not silent_from_the_start:
            await tick_quotes(play, 10, "BTC", "ETH")
        await tick_quotes(play, 14, "BTC")
        assert play.server.wires[0].asked("unsubscribe") == []
        await tick_quotes(play, 3, "BTC")
        assert play.server.wires[0].asked("unsubscribe") == [eth]
        assert play.server.wires[0].asked() == [BBO, eth, eth]
        assert play.stream.status().stalled == (eth,)
        assert play.stream.status().faults == {"stalled feed": 1}
        await play.reader.take()
        play.server.quote("ETH")
        gap = (await play.reader.take(GapEvent))[0]
        assert gap.subscription == eth
        assert gap.filled
        assert gap.until == play.time.now
        assert play.stream.status().stalled == ()
        assert len(play.server.wires) == 1


async def test_a_feed_that_rests_by_nature_is_disturbed_ever_less():
    async with scene(stall_seconds=15) as play:
        await play.subscribe(BBO, Subscription("bbo", "ETH"))
        await tick_quotes(play, 1000, "BTC")
        disturbed = len(play.server.wires[0].asked("unsubscribe"))
        assert 2 <= disturbed <= 6


async def test_a_socket_whose_feeds_have_all_stalled_is_replaced():
    eth = Subscription("bbo", "ETH")
    async with scene(stall_seconds=15) as play:
        await play.subscribe(BBO, eth)
        await tick_quotes(play, 10, "BTC", "ETH")
        await play.time.advance(17)
        assert len(play.server.wires) == 2
        assert play.server.subscribed == {BBO, eth}
        assert play.stream.status().faults["silent socket"] == 1


async def test_silence_while_nobody_could_be_reached_is_no_stall_of_the_next_socket():
    async with scene(stall_seconds=15) as play:
        await play.subscribe(BBO)
        await tick_quotes(play, 10, "BTC")
        play.server.refuses = ConnectionRefusedError("nobody is there")
        play.server.wires[0].drop()
        await play.time.advance(100)
        play.server.refuses = None
        while len(play.server.wires) == 1:
            await play.time.advance(1)
        await play.time.advance(13)
        assert len(play.server.wires) == 2
        assert play.stream.status().faults == {}


async def test_an_outage_teaches_no_patience():
    async with scene(stall_seconds=15) as play:
        await play.subscribe(BBO)
        await tick_quotes(play, 10, "BTC")
        play.server.refuses = ConnectionRefusedError("nobody is there")
        play.server.wires[0].drop()
        await play.time.advance(100)
        play.server.refuses = None
        while len(play.server.wires) == 1:
            await play.time.advance(1)
        await tick_quotes(play, 5, "BTC")
        await play.time.advance(20)
        assert play.stream.status().faults == {"silent socket": 1}


async def test_trades_that_stall_for_all_coins_of_a_socket_are_asked_for_anew():
    trades = [Subscription("trades", "BTC"), Subscription("trades", "ETH")]
    async with scene(stall_seconds=15) as play:
        await play.subscribe(BBO, *trades)
        for second in range(20):
            play.server.trades("BTC", trade("BTC", tid=second))
            await tick_quotes(play, 1, "BTC")
        await tick_quotes(play, 17, "BTC")
        assert play.server.wires[0].asked("unsubscribe") == trades
        assert len(play.server.wires) == 1


async def test_a_quiet_socket_is_no_stall_while_the_reader_is_what_is_slow():
    async with scene(reads=False, stall_seconds=15, limits=StreamLimits(buffered=2)) as play:
        await play.subscribe(Subscription("trades", "BTC"), BBO)
        for tid in range(6):
            play.server.trades("BTC", trade(tid=tid))
        await settle()
        assert play.stream.status().is_paused
        assert play.server.wires[0].waiting == 4
        await play.time.advance(300)
        assert len(play.server.wires) == 1
        play.reader = Reader(play.stream)
        await play.time.advance(1)
        assert len(await play.reader.take(TradesEvent)) == 6
        await play.time.advance(14)
        assert play.server.wires[0].asked("unsubscribe") == []  # the silence was not the feed's
        assert not play.stream.status().is_paused


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), EOFError(), OSError("gone")])
async def test_a_lost_socket_is_replaced_and_what_it_carried_subscribed_anew(error: Exception):
    async with scene() as play:
        await play.subscribe(BBO, MIDS)
        play.server.quote("BTC")
        await play.reader.take()
        play.server.wires[0].drop(error)
        await play.time.advance(1)
        assert play.server.subscribed == {BBO, MIDS}
        await play.time.advance(5)
        play.server.quote("BTC")
        quote, gap = await play.reader.take()
        assert isinstance(quote, QuoteEvent)
        assert gap == GapEvent(BBO, since=NOON, until=NOON + 6, filled=True)
        assert play.stream.status().last_loss.startswith(type(error).__name__)


async def test_the_wait_before_reconnecting_grows_to_a_limit_and_is_reset_by_health():
    async with scene(stall_seconds=3600) as play:
        await play.subscribe(BBO)
        play.server.refuses = ConnectionRefusedError("nobody is there")
        play.server.wires[0].drop()
        await play.time.advance(1000)
        attempts = play.server.opened_at[1:]
        waits = [later - earlier for earlier, later in itertools.pairwise(attempts)]
        assert waits[0] <= 1.0
        assert 20 < max(waits) <= 30
        assert 1000 / 30 < len(attempts) < 100
        play.server.refuses = None
        await play.time.advance(100)
        assert play.stream.status().subscribed == 1
        play.server.open[0].drop()
        await play.time.advance(0.6)
        assert play.stream.status().subscribed == 1


async def test_nine_sockets_that_cannot_connect_stay_below_thirty_attempts_a_minute():
    coins, wanted = many(9)
    async with scene(*coins, limits=StreamLimits(subscriptions_per_socket=1)) as play:
        play.server.refuses = ConnectionRefusedError("nobody is there")
        await play.subscribe(*wanted)
        await play.time.advance(600)
        times = play.server.opened_at
        assert all(sum(start <= time < start + 60 for time in times) <= 30 for start in times)
        play.server.refuses = None
        await play.time.advance(90)
        assert play.stream.status().subscribed == 9


async def test_the_next_socket_goes_to_where_the_client_is_then():
    async with scene() as play:
        await play.subscribe(BBO)
        play.rest.address = "https://elsewhere.example"
        play.server.wires[0].drop()
        await play.time.advance(1)
        assert play.server.urls == ["ws://127.0.0.1:3001/ws", "wss://elsewhere.example/ws"]


async def test_a_clock_that_is_set_back_stalls_nothing():
    async with scene() as play:
        await play.subscribe(BBO)
        await play.time.advance(10)
        play.time.now -= 7200
        play.server.is_mute = True
        play.time._sleepers = [(at - 7200, number, future) for at, number, future in play.time._sleepers]
        await play.time.advance(40)
        assert len(play.server.wires) > 1


async def test_a_tap_sees_everything_that_goes_over_the_wire():
    class Recorder:
        def __init__(self) -> None:
            self.seen: list[tuple[object, ...]] = []

        def opened(self, socket: int, *, at: float) -> None:
            self.seen.append(("opened", socket, at))

        def sent(self, socket: int, text: str, *, at: float) -> None:
            self.seen.append(("sent", socket, text, at))

        def received(self, socket: int, text: str, *, at: float) -> None:
            self.seen.append(("received", socket, text, at))

        def closed(self, socket: int, reason: str, *, at: float) -> None:
            self.seen.append(("closed", socket, reason, at))

    tap = Recorder()
    async with scene(tap=tap) as play:
        await play.subscribe(MIDS)
        play.server.wires[0].drop()
        await play.time.advance(1)
    kinds = [(seen[0], seen[1]) for seen in tap.seen]
    once = ["opened", "received", "sent", "received", "closed"]
    assert [kind for kind, socket in kinds if socket == 1] in (once, ["opened", "sent", *once[1:2], *once[3:]])
    assert ("opened", 2) in kinds
    assert kinds[-1] == ("closed", 2)
    assert ("sent", 1, '{"method":"subscribe","subscription":{"type":"allMids"}}', NOON) in tap.seen
    assert ("closed", 1, "ConnectionResetError: 1006", NOON) in tap.seen
    assert tap.seen[-1][2] == "it was closed by this program"


async def test_closing_ends_the_reader_and_every_socket():
    async with scene() as play:
        await play.subscribe(BBO)
        play.server.quote("BTC")
        await settle()
        await play.stream.aclose()
        await play.stream.aclose()
        await play.reader.end()
        assert play.server.open == []
        with pytest.raises(InputError, match="not open"):
            await play.subscribe(MIDS)


async def test_only_one_reader_is_allowed():
    async with scene() as play:
        await settle()
        with pytest.raises(InputError, match="read already"):
            play.stream.events()


async def test_a_stream_that_was_not_entered_says_so():
    async with scene() as play:
        stream = HyperliquidStream(play.rest, connect=play.server.connect)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="async with"):
            await stream.subscribe(BBO)


@pytest.mark.parametrize("name", ["ping_seconds", "stall_seconds", "quarantine_seconds"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
async def test_seconds_that_make_no_sense_are_refused(name: str, value: float):
    async with scene() as play:
        with pytest.raises(InputError, match=name):
            HyperliquidStream(play.rest, **{name: value})  # type: ignore[arg-type]


async def test_a_defect_inside_reaches_the_reader_instead_of_silence():
    class Broken:
        def opened(self, socket: int, *, at: float) -> None:
            raise RuntimeError("the tap is broken")

    async with scene() as play:
        stream = HyperliquidStream(
            play.rest,  # type: ignore[arg-type]
            connect=play.server.connect,
            tap=Broken(),  # type: ignore[arg-type]
            clock=play.time,
            sleep=play.time.sleep,
        )
        async with stream:
            await stream.subscribe(BBO)
            with pytest.raises(RuntimeError, match="the tap is broken"):
                async for _ in stream.events():
                    pass
