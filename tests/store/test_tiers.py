import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.store.tiers import CHEAP_ROWS, SEALED_ROWS, worth_merging


@pytest.mark.parametrize(
    ("rows", "taken"),
    [
        ([], 0),
        ([5], 0),
        ([5, 5], 2),
        ([40_000, 10, 0], 3),
        ([CHEAP_ROWS, 10, 10], 2),
        ([CHEAP_ROWS, CHEAP_ROWS - 20, 10, 10], 4),
        ([CHEAP_ROWS + 1, CHEAP_ROWS - 20, 10, 10], 3),
        ([SEALED_ROWS, 10, 10], 2),
        ([10, SEALED_ROWS, 10, 10], 2),
        ([10, 10, SEALED_ROWS], 0),
        ([SEALED_ROWS - 1] * 5, 2),
    ],
)
def test_small_and_equal_neighbours_are_merged_and_large_ones_rest(rows: list[int], taken: int) -> None:
    assert worth_merging(rows) == taken


@given(st.lists(st.integers(0, 2 * SEALED_ROWS), max_size=80))
def test_a_merge_is_bounded_however_long_the_history(rows: list[int]) -> None:
    taken = worth_merging(rows)
    assert taken == 0 or 2 <= taken <= len(rows)
    assert sum(rows[len(rows) - taken :]) < 2 * SEALED_ROWS


def test_years_of_bars_are_rewritten_a_few_times_each_and_rest_in_few_files() -> None:
    rows: list[int] = []
    rewritten = most = 0
    bars, coins = 5 * 365 * 24, 190
    for _ in range(bars):
        rows.append(coins)
        if (taken := worth_merging(rows)) > 60:
            rewritten += sum(rows[-taken:])
            rows[-taken:] = [sum(rows[-taken:])]
        most = max(most, len(rows))
    stored = bars * coins
    assert sum(rows) == stored
    # Within the cheap size each merge of 61 bars takes along what is there, then sizes double until sealed.
    assert rewritten / stored < CHEAP_ROWS / (61 * coins) + math.log2(SEALED_ROWS / CHEAP_ROWS) + 1
    assert most <= 61 + stored / (SEALED_ROWS / 2) + math.log2(SEALED_ROWS / CHEAP_ROWS) + 2
