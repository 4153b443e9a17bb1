import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.engine.plan import plan_subscriptions
from hlpairs_core.exchange.events import Subscription

COINS = [f"C{number}" for number in range(250)]


def channels(wanted, coin):
    return {one.channel for one in wanted if one.coin == coin}


def test_where_there_is_room_every_coin_has_everything():
    wanted = plan_subscriptions(COINS[:190], interval="1h", shortlist=["C5"], all_books=True)
    assert len(wanted) == len(set(wanted)) == 1 + 190 * 5
    assert all(len(channels(wanted, coin)) == 5 for coin in COINS[:190])


def test_where_there_is_not_the_books_of_the_best_pairs_come_first_and_trades_of_liquid_coins():
    wanted = plan_subscriptions(COINS, interval="1h", shortlist=["C249", "C7", "GONE"], all_books=True)
    assert len(wanted) == 1000
    assert all({"bbo", "candle", "activeAssetCtx"} <= channels(wanted, coin) for coin in COINS)
    assert {one.coin for one in wanted if one.channel == "l2Book"} == {"C249", "C7"}
    traded = [one.coin for one in wanted if one.channel == "trades"]
    assert traded == COINS[: len(traded)]


def test_the_shortlist_alone_has_books_where_others_are_not_wanted():
    wanted = plan_subscriptions(COINS[:10], interval="5m", shortlist=["C3", "C3"])
    assert [one for one in wanted if one.channel == "l2Book"] == [Subscription("l2Book", "C3")]
    assert Subscription("candle", "C0", "5m") in wanted


@pytest.mark.parametrize("coins", [[], ["BTC"]])
def test_mids_are_always_wanted(coins):
    assert Subscription("allMids") in plan_subscriptions(coins, interval="1h", room=1)


def test_trades_are_asked_for_first_so_that_what_was_lost_of_them_is_known_first():
    channels = [one.channel for one in plan_subscriptions(["BTC", "ETH"], interval="1h")]
    assert channels[:2] == ["trades", "trades"]
    assert "trades" not in channels[2:]


@given(count=st.integers(0, 250), room=st.integers(1, 1300), short=st.lists(st.sampled_from(COINS), max_size=50))
def test_a_plan_never_exceeds_the_room_nor_names_one_twice(count, room, short):
    wanted = plan_subscriptions(COINS[:count], interval="1h", shortlist=short, all_books=True, room=room)
    assert len(wanted) <= room
    assert len(set(wanted)) == len(wanted)
    assert {one.coin for one in wanted} <= {"", *COINS[:count]}
