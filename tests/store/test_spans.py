from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.store.spans import merged, uncovered

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def points(spans: list[tuple[int, int]]) -> set[int]:
    return {point for start, stop in spans for point in range(start, stop)}


@given(RANGES)
def test_a_union_covers_the_same_points_and_its_ranges_do_not_touch(spans: list[tuple[int, int]]) -> None:
    union = merged(spans)
    assert points(union) == points(spans)
    assert all(left[1] < right[0] for left, right in pairwise(union))


@given(RANGES, st.integers(0, 40), st.integers(0, 40))
def test_what_is_uncovered_is_what_no_range_holds(spans: list[tuple[int, int]], start: int, stop: int) -> None:
    holes = uncovered(spans, start, stop)
    assert points(holes) == set(range(start, stop)) - points(spans)
    assert holes == merged(holes)
