"""A screen that follows a moving window, against the same screen of the whole window."""

import copy
import doctest
import importlib
import pickle
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.stattools import coint

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import RollingScreen, engle_granger_pairs, reversion_pairs

SEEDS = st.integers(0, 2**32 - 1)
Start = Callable[..., RollingScreen]


@pytest.fixture(scope="module")
def start(accelerate: bool) -> Start:
    """`RollingScreen`, on NumPy and on Numba."""
    return partial(RollingScreen, accelerate=accelerate)


def prices(n_bars: int, n_coins: int = 5, seed: int = 4, digits: int = 5) -> pd.DataFrame:
    """Log prices of walks, the first two of them cointegrated, rounded to some digits, on an hourly clock."""
    rng = np.random.default_rng(seed)
    logs = np.cumsum(0.01 * rng.standard_t(4, size=(n_bars, n_coins)), axis=0) + rng.uniform(-9, 11, n_coins)
    logs[:, 1] = 0.7 * logs[:, 0] + 0.005 * rng.normal(size=n_bars)
    times = pd.date_range("2025-01-01", periods=n_bars, freq="h", tz="UTC")
    return pd.DataFrame(np.round(logs, digits), index=times, columns=[f"C{i}" for i in range(n_coins)])


def feed(screen: RollingScreen, table: pd.DataFrame) -> RollingScreen:
    for time, bar in table.iterrows():
        screen.append(bar, time=time)
    return screen


def assert_as_all_at_once(screen: RollingScreen, window: pd.DataFrame, lag_rule: str | int = "aic") -> None:
    options = {"accelerate": screen._accelerate}
    expected = engle_granger_pairs(window, lag_rule=lag_rule, **options)
    pd.testing.assert_frame_equal(screen.tests(), expected, rtol=1e-9, atol=1e-9)
    pd.testing.assert_frame_equal(screen.reversion(), reversion_pairs(window, **options), rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    bars=st.integers(0, 50),
    rule=st.sampled_from(["aic", "bic", 0, 3]),
    rebuild_every=st.sampled_from([1, 7, 1000]),
)
def test_bar_by_bar_equals_all_at_once(seed: int, bars: int, rule: str | int, rebuild_every: int) -> None:
    table = prices(60 + bars, 4, seed)
    screen = RollingScreen(table.iloc[:60], lag_rule=rule, rebuild_every=rebuild_every)
    feed(screen, table.iloc[60:])
    assert_as_all_at_once(screen, table.tail(60), rule)


def test_every_bar_of_a_run_has_the_table_of_its_own_window(start: Start) -> None:
    table = prices(190)
    screen = start(table.iloc[:150])
    for bar in range(150, 190):
        screen.append(table.iloc[bar], time=table.index[bar])
        assert_as_all_at_once(screen, table.iloc[bar - 149 : bar + 1])
        assert screen.time == table.index[bar]


def test_after_2016_bars_without_a_rebuild_the_drift_is_far_below_what_matters(start: Start) -> None:
    table = prices(2016 + 240)
    screen = feed(start(table.iloc[:240], rebuild_every=10_000), table.iloc[240:])
    assert_as_all_at_once(screen, table.tail(240))
    before = screen.tests()
    assert screen.drift == 0.0
    screen.rebuild()
    assert 0.0 < screen.drift < 1e-12
    after = screen.tests()
    assert np.abs(before["t_stat"] - after["t_stat"]).max() < 1e-9
    assert_as_all_at_once(screen, table.tail(240))
    screen.rebuild()
    assert screen.drift == 0.0


def test_the_statistic_after_a_run_is_that_of_statsmodels(start: Start) -> None:
    table = prices(500)
    frame = feed(start(table.iloc[:200]), table.iloc[200:]).tests()
    for row in frame.itertuples():
        t, p, _ = coint(table[row.y].tail(200), table[row.x].tail(200), trend="c", autolag="aic")
        assert row.t_stat == pytest.approx(t, abs=1e-8)
        assert row.p_value == pytest.approx(p, abs=1e-8)


def test_a_tick_is_a_window_whose_last_price_moved(start: Start) -> None:
    table = prices(160)
    screen = feed(start(table.iloc[:120]), table.iloc[120:])
    rng = np.random.default_rng(0)
    for _ in range(3):
        moved = table.tail(120).copy()
        moved.iloc[-1] += 0.05 * rng.normal(size=5)
        screen.tick(moved.iloc[-1])
        assert_as_all_at_once(screen, moved)
        np.testing.assert_array_equal(screen.values, moved)
        assert screen.time == table.index[-1]


def test_ticks_leave_no_trace_in_the_next_bar(start: Start) -> None:
    """They are looks at a bar that has not closed, so the bars are to the last bit what they are without."""
    table = prices(160)
    plain, watched = start(table.iloc[:120], rebuild_every=7), start(table.iloc[:120], rebuild_every=7)
    for bar in range(120, 160):
        for push in (30.0, -0.02):
            watched.tick(table.iloc[bar - 1] + push)
            watched.reversion()
        for screen in (plain, watched):
            screen.append(table.iloc[bar], time=table.index[bar])
    assert watched.drift == plain.drift
    pd.testing.assert_frame_equal(watched.tests(), plain.tests(), rtol=0, atol=0)


def test_a_rebuild_keeps_the_tick(start: Start) -> None:
    table = prices(121)
    screen = feed(start(table.iloc[:120]), table.iloc[120:])
    screen.tick(table.iloc[-1] + 0.01 * np.arange(5))
    screen.rebuild()
    moved = table.tail(120).copy()
    moved.iloc[-1] += 0.01 * np.arange(5)
    assert_as_all_at_once(screen, moved)


def test_labels_decide_not_the_order_of_a_bar(start: Start) -> None:
    table = prices(121)
    bar, time = table.iloc[120], table.index[120]
    expected = start(table.tail(120)).tests()
    for given_bar in (bar[::-1], bar.sample(frac=1, random_state=1), bar.to_dict(), bar.to_numpy(), list(bar)):
        screen = start(table.iloc[:120])
        screen.append(given_bar, time=time)
        pd.testing.assert_frame_equal(screen.tests(), expected, rtol=1e-9)
        screen.tick(given_bar)
        pd.testing.assert_frame_equal(screen.tests(), expected, rtol=1e-9)


def test_an_array_has_times_from_zero_and_positions_for_labels(start: Start) -> None:
    values = prices(101).to_numpy()
    screen = start(values[:100])
    assert screen.time == 99
    screen.append(values[100], time=100)
    pd.testing.assert_frame_equal(screen.tests([(2, 0)]), engle_granger_pairs(values[1:], pairs=[(2, 0)]), rtol=1e-9)
    assert list(screen.labels) == [0, 1, 2, 3, 4]


def test_pairs_are_given_as_for_the_screen_of_one_window(start: Start) -> None:
    table = prices(121)
    screen, pairs = feed(start(table.iloc[:120]), table.iloc[120:]), [("C3", "C0"), ("C0", "C3"), ("C4", "C1")]
    window = table.tail(120)
    pd.testing.assert_frame_equal(screen.tests(pairs), engle_granger_pairs(window, pairs=pairs), rtol=1e-9)
    pd.testing.assert_frame_equal(screen.reversion(pairs), reversion_pairs(window, pairs=pairs), rtol=1e-9)
    assert len(screen.tests([])) == 0
    with pytest.raises(InputError, match="names 'DOGE', which is not a column"):
        screen.tests([("C0", "DOGE")])


def test_a_coin_that_stands_still_for_a_whole_window_is_told_and_comes_back(start: Start) -> None:
    table = prices(260)
    table.iloc[40:150, 2] = table.iloc[40, 2]
    screen, still = start(table.iloc[:80], rebuild_every=1000), 0
    for bar in range(80, 260):
        screen.append(table.iloc[bar], time=table.index[bar])
        if bar % 10 == 9:
            assert_as_all_at_once(screen, table.iloc[bar - 79 : bar + 1])
            told = screen.tests().query("reason == 'C2 is constant over 80 bars'")
            assert told[["y", "x"]].eq("C2").any(axis=1).sum() in (0, 4)
            still += len(told) > 0
    assert still == 4


@pytest.mark.parametrize("calm", [1e-3, 1e-6])
def test_what_a_coin_did_before_it_calmed_down_does_not_blur_what_it_does_now(start: Start, calm: float) -> None:
    """Its moves shrink by 1/calm; rounding that was nothing beside the old ones would be much beside the new."""
    table = prices(400, digits=15)
    steps = table["C2"].diff().to_numpy(copy=True)
    steps[:120] *= 30.0
    steps[120:] *= calm
    steps[0] = 0.0
    table["C2"] = np.cumsum(steps)
    screen = start(table.iloc[:100], rebuild_every=10_000)
    rebuilt = 0
    for bar in range(100, 400):
        before = screen.drift
        screen.append(table.iloc[bar], time=table.index[bar])
        rebuilt += screen.drift != before
        if bar % 20 == 19:
            assert_as_all_at_once(screen, table.iloc[bar - 99 : bar + 1])
    assert 1 <= rebuilt <= 60


BAD_BARS = [
    (lambda bar: bar.where(bar.index != "C3", np.nan), "log_prices has nan for 'C3'"),
    (lambda bar: bar.where(bar.index != "C1", np.inf), "log_prices has inf for 'C1'"),
    (lambda bar: bar.where(bar.index != "C1", -np.inf), "log_prices has -inf for 'C1'"),
    (lambda bar: bar.where(bar.index != "C0", 1e60), r"log_prices has 1e\+60 for 'C0'"),
    (lambda bar: bar.drop("C2"), "the bar of log_prices lacks 'C2'"),
    (lambda bar: pd.concat([bar, pd.Series({"NEW": 1.0})]), "has 'NEW', which is not a column"),
    (lambda bar: bar.rename({"C2": "NEW"}), "lacks 'C2'"),
    (lambda bar: pd.concat([bar, bar[["C4"]]]), "names a column twice"),
    (lambda bar: bar.to_numpy()[:3], r"each of the 5 columns, got shape \(3,\)"),
    (lambda bar: bar.to_numpy()[None], r"got shape \(1, 5\)"),
    (lambda bar: 1.0, r"got shape \(\)"),
    (lambda bar: bar.astype(object).where(bar.index != "C1", "much"), "must be numbers: .*'much'"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD_BARS)
def test_a_bad_bar_is_refused_and_changes_nothing(spoil: Callable[[pd.Series], object], words: str) -> None:
    table = prices(121)
    screen, untouched = RollingScreen(table.iloc[:120]), RollingScreen(table.iloc[:120])
    for give in (partial(screen.append, time=table.index[120]), screen.tick):
        with pytest.raises(InputError, match=words):
            give(spoil(table.iloc[120]))
    assert screen.time == table.index[119]
    pd.testing.assert_frame_equal(screen.tests(), untouched.tests(), rtol=0, atol=0)
    screen.append(table.iloc[120], time=table.index[120])
    assert_as_all_at_once(screen, table.tail(120))


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (pd.Timestamp("2025-01-05T23:00Z"), "is not after the last one's"),
        (pd.Timestamp("2025-01-01T00:00Z"), "2025-01-01.* is not after the last one's, .*2025-01-05 23:00"),
        (pd.NaT, "NaT is not after"),
        (pd.Timestamp("2026-01-01"), "cannot be compared"),
        (7, "7 cannot be compared"),
        (None, "None cannot be compared"),
    ],
)
def test_a_time_that_is_not_after_the_last_one_is_refused_and_changes_nothing(time: object, words: str) -> None:
    table = prices(121)
    screen = RollingScreen(table.iloc[:120])
    with pytest.raises(InputError, match=words):
        screen.append(table.iloc[120], time=time)
    feed(screen, table.iloc[120:])
    assert_as_all_at_once(screen, table.tail(120))


def test_a_listing_and_a_delisting_start_again_with_the_same_options(start: Start) -> None:
    table = prices(200, 6)
    screen = feed(start(table.iloc[:120, :4], lag_rule="bic", q=(2, 3)), table.iloc[120:150, :4])
    screen.tick(table.iloc[150, :4])
    screen.restart(table.iloc[60:160, 1:])
    assert (screen.drift, list(screen.labels)) == (0.0, list(table.columns[1:]))
    feed(screen, table.iloc[160:, 1:])
    window = table.iloc[100:, 1:]
    pd.testing.assert_frame_equal(screen.tests(), engle_granger_pairs(window, lag_rule="bic"), rtol=1e-9)
    pd.testing.assert_frame_equal(screen.reversion(), reversion_pairs(window, q=(2, 3)), rtol=1e-9)


def test_a_restart_that_is_refused_keeps_the_old_window() -> None:
    table = prices(121)
    screen = RollingScreen(table.iloc[:120])
    for bad in (table.iloc[:10], table.iloc[:120].assign(C1=np.nan), table.iloc[:120][::-1]):
        with pytest.raises(InputError):
            screen.restart(bad)
    feed(screen, table.iloc[120:])
    assert_as_all_at_once(screen, table.tail(120))


def test_a_copy_and_a_pickle_go_their_own_way(start: Start) -> None:
    table = prices(122)
    screen = start(table.iloc[:120])
    screen.tests()
    ahead, sent = copy.copy(screen), pickle.loads(pickle.dumps(screen))
    feed(ahead, table.iloc[120:])
    feed(sent, table.iloc[120:121])
    for one, rows in ((screen, slice(0, 120)), (sent, slice(1, 121)), (ahead, slice(2, 122))):
        assert_as_all_at_once(one, table.iloc[rows])


def test_the_window_is_not_tied_to_the_caller_s_array() -> None:
    values = prices(101).to_numpy(copy=True)
    screen, bar = RollingScreen(values[:100]), values[100].copy()
    screen.append(bar, time=100)
    expected = engle_granger_pairs(values[1:])
    values[:], bar[:] = 0.0, 0.0
    pd.testing.assert_frame_equal(screen.tests(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (prices(50), {"rebuild_every": 0}, "rebuild_every must be a whole number of bars, at least 1, got 0"),
        (prices(50), {"rebuild_every": 2.5}, "got 2.5"),
        (prices(50), {"q": [49]}, "each q must be from 2 to 48"),
        (prices(50), {"lag_rule": "hq"}, "lag_rule must be"),
        (prices(12), {"max_lag": 9}, "too short"),
        (prices(50).assign(C1=np.nan), {}, "log_prices has nan for 'C1' in row 0"),
        (prices(50)[::-1], {}, "the times of log_prices must increase"),
        (prices(50).iloc[[0, *range(49)]], {}, "the times of log_prices must increase"),
        (np.zeros(3), {}, "two dimensions"),
    ],
)
def test_an_impossible_start_is_refused(table: object, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RollingScreen(table, **options)


@pytest.mark.parametrize(("name", "examples"), [("rolling", 7), ("rolling_dependence", 6), ("reversion_pairs", 5)])
def test_the_examples_in_the_documentation_are_true(name: str, examples: int) -> None:
    module = importlib.import_module(f"hlpairs_core.stats.{name}")
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=examples)
