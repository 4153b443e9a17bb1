"""Entry and exit with a discount rate and a stop-loss, against stopping problems solved on a grid."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import solve_banded

from hlpairs_core.stats import OrnsteinUhlenbeck, optimal_thresholds
from hlpairs_core.stats.double_stopping import _growth

UNIT = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=1.0, sigma_per_sqrt_hour=math.sqrt(2.0))
DISCOUNT = 0.03


def value_on_grid(levels: np.ndarray, payoff: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and stopping region of ``max over stopping times of E exp(-DISCOUNT t) payoff``, by policy iteration.

    Stopping is forced at both ends of the grid.
    """
    step = levels[1] - levels[0]
    rest = DISCOUNT + 2 / step**2
    up, down = (1 / step**2 - levels / (2 * step)) / rest, (1 / step**2 + levels / (2 * step)) / rest
    stopped = np.ones(len(levels), dtype=bool)
    for _ in range(len(levels)):
        bands = np.ones((3, len(levels)))
        bands[0, 1:] = np.where(stopped, 0.0, -up)[:-1]
        bands[2, :-1] = np.where(stopped, 0.0, -down)[1:]
        value = solve_banded((1, 1), bands, np.where(stopped, payoff, 0.0))
        waiting = up[1:-1] * value[2:] + down[1:-1] * value[:-2]
        before, stopped = stopped, np.pad(payoff[1:-1] > waiting + 1e-12, 1, constant_values=True)
        if (before == stopped).all():
            return value, stopped
    raise AssertionError("the policy did not settle")


def solved_on_grid(cost: float, stop: float | None) -> tuple[float, float, float]:
    """Lowest entry, highest entry and exit."""
    levels = np.linspace(-6.0 if stop is None else stop, 6.0, 1501)
    held, sold = value_on_grid(levels, levels - cost / 2)
    exit_ = levels[1:][sold[1:]][0]
    # Who has not bought yet may watch the spread fall below the stop, and may never buy.
    step = levels[1] - levels[0]
    below = levels[0] - step * np.arange(int((levels[0] + 8.0) / step), 0, -1)
    gain = np.maximum(np.concatenate([np.zeros(len(below)), held - levels - cost / 2]), 0.0)
    everywhere = np.concatenate([below, levels])
    _, bought = value_on_grid(everywhere, gain)
    region = everywhere[bought & (gain > 0.0)]
    return float(region[0]), float(region[-1]), float(exit_)


@pytest.mark.parametrize("cost", [0.02, 0.5])
def test_the_levels_are_those_of_the_stopping_problem_on_a_grid(cost: float) -> None:
    found = optimal_thresholds(UNIT, cost=cost, method="leung_li", discount_per_hour=DISCOUNT)
    _, entry, exit_ = solved_on_grid(cost, None)
    assert found.entry == pytest.approx(entry, abs=0.012)
    assert found.exit == pytest.approx(exit_, abs=0.012)
    assert found.entry_low is None


@pytest.mark.parametrize(("cost", "stop"), [(0.02, -2.5), (0.3, -3.0)])
def test_the_levels_with_a_stop_are_those_of_the_stopping_problem_on_a_grid(cost: float, stop: float) -> None:
    found = optimal_thresholds(UNIT, cost=cost, method="leung_li", discount_per_hour=DISCOUNT, stop=stop)
    low, high, exit_ = solved_on_grid(cost, stop)
    assert found.entry_low == pytest.approx(low, abs=0.012)
    assert found.entry == pytest.approx(high, abs=0.012)
    assert found.exit == pytest.approx(exit_, abs=0.012)
    assert found.stop == stop
    assert math.isnan(found.return_std_per_sqrt_hour)


@pytest.mark.parametrize("level", [-3.0, -0.5, 0.0, 1.2, 4.0])
def test_the_growing_solution_is_the_printed_integral(level: float) -> None:
    """Leung and Li (2015): ``F(x) = integral of u**(r - 1) exp(x u - u**2 / 2)``; its logarithm's derivative."""
    rate = 0.4

    def moment(power: float) -> float:
        return quad(lambda s: math.exp(level * s ** (1 / power) - s ** (2 / power) / 2) / power, 0, 60)[0]

    assert _growth(level, rate) == pytest.approx(moment(rate + 1) / moment(rate), rel=1e-5)


def test_a_stop_that_is_never_reached_changes_nothing() -> None:
    free = optimal_thresholds(UNIT, cost=0.1, method="leung_li", discount_per_hour=DISCOUNT)
    far = optimal_thresholds(UNIT, cost=0.1, method="leung_li", discount_per_hour=DISCOUNT, stop=-12.0)
    assert (far.entry, far.exit) == pytest.approx((free.entry, free.exit), rel=1e-9)
    assert far.expected_cycle_hours == pytest.approx(free.expected_cycle_hours, rel=1e-6)
    assert far.expected_return_per_hour == pytest.approx(free.expected_return_per_hour, rel=1e-6)


def test_a_path_that_is_traded_with_a_stop_returns_what_is_expected() -> None:
    cost, stop, bar = 0.1, -2.5, 0.001
    found = optimal_thresholds(UNIT, cost=cost, method="leung_li", discount_per_hour=DISCOUNT, stop=stop)
    path = UNIT.draw(1_500_000, rng=np.random.default_rng(3), bar_hours=bar)
    late = 0.5826 * math.sqrt(2 * bar)
    levels = np.array([stop + late, found.entry_low - late, found.entry + late, found.exit - late])
    zone = np.searchsorted(levels, path)
    # Only changes of zone can open or close a trade.
    zone = zone[np.r_[True, zone[1:] != zone[:-1]]]
    earned, count, held = 0.0, 0, None
    for where, before in zip(zone[1:], zone, strict=False):
        if held is None and where == 2:
            held = found.entry if before > 2 else found.entry_low
        elif held is not None and where in (0, 4):
            earned += (found.exit if where == 4 else stop) - held - cost
            held, count = None, count + 1
    assert len(path) * bar / count == pytest.approx(found.expected_cycle_hours, rel=0.15)
    assert earned / (len(path) * bar) == pytest.approx(found.expected_return_per_hour, rel=0.2)


def test_a_stop_where_trades_would_begin_leaves_none_and_says_so() -> None:
    found = optimal_thresholds(UNIT, cost=2.0, method="leung_li", discount_per_hour=DISCOUNT, stop=-0.5)
    assert not found.pays
    assert math.isnan(found.entry)
    assert "no entry pays: at a cost of 2 and with the stop at -0.5" in found.reason
    above = optimal_thresholds(UNIT, cost=0.1, method="leung_li", discount_per_hour=DISCOUNT, stop=50.0)
    assert "with the stop at 50" in above.reason


def test_a_cost_beyond_every_level_leaves_no_trade_and_says_so() -> None:
    found = optimal_thresholds(UNIT, cost=100.0, method="leung_li", discount_per_hour=DISCOUNT)
    assert not found.pays
    assert "no entry pays: at a cost of 100 a trade" in found.reason


def test_more_patience_means_a_higher_exit() -> None:
    exits = [
        optimal_thresholds(UNIT, cost=0.1, method="leung_li", discount_per_hour=rate).exit
        for rate in (1.0, 0.1, 0.01, 1e-4, 1e-6)
    ]
    assert exits == sorted(exits)


def test_the_base_moves_what_waiting_costs() -> None:
    """What is paid for outright cannot wait as long as what is financed."""
    financed = optimal_thresholds(UNIT, cost=0.1, method="leung_li", discount_per_hour=DISCOUNT)
    paid = optimal_thresholds(UNIT, cost=0.1, method="leung_li", discount_per_hour=DISCOUNT, base=-20.0)
    assert paid.exit < financed.exit
    assert paid.entry < financed.entry
