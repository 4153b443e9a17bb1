"""What `engle_granger_pairs` refuses, what it cannot test, and the shape of its answer."""

import doctest
import importlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError

Screen = Callable[..., pd.DataFrame]

COLUMNS = [
    "y", "x", "alpha", "beta", "trend_per_bar", "r_squared", "t_stat", "p_value", "lag", "half_life", "z_last",
    "resid_std", "n_obs", "reason",
]  # fmt: skip
NUMBERS = COLUMNS[2:-2]
HOURS = pd.date_range("2026-01-01", periods=120, freq="h")


def prices(n_bars: int = 120, coins: str = "ABCD") -> pd.DataFrame:
    steps = np.random.default_rng(4).normal(size=(n_bars, len(coins)))
    return pd.DataFrame(np.cumsum(steps, axis=0), columns=list(coins))


def test_every_unordered_pair_is_tested_once_with_the_earlier_column_as_y(screen: Screen) -> None:
    frame = screen(prices())
    assert list(frame.columns) == COLUMNS
    assert list(zip(frame["y"], frame["x"], strict=True)) == [
        ("A", "B"), ("A", "C"), ("A", "D"), ("B", "C"), ("B", "D"), ("C", "D"),
    ]  # fmt: skip
    assert frame["lag"].dtype == "Int64"


def test_named_pairs_come_back_in_their_order_and_direction(screen: Screen) -> None:
    frame = screen(prices(), pairs=[("D", "A"), ("B", "C"), ("D", "A")])
    assert list(frame["y"]) == ["D", "B", "D"]
    assert list(frame["x"]) == ["A", "C", "A"]
    assert frame["t_stat"].iloc[0] == frame["t_stat"].iloc[2] != frame["t_stat"].iloc[1]


@pytest.mark.parametrize(
    ("table", "pairs"), [(prices(coins="A"), None), (prices(), [])], ids=["one column", "no pairs"]
)
def test_nothing_to_test_is_an_empty_table_with_all_columns(
    screen: Screen, table: pd.DataFrame, pairs: list | None
) -> None:
    frame = screen(table, pairs=pairs)
    full = screen(prices())
    assert frame.empty
    assert list(frame.columns) == COLUMNS
    assert list(frame[NUMBERS].dtypes) == list(full[NUMBERS].dtypes)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda b: 1.5, "B is constant"),
        (lambda b: 1.0 / 3.0 + 1e-16 * (np.arange(len(b)) % 2), "B is constant"),
        (lambda b: b.where(b.index != 7), "B has 1 missing of 120 values, the first at 7"),
        (lambda b: b.where(~b.index.isin([0, 9, 10, 119])), "B has 2 missing of 118 values, the first at 9"),
        (lambda b: b * np.nan, "B has no value in 120 bars"),
        (lambda b: b * 1e300, "B has values of 1e+50 or more: no log prices"),
    ],
    ids=["constant", "constant to rounding", "one hole", "two holes and a short history", "never there", "absurd"],
)
def test_a_pair_with_an_unusable_series_has_no_number_but_a_reason(screen: Screen, spoil, words: str) -> None:
    table = prices()
    table["B"] = spoil(table["B"])
    frame = screen(table)
    with_b = (frame["y"] == "B") | (frame["x"] == "B")
    assert frame.loc[with_b, NUMBERS].isna().all(axis=None)
    assert frame.loc[with_b, "reason"].str.contains(words, regex=False).all()
    others = screen(prices().drop(columns="B"))
    pd.testing.assert_frame_equal(frame[~with_b].reset_index(drop=True), others)


def test_two_unusable_series_are_both_named(screen: Screen) -> None:
    table = prices().assign(A=1.0, B=-3.0)
    reason = screen(table, pairs=[("A", "B")])["reason"].iloc[0]
    assert reason == "A is constant over 120 bars; B is constant over 120 bars"


def test_two_series_with_holes_are_both_named(screen: Screen) -> None:
    table = prices()
    table.loc[5, "A"] = table.loc[6, "B"] = np.nan
    reason = screen(table, pairs=[("A", "B")])["reason"].iloc[0]
    assert reason == "A has 1 missing of 120 values, the first at 5; B has 1 missing of 120 values, the first at 6"


@pytest.mark.parametrize("lag_rule", ["aic", "bic", 2])
def test_a_singular_regression_has_no_statistic_but_a_reason(screen: Screen, lag_rule: str | int) -> None:
    """The residual of a line on a parabola is a parabola: two lags predict its next step exactly."""
    for n_bars in range(40, 60):
        clock = np.arange(float(n_bars))
        frame = screen(np.column_stack([clock, clock**2]), lag_rule=lag_rule)
        assert frame[["t_stat", "p_value", "lag"]].isna().all(axis=None)
        assert frame["reason"].str.contains("singular").all()


@pytest.mark.parametrize(("n_bars", "rule"), [(3, "aic"), (21, "aic"), (23, "bic"), (3, 0), (17, 7)])
def test_the_shortest_window_a_rule_allows_is_tested(screen: Screen, n_bars: int, rule: str | int) -> None:
    assert np.isfinite(screen(prices(n_bars), lag_rule=rule)["t_stat"]).all()


@pytest.mark.parametrize(
    ("n_bars", "options", "words"),
    [
        (2, {}, "2 bars are too short for an ADF regression with 0 lags: give at least 3 bars"),
        (20, {}, "20 bars are too short for an ADF regression with 9 lags: give at least 21 bars"),
        (16, {"lag_rule": 7}, "give at least 17 bars or allow fewer lags"),
        (40, {"max_lag": 19}, "give at least 41 bars"),
        (40, {"lag_rule": "hqic"}, "lag_rule must be 'aic', 'bic' or a number of lags, got 'hqic'"),
        (40, {"lag_rule": 1.5}, "lag_rule must be a whole number of lags, got 1.5"),
        (40, {"lag_rule": True}, "lag_rule must be a whole number of lags, got True"),
        (40, {"lag_rule": -1}, "lag_rule must not be negative"),
        (40, {"max_lag": -2}, "max_lag must not be negative"),
        (40, {"max_lag": "4"}, "max_lag must be a whole number of lags, got '4'"),
        (40, {"lag_rule": 2, "max_lag": 4}, "lag_rule=2 fixes the lags"),
        (40, {"trend": "ctt"}, r"trend must be 'c' .* or 'ct' .*, got 'ctt'"),
        (3, {"trend": "ct", "lag_rule": 0}, "3 bars are too short .* give at least 4 bars"),
        (40, {"pairs": [("A", "Z")]}, "names 'Z', which is not a column"),
        (40, {"pairs": [("A", "A")]}, "pairs a series with itself"),
        (40, {"pairs": [("A", "B", "C")]}, "must be two column labels"),
        (40, {"pairs": [1]}, "must be two column labels"),
        (40, {"pairs": [(["A"], "B")]}, "must be two column labels"),
    ],
)
def test_an_impossible_request_is_refused_and_says_what_to_do(
    screen: Screen, n_bars: int, options: dict, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        screen(prices(n_bars), **options)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (np.arange(50.0), r"must have two dimensions \(bars, series\), got shape \(50,\)"),
        (np.zeros((9, 2, 2)), "must have two dimensions"),
        (np.zeros((0, 3)), r"is empty: its shape is \(0, 3\)"),
        (np.zeros((9, 0)), "is empty"),
        (prices().assign(A="x"), "must be numbers"),
        (prices(coins="ABA"), "more than one column 'A'"),
        (prices().assign(B=lambda t: t["B"].where(t.index != 3, -np.inf)), "has -inf in column 'B' at 3: .* no price"),
        (prices().set_axis(HOURS).replace({"C": {prices()["C"][2]: np.inf}}), "inf in column 'C' at 2026-01-01 02:00"),
        (prices().set_axis(HOURS.insert(5, HOURS[4])[:120]), "more than one row 2026-01-01 04:00"),
        (prices().set_axis(HOURS[::-1]), "not in order of time: 2026-01-05 22:00:00 comes after 2026-01-05 23:00:00"),
        (prices().set_axis(HOURS.insert(5, pd.NaT)[:120]), "not in order of time: NaT comes after 2026-01-01 04:00"),
        (prices().iloc[[0, 2, 1, *range(3, 120)]], "not in order of time: 1 comes after 2; sort it"),
    ],
)
def test_a_table_that_is_no_table_of_series_is_refused(screen: Screen, table: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        screen(table)


def test_a_column_position_outside_the_array_is_refused(screen: Screen) -> None:
    with pytest.raises(InputError, match=r"names -1, which is not a column"):
        screen(prices().to_numpy(), pairs=[(0, -1)])


def test_the_documented_example_is_true() -> None:
    module = importlib.import_module("hlpairs_core.stats.engle_granger")
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=5)
