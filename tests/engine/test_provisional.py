"""Guesses at candles that the exchange has not confirmed: screened, never stored."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from engine_stream import candle

from hlpairs_core.engine import provisional as module
from hlpairs_core.engine.history import History
from hlpairs_core.engine.provisional import Provisional, provisional_candle
from hlpairs_core.market.trade_bars import TradeBar
from hlpairs_core.store import CandleStore

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-01-01", tz="UTC")
START_MS = int(START.timestamp() * 1000)
FIELDS = ["open", "high", "low", "close", "volume"]


class Row:
    time, open, high, low, close, volume = START, 2.0, 4.0, 1.0, 3.0, 5.0


SEEN = candle("BTC", Row, 0.0, is_confirmed=False)
TRADED = TradeBar("BTC", START_MS, 2.0, 4.0, 1.0, 3.5, 4.0, 2.0, 15.0, 9, True)


def frame(coin: str, *closes: float) -> pd.DataFrame:
    time = pd.DatetimeIndex([START + hour * HOUR for hour in range(len(closes))]).as_unit("ms")
    prices = {"open": 2.0, "high": 4.0, "low": 1.0, "close": closes}
    return pd.DataFrame({"coin": coin, "time": time, **prices, "volume": 6.0})


@pytest.fixture
def history(tmp_path) -> History:
    return History(tmp_path, "1h")


@pytest.fixture
def provisional(history) -> Provisional:
    return Provisional(history)


def test_where_all_trades_were_seen_they_are_the_guess():
    assert provisional_candle(None, TRADED) is TRADED
    assert provisional_candle(SEEN, TRADED) is TRADED


@pytest.mark.parametrize("more", [{"volume": 6.1}, {"high": 4.5}, {"low": 0.5}, {"open": 2.5}])
def test_where_the_feed_saw_what_the_trades_do_not_have_nothing_is_guessed(more):
    assert provisional_candle(replace(SEEN, **more), TRADED) is None


def test_of_a_bar_in_which_nobody_traded_nothing_is_guessed():
    nothing = TradeBar("BTC", START_MS, *[math.nan] * 4, 0.0, 0.0, 0.0, 0, True)
    assert provisional_candle(None, nothing) is None
    assert provisional_candle(None, None) is None


def test_where_trades_of_the_beginning_were_missed_the_feed_s_candle_is_carried_on_by_those_of_the_end():
    end = replace(TRADED, open=3.2, high=4.2, low=3.1, close=3.4, is_complete=False)
    guess = provisional_candle(SEEN, end)
    assert [getattr(guess, name) for name in FIELDS] == [2.0, 4.2, 1.0, 3.4, 6.0]
    assert provisional_candle(SEEN, None) is SEEN
    assert provisional_candle(None, end) is None


def test_a_guess_is_read_where_the_history_lacks_the_bar_and_is_not_stored(provisional, history, tmp_path):
    history.candles.add(frame("BTC", 1.0), [("BTC", START, START)])
    history.candles.add(frame("ETH", 7.0), [("ETH", START, START)])
    provisional.take([replace(SEEN, close=9.0), replace(SEEN, time_ms=START_MS + 3_600_000)])
    read = provisional.read(["BTC", "ETH"], START, START + HOUR)
    assert list(zip(read["coin"], read["close"], strict=True)) == [("BTC", 1.0), ("BTC", 3.0), ("ETH", 7.0)]
    assert provisional.read(["BTC"], START, START)["close"].tolist() == [1.0]
    assert read.dtypes.to_dict() == history.candles.read(["BTC"]).astype({"coin": "str"}).dtypes.to_dict()
    assert history.flush() is None
    assert len(CandleStore(tmp_path, "1h").read()) == 2
    assert history.candles.missing("BTC", START, START + HOUR) == [(START + HOUR, START + HOUR)]


def test_a_guess_goes_before_what_is_doubted(provisional, history):
    history.candles.add(frame("BTC", 1.0), [("BTC", START, START)])
    history.candles.doubt("BTC", START, START)
    provisional.take([TRADED])
    assert provisional.read(["BTC"], START, START)["close"].tolist() == [3.5]


def test_it_covers_a_hole_of_whose_every_bar_there_is_a_guess(provisional):
    provisional.take([replace(SEEN, time_ms=START_MS + hour * 3_600_000) for hour in (0, 1, 3)])
    assert provisional.covers("BTC", (START, START + HOUR))
    assert not provisional.covers("BTC", (START, START + 3 * HOUR))
    assert not provisional.covers("ETH", (START, START))
    assert provisional.coins(["ETH", "BTC"], START + 2 * HOUR, START + 4 * HOUR) == ["BTC"]
    assert provisional.coins(["BTC"], START + 2 * HOUR, START + 2 * HOUR) == []


@pytest.mark.parametrize(
    ("said", "differs"), [({}, False), ({"close": 3.4}, True), ({"volume": 6.1}, True), ({"volume": 6 + 1e-11}, False)]
)
def test_a_guess_is_let_go_once_the_exchange_has_spoken_and_it_is_known_whether_it_was_right(
    provisional, history, said, differs
):
    provisional.take([TRADED, replace(SEEN, coin="ETH")])
    assert provisional.settle() is False
    history.candles.add(frame("BTC", 3.5).assign(**said), [("BTC", START, START)])
    assert provisional.settle() is differs
    assert ("BTC", START_MS) not in provisional
    assert ("ETH", START_MS) in provisional
    assert provisional.settle() is False


def test_a_bar_that_the_exchange_does_not_have_was_guessed_wrongly(provisional, history):
    provisional.take([TRADED])
    history.candles.add(frame("BTC").iloc[:0], [("BTC", START, START)])
    assert provisional.settle() is True
    assert provisional.read(["BTC"], START, START).empty


def test_the_oldest_guesses_are_forgotten_where_nobody_confirms_any(provisional):
    for start in range(0, module.KEPT_AT_MOST + 10, 10_000):
        hours = range(start, start + 10_000)
        provisional.take([replace(SEEN, time_ms=START_MS + hour * 3_600_000) for hour in hours])
    assert ("BTC", START_MS) not in provisional
    assert ("BTC", START_MS + (start + 9_999) * 3_600_000) in provisional
