"""Correlations that follow a moving window, against pandas, SciPy and a fresh start."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import RollingDependence, dependence

METHODS = ["pearson", "spearman", "kendall"]


def returns(n_rows: int, n_series: int = 5, digits: int = 1, seed: int = 3) -> pd.DataFrame:
    """Correlated returns, rounded so that ties abound, on an hourly clock."""
    rng = np.random.default_rng(seed)
    values = rng.standard_t(3, size=(n_rows, 1)) * np.linspace(-1, 2, n_series) + rng.normal(size=(n_rows, n_series))
    times = pd.date_range("2025-01-01", periods=n_rows, freq="h", tz="UTC")
    return pd.DataFrame(np.round(values, digits), index=times).add_prefix("C")


def rolled(table: pd.DataFrame, window: int) -> RollingDependence:
    rolling = RollingDependence(table.iloc[:window])
    for time, bar in table.iloc[window:].iterrows():
        rolling.append(bar, time=time)
    return rolling


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("digits", [0, 1, 12])
def test_after_many_bars_every_measure_equals_that_of_pandas(method: str, digits: int) -> None:
    table = returns(300, digits=digits)
    measured = rolled(table, 60).matrix(method)
    np.testing.assert_allclose(measured, table.tail(60).corr(method=method), rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(2, 20),
    bars=st.integers(0, 30),
    digits=st.sampled_from([0, 1, 12]),
)
def test_bar_by_bar_equals_all_at_once(seed: int, window: int, bars: int, digits: int) -> None:
    table = returns(window + bars, 3, digits, seed)
    rolling = rolled(table, window)
    for method in METHODS:
        expected = dependence(table.tail(window), method=method)
        np.testing.assert_allclose(rolling.matrix(method), expected, rtol=0, atol=1e-14)


def test_ranks_and_signs_never_drift() -> None:
    """They are counted in whole numbers, so after 2,016 bars nothing is off, not even in the last bit."""
    table = returns(2016 + 100, n_series=4, digits=2)
    rolling, fresh = rolled(table, 100), RollingDependence(table.tail(100))
    for method in METHODS:
        np.testing.assert_array_equal(rolling.matrix(method), fresh.matrix(method))
    for method in ("spearman", "kendall"):
        np.testing.assert_array_equal(rolling.matrix(method), dependence(table.tail(100), method=method))
    expected = kendalltau(table["C0"].tail(100), table["C3"].tail(100)).statistic
    assert rolling.matrix("kendall")[0, 3] == pytest.approx(expected, abs=1e-14)


def test_a_series_that_is_constant_for_a_whole_window_is_nan_and_comes_back() -> None:
    table = returns(120)
    table.iloc[20:80, 2] = 0.3
    rolling = RollingDependence(table.iloc[:50])
    seen = []
    for bar in range(50, 120):
        rolling.append(table.iloc[bar], time=table.index[bar])
        for method in METHODS:
            expected = dependence(table.iloc[bar - 49 : bar + 1], method=method)
            np.testing.assert_allclose(rolling.matrix(method), expected, rtol=0, atol=1e-14)
        seen.append(bool(np.isnan(rolling.matrix("kendall")[0, 2])))
    assert seen == [False] * 19 + [True] * 11 + [False] * 40


def test_labels_decide_not_the_order_of_a_bar() -> None:
    table = returns(61)
    bar, time = table.iloc[60], table.index[60]
    expected = dependence(table.tail(60), method="kendall")
    for given_bar in (bar[::-1], bar.to_dict(), bar.to_numpy(), list(bar)):
        rolling = RollingDependence(table.iloc[:60])
        rolling.append(given_bar, time=time)
        np.testing.assert_array_equal(rolling.matrix("kendall"), expected)
        assert rolling.time == time
        assert list(rolling.labels) == list(table)


@pytest.mark.parametrize("methods", [["spearman"], ["kendall"], ["pearson"], ["kendall", "pearson"]])
def test_only_what_is_asked_for_is_kept(methods: list[str]) -> None:
    table = returns(80)
    rolling = RollingDependence(table.iloc[:60], methods=methods)
    for bar in range(60, 80):
        rolling.append(table.iloc[bar], time=table.index[bar])
    for method in METHODS:
        if method in methods:
            expected = dependence(table.tail(60), method=method)
            np.testing.assert_allclose(rolling.matrix(method), expected, rtol=0, atol=1e-14)
        else:
            with pytest.raises(InputError, match=f"method must be one of .*, got '{method}'"):
                rolling.matrix(method)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_bar_is_refused_and_changes_nothing(bad: float) -> None:
    table = returns(61)
    rolling = RollingDependence(table.iloc[:60])
    with pytest.raises(InputError, match=rf"returns has {bad} for 'C3'"):
        rolling.append(table.iloc[60].where(table.columns != "C3", bad), time=table.index[60])
    with pytest.raises(InputError, match="is not after the last one's"):
        rolling.append(table.iloc[60], time=table.index[59])
    rolling.append(table.iloc[60], time=table.index[60])
    for method in METHODS:
        expected = dependence(table.tail(60), method=method)
        np.testing.assert_allclose(rolling.matrix(method), expected, rtol=0, atol=1e-14)


def test_a_copy_and_a_pickle_go_their_own_way() -> None:
    table = returns(62)
    rolling = RollingDependence(table.iloc[:60])
    ahead, sent = copy.copy(rolling), pickle.loads(pickle.dumps(rolling))
    for bar in (60, 61):
        ahead.append(table.iloc[bar], time=table.index[bar])
    sent.append(table.iloc[60], time=table.index[60])
    for one, rows in ((rolling, slice(0, 60)), (sent, slice(1, 61)), (ahead, slice(2, 62))):
        for method in METHODS:
            expected = dependence(table.iloc[rows], method=method)
            np.testing.assert_allclose(one.matrix(method), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (returns(60), {"methods": ["kendal"]}, "methods must be among 'pearson', 'spearman', 'kendall', got 'kendal'"),
        (returns(60).iloc[:1], {}, "at least two rows, got 1"),
        (returns(60).assign(C1=np.nan), {}, "returns has nan for 'C1' in row 0"),
        (returns(60)[::-1], {}, "the times of returns must increase"),
        (np.zeros(3), {}, "two dimensions"),
    ],
)
def test_an_impossible_start_is_refused(table: object, options: dict[str, list[str]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RollingDependence(table, **options)
