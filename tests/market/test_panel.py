import pickle
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel

START = pd.Timestamp("2025-01-01T00:00Z")
ARRAYS = ("open", "high", "low", "close", "volume", "funding")


@pytest.fixture
def panel() -> Panel:
    """Five hourly bars of AAA and BBB; BBB is listed one bar later and misses one."""
    rng = np.random.default_rng(5)
    rows = [(coin, START + pd.Timedelta(hours=n)) for coin in ("BBB", "AAA") for n in range(5)]
    rows = [row for row in rows if row not in (("BBB", START), ("BBB", START + pd.Timedelta(hours=3)))]
    close = rng.lognormal(size=len(rows))
    frame = pd.DataFrame(rows, columns=["coin", "time"]).assign(open=close, high=close, low=close, close=close)
    return Panel.from_candles(frame.assign(volume=np.arange(len(rows)) % 3 + 1.0), interval="1h")


def test_a_panel_puts_all_coins_on_one_clock(panel: Panel) -> None:
    assert panel.coins == ("AAA", "BBB")
    assert (panel.n_bars, panel.n_coins) == panel.close.shape == (5, 2)
    assert str(panel.time.dtype) == "datetime64[ms, UTC]"
    assert list(panel.time) == [START + pd.Timedelta(hours=n) for n in range(5)]
    assert np.isnan(panel.close).tolist() == [[False, n in (0, 3)] for n in range(5)]
    assert panel.closed_at == START + pd.Timedelta(hours=5)
    assert repr(panel) == "<Panel: 2 coins, 5 bars of 1h, 2025-01-01 00:00 to 2025-01-01 04:00>"


def test_derived_arrays_follow_the_bars(panel: Panel) -> None:
    np.testing.assert_array_equal(panel.notional, panel.volume * panel.close)
    np.testing.assert_array_equal(panel.log_close, np.log(panel.close))
    np.testing.assert_array_equal(panel.log_returns(), np.log(panel.close)[1:] - np.log(panel.close)[:-1])
    assert panel.traded.tolist() == (~np.isnan(panel.close)).tolist()


@pytest.mark.parametrize("name", [*ARRAYS, "log_close"])
def test_no_array_can_be_written(panel: Panel, name: str) -> None:
    for one in (panel, panel.tail(2), panel.select(["BBB"]), pickle.loads(pickle.dumps(panel))):
        with pytest.raises(ValueError, match="read-only"):
            getattr(one, name)[0, 0] = 1.0


def test_a_panel_survives_the_way_to_a_worker_process(panel: Panel) -> None:
    copy = pickle.loads(pickle.dumps(panel))
    assert copy.coins == panel.coins
    assert copy.time.equals(panel.time)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(copy, name), getattr(panel, name))
    assert str(copy.report) == str(panel.report)


@pytest.mark.parametrize(("start", "stop", "expected"), [(0, 2, [0, 1]), (1, None, [1, 2, 3, 4]), (-2, None, [3, 4])])
def test_rows_are_cut_as_a_list_is(panel: Panel, start: int, stop: int | None, expected: list[int]) -> None:
    part = panel.rows(start, stop)
    assert list(part.time) == [panel.time[n] for n in expected]
    np.testing.assert_array_equal(part.close, panel.close[expected])
    np.testing.assert_array_equal(part.log_close, panel.log_close[expected])


def test_a_tail_has_at_most_the_bars_there_are(panel: Panel) -> None:
    assert list(panel.tail(2).time) == list(panel.time[3:])
    assert panel.tail(99).n_bars == 5


@pytest.mark.parametrize(
    ("at", "bars"), [("01:00:00.000", 1), ("01:59:59.999", 1), ("02:00:00", 2), ("05:00", 5), ("23:00", 5)]
)
def test_until_a_time_only_bars_that_have_closed_are_known(panel: Panel, at: str, bars: int) -> None:
    assert panel.until(f"2025-01-01T{at}Z").n_bars == bars
    assert panel.until(pd.Timestamp(f"2025-01-01T{at}Z").tz_convert("Asia/Tokyo")).n_bars == bars


def test_before_the_first_close_nothing_is_known(panel: Panel) -> None:
    with pytest.raises(InputError, match="no bar had closed at 2025-01-01 00:59:59"):
        panel.until("2025-01-01T00:59:59Z")


def test_selected_coins_come_in_the_order_asked_for(panel: Panel) -> None:
    part = panel.select(["BBB", "AAA"])
    assert part.coins == ("BBB", "AAA")
    np.testing.assert_array_equal(part.close, panel.close[:, ::-1])
    assert panel.select("AAA").coins == ("AAA",)


CALLS: dict[str, tuple[Callable[[Panel], Panel], str]] = {
    "unknown coin": (lambda panel: panel.select(["AAA", "CCC"]), r"unknown: \['CCC'\]"),
    "coin named twice": (lambda panel: panel.select(["AAA", "AAA"]), "name different coins"),
    "no coin": (lambda panel: panel.select([]), "name different coins"),
    "empty tail": (lambda panel: panel.tail(0), "ask for at least 1"),
    "empty rows": (lambda panel: panel.rows(3, 3), "rows 3:3 hold none of the panel's 5 bars"),
    "no zone": (lambda panel: panel.until("2025-01-01T02:00"), "without a time zone"),
    "no time": (lambda panel: panel.until("noon, about"), "which is no time"),
    "missing time": (lambda panel: panel.until(None), "time is missing"),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_that_cannot_be_worked_with_is_refused(panel: Panel, name: str) -> None:
    call, message = CALLS[name]
    with pytest.raises(InputError, match=message):
        call(panel)


def test_arrays_of_another_shape_are_refused(panel: Panel) -> None:
    values = {name: getattr(panel, name) for name in ARRAYS} | {"funding": panel.funding[1:]}
    with pytest.raises(InputError, match=r"'funding' has shape \(4, 2\): give .* = \(5, 2\)"):
        Panel(panel.time, panel.coins, "1h", **values, report=panel.report)
    with pytest.raises(InputError, match="at least one bar and one coin"):
        Panel(panel.time[:0], panel.coins, "1h", **values, report=panel.report)
