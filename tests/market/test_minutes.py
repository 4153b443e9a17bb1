import math

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exchange import OrderBook
from hlpairs_core.exchange.events import BookEvent, QuoteEvent, Trade, TradesEvent
from hlpairs_core.market.minutes import MINUTE_MS, Minutes, minutes_frame, minutes_spans
from hlpairs_core.store import MinuteStore


def quote(coin, time_ms, bid, ask, at=0.0) -> QuoteEvent:
    return QuoteEvent(coin, time_ms, bid, 2.0, ask, 3.0, at)


def trades(coin, *prints) -> TradesEvent:
    return TradesEvent(coin, tuple(Trade(time, price, size, buy, 0) for time, price, size, buy in prints), 0.0)


def book(coin, time_ms, *, fast=False) -> BookEvent:
    sides = (np.array([[999.0, 1.0], [996.0, 2.0]]), np.array([[1001.0, 3.0]]))
    return BookEvent(OrderBook(coin, pd.Timestamp(time_ms, unit="ms", tz="UTC"), *sides), fast, 0.0)


@pytest.fixture
def minutes() -> Minutes:
    """BTC, whose trades are all known from the first minute on."""
    minutes = Minutes(10)
    minutes.take_trades(trades("BTC", (30_000, 1.0, 1.0, True)))
    minutes.take_quote(quote("BTC", 30_000, 1.0, 2.0))
    return minutes


def rows(minutes, number) -> pd.DataFrame:
    frame = minutes_frame(list(minutes.rows(number)))
    minutes.go_on_from(number + 1)
    return frame.set_index("coin")


def test_a_minute_has_its_last_quote_the_depth_of_its_last_book_and_the_sums_of_its_trades(minutes):
    minutes.take_quote(quote("BTC", 61_000, 998.0, 1002.0))
    minutes.take_quote(quote("BTC", 119_999, 999.0, 1001.0))
    minutes.take_quote(quote("BTC", 120_000, 5.0, 6.0))
    minutes.take_book(book("BTC", 70_000))
    minutes.take_book(book("BTC", 110_000, fast=True))
    minutes.take_trades(trades("BTC", (60_000, 1000.0, 0.5, True), (90_000, 1010.0, 0.25, False)))
    minutes.take_trades(trades("BTC", (120_000, 9.0, 9.0, True)))
    row = rows(minutes, 1).loc["BTC"]
    assert row["time"] == pd.Timestamp("1970-01-01T00:01", tz="UTC")
    assert row[["bid", "ask", "bid_size", "ask_size"]].tolist() == [999.0, 1001.0, 2.0, 3.0]
    assert row[["bid_depth_10bps_usd", "ask_depth_10bps_usd"]].tolist() == [999.0, 3003.0]
    assert row[["bid_depth_50bps_usd", "ask_depth_50bps_usd"]].tolist() == [999.0 + 1992.0, 3003.0]
    assert row[["trades", "buy_volume", "sell_volume", "notional_usd"]].tolist() == [2, 0.5, 0.25, 500 + 252.5]


def test_a_quote_stands_until_the_next_one_and_a_minute_without_trades_has_none(minutes):
    minutes.go_on_from(1)
    assert rows(minutes, 1).loc["BTC", ["bid", "ask"]].tolist() == [1.0, 2.0]
    row = rows(minutes, 2).loc["BTC"]
    assert (row["bid"], row["trades"], row["notional_usd"]) == (1.0, 0, 0)
    assert math.isnan(row["bid_depth_10bps_usd"])


def test_a_quote_that_may_have_changed_unheard_does_not_stand(minutes):
    minutes.take_quote(quote("ETH", 30_000, 3.0, 4.0, at=50.0))
    minutes.take_trades(trades("ETH", (30_000, 1.0, 1.0, True)))
    rows(minutes, 0)
    minutes.interrupt_quotes(40.0)
    assert rows(minutes, 1)["bid"].isna().to_dict() == {"BTC": True, "ETH": False}
    minutes.interrupt_quotes(60.0, "ETH")
    assert rows(minutes, 2)["bid"].isna().all()


def test_a_minute_of_which_trades_may_be_missing_has_no_row(minutes):
    assert rows(minutes, 0).empty, "it began before the first trade that was heard"
    minutes.interrupt_trades("BTC")
    assert rows(minutes, 1).empty
    minutes.take_trades(trades("BTC", (130_000, 1.0, 1.0, True)))
    assert rows(minutes, 2).empty
    assert len(rows(minutes, 3)) == 1


def test_coins_that_are_not_kept_have_no_rows(minutes):
    minutes.take_book(book("BTC", 70_000))
    minutes.keep_only(["ETH"])
    assert rows(minutes, 1).empty


def test_rows_fit_the_store_and_its_ranges_are_those_of_the_rows(tmp_path, minutes):
    some = [row for number in (1, 2, 3) for row in minutes.rows(number)]
    later = [(*row[:1], row[1] + 2 * MINUTE_MS, *row[2:]) for row in some[2:]]
    store = MinuteStore(tmp_path)
    store.append(minutes_frame([*some, *later]), minutes_spans([*some, *later]))
    assert len(store.read(["BTC"])) == 4
    covered = store.coverage()
    ends = [(start.minute, end.minute) for start, end in zip(covered["start"], covered["end"], strict=True)]
    assert ends == [(1, 3), (5, 5)]
    assert minutes_spans([]) == []
    assert minutes_frame([]).empty
