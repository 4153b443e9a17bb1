"""What is summed up of a scorecard, against numbers counted by hand and a regression of statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from hlpairs_core.edge.scoreboard import LEAST_BLOCKS, Scoreboard, scoreboard
from hlpairs_core.metrics import mean_and_tail

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2025-01-01T00:00Z")
HOLD = 5


def rows_of(*said: dict) -> pd.DataFrame:
    """Rows of a scorecard: `hour` of the close, and what differs from a pair that is open."""
    plain = {
        "rule": "answer", "qualifies": True, "calibrated": True, "y": "ETH", "x": "BTC", "mean_net_bps": 20.0,
        "raw_net_bps": 600.0, "marked_at": pd.NaT, "exit_time": pd.NaT, "realised_net_bps": np.nan, "interval": "1h",
        "horizon_hours": 2.0, "signal": "{}",
    }  # fmt: skip
    rows = pd.DataFrame([plain | one for one in said], columns=[*plain, "hour"])
    times = {"closed_at": START + pd.to_timedelta(rows.pop("hour").astype(float), unit="h")}
    ends = {name: pd.to_datetime(rows[name], utc=True) for name in ("marked_at", "exit_time")}
    flags = {name: rows[name].astype(bool) for name in ("qualifies", "calibrated")}
    return rows.assign(**times, **ends, **flags)


def marked(hour: int, net: float, *, hold: int = 2, **changes) -> dict:
    end = START + (hour + hold) * HOUR
    return {"hour": hour, "realised_net_bps": net, "exit_time": end, "marked_at": end} | changes


def board(*said: dict) -> Scoreboard:
    return scoreboard(rows_of(*said), rng=np.random.default_rng(1))


def none(hour: int, **changes) -> dict:
    return {"hour": hour, "qualifies": False, "y": "", "x": "", "mean_net_bps": np.nan, "raw_net_bps": np.nan} | changes


def test_bars_abstentions_and_outcomes_are_counted_for_each_rule() -> None:
    found = board(
        none(0),
        none(0, rule="raw", calibrated=False),
        marked(1, 10.0),
        marked(1, -30.0, rule="raw", calibrated=False),
        marked(2, np.nan, x="SOL"),
        none(2, rule="raw", calibrated=False),
        {"hour": 3},
        {"hour": 4, "signal": ""},
        none(20),
    )
    answers, raw = found.calibrated, found.raw
    assert (answers.bars, answers.abstained, answers.said) == (6, 2, 4)
    assert (answers.open, answers.marked, answers.unknown) == (1, 1, 2)
    assert (raw.bars, raw.abstained, raw.said, raw.marked) == (3, 2, 1, 1)
    assert (found.as_of, answers.first, raw.first) == (START + 20 * HOUR, START, START)
    assert (answers.every.n, answers.every.mean_expected_bps, answers.every.realised_bps.mean) == (1, 20.0, 10.0)
    assert (raw.every.mean_expected_bps, raw.every.realised_bps.mean, raw.every.gain_share) == (600.0, -30.0, 0.0)


def test_an_answer_that_was_not_calibrated_is_the_raw_rule_s_and_counts_there_alone() -> None:
    found = board(marked(0, 5.0, calibrated=False), marked(0, 5.0, rule="raw", calibrated=False), none(9))
    assert (found.calibrated.said, found.raw.said, found.raw.every.n) == (0, 1, 1)


def test_of_what_was_said_lately_the_early_winners_are_in_no_mean() -> None:
    newest = 20
    slow = [marked(hour, -10.0, hold=HOLD) for hour in range(newest - HOLD + 1)]
    quick = [marked(hour, 50.0, hold=1) for hour in range(newest - HOLD + 1, newest)]
    answers = board(*slow, *quick, {"hour": newest}).calibrated
    assert (answers.marked, answers.early, answers.open) == (20, 4, 1)
    assert (answers.every.n, answers.every.realised_bps.mean, answers.every.gain_share) == (16, -10.0, 0.0)


def test_trades_of_one_pair_follow_each_other_and_those_of_others_stand_beside_them() -> None:
    said = [
        marked(0, 1.0, hold=3),
        marked(1, 2.0, hold=2, y="BTC", x="ETH"),  # the same pair
        marked(2, 4.0, hold=3, y="SOL"),  # another
        marked(3, 8.0, hold=2),  # at the exit of the first
        marked(6, 16.0, hold=2),
        marked(7, 32.0, hold=1),
    ]
    answers = board(*said, none(30)).calibrated
    assert answers.every.n == 6
    assert answers.trades.n == 4
    assert answers.trades.realised_bps.mean == (1.0 + 4.0 + 8.0 + 16.0) / 4


def test_a_trade_without_a_known_exit_lasts_the_longest_hold() -> None:
    said = [{"hour": 0}, marked(HOLD - 1, 1.0), marked(HOLD, 2.0), none(40)]
    answers = board(*said).calibrated
    assert (answers.trades.n, answers.trades.realised_bps.mean) == (1, 2.0)


def test_a_mean_comes_with_that_of_the_worst() -> None:
    nets = np.random.default_rng(3).normal(5.0, 40.0, 60)
    answers = board(*(marked(10 * n, net) for n, net in enumerate(nets)), none(9999)).calibrated
    assert answers.every.realised_bps == answers.trades.realised_bps == mean_and_tail(nets)
    assert answers.every.gain_share == np.mean(nets > 0)


@pytest.fixture(scope="module")
def year() -> list[dict]:
    """Two trades a week for 40 weeks: what arrives is half of what is expected, and noise that a week shares."""
    rng = np.random.default_rng(8)
    said = []
    for week in range(40):
        shared = rng.normal(0, 5.0)
        for day in (0, 3):
            expected = float(rng.uniform(0, 100))
            net = 0.5 * expected + shared + float(rng.normal(0, 3))
            said.append(marked(168 * week + 24 * day, net, mean_net_bps=expected))
    return said


def test_the_slope_is_that_of_a_regression_and_its_interval_holds_what_is_true(year: list[dict]) -> None:
    answers = board(*year, none(9999)).calibrated
    x, y = ([one[name] for one in year] for name in ("mean_net_bps", "realised_net_bps"))
    assert answers.slope == pytest.approx(sm.OLS(y, sm.add_constant(x)).fit().params[1], rel=1e-9)
    assert answers.slope_low < 0.5 < answers.slope_high < 0.6
    assert answers.blocks == 40


def test_below_twelve_weeks_there_is_no_slope(year: list[dict]) -> None:
    for weeks in (LEAST_BLOCKS - 1, LEAST_BLOCKS):
        answers = board(*year[: 2 * weeks], none(9999)).calibrated
        slopes = (answers.slope, answers.slope_low, answers.slope_high)
        assert answers.blocks == weeks
        assert np.isfinite(slopes).all() == (weeks >= LEAST_BLOCKS)
        assert np.isnan(slopes).all() == (weeks < LEAST_BLOCKS)


def test_blocks_are_never_shorter_than_the_longest_hold(year: list[dict]) -> None:
    slow = [one | {"horizon_hours": 10 * 168.0} for one in year]
    assert board(*slow, none(99_999)).calibrated.blocks == 2


def test_without_a_row_nothing_is_known() -> None:
    for found in (board(), board(none(0), none(0, rule="raw", calibrated=False))):
        score = found.calibrated
        assert (score.said, score.every.n, score.every.realised_bps, score.blocks) == (0, 0, None, 0)
        assert np.isnan([score.slope, score.every.mean_expected_bps, score.every.gain_share]).all()
    assert board().as_of is None
