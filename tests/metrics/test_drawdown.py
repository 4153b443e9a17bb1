import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.metrics import Drawdown, max_drawdown

# Quarters add up without rounding.
RETURNS = st.lists(st.integers(-40, 40).map(lambda value: value / 4), min_size=1, max_size=40)


def by_brute_force(returns: list[float]) -> Drawdown:
    """Every peak with every later trough."""
    profit = [0.0]
    for value in returns:
        profit.append(profit[-1] + value)
    deepest, peak_at, low_at = 0.0, None, None
    for low in range(1, len(profit)):
        for peak in range(low):
            if profit[peak] - profit[low] > deepest or (
                low == low_at and profit[peak] - profit[low] == deepest and deepest > 0
            ):
                deepest, peak_at, low_at = profit[peak] - profit[low], peak, low
    if low_at is None:
        return Drawdown(0.0, None, None, None, 0)
    again = [bar for bar in range(low_at, len(profit)) if profit[bar] >= profit[peak_at]]
    end = again[0] - 1 if again else None
    return Drawdown(deepest, peak_at, low_at - 1, end, (len(returns) if end is None else end) - peak_at)


@given(returns=RETURNS)
def test_it_is_the_deepest_of_all_falls(returns: list[float]) -> None:
    assert max_drawdown(returns) == by_brute_force(returns)


def test_a_fall_that_recovers_has_a_start_a_trough_and_an_end() -> None:
    found = max_drawdown([2.0, -1.0, -3.0, 1.0, 3.0, 1.0])
    assert found == Drawdown(depth=4.0, start=1, trough=2, recovery=4, n_bars=3)
    assert not found.is_open


def test_a_fall_that_does_not_recover_is_open() -> None:
    found = max_drawdown([2.0, -1.0, -3.0, 1.0])
    assert found.recovery is None
    assert found.is_open
    assert found.n_bars == 3


def test_a_loss_from_the_first_bar_on_is_a_drawdown_from_nothing() -> None:
    assert max_drawdown([-5.0, 1.0]) == Drawdown(5.0, 0, 0, None, 2)


@pytest.mark.parametrize("returns", [[0.0, 0.0], [1.0, 0.0, 2.0]])
def test_a_profit_that_never_falls_has_none(returns: list[float]) -> None:
    found = max_drawdown(returns)
    assert found == Drawdown(0.0, None, None, None, 0)
    assert not found.is_open


def test_rounding_does_not_keep_a_drawdown_open() -> None:
    """0.3 - 0.1 - 0.2 + 0.3 ends below 0.3 by a rounding error."""
    found = max_drawdown([0.3, -0.1, -0.2, 0.3])
    assert found.recovery == 3
    assert found.depth == pytest.approx(0.3)


def test_a_long_random_walk_falls_as_far_as_theory_says() -> None:
    """Without drift the mean of n unit steps is about ``sqrt(pi n / 2)`` (Magdon-Ismail and others, 2004)."""
    steps = np.random.default_rng(3).normal(size=(400, 2_000))
    depths = [max_drawdown(row).depth for row in steps]
    # Watched at the bars only, a walk of normal steps misses about 0.58 of a step at either end.
    expected = np.sqrt(np.pi * 2_000 / 2) - 2 * 0.5826
    assert np.mean(depths) == pytest.approx(expected, abs=4 * np.std(depths) / 20)
