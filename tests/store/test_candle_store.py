import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.store import CandleStore, FundingStore

Hour = Callable[[int], pd.Timestamp]
Candles = Callable[..., pd.DataFrame]


def test_candles_come_back_as_they_went_in(tmp_path: Path, candles: Candles, hour: Hour) -> None:
    rng = np.random.default_rng(3)
    frame = pd.concat([candles("BTC", range(30)), candles("ETH", range(5, 20))], ignore_index=True)
    for name in ("open", "high", "low", "close", "volume"):
        frame[name] = rng.lognormal(size=len(frame))
    store = CandleStore(tmp_path, "1h")
    store.append(frame.sample(frac=1, random_state=1), [("BTC", hour(0), hour(29)), ("ETH", hour(5), hour(19))])
    for again in (store, CandleStore(tmp_path, "1h")):
        answer = again.read()
        assert str(answer["time"].dtype) == "datetime64[ms, UTC]"
        pd.testing.assert_frame_equal(answer.astype({"coin": str}), frame.astype({"coin": str}))


def test_reading_can_be_narrowed_to_coins_and_times_with_both_ends_included(
    tmp_path: Path, candles: Candles, hour: Hour
) -> None:
    store = CandleStore(tmp_path, "1h")
    store.append(pd.concat([candles(coin, range(10)) for coin in "ABC"]), [])
    answer = store.read(["A", "C", "not listed"], hour(2), hour(4))
    assert list(answer["coin"].unique()) == ["A", "C"]
    assert list(answer.loc[answer["coin"] == "C", "time"]) == [hour(2), hour(3), hour(4)]


def test_an_empty_store_answers_with_an_empty_frame_of_the_right_types(tmp_path: Path, hour: Hour) -> None:
    store = CandleStore(tmp_path / "not there yet", "1h")
    answer = store.read()
    assert len(answer) == 0
    assert list(answer.columns) == ["coin", "time", "open", "high", "low", "close", "volume"]
    assert str(answer["time"].dtype) == "datetime64[ms, UTC]"
    assert store.missing("BTC", hour(0), hour(3)) == [(hour(0), hour(3))]
    assert len(store.coverage()) == 0
    assert not (tmp_path / "not there yet").exists()


def test_of_two_rows_for_one_bar_the_one_stored_last_counts(tmp_path: Path, candles: Candles) -> None:
    store = CandleStore(tmp_path, "1h")
    store.append(candles("BTC", range(5), 1.0), [])
    store.append(candles("BTC", [2, 3], 2.0), [])
    expected = [1.0, 1.0, 2.0, 2.0, 1.0]
    assert list(store.read()["close"]) == expected
    store.compact()
    assert list(CandleStore(tmp_path, "1h").read()["close"]) == expected
    store.append(candles("BTC", [2], 3.0), [])
    assert list(store.read()["close"]) == [1.0, 1.0, 3.0, 2.0, 1.0]


def test_a_range_that_was_answered_with_nothing_is_not_missing(tmp_path: Path, candles: Candles, hour: Hour) -> None:
    store = CandleStore(tmp_path, "1h")
    store.append(candles("NEW", [8, 9]), [("NEW", hour(0), hour(9))])
    store.append(pd.DataFrame(), [("NEW", hour(15), hour(16))])
    assert store.missing("NEW", hour(0), hour(20)) == [(hour(10), hour(14)), (hour(17), hour(20))]
    assert store.missing("NEW", hour(1), hour(9)) == []
    assert store.missing("OTHER", hour(1), hour(9)) == [(hour(1), hour(9))]


def test_neighbouring_answers_join_to_one_range(tmp_path: Path, candles: Candles, hour: Hour) -> None:
    store = CandleStore(tmp_path, "1h")
    store.append(candles("BTC", [0, 1]), [("BTC", hour(0), hour(1))])
    store.append(candles("BTC", [2, 3]), [("BTC", hour(2), hour(3)), ("ETH", hour(7), hour(7))])
    rows = store.coverage().to_numpy().tolist()
    assert rows == [["BTC", hour(0), hour(3)], ["ETH", hour(7), hour(7)]]


def test_an_answer_up_to_the_middle_of_a_bar_says_nothing_of_the_next_bar(
    tmp_path: Path, candles: Candles, hour: Hour
) -> None:
    store = CandleStore(tmp_path, "1h")
    minutes = pd.Timedelta(minutes=37)
    store.append(candles("BTC", [1, 2]), [("BTC", hour(0) + minutes, hour(2) + minutes)])
    assert store.missing("BTC", hour(0), hour(3)) == [(hour(0), hour(0)), (hour(3), hour(3))]
    assert store.missing("BTC", hour(0) + minutes, hour(2) + minutes) == []


def test_funding_keeps_its_jitter_and_knows_its_ranges_to_the_millisecond(tmp_path: Path, hour: Hour) -> None:
    times = [hour(n) + pd.Timedelta(milliseconds=68 * n + 1) for n in range(4)]
    frame = pd.DataFrame({"coin": "BTC", "time": pd.DatetimeIndex(times).as_unit("ms")})
    frame = frame.assign(funding_rate=1.25e-5, premium=[0.0, -4e-4, np.nan, 2e-4])
    store = FundingStore(tmp_path)
    store.append(frame, [("BTC", hour(0), hour(3))])
    answer = store.read(["BTC"])
    assert list(answer["time"]) == times
    pd.testing.assert_frame_equal(answer.astype({"coin": str}), frame.astype({"coin": str}))
    assert store.missing("BTC", hour(0), hour(4)) == [(hour(3) + pd.Timedelta(milliseconds=1), hour(4))]


def test_weekly_candles_need_not_open_on_a_multiple_of_a_week(tmp_path: Path, hour: Hour) -> None:
    store = CandleStore(tmp_path, "1w")
    store.append(store.read(), [("BTC", hour(5), hour(500))])
    assert store.missing("BTC", hour(5), hour(500)) == []
    assert store.missing("BTC", hour(4), hour(500)) == [(hour(4), hour(5) - pd.Timedelta(milliseconds=1))]


@pytest.mark.parametrize(
    "coin", ["../../escape", "<b>&\"'", "a/b\\c", "x" * 5000, "名前 ß 🚀", "", "NUL\0in", "-rf *", "k\nPEPE"]
)
def test_a_hostile_coin_name_is_data_and_never_part_of_a_path(
    tmp_path: Path, candles: Candles, hour: Hour, coin: str
) -> None:
    folder = tmp_path / "market"
    store = CandleStore(folder, "1h")
    store.append(candles(coin, [0, 1]), [(coin, hour(0), hour(1))])
    store.append(candles("BTC", [0]), [("BTC", hour(0), hour(0))])
    store.compact()
    fresh = CandleStore(folder, "1h")
    assert list(fresh.read([coin])["coin"]) == [coin, coin]
    assert fresh.missing(coin, hour(0), hour(2)) == [(hour(2), hour(2))]
    assert [path.name for path in tmp_path.iterdir()] == ["market"]
    assert [path.suffix for path in (folder / "candles-1h").iterdir()] == [".parquet"]


def test_a_name_that_no_file_can_hold_is_refused(tmp_path: Path, candles: Candles, hour: Hour) -> None:
    store = CandleStore(tmp_path, "1h")
    with pytest.raises(InputError, match="do not fit candles-1h"):
        store.append(candles("BTC", [0]).assign(coin=pd.Series(["half \ud800"], dtype=object)), [])
    with pytest.raises(InputError, match="give its name as text"):
        store.append(candles("BTC", [0]), [("half \ud800", hour(0), hour(0))])
    assert store.segments == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"close": None}, "do not fit|lack the columns"),
        ({"close": "12.5"}, "columns close do not hold numbers"),
        ({"coin": None}, "no coin or no time"),
        ({"close": [1.0, np.nan]}, "column 'close' of candles-1h is NaN in 1 rows"),
        ({"volume": [1.0, np.inf]}, "column 'volume' of candles-1h is infinite"),
        ({"coin": 7}, "do not fit candles-1h"),
        ({"time": pd.Timestamp("2025-01-01")}, "give times with a time zone"),
        ({"time": pd.Timestamp("2025-01-01T00:00:00.0000001Z")}, "do not fit candles-1h"),
    ],
    ids=["no close", "text", "no coin", "NaN", "infinite", "number as coin", "no zone", "nanoseconds"],
)
def test_rows_of_the_wrong_kind_are_refused_and_nothing_is_written(
    tmp_path: Path, candles: Candles, change: dict[str, object], message: str
) -> None:
    frame = candles("BTC", [0, 1]).assign(**change)
    if change == {"close": None}:
        frame = frame.drop(columns="close")
    store = CandleStore(tmp_path, "1h")
    with pytest.raises(InputError, match=message):
        store.append(frame, [])
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2025-01-01", "2025-01-02T00:00Z", "time zone"),
        ("2025-01-02T00:00Z", "2025-01-01T00:00Z", "before"),
        ("soon", "2025-01-02T00:00Z", "no time"),
        (None, "2025-01-02T00:00Z", "time zone"),
    ],
)
def test_ranges_that_are_none_are_refused(
    tmp_path: Path, candles: Candles, start: object, end: object, message: str
) -> None:
    store = CandleStore(tmp_path, "1h")
    with pytest.raises(InputError, match=message):
        store.missing("BTC", start, end)
    with pytest.raises(InputError, match=message):
        store.append(candles("BTC", [0]), [("BTC", start, end)])


def test_an_unknown_interval_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown interval '2d'"):
        CandleStore(tmp_path, "2d")


def test_appending_leaves_the_callers_frame_alone(tmp_path: Path, candles: Candles) -> None:
    frame = candles("BTC", range(5)).astype({"coin": "category"})
    before = frame.copy(deep=True)
    CandleStore(tmp_path, "1h").append(frame, [])
    pd.testing.assert_frame_equal(frame, before)


def test_one_object_sees_what_another_appended_and_compacted(tmp_path: Path, candles: Candles, hour: Hour) -> None:
    reader, writer = CandleStore(tmp_path, "1h"), CandleStore(tmp_path, "1h")
    writer.append(candles("BTC", [0]), [("BTC", hour(0), hour(0))])
    assert len(reader.read()) == 1
    writer.append(candles("BTC", [1]), [("BTC", hour(1), hour(1))])
    assert reader.missing("BTC", hour(0), hour(1)) == []
    writer.compact()
    assert len(reader.read()) == 2
    assert reader.segments == 1
    assert reader.problems == ()


def test_intervals_live_side_by_side(tmp_path: Path, candles: Candles, hour: Hour) -> None:
    hourly, minutely = CandleStore(tmp_path, "1h"), CandleStore(tmp_path, "1m")
    hourly.append(candles("BTC", [0]), [("BTC", hour(0), hour(0))])
    assert len(minutely.read()) == 0
    assert minutely.missing("BTC", hour(0), hour(0)) == [(hour(0), hour(0))]


def test_four_hundred_bars_of_a_universe_are_read_from_two_hundred_files_quickly(tmp_path: Path, hour: Hour) -> None:
    clock = pd.date_range(hour(0), periods=400, freq="h").as_unit("ms")
    coins = [f"C{index}" for index in range(190)]
    store = CandleStore(tmp_path, "1h")
    for start in range(0, 400, 2):
        times = clock[start : start + 2]
        frame = pd.DataFrame({"coin": np.repeat(coins, 2), "time": np.tile(times, 190)})
        store.append(frame.assign(open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0), [("C0", times[0], times[-1])])
    assert store.segments == 200
    began = time.process_time()
    assert len(store.read(start=hour(0))) == 400 * 190
    # Measured at 0.3 s of processor time, which a busy machine does not change much.
    assert time.process_time() - began < 2
