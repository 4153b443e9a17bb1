import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics import bars_per_year, calmar_ratio, max_drawdown, sharpe_ratio, sortino_ratio

RATIOS = [sharpe_ratio, sortino_ratio, calmar_ratio]
RETURNS = arrays(np.float64, st.integers(2, 60), elements=st.floats(-100, 100).map(lambda value: round(value, 3)))


def test_a_year_of_a_market_that_never_closes_has_8760_hours() -> None:
    assert bars_per_year("1h") == 8760
    assert bars_per_year("5m") == 105_120
    assert bars_per_year("1d") == 365


def test_the_ratios_of_four_days_are_those_worked_by_hand() -> None:
    """Mean 0.75, squared deviations 0.0625 + 7.5625 + 0.5625 + 10.5625; one shortfall of 2; a fall of 2."""
    days = [1.0, -2.0, 0.0, 4.0]
    assert sharpe_ratio(days, interval="1d") == pytest.approx(0.75 / math.sqrt(18.75 / 3) * math.sqrt(365))
    assert sortino_ratio(days, interval="1d") == pytest.approx(0.75 / math.sqrt(4 / 4) * math.sqrt(365))
    assert calmar_ratio(days, interval="1d") == pytest.approx(0.75 * 365 / 2)


def test_ratios_of_many_normal_bars_are_near_their_closed_forms() -> None:
    """Mean m and deviation 1: the shortfall below 0 is ``sqrt((1 + m^2) N(-m) - m n(m))``."""
    m = 0.2
    values = np.random.default_rng(1).normal(m, 1.0, size=400_000)
    below = (1 + m * m) * 0.5 * math.erfc(m / math.sqrt(2)) - m * math.exp(-m * m / 2) / math.sqrt(2 * math.pi)
    assert sharpe_ratio(values, interval="1d") == pytest.approx(m * math.sqrt(365), abs=4 * math.sqrt(365 / 400_000))
    assert sortino_ratio(values, interval="1d") == pytest.approx(m / math.sqrt(below) * math.sqrt(365), rel=0.02)


@pytest.mark.parametrize("ratio", RATIOS)
@given(values=RETURNS, scale=st.floats(1e-3, 1e3))
def test_the_unit_of_the_returns_changes_no_ratio(ratio, values, scale: float) -> None:
    assert ratio(values * scale) == pytest.approx(ratio(values), rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("ratio", [sharpe_ratio, sortino_ratio])
@given(values=RETURNS, seed=st.integers(0, 99))
def test_the_order_of_the_bars_changes_no_ratio_but_calmar(ratio, values, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(values)
    assert ratio(shuffled) == pytest.approx(ratio(values), rel=1e-6, nan_ok=True)


@given(values=RETURNS, n_flat=st.integers(1, 200))
def test_flat_bars_count(values, n_flat: int) -> None:
    """As many bars again that are flat halve mean and mean square: Sortino falls by the root, and so on."""
    assume(values.min() < 0)
    longer = np.concatenate([values, np.zeros(n_flat)])
    share = len(values) / len(longer)
    assert sortino_ratio(longer) == pytest.approx(sortino_ratio(values) * math.sqrt(share))
    assert calmar_ratio(longer) == pytest.approx(calmar_ratio(values) * share)
    assert max_drawdown(longer).depth == max_drawdown(values).depth


@given(values=RETURNS, n_flat=st.integers(1, 200))
def test_a_sharpe_ratio_with_flat_bars_is_that_of_its_moments(values, n_flat: int) -> None:
    assume(np.ptp(values) > 0)
    longer = np.concatenate([values, np.zeros(n_flat)])
    n, mean, square = len(longer), values.sum() / len(longer), (values**2).sum()
    expected = mean / math.sqrt((square - n * mean**2) / (n - 1)) * math.sqrt(8760)
    assert sharpe_ratio(longer) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("values", [np.zeros(40), np.full(40, 0.1)])
def test_returns_that_do_not_vary_have_no_sharpe_ratio(values) -> None:
    assert math.isnan(sharpe_ratio(values))


def test_returns_that_never_lose_have_no_sortino_and_no_calmar_ratio() -> None:
    assert math.isnan(sortino_ratio([0.0, 1.0, 2.0]))
    assert math.isnan(calmar_ratio([0.0, 1.0, 2.0]))


def test_a_target_is_deducted_from_each_bar() -> None:
    assert sortino_ratio([1.0, 3.0], target=2.0) == 0.0
    assert sortino_ratio([4.0, 1.0], target=2.0, interval="1d") == pytest.approx(0.5 / math.sqrt(0.5) * math.sqrt(365))


@pytest.mark.parametrize("ratio", [*RATIOS, max_drawdown])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "has 0 bars"),
        ([1.0, math.nan, 2.0], "1 missing, infinite or absurdly large of 3 values, the first nan at bar 1"),
        ([1.0, 2.0, -math.inf], "the first -inf at bar 2"),
        ([[1.0, 2.0]], r"one dimension \(bars\), got shape \(1, 2\)"),
        (["a", "b"], "must be numbers"),
        (pd.Series([1e200, 1.0]), "absurdly large"),
    ],
)
def test_what_is_no_series_of_returns_is_refused(ratio, values, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ratio(values)


def test_an_interval_that_the_exchange_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="unknown interval '7h'"):
        sharpe_ratio([1.0, 2.0], interval="7h")
