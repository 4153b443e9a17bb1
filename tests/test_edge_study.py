"""The study of `docs/edge.md`: what is tried, what bars are made of, and when a rule becomes the default."""

from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks.edge_figures import chart, tables, verdict_text
from benchmarks.edge_markets import resampled
from benchmarks.edge_study import CHOSEN, FAMILY, MODEL, EdgeStudy


def study(low_once: float, low_twice: float, *, weeks: int = 12) -> EdgeStudy:
    amounts = {"gross_bps": 40.0, "fee_bps": 9.0, "slippage_bps": 4.0, "funding_bps": -0.2, "worst_bps": -1500.0}
    rows = [
        {"cut": cut, "value": value, "policy": CHOSEN, "n": 1200, "none_share": 0.25, **amounts, "net_bps": 26.8}
        | {"low_bps": low, "high_bps": 60.0, "n_blocks": weeks}
        for cut, value, low in (("slippage", "1 ×", low_once), ("slippage", "2 ×", low_twice), ("delay", "0 bars", 1.0))
    ]
    rows += [rows[0] | dict.fromkeys([*amounts, "net_bps", "low_bps", "high_bps"], float("nan"))]
    rows[-1] |= {"policy": MODEL, "n": 0, "none_share": 1.0}
    day = pd.Timestamp("2025-02-15", tz="UTC")
    return EdgeStudy(day, day, SimpleNamespace(), FAMILY[0], pd.DataFrame(rows))  # type: ignore[arg-type]


@pytest.mark.parametrize(("once", "twice", "expected"), [(5.0, 1.0, True), (5.0, -1.0, False), (-1.0, 1.0, False)])
def test_a_rule_becomes_the_default_only_above_nothing_at_once_and_at_twice_the_slippage(
    once: float, twice: float, expected: bool
) -> None:
    made = study(once, twice)
    assert made.becomes_default is expected
    assert ("none qualifies" in verdict_text(made)) is not expected
    assert f"[{once:.0f}, 60] at 1 × slippage and [{twice:.0f}, 60] at 2 × slippage" in verdict_text(made)


def test_an_interval_of_a_few_weeks_makes_no_default() -> None:
    assert not study(5.0, 1.0, weeks=11).becomes_default
    assert "of 11 weeks with a trade, so it does not" in verdict_text(study(5.0, 1.0, weeks=11))


def test_tables_show_every_mean_with_its_interval_and_its_worst() -> None:
    slippage, delay = tables(study(5.0, 1.0), "costs")
    assert slippage.splitlines()[2] == "| 1 × | chosen rule | 1,200 | 25 % | 40 | 9 | 4 | 0 | 27 | [5, 60] | -1,500 |"
    assert "the model" not in slippage
    assert "0 bars" in delay
    assert chart(study(5.0, 1.0), "costs").count("-1,500") == 3


def test_every_rule_of_the_family_is_another_and_they_are_as_many_as_the_page_says() -> None:
    assert len(set(FAMILY)) == len(FAMILY) == 90


def test_longer_candles_are_made_of_the_shorter_ones_and_the_unfinished_last_is_left_out() -> None:
    time = pd.date_range("2025-01-01T01:00Z", periods=4, freq="1h")
    rows = {"coin": "A", "time": time, "open": [1.0, 2, 3, 4], "high": [5.0, 9, 4, 6], "low": [0.5, 1, 2, 3]}
    candles = pd.DataFrame(rows | {"close": [2.0, 3, 4, 5], "volume": [10.0, 20, 30, 40]})
    longer = resampled(candles.iloc[::-1], "2h")
    # 00:00 holds the bar of 01:00 alone, 02:00 those of 02:00 and 03:00; 04:00 is not over.
    assert longer["time"].tolist() == [time[0] - pd.Timedelta(hours=1), time[1]]
    assert longer.iloc[1].drop(["coin", "time"]).to_dict() == {
        "open": 2.0, "high": 9.0, "low": 1.0, "close": 4.0, "volume": 50.0,
    }  # fmt: skip
