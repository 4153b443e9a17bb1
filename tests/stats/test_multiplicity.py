import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests
from statsmodels.tsa.adfvalues import mackinnoncrit, mackinnonp

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni_t,
    expected_best_sharpe,
    expected_false_positives,
)

# The 15 tests of the thrombolysis example in Benjamini and Hochberg (1995).
PUBLISHED = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
    0.7590, 1.0,
]  # fmt: skip
RULES = [(benjamini_hochberg, "fdr_bh"), (benjamini_yekutieli, "fdr_by")]


def test_the_published_example_has_its_published_discoveries() -> None:
    q = benjamini_hochberg(PUBLISHED)
    assert (q <= 0.05).sum() == 4
    assert q[3] == pytest.approx(0.035625)
    assert (benjamini_yekutieli(PUBLISHED) <= 0.05).sum() == 3
    assert benjamini_yekutieli(PUBLISHED)[3] == pytest.approx(0.035625 * 3.3182289932289937)


@pytest.mark.parametrize(("rule", "name"), RULES)
@given(p=st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=40))
def test_q_values_are_those_of_statsmodels(rule, name: str, p: list[float]) -> None:
    np.testing.assert_allclose(rule(p), multipletests(p, method=name)[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize(("rule", "name"), RULES)
def test_a_test_without_a_number_is_not_counted(rule, name: str) -> None:
    p = np.array([0.01, np.nan, 0.04, np.nan, 0.2])
    q = rule(p)
    assert np.isnan(q[[1, 3]]).all()
    np.testing.assert_allclose(q[[0, 2, 4]], rule([0.01, 0.04, 0.2]))


@pytest.mark.parametrize(("rule", "name"), RULES)
@pytest.mark.parametrize("p", [[], [np.nan, np.nan]])
def test_no_tests_have_no_discoveries(rule, name: str, p: list[float]) -> None:
    q = rule(p)
    assert len(q) == len(p)
    assert np.isnan(q).all()


@pytest.mark.parametrize(("rule", "name"), RULES)
@pytest.mark.parametrize(
    ("p", "words"),
    [
        ([0.2, 1.5], "must be in .0, 1., got .*1.5.* at position 1"),
        ([-0.1], "at position 0"),
        (np.zeros((2, 2)), r"one-dimensional, got shape \(2, 2\)"),
    ],
)
def test_what_is_no_list_of_p_values_is_refused(rule, name: str, p: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        rule(p)


def test_all_pairs_of_two_hundred_coins_promise_995_false_positives() -> None:
    assert expected_false_positives(19_900, 0.05) == pytest.approx(995.0)


@pytest.mark.parametrize(
    ("n_tests", "alpha", "words"), [(-1, 0.05, "n_tests"), (10, 1.2, "alpha"), (10, np.nan, "alpha")]
)
def test_impossible_counts_and_levels_are_refused(n_tests: int, alpha: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        expected_false_positives(n_tests, alpha)


def test_thresholds_and_best_ratios_are_the_worked_ones(shared: Path) -> None:
    """Computed independently, at alpha = 5 % and infinitely many bars; ratios of one-year tries."""
    worked = json.loads((shared / "reference" / "worked-numbers.json").read_text())
    for n_tests, t_stat in worked["mackinnon"]["bonferroni_t"].items():
        assert bonferroni_t(int(n_tests)).t_stat == pytest.approx(t_stat, abs=5e-6)
    for n_tries, ratio in worked["sharpe"]["value"]["emax"].items():
        assert expected_best_sharpe(int(n_tries), sharpe_sd=1.0) == pytest.approx(ratio, rel=1e-12)


@given(n_tests=st.integers(1, 10**6), alpha=st.floats(1e-4, 0.2), trend=st.sampled_from(["c", "ct"]))
def test_a_pair_at_the_threshold_has_the_p_that_bonferroni_asks_for(n_tests: int, alpha: float, trend: str) -> None:
    threshold = bonferroni_t(n_tests, alpha=alpha, trend=trend)
    assert threshold.p_value == alpha / n_tests
    assert mackinnonp(threshold.t_stat, regression=trend, N=2) == pytest.approx(threshold.p_value, rel=1e-9)


@pytest.mark.parametrize(("alpha", "column"), [(0.01, 0), (0.05, 1), (0.10, 2)])
def test_few_bars_lower_the_threshold_as_they_lower_the_critical_values(alpha: float, column: int) -> None:
    shift = mackinnoncrit(N=2, regression="c", nobs=335)[column] - mackinnoncrit(N=2, regression="c")[column]
    assert bonferroni_t(1, 335, alpha=alpha).t_stat - bonferroni_t(1, alpha=alpha).t_stat == pytest.approx(shift)


@given(n_tests=st.integers(1, 10**6))
def test_more_tests_and_fewer_bars_ask_for_more(n_tests: int) -> None:
    assert bonferroni_t(n_tests + 1).t_stat < bonferroni_t(n_tests).t_stat
    assert bonferroni_t(n_tests, 335).t_stat < bonferroni_t(n_tests, 671).t_stat < bonferroni_t(n_tests).t_stat


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_tests": 0}, "n_tests is 0"),
        ({"n_tests": 10.5}, "n_tests is 10.5"),
        ({"n_tests": 10, "alpha": 1.0}, "alpha is 1.0"),
        ({"n_tests": 10, "n_obs": -1}, "n_obs must be positive"),
        ({"n_tests": 10, "trend": "n"}, "trend"),
        ({"n_tests": 10, "alpha": 1e-40}, "p-values end at 1.9e-29"),
    ],
)
def test_a_threshold_that_does_not_exist_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        bonferroni_t(**arguments)


@pytest.mark.parametrize(("n_tries", "error"), [(10, 0.024), (100, 0.01), (1000, 0.005), (20_000, 0.0025)])
def test_the_best_of_many_ratios_without_skill_is_expected_where_normals_have_their_largest(
    n_tries: int, error: float
) -> None:
    exact, _ = quad(lambda z: z * n_tries * norm.pdf(z) * norm.cdf(z) ** (n_tries - 1), -10, 12, limit=500)
    assert expected_best_sharpe(n_tries, sharpe_sd=1.0) == pytest.approx(exact, rel=error)


def test_the_best_of_simulated_ratios_without_skill_is_as_high_as_said() -> None:
    """A hundred strategies of four years of daily returns each, annualised: their ratios have an sd of 1 / 2."""
    returns = np.random.default_rng(14).normal(size=(60, 100, 1008))
    ratios = returns.mean(axis=2) / returns.std(axis=2) * np.sqrt(252)
    best = ratios.max(axis=1)
    expected = expected_best_sharpe(100, sharpe_sd=0.5)
    assert best.mean() == pytest.approx(expected, abs=4 * best.std() / np.sqrt(len(best)))


def test_a_single_try_is_not_expected_to_show_anything() -> None:
    assert expected_best_sharpe(1, sharpe_sd=2.0) == 0.0


@pytest.mark.parametrize(("n_tries", "sd", "words"), [(0, 1.0, "n_tries"), (10, -1.0, "sharpe_sd"), (10, np.nan, "sd")])
def test_impossible_tries_are_refused(n_tries: int, sd: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        expected_best_sharpe(n_tries, sharpe_sd=sd)
