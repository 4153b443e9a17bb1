import numpy as np
import pandas as pd
import pytest

from hlpairs_core.market import Panel

START = pd.Timestamp("2025-01-01T00:00Z")


def bars(n: int, step: str, *, coin: str = "A") -> pd.DataFrame:
    time = pd.date_range(START, periods=n, freq=step).as_unit("ms")
    return pd.DataFrame({"coin": coin, "time": time}).assign(open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0)


def stamps(times: list[str], rates: list[float], *, coin: str = "A") -> pd.DataFrame:
    index = pd.DatetimeIndex([START + pd.Timedelta(time) for time in times]).as_unit("ms")
    return pd.DataFrame({"coin": coin, "time": index, "funding_rate": rates})


def test_a_stamp_some_milliseconds_late_belongs_to_its_hour() -> None:
    late = ["0h", "1h 68ms", "2h 1433ms", "3h 23min", "3h 59min 59999ms"]
    panel = Panel.from_candles(bars(4, "1h"), stamps(late, [0.1, 0.2, 0.3, 0.4, 0.5]))
    assert panel.funding[:, 0].tolist() == [0.1, 0.2, 0.3, 0.5]
    assert panel.report.count("funding repeated in an hour", coin="A") == 1


def test_the_stamp_on_the_boundary_belongs_to_the_bar_that_opens_there() -> None:
    panel = Panel.from_candles(bars(2, "4h"), stamps([f"{n}h" for n in range(8)], [2.0**n for n in range(8)]))
    assert panel.funding[:, 0].tolist() == [1 + 2 + 4 + 8, 16 + 32 + 64 + 128]


def test_a_missing_stamp_makes_the_bar_unknown_and_is_reported() -> None:
    known = [n for n in range(8) if n != 5]
    panel = Panel.from_candles(bars(2, "4h"), stamps([f"{n}h" for n in known], [1.0] * 7))
    np.testing.assert_array_equal(panel.funding[:, 0], [4.0, np.nan])
    assert panel.report.count("missing funding", coin="A") == 1


def test_bars_shorter_than_an_hour_have_funding_only_where_it_is_due() -> None:
    panel = Panel.from_candles(bars(9, "15min"), stamps(["0h 50ms", "2h 70ms"], [0.1, 0.3]))
    np.testing.assert_array_equal(panel.funding[:, 0], [0.1, 0, 0, 0, np.nan, 0, 0, 0, 0.3])


def test_a_clock_that_starts_between_two_hours_takes_no_stamp_from_before() -> None:
    panel = Panel.from_candles(bars(9, "15min").iloc[2:], stamps(["0h", "1h", "2h"], [0.1, 0.2, 0.3]))
    np.testing.assert_array_equal(panel.funding[:, 0], [0, 0, 0.2, 0, 0, 0, 0.3])


@pytest.mark.parametrize("funding", [None, pd.DataFrame()], ids=["none", "no rows"])
def test_without_funding_none_is_known_and_none_is_called_missing(funding: pd.DataFrame | None) -> None:
    panel = Panel.from_candles(bars(3, "1h"), funding)
    assert np.isnan(panel.funding).all()
    assert not panel.report.has_funding
    assert panel.report.table.empty


def test_where_a_coin_has_no_bar_it_has_no_funding() -> None:
    candles = pd.concat([bars(4, "1h"), bars(4, "1h", coin="B").iloc[2:]])
    rates = pd.concat([stamps(["0h", "1h", "2h", "3h"], [1.0, 2.0, 3.0, 4.0], coin=coin) for coin in "AB"])
    panel = Panel.from_candles(candles, rates)
    np.testing.assert_array_equal(panel.funding[:, 1], [np.nan, np.nan, 3.0, 4.0])
    assert panel.report.table.empty


def test_rates_and_times_that_are_none_are_reported_and_not_used() -> None:
    rates = stamps(["0h", "1h", "2h", "2h"], [1.0, np.nan, 3.0, np.inf])
    rates.loc[4] = ["A", pd.NaT, 9.0]
    panel = Panel.from_candles(bars(3, "1h"), rates)
    np.testing.assert_array_equal(panel.funding[:, 0], [1.0, np.nan, 3.0])
    assert panel.report.count("funding rate not finite") == 2
    assert panel.report.count("funding time missing") == 1
    assert panel.report.count("missing funding") == 1
    assert panel.report.dropped == 0


def test_funding_outside_the_bars_and_of_other_coins_is_passed_over() -> None:
    rates = pd.concat([stamps(["-1h", "0h", "1h", "2h"], [9.0, 1.0, 2.0, 9.0]), stamps(["0h"], [9.0], coin="OTHER")])
    panel = Panel.from_candles(bars(2, "1h"), rates)
    assert panel.funding.tolist() == [[1.0], [2.0]]
