import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics import summarise_trades
from hlpairs_core.metrics.trades import exposure

HOUR = pd.Timedelta(hours=1)
TIMES = pd.date_range("2025-01-01", periods=48, freq="h", tz="UTC")


def table(net_bps: list[float], **columns: list) -> pd.DataFrame:
    return pd.DataFrame({"net_bps": net_bps, **columns})


def held(*hours: tuple[float, float]) -> pd.DataFrame:
    """Trades from and to hours after the first bar's open."""
    return pd.DataFrame({
        "entry_time": [TIMES[0] + one * HOUR for one, _ in hours],
        "exit_time": [TIMES[0] + two * HOUR for _, two in hours],
    })  # fmt: skip


def test_four_trades_have_the_numbers_worked_by_hand() -> None:
    found = summarise_trades(table([10.0, -4.0, 6.0, -1.0], hold_hours=[1.0, 2.0, 3.0, 6.0]))
    assert found.net.mean == 2.75
    assert found.net.worst_mean == -4.0
    assert found.median_bps == 2.5
    assert found.hit_rate == 0.5
    assert found.profit_factor == 16 / 5
    assert found.mean_hold_hours == 3.0
    assert (found.n_trades, found.n_not_entered) == (4, 0)


def test_an_order_that_was_never_filled_is_counted_apart() -> None:
    found = summarise_trades(table([10.0, math.nan], exit_reason=["reverted", "no entry"], hold_hours=[2.0, math.nan]))
    assert (found.n_trades, found.n_not_entered) == (1, 1)
    assert found.mean_hold_hours == 2.0


def test_a_trade_whose_profit_is_unknown_is_refused_and_named() -> None:
    with pytest.raises(InputError, match="trade in row 1 is nan, one of 1 unknown"):
        summarise_trades(table([10.0, math.nan], exit_reason=["reverted", "horizon"]))


@pytest.mark.parametrize("trades", [pd.DataFrame({"gross_bps": [1.0]}), [1.0, 2.0]])
def test_what_is_no_table_of_trades_is_refused(trades) -> None:
    with pytest.raises(InputError, match="column net_bps"):
        summarise_trades(trades)


def test_no_trades_have_no_numbers() -> None:
    found = summarise_trades(table([]))
    assert found.n_trades == 0
    assert math.isnan(found.net.mean)
    assert math.isnan(found.net.worst_mean)
    assert math.isnan(found.hit_rate)


def test_trades_that_never_lose_have_no_profit_factor() -> None:
    assert math.isnan(summarise_trades(table([1.0, 0.0])).profit_factor)


@given(net=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=50), seed=st.integers(0, 99))
def test_the_order_of_the_trades_does_not_matter(net: list[float], seed: int) -> None:
    one = summarise_trades(table(net))
    other = summarise_trades(table(list(np.random.default_rng(seed).permutation(net))))
    assert other.hit_rate == one.hit_rate
    assert other.median_bps == one.median_bps
    assert other.net.worst_mean == pytest.approx(one.net.worst_mean)
    assert other.profit_factor == pytest.approx(one.profit_factor, nan_ok=True)


def test_exposure_counts_each_bar_once() -> None:
    """Bars 2, 3 and 4, of which two trades share one; the exit at the open of bar 5 is not in it."""
    assert exposure(TIMES, held((2, 4), (3, 5)), bar=HOUR) == 3 / 48


def test_a_fill_within_a_bar_makes_it_count() -> None:
    assert exposure(TIMES, held((2.5, 3.25)), bar=HOUR) == 2 / 48


def test_exposure_reaches_from_nothing_to_every_bar() -> None:
    assert exposure(TIMES, held(), bar=HOUR) == 0.0
    assert exposure(TIMES, held((0, 48)), bar=HOUR) == 1.0


@given(
    spans=st.lists(
        st.tuples(st.integers(0, 190), st.integers(1, 40)).map(lambda one: (one[0] / 4, min(sum(one) / 4, 48.0))),
        max_size=8,
    )
)
def test_exposure_is_the_union_of_all_trades(spans: list[tuple[float, float]]) -> None:
    open_bars = [bar for bar in range(48) if any(entry < bar + 1 and leave > bar for entry, leave in spans)]
    assert exposure(TIMES, held(*spans), bar=HOUR) == len(open_bars) / 48


@pytest.mark.parametrize("span", [(-1, 2), (40, 49), (5, 4)])
def test_a_trade_outside_of_the_bars_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="has no place in the bars from 2025-01-01"):
        exposure(TIMES, held(span), bar=HOUR)


def test_two_clocks_are_not_compared() -> None:
    with pytest.raises(InputError, match="entry_time is in time zone UTC and the returns are in None"):
        exposure(TIMES.tz_localize(None), held((1, 2)), bar=HOUR)
