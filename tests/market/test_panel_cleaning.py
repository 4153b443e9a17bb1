from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import INTERVALS
from hlpairs_core.market import Panel

START = pd.Timestamp("2025-01-01T00:00Z")
FIELDS = ("open", "high", "low", "close", "volume")


def bars(coin: str, n: int, *, first: int = 0, step: str = "1h", **values: Any) -> pd.DataFrame:
    """n bars whose prices and volume all rise by 1 from 100."""
    time = pd.DatetimeIndex([START + INTERVALS[step] * k for k in range(first, first + n)], tz="UTC").as_unit("ms")
    price = 100.0 + np.arange(n)
    frame = pd.DataFrame({"coin": [coin] * n, "time": time})
    return frame.assign(open=price, high=price + 1, low=price - 1, close=price, volume=price).assign(**values)


def changed(frame: pd.DataFrame, row: int, **values: Any) -> pd.DataFrame:
    copy = frame.copy()
    for name, value in values.items():
        copy.loc[row, name] = value
    return copy


def test_prices_from_before_the_listing_are_stripped() -> None:
    # As AAVE came: moving prices without volume, then, from the listing on, trades.
    before = bars("AAVE", 50, volume=0.0)
    after = bars("AAVE", 20, first=50)
    panel = Panel.from_candles(pd.concat([before, after, bars("BTC", 70)]))
    column = panel.select(["AAVE"])
    assert np.isnan(column.close[:50]).all()
    assert not np.isnan(column.close[50:]).any()
    assert panel.report.count("before listing: zero volume", coin="AAVE") == 50
    line = panel.report.table.iloc[0]
    assert (line["coin"], line["first"], line["last"]) == ("AAVE", START, START + pd.Timedelta(hours=49))


def test_the_clock_begins_with_the_first_bar_that_is_left() -> None:
    panel = Panel.from_candles(pd.concat([bars("A", 5, volume=0.0), bars("A", 5, first=5)]))
    assert panel.time[0] == START + pd.Timedelta(hours=5)
    assert panel.n_bars == 5


def test_flat_bars_without_volume_inside_the_history_stay_and_are_not_traded() -> None:
    frame = bars("A", 10)
    for row in (3, 4, 9):
        frame = changed(frame, row, open=7.0, high=7.0, low=7.0, close=7.0, volume=0.0)
    panel = Panel.from_candles(frame)
    assert panel.n_bars == 10
    assert np.flatnonzero(~panel.traded[:, 0]).tolist() == [3, 4, 9]
    assert panel.close[4, 0] == 7.0
    assert panel.report.dropped == 0


def test_a_gap_inside_a_coins_life_stays_nan_and_is_reported() -> None:
    gap = bars("A", 10).drop(index=[4, 5])
    panel = Panel.from_candles(pd.concat([gap, bars("EARLY", 6), bars("LATE", 3, first=7)]))
    assert np.flatnonzero(np.isnan(panel.select("A").close)).tolist() == [4, 5]
    assert panel.report.missing.to_dict() == {"A": 2}
    assert "missing: 2 (A 2)" in str(panel.report)


def test_a_delisted_coin_ends_early_and_misses_nothing() -> None:
    panel = Panel.from_candles(pd.concat([bars("A", 10), bars("GONE", 4)]))
    assert np.isnan(panel.select("GONE").close).ravel().tolist() == [False] * 4 + [True] * 6
    assert panel.report.missing.empty


def test_of_two_rows_for_one_bar_the_later_row_counts() -> None:
    first, second = bars("A", 5), bars("A", 1, first=2, close=100.5)
    panel = Panel.from_candles(pd.concat([first, second], ignore_index=True))
    assert panel.close[2, 0] == 100.5
    assert panel.report.count("duplicate time", coin="A") == 1
    assert panel.report.dropped == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": pd.NaT}, "time missing"),
        ({"time": START + pd.Timedelta(hours=4, seconds=1)}, "off the clock"),
        ({"close": np.nan}, "price not finite"),
        ({"high": np.inf}, "price not finite"),
        ({"low": 0.0}, "price not positive"),
        ({"open": -5.0}, "price not positive"),
        ({"high": 90.0}, "high below low"),
        ({"close": 150.0}, "open or close outside high and low"),
        ({"open": 100.0}, "open or close outside high and low"),
        ({"volume": -1.0}, "volume negative or not finite"),
        ({"volume": np.nan}, "volume negative or not finite"),
    ],
)
def test_a_row_that_cannot_be_a_bar_is_dropped_and_its_reason_counted(change: dict[str, Any], reason: str) -> None:
    frame = pd.concat([changed(bars("BAD", 10), 4, **change), bars("OK", 10)], ignore_index=True)
    panel = Panel.from_candles(frame)
    assert np.flatnonzero(np.isnan(panel.select("BAD").close)).tolist() == [4]
    assert not np.isnan(panel.select("OK").close).any()
    counts = panel.report.table.set_index(["coin", "reason"])["count"].to_dict()
    assert counts == {("BAD", reason): 1, ("BAD", "missing"): 1}
    assert (panel.report.rows, panel.report.bars, panel.report.dropped) == (20, 19, 1)
    assert f"{reason}: 1 (BAD 1)" in str(panel.report)


def test_a_bad_row_does_not_displace_a_good_one_of_the_same_time() -> None:
    frame = pd.concat([bars("A", 5), bars("A", 1, first=2, close=-1.0)], ignore_index=True)
    panel = Panel.from_candles(frame)
    assert panel.close[2, 0] == 102.0
    assert panel.report.count("duplicate time") == 0


def test_times_below_a_millisecond_are_off_the_clock() -> None:
    frame = bars("A", 5)
    frame["time"] = frame["time"].dt.as_unit("ns")
    frame.loc[2, "time"] += pd.Timedelta(nanoseconds=1)
    panel = Panel.from_candles(frame)
    assert panel.report.count("off the clock") == 1


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_the_unit_and_the_zone_of_the_times_do_not_matter(unit: str, zone: str) -> None:
    frame = bars("A", 30)
    expected = Panel.from_candles(frame)
    frame["time"] = frame["time"].dt.as_unit(unit).dt.tz_convert(zone)
    panel = Panel.from_candles(frame)
    assert panel.time.equals(expected.time)
    assert str(panel.time.dtype) == "datetime64[ms, UTC]"


@pytest.mark.parametrize("kind", ["category", "str", "object"])
def test_the_order_of_the_rows_and_the_type_of_the_names_do_not_matter(kind: str) -> None:
    frame = pd.concat([bars("B", 30), bars("A", 20, first=5)], ignore_index=True)
    expected = Panel.from_candles(frame)
    panel = Panel.from_candles(frame.sample(frac=1, random_state=2).astype({"coin": kind}))
    assert panel.coins == expected.coins == ("A", "B")
    np.testing.assert_array_equal(panel.close, expected.close)


def test_the_input_is_not_changed() -> None:
    frame = pd.concat([bars("A", 5, volume=0.0), bars("A", 5, first=3), bars("B", 4)], ignore_index=True)
    rates = pd.DataFrame({"coin": "A", "time": frame["time"], "funding_rate": 0.1})
    before, rates_before = frame.copy(deep=True), rates.copy(deep=True)
    Panel.from_candles(frame, rates, end=START + pd.Timedelta(hours=7))
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(rates, rates_before)


@pytest.mark.parametrize("interval", ["1m", "5m", "1h", "4h", "1d", "3d", "1w"])
def test_the_interval_is_told_from_the_bars(interval: str) -> None:
    frame = pd.concat([bars("A", 12, step=interval).drop(index=[3, 7]), bars("B", 1, step=interval)])
    panel = Panel.from_candles(frame)
    assert panel.interval == interval
    assert panel.n_bars == 12
    assert panel.closed_at == START + 12 * INTERVALS[interval]


def test_named_coins_come_in_their_order_and_one_without_candles_is_reported() -> None:
    frame = pd.concat([bars("A", 5), bars("B", 5), changed(bars("C", 5), 2, close=-1.0)])
    panel = Panel.from_candles(frame, coins=["B", "NEW", "A"])
    assert panel.coins == ("B", "NEW", "A")
    assert np.isnan(panel.select("NEW").close).all()
    assert panel.report.table[["coin", "reason", "count"]].to_numpy().tolist() == [["NEW", "no bar", 0]]
    assert panel.report.rows == 10


def test_many_coins_of_one_reason_are_summed_up() -> None:
    frame = pd.concat([changed(bars(f"C{n}", 6), 2, close=-1.0) for n in range(8)], ignore_index=True)
    # Row 2 of the concatenation is C0's; change the others too.
    frame.loc[frame["time"] == START + pd.Timedelta(hours=2), "close"] = -1.0
    text = str(Panel.from_candles(frame).report)
    assert "48 candle rows gave 40 bars; 8 were dropped" in text
    assert "price not positive: 8 (C0 1, C1 1, C2 1, C3 1, C4 1 and 3 more coins)" in text
    assert "funding: none given" in text


END_CASES = [5, 8, 12, 13, 21, 30, 31, 99]


@pytest.mark.parametrize("hours", END_CASES)
def test_a_panel_built_to_an_end_is_the_whole_one_until_then(hours: int) -> None:
    """What comes after a bar must not change it: the walk-forward rests on this."""
    rng = np.random.default_rng(hours)
    parts = [
        bars("A", 30),
        bars("BACKFILLED", 10, volume=0.0),
        bars("BACKFILLED", 20, first=10),
        bars("GAPS", 30).drop(index=[7, 12, 13]),
        bars("LATE", 8, first=22),
        bars("LATE", 2, first=25, close=-1.0),
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["volume"] *= rng.random(len(frame)) > 0.3
    stamps = pd.DataFrame({"coin": "A", "time": bars("A", 30)["time"], "funding_rate": np.arange(30.0)})
    end = START + pd.Timedelta(hours=hours) + pd.Timedelta(minutes=int(rng.integers(0, 60)))
    built = Panel.from_candles(frame, stamps, end=end)
    cut = Panel.from_candles(frame, stamps).until(end)
    known = frame[frame["time"] + pd.Timedelta(hours=1) <= end]
    blind = Panel.from_candles(known, stamps[stamps["time"] <= end], interval="1h", coins=built.coins)
    for other in (cut, blind):
        assert built.time.equals(other.time)
        assert built.coins == other.coins
        for name in (*FIELDS, "funding"):
            np.testing.assert_array_equal(getattr(built, name), getattr(other, name))


def test_bars_that_had_not_closed_are_counted() -> None:
    panel = Panel.from_candles(bars("A", 10), end=START + pd.Timedelta(hours=7, minutes=59))
    assert panel.closed_at == START + pd.Timedelta(hours=7)
    assert panel.report.count("not closed at end", coin="A") == 3


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "no frame": ({"candles": [1, 2]}, "candles must be a DataFrame, not list"),
    "empty": ({"candles": bars("A", 0)}, "candles have no rows"),
    "missing columns": ({"candles": bars("A", 3).drop(columns=["open", "volume"])}, "lack the columns open, volume"),
    "columns twice": ({"candles": pd.concat([bars("A", 3), bars("A", 3)["open"]], axis=1)}, "of the same name"),
    "naive times": ({"candles": bars("A", 3).assign(time=lambda f: f["time"].dt.tz_localize(None))}, "tz_localize"),
    "numbers as times": ({"candles": bars("A", 3).assign(time=[1, 2, 3])}, "pandas.to_datetime"),
    "text as price": (
        {"candles": bars("A", 3).assign(close="1.5")},
        "the column 'close' of candles is str, not numbers",
    ),
    "truth as price": ({"candles": bars("A", 3).assign(close=True)}, "'close' of candles is bool"),
    "complex price": ({"candles": bars("A", 3).assign(close=1j)}, "'close' of candles is complex"),
    "no coin": ({"candles": bars("A", 3).assign(coin=["A", None, "A"])}, "must hold a name in each row"),
    "number as coin": ({"candles": bars("A", 3).assign(coin=7)}, "must hold a name in each row"),
    "half a character": (
        {"candles": bars("A", 3).assign(coin=pd.Series(["\ud800"] * 3, dtype=object))},
        "must hold a name in each row",
    ),
    "unknown interval": ({"candles": bars("A", 3), "interval": "7m"}, "unknown interval '7m'"),
    "odd interval": (
        {"candles": bars("A", 3).assign(time=lambda f: f["time"].iloc[0] + pd.to_timedelta(7 * f.index, unit="min"))},
        "mostly 420 s apart",
    ),
    "interval untold": ({"candles": bars("A", 1)}, "give interval="),
    "end without zone": ({"candles": bars("A", 3), "end": "2025-01-02"}, "without a time zone"),
    "end too early": ({"candles": bars("A", 3), "end": START}, "no bar is closed at the end 2025-01-01 00:00:00"),
    "never traded": ({"candles": bars("A", 3, volume=0.0)}, "no coin ever traded"),
    "no usable row": (
        {"candles": bars("A", 3, close=-1.0)},
        "none of 3 candle rows is a bar; .* A: price not positive",
    ),
    "coins as text": ({"candles": bars("A", 3), "coins": "A"}, "give a sequence of different names"),
    "coin named twice": ({"candles": bars("A", 3), "coins": ["A", "A"]}, "give a sequence of different names"),
    "no coins": ({"candles": bars("A", 3), "coins": []}, "give a sequence of different names"),
    "only other coins": ({"candles": bars("A", 3), "coins": ["B"], "interval": "1h"}, "none of 0 candle rows is a bar"),
    "absurd time": (
        {
            "candles": bars("A", 3, step="1m").assign(
                time=lambda f: f["time"].where(f.index < 2, pd.Timestamp(0, tz="UTC"))
            )
        },
        "remove the rows with wrong times",
    ),
    "bad funding": ({"candles": bars("A", 3), "funding": bars("A", 3)}, "funding lack the columns funding_rate"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_worked_with_is_refused(name: str) -> None:
    arguments, message = REFUSALS[name]
    with pytest.raises(InputError, match=message):
        Panel.from_candles(**arguments)
