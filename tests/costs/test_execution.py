"""Execution in parts, against the worked example of Almgren and Chriss and a numerical minimum."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from hlpairs_core.costs import ExecutionModel
from hlpairs_core.exceptions import InputError

PAPER = ExecutionModel(volatility_usd=0.95, fixed_usd=0.0625, temporary=2.5e-6, permanent=2.5e-7)


@pytest.mark.recordings
def test_the_worked_example_of_the_paper_is_met(shared: Path) -> None:
    told = json.loads((shared / "reference" / "worked-numbers.json").read_text())["almgren_chriss_2000"]["value"]
    averse = PAPER.efficient(1_000_000, days=5, n_steps=5, risk_aversion_per_usd=1e-6)
    assert averse.urgency_per_day == pytest.approx(told["lam1e-6"]["kappa"], rel=1e-9)
    np.testing.assert_allclose(averse.holdings, told["lam1e-6"]["holdings"], rtol=1e-9)
    assert averse.expected_cost_usd == pytest.approx(told["lam1e-6"]["E"], rel=1e-9)
    assert averse.sd_usd == pytest.approx(told["lam1e-6"]["sd"], rel=1e-9)
    even = PAPER.efficient(1_000_000, days=5, n_steps=5)
    assert even.expected_cost_usd == pytest.approx(told["twap_E"])
    assert even.sd_usd == pytest.approx(told["twap_sd"])


def test_the_papers_rule_for_its_parameters_is_met() -> None:
    # 50 USD, a spread of 1/8, 5 million shares a day, 0.95 USD a day.
    model = ExecutionModel.from_market(50.0, half_spread_bps=12.5, day_volatility_bps=190.0, day_notional_usd=5e6 * 50)
    got = [model.volatility_usd, model.fixed_usd, model.temporary, model.permanent]
    assert got == pytest.approx([0.95, 0.0625, 2.5e-6, 2.5e-7])


@given(st.floats(1e-9, 1e-5), st.integers(2, 6))
def test_no_other_schedule_is_cheaper_by_its_own_measure(risk_aversion: float, n_steps: int) -> None:
    best = PAPER.efficient(1e6, days=5, n_steps=n_steps, risk_aversion_per_usd=risk_aversion)

    def measure(inner: Any) -> float:
        schedule = PAPER.cost_of([1e6, *(1e6 * inner), 0.0], days=5)
        return schedule.expected_cost_usd + risk_aversion * schedule.sd_usd**2

    found = minimize(measure, np.linspace(1, 0, n_steps + 1)[1:-1], method="BFGS", options={"gtol": 1e-3})
    assert best.expected_cost_usd + risk_aversion * best.sd_usd**2 <= found.fun * (1 + 1e-9)
    np.testing.assert_allclose(best.holdings[1:-1] / 1e6, found.x, atol=2e-3)


def test_a_schedule_that_is_given_costs_what_the_efficient_one_of_its_holdings_does() -> None:
    best = PAPER.efficient(1e6, days=2, n_steps=4, risk_aversion_per_usd=1e-6)
    again = PAPER.cost_of(best.holdings, days=2)
    assert (again.expected_cost_usd, again.sd_usd) == pytest.approx((best.expected_cost_usd, best.sd_usd))
    assert best.trades.sum() == pytest.approx(1e6)
    assert np.isnan(again.urgency_per_day)


def test_more_fear_of_risk_costs_more_and_varies_less() -> None:
    schedules = [
        PAPER.efficient(1e6, days=5, n_steps=20, risk_aversion_per_usd=averse) for averse in (0, 1e-7, 1e-6, 1e-3)
    ]
    assert np.all(np.diff([schedule.expected_cost_usd for schedule in schedules]) > 0)
    assert np.all(np.diff([schedule.sd_usd for schedule in schedules]) < 0)


def test_a_boundless_fear_of_risk_sells_at_once() -> None:
    schedule = PAPER.efficient(1e6, days=5, n_steps=5, risk_aversion_per_usd=1e6)
    np.testing.assert_allclose(schedule.holdings, [1e6, 0, 0, 0, 0, 0], atol=1e-3)
    assert PAPER.efficient(1e6, days=5, n_steps=1).holdings.tolist() == [1e6, 0.0]


def test_what_cannot_be_executed_is_refused() -> None:
    with pytest.raises(InputError, match=r"steps of 30 days leave a temporary impact of .*: take shorter steps"):
        PAPER.efficient(1e6, days=30, n_steps=1)
    with pytest.raises(InputError, match="temporary is -1"):
        ExecutionModel(volatility_usd=1, fixed_usd=1, temporary=-1)
    with pytest.raises(InputError, match="units is 0: use a finite number above 0"):
        PAPER.efficient(0, days=1, n_steps=1)
    with pytest.raises(InputError, match="the last one 0"):
        PAPER.cost_of([1e6, 5e5], days=1)
    with pytest.raises(InputError, match="day_notional_usd is 0"):
        ExecutionModel.from_market(1, half_spread_bps=1, day_volatility_bps=1, day_notional_usd=0)
