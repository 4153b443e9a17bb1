import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr, spearmanr

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import dependence

METHODS = ["pearson", "spearman", "kendall"]


def returns(n_rows: int = 250, n_series: int = 6, digits: int = 1) -> pd.DataFrame:
    """Correlated returns, rounded so that ties abound."""
    rng = np.random.default_rng(n_rows)
    market = rng.standard_t(3, size=(n_rows, 1))
    values = market * np.linspace(-1, 2, n_series) + rng.normal(size=(n_rows, n_series))
    return pd.DataFrame(np.round(values, digits)).add_prefix("C")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("digits", [0, 1, 12])
@pytest.mark.parametrize("n_rows", [2, 40, 250])
def test_every_measure_equals_that_of_pandas_with_or_without_ties(method: str, digits: int, n_rows: int) -> None:
    table = returns(n_rows, digits=digits)
    expected = table.corr(method=method).to_numpy(copy=True)
    expected[:, table.nunique() == 1] = expected[table.nunique() == 1] = np.nan
    measured = dependence(table, method=method)
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(measured, measured.T)


@pytest.mark.parametrize(
    ("method", "function"), [("pearson", pearsonr), ("spearman", spearmanr), ("kendall", kendalltau)]
)
def test_a_single_pair_equals_scipy(method: str, function) -> None:
    table = returns(60)
    expected = function(table["C0"], table["C5"]).statistic
    assert dependence(table, method=method)[0, 5] == pytest.approx(expected, abs=1e-12)
    assert expected < 0


def test_kendall_stays_exact_over_millions_of_comparisons() -> None:
    table = returns(3000, n_series=2, digits=2)
    expected = kendalltau(table["C0"], table["C1"]).statistic
    assert dependence(table, method="kendall")[0, 1] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_series_has_no_dependence_and_spoils_no_other(method: str) -> None:
    table = returns().assign(C2=0.1)
    measured = dependence(table, method=method)
    assert np.isnan(measured[2]).all()
    assert np.isnan(measured[:, 2]).all()
    rest = np.delete(np.delete(measured, 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(rest, dependence(table.drop(columns="C2"), method=method), atol=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gap_is_refused_and_its_column_named(method: str, bad: float) -> None:
    table = returns()
    table.loc[[4, 9], "C3"] = bad
    with pytest.raises(InputError, match="2 missing or infinite values in column 'C3'"):
        dependence(table, method=method)


@pytest.mark.parametrize(
    ("table", "method", "words"),
    [
        (returns(), "distance", "method must be one of 'pearson', 'spearman', 'kendall', got 'distance'"),
        (np.zeros((1, 3)), "pearson", "at least two rows, got 1"),
        (np.zeros(5), "pearson", "two dimensions"),
        (np.zeros((0, 3)), "kendall", "empty"),
    ],
)
def test_an_impossible_request_is_refused(table: object, method: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dependence(table, method=method)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), method=st.sampled_from(["spearman", "kendall"]))
def test_rank_measures_see_only_the_order(seed: int, method: str) -> None:
    values = np.random.default_rng(seed).integers(-5, 6, size=(40, 3)).astype(float)
    np.testing.assert_array_equal(dependence(values, method=method), dependence(np.exp(values) - 3.0, method=method))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_unit_of_returns_does_not_matter_even_when_absurd(scale: float) -> None:
    table = returns()
    np.testing.assert_allclose(
        dependence(table * scale, method="pearson"), dependence(table, method="pearson"), atol=1e-13
    )
