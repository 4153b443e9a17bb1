import threading

import pandas as pd
import pytest

from hlpairs_core.engine.history import Buffered, History
from hlpairs_core.exceptions import StoreNotWritable
from hlpairs_core.store import CandleStore

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-01-01", tz="UTC")


def candles(coin: str, first: int, last: int, price: float = 1.0) -> pd.DataFrame:
    time = pd.DatetimeIndex([START + hour * HOUR for hour in range(first, last + 1)]).as_unit("ms")
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    return pd.DataFrame({"coin": coin, "time": time, **prices, "volume": 1.0})


@pytest.fixture
def buffered(tmp_path, disk) -> Buffered:
    return Buffered(CandleStore(tmp_path, "1h", files=disk), HOUR)


def test_rows_are_readable_and_known_as_fetched_before_they_are_stored(buffered):
    buffered.add(candles("BTC", 0, 9), [("BTC", START, START + 9 * HOUR)])
    assert len(buffered.read(["BTC"])) == 10
    assert buffered.missing("BTC", START, START + 12 * HOUR) == [(START + 10 * HOUR, START + 12 * HOUR)]
    assert buffered.missing("ETH", START, START + HOUR) == [(START, START + HOUR)]
    assert buffered.store.segments == 0


def test_a_full_disk_loses_nothing_and_the_rows_are_stored_once_there_is_room(buffered, disk, tmp_path):
    buffered.add(candles("BTC", 0, 4), [("BTC", START, START + 4 * HOUR)])
    buffered.flush()
    disk.full = True
    buffered.add(candles("BTC", 5, 9), [("BTC", START + 5 * HOUR, START + 9 * HOUR)])
    with pytest.raises(StoreNotWritable, match="no space left"):
        buffered.flush()
    assert buffered.waiting == 5
    assert len(buffered.read(["BTC"])) == 10
    assert buffered.missing("BTC", START, START + 9 * HOUR) == []
    disk.full = False
    buffered.flush()
    assert buffered.waiting == 0
    assert len(CandleStore(tmp_path, "1h").read(["BTC"])) == 10


def test_waiting_rows_replace_stored_ones_and_respect_the_asked_range(buffered):
    buffered.add(candles("BTC", 0, 4, price=1.0), [("BTC", START, START + 4 * HOUR)])
    buffered.flush()
    buffered.add(candles("BTC", 3, 6, price=2.0), [("BTC", START + 3 * HOUR, START + 6 * HOUR)])
    read = buffered.read(["BTC"], START + 2 * HOUR, START + 5 * HOUR)
    assert read["close"].tolist() == [1.0, 2.0, 2.0, 2.0]
    assert buffered.read(["ETH"]).empty


def test_what_is_doubted_counts_as_missing_until_rows_for_it_come(buffered):
    buffered.add(candles("BTC", 0, 9), [("BTC", START, START + 9 * HOUR)])
    buffered.doubt("BTC", START + 3 * HOUR, START + 5 * HOUR)
    buffered.doubt("BTC", START + 5 * HOUR, START + 6 * HOUR)
    hours = [(START + first * HOUR, START + last * HOUR) for first, last in ((3, 6), (3, 4), (10, 12), (4, 4))]
    assert buffered.missing("BTC", START, START + 9 * HOUR) == [hours[0]]
    assert buffered.missing("BTC", START, START + 4 * HOUR) == [hours[1]]
    assert buffered.missing("BTC", START, START + 12 * HOUR) == [hours[0], hours[2]]
    assert buffered.missing("ETH", START, START) == [(START, START)]
    assert len(buffered.read(["BTC"])) == 10, "until then what is held is read"
    buffered.add(candles("BTC", 5, 6), [("BTC", START + 5 * HOUR, START + 6 * HOUR)])
    buffered.add(candles("BTC", 3, 3), [("BTC", START + 3 * HOUR, START + 3 * HOUR)])
    assert buffered.missing("BTC", START, START + 9 * HOUR) == [hours[3]]
    buffered.flush()
    assert buffered.missing("BTC", START, START + 9 * HOUR) == [hours[3]]


def test_candles_of_an_interval_are_opened_once_and_are_part_of_the_whole(tmp_path):
    history = History(tmp_path, "1h")
    five = history.candles_of("5m")
    assert history.candles_of("5m") is five
    assert history.candles_of("1h") is history.candles
    assert five in history.parts
    frame = candles("BTC", 0, 0)
    five.add(frame, [("BTC", START, START)])
    assert history.waiting == 1
    assert history.flush() is None
    assert len(CandleStore(tmp_path, "5m").read()) == 1


def test_many_segments_are_merged_into_one(buffered):
    for hour in range(70):
        buffered.add(candles("BTC", hour, hour), [("BTC", START + hour * HOUR, START + hour * HOUR)])
        buffered.flush()
    assert buffered.store.segments < 61
    assert len(buffered.read(["BTC"])) == 70


def test_rows_are_taken_at_once_while_the_disk_is_busy(buffered, disk):
    writing, go_on = threading.Event(), threading.Event()
    write = disk.write

    def slow(*arguments):
        writing.set()
        assert go_on.wait(30)
        write(*arguments)

    disk.write = slow
    buffered.add(candles("BTC", 0, 4), [("BTC", START, START + 4 * HOUR)])
    flushing = threading.Thread(target=buffered.flush)
    flushing.start()
    assert writing.wait(30)
    buffered.add(candles("BTC", 5, 9), [("BTC", START + 5 * HOUR, START + 9 * HOUR)])  # would never return
    go_on.set()
    flushing.join()
    assert buffered.waiting == 5, "what came while the disk was busy waits for the next flush"
    assert len(buffered.read(["BTC"])) == 10
    assert buffered.missing("BTC", START, START + 9 * HOUR) == []


def test_the_funding_of_a_bar_is_stamped_a_moment_after_its_open(tmp_path):
    history = History(tmp_path, "1h")
    time = pd.DatetimeIndex([START, START + HOUR, START + 2 * HOUR]).as_unit("ms") + pd.Timedelta(milliseconds=70)
    frame = pd.DataFrame({"coin": "BTC", "time": time, "funding_rate": [1e-5, 2e-5, 3e-5], "premium": 0.0})
    history.funding.add(frame, [("BTC", START, START + 2 * HOUR)])
    assert history.funding_of_bars(["BTC"], START, START + HOUR)["funding_rate"].tolist() == [1e-5, 2e-5]


def test_a_history_says_why_it_could_not_store_and_that_nothing_is_lost(tmp_path, disk):
    history = History(tmp_path, "1h", files=disk)
    assert history.flush() is None
    disk.full = True
    history.candles.add(candles("BTC", 0, 4), [("BTC", START, START + 4 * HOUR)])
    assert "5 rows wait in memory" in (history.flush() or "")
