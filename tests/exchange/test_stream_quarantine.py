import random

import pytest
from stream_doubles import NOON, NOON_MS, Scene, scene, settle
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from hlpairs_core.exchange import GapEvent, QuarantineEvent, QuoteEvent, StreamLimits, Subscription

DROPS = "the server drops the connection when it is subscribed"


def coins_and_quotes(count: int) -> tuple[list[str], list[Subscription]]:
    coins = [f"C{number}" for number in range(count)]
    return coins, [Subscription("bbo", coin) for coin in coins]


async def until_calm(play: Scene, seconds: float = 30) -> None:
    await play.time.advance(seconds)


@pytest.mark.parametrize("position", [0, 7, 19])
async def test_the_coin_that_makes_the_server_drop_the_connection_is_found_and_the_others_go_on(position: int):
    coins, wanted = coins_and_quotes(20)
    async with scene(*coins, stall_seconds=600) as play:
        guilty = wanted[position]
        play.server.killers.add(guilty.coin)
        await play.subscribe(*wanted)
        await until_calm(play)
        status = play.stream.status()
        assert status.quarantined == {guilty: DROPS}
        assert status.subscribed == 19
        assert status.pending == 0
        assert play.server.subscribed == set(wanted) - {guilty}
        (event,) = await play.reader.take(QuarantineEvent)
        assert (event.subscription, event.reason) == (guilty, DROPS)
        assert NOON < event.at <= play.time.now


async def test_several_guilty_coins_are_found_among_several_sockets():
    coins, wanted = coins_and_quotes(60)
    guilty = {Subscription("bbo", coin) for coin in ("C3", "C4", "C25", "C59")}
    async with scene(*coins, stall_seconds=600, limits=StreamLimits(subscriptions_per_socket=20)) as play:
        play.server.killers |= {subscription.coin for subscription in guilty}
        await play.subscribe(*wanted)
        await until_calm(play, 120)
        assert set(play.stream.status().quarantined) == guilty
        assert play.server.subscribed == set(wanted) - guilty


async def test_a_coin_that_harms_a_running_feed_interrupts_it_once_and_briefly():
    coins, wanted = coins_and_quotes(10)
    async with scene(*coins, "BAD", stall_seconds=600) as play:
        await play.subscribe(*wanted)
        await play.time.advance(100)
        for coin in coins:
            play.server.quote(coin)
        await play.reader.take()
        play.server.killers.add("BAD")
        await play.subscribe(Subscription("bbo", "BAD"))
        await play.time.advance(1)
        assert play.server.subscribed == set(wanted)
        for coin in coins:
            play.server.quote(coin)
        gaps = await play.reader.take(GapEvent)
        assert {gap.subscription for gap in gaps} == set(wanted)
        assert all(gap.until - gap.since <= 2 and gap.filled for gap in gaps)
        await until_calm(play)
        assert len(play.server.open) == 1
        assert play.stream.status().reconnects == 1


async def test_all_subscriptions_of_a_guilty_coin_are_left_out_with_it():
    channels = ("bbo", "trades", "activeAssetCtx")
    bad = {Subscription(channel, "BTC") for channel in channels}
    good = Subscription("bbo", "ETH")
    async with scene(stall_seconds=600) as play:
        play.server.unheard |= bad
        await play.subscribe(good, *bad)
        play.server.unheard.clear()
        play.server.killers.add("BTC")
        play.server.open[0].drop()
        await until_calm(play)
        assert set(play.stream.status().quarantined) == bad
        assert play.server.subscribed == {good}
        assert len(play.server.opened_at) == 4  # twice the line, and once for each of two strikes
        await play.subscribe(Subscription("l2Book", "BTC"))
        await until_calm(play)
        assert len(play.stream.status().quarantined) == 4
        assert len(play.server.opened_at) == 4


async def test_a_suspect_is_guilty_only_when_it_does_it_twice():
    coins, wanted = coins_and_quotes(5)
    async with scene(*coins, stall_seconds=600) as play:
        # Once on the socket with the others, and once alone: the first strike of two.
        play.server.killers = _Whims(play, wanted[2].coin, times=2)  # type: ignore[assignment]
        await play.subscribe(*wanted)
        await until_calm(play)
        assert play.stream.status().quarantined == {}
        assert play.stream.status().subscribed == 5


class _Whims(set[str]):
    """A coin that kills so many times, and then no more."""

    def __init__(self, play: Scene, coin: str, times: int) -> None:
        super().__init__([coin])
        self.times = times

    def __contains__(self, coin: object) -> bool:
        if not super().__contains__(coin) or self.times == 0:
            return False
        self.times -= 1
        return True


async def test_what_was_left_out_can_be_tried_again_at_will():
    bad = Subscription("bbo", "BTC")
    async with scene(stall_seconds=3600) as play:
        play.server.refused.add("BTC")
        await play.subscribe(bad)
        assert bad in play.stream.status().quarantined
        play.stream.retry_quarantined()
        await until_calm(play)
        assert bad in play.stream.status().quarantined
        assert len(await play.reader.take(QuarantineEvent)) == 2
        play.server.refused.clear()
        play.stream.retry_quarantined()
        await until_calm(play)
        assert play.stream.status().quarantined == {}
        assert play.stream.status().subscribed == 1


@pytest.mark.parametrize("outage", ["refused", "drops all"])
async def test_an_outage_convicts_nobody(outage: str):
    coins, wanted = coins_and_quotes(30)
    wanted.insert(0, Subscription("allMids"))
    async with scene(*coins, stall_seconds=600) as play:
        if outage == "refused":
            play.server.refuses = ConnectionRefusedError("nobody is there")
        else:
            play.server.drops_all = True
        await play.subscribe(*wanted)
        await play.time.advance(600)
        assert play.stream.status().quarantined == {}
        assert play.stream.status().pending == 31
        play.server.refuses, play.server.drops_all = None, False
        await play.time.advance(60)
        assert play.server.subscribed == set(wanted)
        assert await play.reader.take(QuarantineEvent) == []


OUR_OWN_DOING = ConnectionClosedError(None, Close(1009, "message too big"))


@pytest.mark.parametrize(
    ("others_drop_too", "error", "convicted"),
    [(True, None, 0), (False, OUR_OWN_DOING, 0), (False, None, 1)],
    ids=["others are lost too", "closed by this program", "alone"],
)
async def test_a_drop_counts_only_where_the_server_lets_go_of_no_other_socket(
    others_drop_too: bool, error: Exception | None, convicted: int
):
    calm, suspect = Subscription("bbo", "BTC"), Subscription("bbo", "ETH")
    async with scene(stall_seconds=600) as play:
        play.server.unheard.add(suspect)
        await play.subscribe(calm, suspect)
        play.server.open[0].drop()
        for _ in range(2):
            await play.time.advance(3)
            (probe,) = [wire for wire in play.server.open if suspect in wire.asked()]
            for wire in play.server.open:
                if others_drop_too or wire is probe:
                    wire.drop(error)
        await play.time.advance(3)
        assert len(play.stream.status().quarantined) == convicted


async def test_a_server_that_drops_sockets_at_random_convicts_nobody():
    coins, wanted = coins_and_quotes(40)
    rng = random.Random(11)
    async with scene(*coins, stall_seconds=600, limits=StreamLimits(subscriptions_per_socket=10)) as play:

        def whim(wire: object, subscription: Subscription) -> None:
            if rng.random() < 0.15:
                for other in play.server.open:
                    other.drop()

        play.server.on_subscribe = whim
        await play.subscribe(*wanted)
        await play.time.advance(600)
        assert play.stream.status().quarantined == {}
        play.server.on_subscribe = lambda wire, subscription: None
        await play.time.advance(90)
        assert play.server.subscribed == set(wanted)


async def test_a_silent_server_makes_nobody_a_suspect():
    coins, wanted = coins_and_quotes(5)
    async with scene(*coins, ping_seconds=20) as play:
        play.server.is_mute = True
        await play.subscribe(*wanted)
        await play.time.advance(300)
        assert play.stream.status().quarantined == {}
        assert all(Subscription("allMids") not in wire.asked() for wire in play.server.wires)  # no probe was needed
        play.server.is_mute = False
        await play.time.advance(60)
        assert play.server.subscribed == set(wanted)


async def test_what_the_exchange_calls_invalid_is_left_out_with_its_words():
    good, bad = Subscription("bbo", "BTC"), Subscription("candle", "ETH", "1m")
    async with scene() as play:
        play.server.refused.add("ETH")
        await play.subscribe(good, bad)
        reason = 'Invalid subscription {"type": "candle", "coin": "ETH", "interval": "1m"}'
        assert play.stream.status().quarantined == {bad: reason}
        assert await play.reader.take() == [QuarantineEvent(bad, reason, NOON)]
        assert play.server.subscribed == {good}
        assert len(play.server.wires) == 1


async def test_a_subscription_the_exchange_cannot_parse_is_left_out():
    bad = Subscription("l2Book", "BTC", fast=True)
    async with scene() as play:
        play.server.unheard.add(bad)
        await play.subscribe(bad)
        (wire,) = play.server.wires
        echo = '{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","fast":true}}'
        wire.receive({"channel": "error", "data": f"Error parsing JSON into valid websocket request: {echo}"})
        (event,) = await play.reader.take()
        assert event.subscription == bad
        assert event.reason.startswith("Error parsing JSON")


@pytest.mark.parametrize(
    "text",
    [
        "Cannot track more than 15 total users.",
        'Invalid subscription {"type":"bbo","coin":"ETH"}',
        "Invalid subscription {",
        'Invalid subscription {"type":"bbo","coin":["BTC"]}',
        "<script>" * 1000,
    ],
)
async def test_an_error_about_nothing_that_was_asked_harms_nothing(text: str):
    async with scene() as play:
        await play.subscribe(Subscription("bbo", "BTC"))
        play.server.wires[0].receive({"channel": "error", "data": text})
        await settle()
        assert play.stream.status().quarantined == {}
        assert play.stream.status().subscribed == 1
        assert play.stream.status().faults == {"error frame": 1}


async def test_what_was_left_out_is_tried_again_later_alone():
    bad, good = Subscription("bbo", "BTC"), Subscription("bbo", "ETH")
    async with scene(quarantine_seconds=600, stall_seconds=3600) as play:
        play.server.killers.add("BTC")
        await play.subscribe(bad, good)
        await until_calm(play)
        losses = len(play.server.wires)
        await play.time.advance(600)
        assert len(await play.reader.take(QuarantineEvent)) == 2
        assert len(play.server.wires) == losses + 2  # one for each strike, both of the probe
        assert play.stream.status().subscribed == 1
        play.server.killers.clear()
        await play.time.advance(620)
        assert play.stream.status().quarantined == {}
        assert play.server.subscribed == {bad, good}
        play.server.quote("BTC")
        assert [event.coin for event in await play.reader.take(QuoteEvent)] == ["BTC"]


async def test_what_was_left_out_is_tried_again_when_the_universe_changes():
    bad = Subscription("bbo", "BTC")
    async with scene("BTC", "ETH", stall_seconds=3600) as play:
        play.server.killers.add("BTC")
        await play.subscribe(bad, Subscription("bbo", "ETH"))
        await until_calm(play)
        assert bad in play.stream.status().quarantined
        play.server.killers.clear()
        play.rest.coins.append("NEW")
        await play.subscribe(Subscription("bbo", "NEW"))
        await until_calm(play)
        assert play.stream.status().quarantined == {}
        assert play.stream.status().subscribed == 3


async def test_a_suspect_and_a_quarantined_one_can_be_let_go():
    bad, good = Subscription("bbo", "BTC"), Subscription("bbo", "ETH")
    async with scene(stall_seconds=3600) as play:
        play.server.killers.add("BTC")
        await play.subscribe(bad, good)
        assert play.stream.status().pending == 2
        await play.stream.unsubscribe(bad)
        await until_calm(play)
        assert play.stream.status().quarantined == {}
        await play.subscribe(bad)
        await until_calm(play)
        assert play.stream.status().quarantined == {bad: DROPS}
        await play.stream.unsubscribe(bad)
        assert play.stream.status().quarantined == {}
        assert play.stream.status().pending == 0


async def test_news_that_the_probe_sees_are_not_handed_out_twice():
    wanted = [Subscription("bbo", "BTC"), Subscription("bbo", "ETH")]
    async with scene(stall_seconds=3600) as play:
        play.server.killers.add("BTC")
        play.server.on_subscribe = lambda wire, subscription: (
            wire.receive({"channel": "bbo", "data": {"coin": "ETH", "time": NOON_MS, "bbo": [None, None]}})
            if subscription.coin == "ETH"
            else None
        )
        await play.subscribe(*wanted)
        await until_calm(play)
        assert len(await play.reader.take(QuoteEvent)) == 1
