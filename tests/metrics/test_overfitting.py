import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress, rankdata

from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics import probability_of_overfitting


def by_the_book(table: np.ndarray, n_blocks: int) -> tuple[list[float], list[float], list[float]]:
    """The published algorithm, split by split, on the returns themselves."""
    blocks = np.array_split(table, n_blocks)
    logits, inside, outside = [], [], []
    for chosen in combinations(range(n_blocks), n_blocks // 2):
        halves = [
            np.concatenate([block for at, block in enumerate(blocks) if (at in chosen) == wanted])
            for wanted in (True, False)
        ]
        own, other = (half.mean(axis=0) / half.std(axis=0, ddof=1) for half in halves)
        best = int(np.argmax(own))
        rank = rankdata(other)[best] / (table.shape[1] + 1)
        logits.append(math.log(rank / (1 - rank)))
        inside.append(own[best])
        outside.append(other[best])
    return logits, inside, outside


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), n_tries=st.integers(2, 9), n_bars=st.integers(16, 90), mean=st.floats(-2, 2))
def test_it_is_the_published_algorithm(seed: int, n_tries: int, n_bars: int, mean: float) -> None:
    table = np.random.default_rng(seed).normal(mean, 1.0, size=(n_bars, n_tries))
    logits, inside, outside = by_the_book(table, 8)
    found = probability_of_overfitting(table, n_blocks=8)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-9)
    np.testing.assert_allclose(found.sharpe_in, inside, rtol=1e-9)
    np.testing.assert_allclose(found.sharpe_out, outside, rtol=1e-9)
    assert found.probability == np.mean(np.array(logits) <= 0)
    assert found.probability_of_loss == np.mean(np.array(outside) < 0)
    assert found.degradation == pytest.approx(linregress(inside, outside).slope)
    assert (found.n_tries, found.n_splits) == (n_tries, 70)


def test_choosing_among_tries_without_skill_is_guessing() -> None:
    rng = np.random.default_rng(1)
    found = [probability_of_overfitting(rng.normal(size=(400, 20)), n_blocks=8).probability for _ in range(100)]
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / 10)


def test_a_try_that_is_truly_better_is_chosen_again() -> None:
    table = np.random.default_rng(2).normal(size=(2_000, 30))
    table[:, 7] += 0.2
    found = probability_of_overfitting(table)
    assert found.probability < 0.01
    assert found.probability_of_loss < 0.01
    assert found.n_splits == 12_870


def test_tries_that_only_look_good_by_chance_turn() -> None:
    """Deviations from one total: what a try gained in one half it lost in the other."""
    table = np.random.default_rng(3).normal(size=(800, 40))
    table -= table.mean(axis=0)
    found = probability_of_overfitting(table, n_blocks=10)
    assert found.probability > 0.9
    assert found.degradation == pytest.approx(-1.0, abs=0.1)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-4, 1e4))
def test_units_and_the_order_of_the_tries_do_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(60, 6))
    found, same = (probability_of_overfitting(one, n_blocks=6) for one in (table, scale * table[:, rng.permutation(6)]))
    np.testing.assert_allclose(same.logits, found.logits)
    assert same.probability == found.probability


def test_twins_share_a_rank() -> None:
    """Of eight equal tries each is the median one, in every split."""
    found = probability_of_overfitting(np.tile(np.random.default_rng(5).normal(size=(90, 1)), 8), n_blocks=6)
    assert (found.logits == 0.0).all()
    assert found.probability == 1.0


def test_a_try_that_stays_out_counts_as_zero() -> None:
    """It beats a try that always loses, and its ratio is 0 in each half."""
    losing = np.random.default_rng(6).normal(-1.0, 0.1, size=120)
    found = probability_of_overfitting(pd.DataFrame({"losing": losing, "out": 0.0}), n_blocks=4)
    assert (found.sharpe_in == 0.0).all()
    assert (found.sharpe_out == 0.0).all()
    assert found.probability == 0.0
    assert math.isnan(found.degradation)


@pytest.mark.parametrize(
    ("table", "n_blocks", "words"),
    [
        (np.ones((40, 1)), 4, "has one try"),
        (np.ones(40), 4, r"table \(bars, tries\).*shape \(40,\)"),
        (np.ones((40, 0)), 4, r"shape \(40, 0\)"),
        (np.zeros((7, 2)), 4, "has 7 bars: at least 8"),
        (np.zeros((40, 2)), 5, "n_blocks is 5: use an even number"),
        (np.zeros((40, 2)), 22, "n_blocks is 22"),
        (pd.DataFrame({"a": [1.0, 2.0] * 8, "b": [1.0, math.nan] * 8}), 4, "returns of try 'b' has 8 missing"),
        (
            np.c_[np.arange(40.0), np.full(40, 0.1)],
            4,
            r"try 1 \(counted from 0\) has one return in every bar of a half",
        ),
    ],
)
def test_what_is_no_table_of_tries_is_refused(table, n_blocks: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        probability_of_overfitting(table, n_blocks=n_blocks)
