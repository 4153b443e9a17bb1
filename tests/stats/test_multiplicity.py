import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import benjamini_hochberg, benjamini_yekutieli, expected_false_positives

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
