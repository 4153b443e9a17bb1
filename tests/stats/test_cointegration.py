"""Phillips-Ouliaris and Johansen on the prices whose numbers are published, and on made-up ones."""

import math

import numpy as np
import pandas as pd
import pytest
from arch.data import crude

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import johansen_test, phillips_ouliaris_test


def pair(seed: int, n_bars: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=n_bars))
    return 0.5 * x + rng.normal(size=n_bars), x


def test_phillips_ouliaris_without_autocovariances_is_the_residual_s_dickey_fuller_t() -> None:
    y, x = pair(1)
    residual = y - np.polyval(np.polyfit(x, y, 1), x)
    lagged, now = residual[:-1], residual[1:]
    slope = lagged @ now / (lagged @ lagged)
    errors = now - slope * lagged
    t = (slope - 1) * math.sqrt(lagged @ lagged / (errors @ errors / len(errors)))
    found = phillips_ouliaris_test(y, x, bandwidth=0)
    assert found.statistic == pytest.approx(t, rel=0.01)
    assert found.p_value < 1e-6
    assert found.null == "the two series are not cointegrated"


def test_phillips_ouliaris_cries_wolf_over_unrelated_walks_a_little_too_often_as_documented() -> None:
    rng = np.random.default_rng(2)
    p = [phillips_ouliaris_test(*np.cumsum(rng.normal(size=(2, 200)), axis=1)).p_value for _ in range(250)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.08, abs=0.06)


def test_johansen_of_crude_oil_has_the_published_trace() -> None:
    """Monthly WTI and Brent, shipped with arch; expected values from statsmodels 0.15."""
    found = johansen_test(np.log(crude.load())[["WTI", "Brent"]])
    assert found.trace == pytest.approx([32.24395429, 2.74853873], rel=1e-6)
    assert found.trace_critical[0] == pytest.approx([13.4294, 15.4943, 19.9349])
    assert found.max_eigenvalue[-1] == pytest.approx(found.trace[-1])
    assert found.max_eigenvalue.sum() == pytest.approx(found.trace[0])
    assert (found.rank(), found.rank(statistic="max_eigenvalue", confidence=99)) == (1, 1)
    assert found.labels == ["WTI", "Brent"]
    assert found.trace_null[0] == "at most 0 cointegrating relations"
    first = found.vectors[:, 0]
    assert -first[1] / first[0] == pytest.approx(0.907, abs=0.01)


def test_johansen_finds_as_many_relations_as_were_made() -> None:
    rng = np.random.default_rng(3)
    common = np.cumsum(rng.normal(size=(1500, 1)), axis=0)
    three = common * [1.0, 0.7, -1.2] + rng.normal(size=(1500, 3))
    assert johansen_test(three).rank(confidence=99) == 2
    assert johansen_test(rng.normal(size=(500, 2))).rank() == 2
    assert johansen_test(np.cumsum(rng.normal(size=(500, 2)), axis=0)).rank(confidence=99) == 0


@pytest.mark.parametrize(
    ("y", "x", "message"),
    [
        ([np.nan, *range(30)], np.arange(31.0), "y has 1 missing.* the first nan at bar 0"),
        (np.arange(30.0), np.ones(30), "x is constant"),
        (np.arange(30.0), pair(1)[1], "y has 30 bars and x has 300"),
        (
            pd.Series(pair(1)[0]),
            pd.Series(pair(1)[1], index=range(1, 301)),
            "not on the same bars: bar 0 is 0 of y and 1 of x",
        ),
        (2 * pair(1)[1] + 1, pair(1)[1], "collinear: they are one asset twice"),
        (np.arange(5.0), np.arange(5.0), "y has 5 bars: at least 20"),
    ],
)
def test_pairs_that_cannot_be_tested_are_refused(y, x, message) -> None:
    with pytest.raises(InputError, match=message):
        phillips_ouliaris_test(y, x)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (np.column_stack([pair(1)[0]]), {}, "2 to 12 series, got 1"),
        (np.random.default_rng(0).normal(size=(50, 13)), {}, "2 to 12 series, got 13"),
        (pd.DataFrame({"A": pair(1)[0], "B": 1.0}), {}, "column 'B' is constant"),
        (pd.DataFrame({"A": pair(1)[0], "B": 2.0 * pair(1)[0]}), {}, "combination of the others"),
        (pd.DataFrame({"A": [*pair(1)[0], math.inf], "B": range(301)}), {}, "column 'A' has 1 missing"),
        (np.column_stack(pair(1, 19)), {}, "19 bars: at least 20"),
        (np.column_stack(pair(1)), {"lags": -2}, "lags must not be negative, got -2"),
    ],
)
def test_panels_that_cannot_be_tested_are_refused(table, options, message) -> None:
    with pytest.raises(InputError, match=message):
        johansen_test(table, **options)


def test_a_confidence_that_is_not_tabulated_is_refused() -> None:
    with pytest.raises(InputError, match="confidence must be 90, 95 or 99, got 80"):
        johansen_test(np.column_stack(pair(1))).rank(confidence=80)
    with pytest.raises(InputError, match=r"bandwidth must be .* got -1"):
        phillips_ouliaris_test(*pair(1), bandwidth=-1)
