import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.edge import with_record
from hlpairs_core.edge.record import trades_of_record


def trades(*, day: list[float], hold_days: list[float], gross: list[float], y: str = "A", x: str = "B") -> pd.DataFrame:
    """Trades whose raw expectation is 100 bps and whose noise over 48 hours is too."""
    signal = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(day, unit="D")
    return pd.DataFrame(
        {
            "signal_time": signal,
            "exit_time": signal + pd.to_timedelta(hold_days, unit="D"),
            "y": y,
            "x": x,
            "spread_vol_bps": 100.0 / np.sqrt(48.0),
            "expected_gross_bps": 100.0,
            "realised_gross_bps": gross,
            "realised_funding_bps": 0.0,
        }
    )


def test_a_record_is_what_earlier_trades_delivered_drawn_to_nothing() -> None:
    rows = trades(day=[0, 5, 10, 15], hold_days=[1, 1, 1, 1], gross=[100.0, 50.0, 0.0, 7.0])
    found = with_record(rows, horizon_hours=48.0)
    assert found["record_trades"].tolist() == [0, 1, 2, 3]
    assert found["record_share"].tolist() == pytest.approx([0.0, 1 / 3, 1.5 / 4, 1.5 / 5])


def test_a_trade_counts_a_longest_hold_after_its_signal_and_once_while_it_runs() -> None:
    """97 hours: two horizons and a bar."""
    rows = trades(day=[0, 1, 4, 4 + 1 / 24, 9], hold_days=[2, 2, 2, 2, 2], gross=[100.0, 90.0, 80.0, 70.0, 60.0])
    assert with_record(rows, horizon_hours=48.0)["record_trades"].tolist() == [0, 0, 0, 1, 2]
    assert with_record(rows, horizon_hours=48.0, bar_hours=4.0)["record_trades"].tolist() == [0, 0, 0, 0, 2]


def test_how_early_a_trade_ended_does_not_decide_whether_it_counts() -> None:
    quick, slow = (trades(day=[0, 3, 6], hold_days=[days, 1, 1], gross=[100.0, 0.0, 0.0]) for days in (0.1, 2.9))
    for rows in (quick, slow):
        assert with_record(rows, horizon_hours=48.0)["record_trades"].tolist() == [0, 0, 1]


def test_an_exit_at_the_very_time_of_a_signal_is_not_known_to_it() -> None:
    """It fills at the open after the signal bar."""
    rows = trades(day=[0, 6, 6 + 1 / 24], hold_days=[6, 1, 1], gross=[100.0, 0.0, 0.0])
    assert with_record(rows, horizon_hours=48.0)["record_trades"].tolist() == [0, 0, 1]


def test_the_coins_of_a_pair_may_change_places() -> None:
    one = trades(day=[0], hold_days=[1], gross=[100.0])
    other = trades(day=[5], hold_days=[1], gross=[0.0], y="B", x="A")
    alien = trades(day=[5], hold_days=[1], gross=[0.0], y="B", x="C")
    found = with_record(pd.concat([one, other, alien], ignore_index=True), horizon_hours=48.0)
    assert found["record_trades"].tolist() == [0, 1, 0]


@given(cut=st.integers(0, 40), seed=st.integers(0, 1000))
def test_what_ends_later_changes_no_record(cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    day = np.sort(rng.uniform(0, 40, 60))
    rows = trades(day=day.tolist(), hold_days=rng.uniform(0.1, 2.0, 60).tolist(), gross=rng.normal(size=60).tolist())
    at = pd.Timestamp("2025-01-01", tz="UTC") + pd.Timedelta(days=cut)
    changed = rows.assign(realised_gross_bps=rows["realised_gross_bps"].where(rows["exit_time"] < at, 1e9))
    before = rows[rows["signal_time"] <= at]
    pd.testing.assert_frame_equal(
        with_record(before, horizon_hours=48.0, past=rows), with_record(before, horizon_hours=48.0, past=changed)
    )


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15), st.sampled_from("ABC"), st.booleans()), max_size=40),
    st.integers(0, 60),
)
def test_the_trades_that_records_are_made_of_make_the_records_of_all(
    made: list[tuple[int, int, str, bool]], day: int
) -> None:
    """Whatever overlaps, is unknown, or is of other pairs."""
    past = trades(
        day=[0.0, *(one[0] for one in made)], hold_days=[1.0, *(one[1] for one in made)], gross=[50.0] * (1 + len(made))
    )
    past["y"], past["realised_gross_bps"] = (
        ["A", *(one[2] for one in made)],
        [40.0, *(np.nan if one[3] else one[1] for one in made)],
    )
    now = trades(day=[day] * 2, hold_days=[1, 1], gross=[0.0] * 2).assign(y=["A", "B"], x=["B", "C"])
    chosen = trades_of_record(past)
    assert len(chosen) <= len(past)
    found, of_all = (with_record(now, horizon_hours=48.0, past=one) for one in (chosen, past))
    pd.testing.assert_frame_equal(found, of_all)
    alone = with_record(now.iloc[:1], horizon_hours=48.0, past=past[past["x"].eq("B") & past["y"].eq("A")])
    pd.testing.assert_frame_equal(found.iloc[:1], alone)


def test_only_one_of_trades_that_overlap_is_kept_and_none_that_is_unknown() -> None:
    past = trades(day=[0, 1, 2, 3], hold_days=[2, 5, 5, 1], gross=[1.0, 2.0, np.nan, 4.0])
    assert trades_of_record(past)["realised_gross_bps"].tolist() == [1.0, 4.0]
    assert trades_of_record(past.iloc[:0]).empty
