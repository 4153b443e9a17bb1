import pandas as pd
import pytest
from engine_stream import candle

from hlpairs_core.engine import closes as module
from hlpairs_core.engine.closes import Closes
from hlpairs_core.engine.history import History

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-01-01", tz="UTC")


class Row:
    time, open, high, low, close, volume = START, 2.0, 4.0, 1.0, 3.0, 5.0


@pytest.fixture
def history(tmp_path) -> History:
    return History(tmp_path, "1h")


@pytest.fixture
def closes(history) -> Closes:
    return Closes(history)


def hours_later(hours: int) -> int:
    return int((START + hours * HOUR).timestamp() * 1000)


def test_closed_candles_wait_until_they_are_handed_over_together(closes, history):
    closes.take(candle("BTC", Row, 0.0))
    closes.take(candle("ETH", Row, 0.0))
    assert closes.news.is_set()
    assert closes.lacking(["BTC", "ETH", "SOL"], START) == ["SOL"]
    assert history.candles.waiting == 0
    closes.store()
    closes.store()
    assert history.candles.waiting == 2
    assert closes.lacking(["BTC", "ETH", "SOL"], START) == ["SOL"]
    assert history.candles.read(["BTC"])[["open", "high", "low", "close", "volume"]].values.tolist() == [
        [2, 4, 1, 3, 5]
    ]


def test_candles_of_another_interval_or_without_confirmation_are_not_stored(closes, history):
    closes.take(candle("BTC", Row, 0.0, interval="5m"))
    closes.take(candle("BTC", Row, 0.0, is_confirmed=False))
    closes.take(candle("BTC", Row, 0.0, is_closed=False, is_confirmed=False))
    closes.store()
    assert history.candles.waiting == 0
    assert closes.lacking(["BTC"], START) == ["BTC"]


def test_a_bar_is_expected_while_the_feed_tells_it_and_until_it_has_closed(closes):
    assert closes.expected(["BTC"], START) == []
    closes.take(candle("BTC", Row, 0.0, is_closed=False, is_confirmed=False))
    assert closes.expected(["BTC", "ETH"], START) == ["BTC"]
    assert closes.expected(["BTC"], START - HOUR) == []
    closes.take(candle("BTC", Row, 0.0, is_confirmed=False))
    assert closes.expected(["BTC"], START) == []
    closes.take(candle("BTC", Row, 0.0, is_closed=False, is_confirmed=False, time_ms=hours_later(1)))
    assert closes.expected(["BTC"], START) == []
    assert closes.expected(["BTC"], START + HOUR) == ["BTC"]
    closes.forget("BTC")
    assert closes.expected(["BTC"], START + HOUR) == []


def test_what_nobody_takes_is_bounded_and_the_oldest_is_fetched_again(closes):
    for hour in range(module.WAITING_AT_MOST + 3):
        closes.take(candle("BTC", Row, 0.0, time_ms=hours_later(hour)))
    assert closes.lacking(["BTC"], START + 2 * HOUR) == ["BTC"]
    assert closes.lacking(["BTC"], START + 3 * HOUR) == []
