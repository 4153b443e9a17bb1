"""Entry and exit levels against printed numbers, brute force, and paths traded with them."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import OrnsteinUhlenbeck, Thresholds, optimal_thresholds

# W. K. Bertram (2010), the example of the paper; time is in years there.
BERTRAM = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=180.967, sigma_per_sqrt_hour=0.1538)
HOURLY = OrnsteinUhlenbeck(mu=0.4, theta_per_hour=0.05, sigma_per_sqrt_hour=0.003)
RETURN_METHODS = ["bertram_return", "zeng_lee_mean", "zeng_lee_reverse"]


def every_method(process: OrnsteinUhlenbeck, cost: float) -> list[Thresholds]:
    return [
        *(optimal_thresholds(process, cost=cost, method=method) for method in RETURN_METHODS),
        optimal_thresholds(process, cost=cost, method="bertram_sharpe", hurdle_per_trade=process.stationary_std / 9),
        optimal_thresholds(process, cost=cost, method="leung_li", discount_per_hour=process.theta_per_hour / 50),
    ]


def return_per_hour(process: OrnsteinUhlenbeck, entry: float, exit_: float, cost: float, method: str) -> float:
    """Profit over the length of a cycle, its mean summed from the published series."""

    def up_and_down(level: float) -> float:
        terms = (
            (math.sqrt(2) * level) ** k * math.exp(math.lgamma(k / 2) - math.lgamma(k + 1)) for k in range(1, 99, 2)
        )
        return sum(terms) / process.theta_per_hour

    away, home = ((process.mu - level) / process.stationary_std for level in (entry, exit_))
    if method == "bertram_return":
        return (exit_ - entry - cost) / (up_and_down(away) - up_and_down(home))
    # Zeng and Lee: half of it from the mean to the entry, as both sides are traded.
    return (exit_ - entry - cost) / (0.5 * (up_and_down(away) - up_and_down(home)))


def test_bertram_s_example_has_the_printed_numbers() -> None:
    found = optimal_thresholds(BERTRAM, cost=0.001, method="bertram_return")
    assert found.exit == pytest.approx(0.0047151767, rel=1e-6)
    assert found.entry == -found.exit
    assert found.expected_cycle_hours == pytest.approx(0.0171223943, rel=1e-6)
    assert found.expected_return_per_hour == pytest.approx(0.4923583279, rel=1e-6)
    assert found.return_std_per_sqrt_hour**2 == pytest.approx(0.0021862148, rel=1e-6)


def test_bertram_s_sharpe_ratio_has_the_printed_numbers() -> None:
    hurdle = 0.01
    found = optimal_thresholds(BERTRAM, cost=0.001, method="bertram_sharpe", hurdle_per_trade=hurdle)
    excess = found.expected_return_per_hour - hurdle / found.expected_cycle_hours
    assert found.exit == pytest.approx(0.0112674443, rel=1e-6)
    assert excess / found.return_std_per_sqrt_hour == pytest.approx(3.861879, rel=1e-6)


def test_leung_and_li_s_example_has_the_printed_numbers() -> None:
    """T. Leung and X. Li (2015), gold against gold miners; a fee of 0.02 at either end, the portfolio is paid for."""
    process = OrnsteinUhlenbeck(mu=0.71758, theta_per_hour=6.306, sigma_per_sqrt_hour=math.sqrt(0.00698))
    found = optimal_thresholds(process, cost=0.04, method="leung_li", discount_per_hour=0.05, base=0.0)
    assert found.exit == pytest.approx(0.7443617927, rel=1e-9)
    assert found.entry == pytest.approx(0.6510470885, rel=1e-8)


@pytest.mark.parametrize("method", RETURN_METHODS)
@pytest.mark.parametrize("cost", [0.0005, 0.004, 0.02])
def test_no_other_entry_returns_more(method: str, cost: float) -> None:
    found = optimal_thresholds(HOURLY, cost=cost, method=method)
    best = return_per_hour(HOURLY, found.entry, found.exit, cost, method)
    assert found.expected_return_per_hour == pytest.approx(best, rel=1e-9)
    for step in (-1e-3, 1e-3):
        moved = found.entry + step * HOURLY.stationary_std
        assert return_per_hour(HOURLY, moved, found.exit, cost, method) < best
        if method != "zeng_lee_mean":
            mirrored = 2 * HOURLY.mu - moved
            assert return_per_hour(HOURLY, moved, mirrored, cost, method) < best


def test_both_sides_earn_twice_as_much_as_one_at_the_same_levels() -> None:
    one, both = (optimal_thresholds(HOURLY, cost=0.002, method=m) for m in ("bertram_return", "zeng_lee_reverse"))
    assert (both.entry, both.exit) == (one.entry, one.exit)
    assert both.expected_return_per_hour == pytest.approx(2 * one.expected_return_per_hour)
    assert both.two_sided
    assert not one.two_sided


@pytest.mark.parametrize(
    ("method", "factor"), [("bertram_return", 1.5), ("zeng_lee_reverse", 1.5), ("zeng_lee_mean", 3.0)]
)
def test_a_small_cost_moves_the_entry_by_its_cube_root(method: str, factor: float) -> None:
    cost = 1e-9 * HOURLY.stationary_std
    found = optimal_thresholds(HOURLY, cost=cost, method=method)
    assert -found.entry_sigma == pytest.approx((factor * 1e-9) ** (1 / 3), rel=1e-4)


@pytest.mark.parametrize(
    ("method", "share"), [("bertram_return", 0.5), ("zeng_lee_reverse", 1.0), ("zeng_lee_mean", 1.0)]
)
def test_without_cost_every_deviation_is_traded_and_the_limit_is_said(method: str, share: float) -> None:
    found = optimal_thresholds(HOURLY, cost=0.0, method=method)
    limit = share * math.sqrt(2 / math.pi) * HOURLY.theta_per_hour * HOURLY.stationary_std
    nearly = optimal_thresholds(HOURLY, cost=1e-12, method=method)
    assert (found.entry, found.exit) == (HOURLY.mu, HOURLY.mu)
    assert found.expected_return_per_hour == pytest.approx(limit, rel=1e-6)
    assert found.return_std_per_sqrt_hour == pytest.approx(nearly.return_std_per_sqrt_hour, rel=1e-2)
    assert found.pays
    assert "without cost every deviation pays" in found.reason


@pytest.mark.parametrize("method", RETURN_METHODS)
@pytest.mark.parametrize("cost_sigma", [9.0, 30.0, 1000.0])
def test_a_cost_that_no_deviation_covers_is_said(method: str, cost_sigma: float) -> None:
    found = optimal_thresholds(HOURLY, cost=cost_sigma * HOURLY.stationary_std, method=method)
    assert not found.pays
    assert f"no entry pays within 8766 hours: at a cost of {cost_sigma:.2f} standard deviations" in found.reason
    assert abs(found.entry_sigma) > cost_sigma / 2
    assert 0.0 <= found.expected_return_per_hour < 1e-7
    assert not math.isnan(found.expected_cycle_hours)


def test_a_year_of_patience_is_the_caller_s_choice() -> None:
    patient = optimal_thresholds(HOURLY, cost=0.06, max_cycle_hours=1e6)
    assert patient.pays
    assert not optimal_thresholds(HOURLY, cost=0.06, max_cycle_hours=100.0).pays


@pytest.mark.parametrize("method", ["bertram_return", "bertram_sharpe", "zeng_lee_reverse", "leung_li"])
def test_a_path_that_is_traded_at_the_levels_returns_what_is_expected(method: str) -> None:
    options = {
        "bertram_sharpe": {"hurdle_per_trade": 0.002},
        "leung_li": {"discount_per_hour": 0.001},
    }.get(method, {})
    cost = 0.002
    found = optimal_thresholds(HOURLY, cost=cost, method=method, **options)
    bar_hours, n_bars = 0.05, 2_000_000
    path = HOURLY.draw(n_bars, rng=np.random.default_rng(5), bar_hours=bar_hours)
    # A path that is looked at now and then crosses a level late by this much, on average.
    late = 0.5826 * HOURLY.sigma_per_sqrt_hour * math.sqrt(bar_hours)
    sides = np.where(path <= found.entry + late, -1, np.where(path >= found.exit - late, 1, 0))
    turns = np.count_nonzero(np.diff(sides[sides != 0]))
    trades = turns if found.two_sided else turns / 2
    hours = n_bars * bar_hours
    assert hours / trades == pytest.approx(found.expected_cycle_hours, rel=0.12)
    error = found.return_std_per_sqrt_hour / math.sqrt(hours)
    earned = trades * (found.exit - found.entry - cost) / hours
    assert earned == pytest.approx(found.expected_return_per_hour, abs=4 * error)


@settings(max_examples=30, deadline=None)
@given(
    cost=st.floats(1e-4, 0.02),
    factor=st.floats(0.01, 1000.0),
    shift=st.floats(-10.0, 10.0),
    pace=st.floats(0.01, 100.0),
)
def test_units_of_the_spread_and_of_time_only_relabel(cost: float, factor: float, shift: float, pace: float) -> None:
    other = OrnsteinUhlenbeck(
        mu=factor * HOURLY.mu + shift,
        theta_per_hour=HOURLY.theta_per_hour * pace,
        sigma_per_sqrt_hour=HOURLY.sigma_per_sqrt_hour * factor * math.sqrt(pace),
    )
    for before, after in zip(every_method(HOURLY, cost), every_method(other, factor * cost), strict=True):
        assert after.entry_sigma == pytest.approx(before.entry_sigma, rel=1e-4)
        assert after.exit_sigma == pytest.approx(before.exit_sigma, rel=1e-4, abs=1e-9)
        assert after.entry == pytest.approx(other.mu + after.entry_sigma * other.stationary_std)
        assert after.expected_cycle_hours * pace == pytest.approx(before.expected_cycle_hours, rel=1e-3)
        assert after.expected_return_per_hour == pytest.approx(
            before.expected_return_per_hour * factor * pace, rel=1e-3
        )


@settings(max_examples=30, deadline=None)
@given(low=st.floats(0.0, 0.03), more=st.floats(1e-4, 0.03))
def test_a_higher_cost_means_a_farther_entry_and_a_lower_return(low: float, more: float) -> None:
    for cheap, dear in zip(every_method(HOURLY, low), every_method(HOURLY, low + more), strict=True):
        assert dear.entry < cheap.entry
        assert dear.expected_return_per_hour < cheap.expected_return_per_hour


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost": -0.1}, "cost must be finite and not negative, got -0.1"),
        ({"cost": math.nan}, "cost must be finite and not negative, got nan"),
        ({"cost": math.inf}, "cost must be finite and not negative, got inf"),
        ({"cost": 0.1, "method": "kelly"}, "method must be one of .* got 'kelly'"),
        ({"cost": 0.1, "method": "leung_li"}, "'leung_li' needs discount_per_hour"),
        ({"cost": 0.1, "method": "bertram_sharpe"}, "'bertram_sharpe' needs hurdle_per_trade"),
        ({"cost": 0.1, "method": "bertram_sharpe", "hurdle_per_trade": 0.0}, "hurdle_per_trade must be positive"),
        ({"cost": 0.1, "stop": 0.2}, "stop=0.2 means nothing to method 'zeng_lee_reverse'"),
        ({"cost": 0.1, "method": "leung_li", "discount_per_hour": -1.0}, "discount_per_hour must be positive"),
        (
            {"cost": 0.1, "method": "leung_li", "discount_per_hour": 0.1, "stop": math.nan},
            "stop must be finite, got nan",
        ),
        ({"cost": 0.1, "max_cycle_hours": 0.0}, "max_cycle_hours must be positive and finite, got 0.0"),
    ],
)
def test_what_cannot_be_worked_with_is_refused_by_name_and_value(options, message) -> None:
    with pytest.raises(InputError, match=message):
        optimal_thresholds(HOURLY, **options)


def test_a_fit_is_not_a_process() -> None:
    with pytest.raises(InputError, match="process must be an OrnsteinUhlenbeck, got None"):
        optimal_thresholds(None, cost=0.1)  # type: ignore[arg-type]


def test_a_result_says_what_it_assumes_and_cannot_be_changed() -> None:
    found = optimal_thresholds(HOURLY, cost=0.002)
    assert "known exactly" in found.assumptions
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.entry = 0.0  # type: ignore[misc]
