import math

import pandas as pd
import pytest

from hlpairs_core.exchange.events import QuoteEvent
from hlpairs_core.market.tick_book import TickBook

TIME = pd.Timestamp("2026-03-01T10:00", tz="UTC")


def quote(coin="BTC", bid=99.0, ask=101.0, at=1000.0) -> QuoteEvent:
    return QuoteEvent(coin, int(TIME.timestamp() * 1000), bid, 2.0, ask, 3.0, at)


def test_a_tick_is_tagged_with_coin_bid_ask_mark_and_funding_estimate():
    book = TickBook()
    book.take_quote(quote())
    book.take_context("BTC", {"mark_price": 100.5, "funding_rate": 1.25e-5, "open_interest": 7.0})
    tick = book.tick("BTC", 1001.0)
    assert (tick.coin, tick.time, tick.bid, tick.bid_size, tick.ask, tick.ask_size) == ("BTC", TIME, 99, 2, 101, 3)
    assert (tick.mid, tick.mark_price, tick.funding_rate) == (100.0, 100.5, 1.25e-5)


def test_a_coin_of_which_nothing_was_heard_is_unknown():
    tick = TickBook().tick("BTC", 0.0)
    assert tick.time is None
    assert all(math.isnan(value) for value in (tick.bid, tick.ask, tick.mid, tick.mark_price, tick.funding_rate))


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        (quote(at=1000.0), 100.0),
        (quote(at=990.0), 105.0),  # as old as a quote may get
        (quote(at=2000.0), 100.0),  # the wall clock was set back
        (quote(bid=math.nan), 105.0),  # nobody bids
        (None, 105.0),
    ],
)
def test_the_mid_is_that_of_a_fresh_quote_else_the_exchange_s(quoted, expected):
    book = TickBook(fresh_seconds=10.0)
    if quoted is not None:
        book.take_quote(quoted)
    book.take_mids({"BTC": 105.0})
    assert book.mid("BTC", 1000.0) == expected


def test_a_coin_that_left_the_list_of_mids_has_no_old_one():
    book = TickBook()
    book.take_mids({"BTC": 105.0, "ETH": 10.0})
    book.take_mids({"ETH": 11.0})
    assert math.isnan(book.mid("BTC", 0.0))
    assert book.mids(0.0) == {"ETH": 11.0}
    assert book.mids(0.0, ["BTC", "ETH"]) == {"ETH": 11.0}


def test_a_quote_from_before_an_interruption_is_forgotten_and_one_that_came_since_stays():
    book = TickBook()
    book.take_quote(quote("BTC", at=1000.0))
    book.take_quote(quote("ETH", at=1002.0))
    for coin in ("BTC", "ETH", "SOL"):
        book.interrupt(coin, 1001.0)
    assert book.mids(1002.0) == {"ETH": 100.0}


def test_coins_that_are_not_kept_are_unknown():
    book = TickBook()
    book.take_quote(quote("BTC"))
    book.take_context("BTC", {"mark_price": 1.0})
    book.keep_only(["ETH"])
    assert book.mids(1000.0) == {}
    assert math.isnan(book.tick("BTC", 1000.0).mark_price)


def test_ticks_come_as_a_frame_with_a_row_for_each_coin_asked_for():
    book = TickBook()
    book.take_quote(quote("ETH"))
    frame = book.frame(["BTC", "ETH"], 1000.0)
    assert frame["coin"].tolist() == ["BTC", "ETH"]
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    assert frame["time"].isna().tolist() == [True, False]
    assert frame["mid"].isna().tolist() == [True, False]
    assert list(book.frame([], 0.0).columns) == list(frame.columns)
