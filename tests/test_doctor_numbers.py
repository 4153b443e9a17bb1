import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.doctor_numbers import CHECKS, Check, run_checks


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.what)
def test_this_machine_counts_right(check: Check) -> None:
    [found] = run_checks([check])
    assert found.ok, found.text
    assert found.source == check.source


def test_the_expected_numbers_are_the_worked_ones(shared: Path) -> None:
    """The table ships without the file, so the two are compared here."""
    worked = json.loads((shared / "reference" / "worked-numbers.json").read_text())
    expected = {check.compute.__name__: (check.expected, check.tolerance) for check in CHECKS}
    sharpe, funding, trial = (
        worked["sharpe"]["value"],
        worked["hyperliquid"]["value"],
        worked["fdr_benjamini_hochberg_1995"],
    )
    for name, number in {
        "_mackinnon": worked["mackinnon"]["p_-4_N2"],
        "_critical_value": worked["mackinnon"]["eg2_c_100"][1],
        "_bonferroni": worked["mackinnon"]["bonferroni_t"]["19900"],
        "_crude_oil": worked["crude"]["value"]["eg_c"][0],
        "_benjamini_hochberg": trial["bh_adj4"],
        "_benjamini_yekutieli": trial["bh_adj4"] * trial["c15"],
        "_best_sharpe": sharpe["dsr_100"][0],
        "_deflated": sharpe["dsr_100"][1],
        "_probabilistic": sharpe["psr"],
        "_bertram": worked["ou_bertram_2010"]["value"]["m"],
        "_leung_li": worked["ou_leung_li_2015"]["value"]["b"],
        "_funding_rate": funding["funding_P1pct_hourly"],
        "_funding_paid": -funding["pay_10_at_10000"],
    }.items():
        assert number == pytest.approx(expected[name][0], abs=expected[name][1], rel=0), name


@given(error=st.floats(-2.0, 2.0), tolerance=st.floats(1e-9, 1.0))
def test_a_number_fails_exactly_beyond_its_tolerance(error: float, tolerance: float) -> None:
    [found] = run_checks([Check("a number", lambda: error, 0.0, tolerance, "nobody")])
    assert found.ok == (abs(error) <= tolerance)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_none_fails(number: float) -> None:
    [found] = run_checks([Check("a number", lambda: number, number, 1.0, "nobody")])
    assert not found.ok


def test_a_check_that_breaks_fails_alone() -> None:
    broken = replace(CHECKS[0], compute=lambda: 1 / 0)
    first, second = run_checks([broken, CHECKS[0]])
    assert not first.ok
    assert first.text == "ZeroDivisionError: division by zero"
    assert second.ok
