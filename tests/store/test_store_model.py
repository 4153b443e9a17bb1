"""Random appends, compactions and damage against a dictionary that does the same."""

import tempfile
from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.store import CandleStore
from hlpairs_core.store.series import _together

START = pd.Timestamp("2025-01-01T00:00Z")
HOURS = 24
HOUR_MS = 3_600_000
COINS = ("A", "B", "../C")

APPEND = st.tuples(
    st.just("append"),
    st.sampled_from(COINS),
    st.tuples(st.integers(0, HOURS - 1), st.integers(0, HOURS - 1)).map(sorted),
    st.sets(st.integers(0, HOURS - 1), max_size=6),
)
MERGE = st.tuples(st.just("merge"), st.integers(2, 4))
ACTIONS = st.lists(st.one_of(APPEND, MERGE, st.just(("compact",)), st.just(("reopen",))), max_size=12)


def hour(n: int) -> pd.Timestamp:
    return START + pd.Timedelta(hours=n)


def frame(coin: str, hours: set[int], value: float) -> pd.DataFrame:
    times = pd.DatetimeIndex([hour(n) for n in sorted(hours)], tz="UTC").as_unit("ms")
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), value)
    return pd.DataFrame({"coin": [coin] * len(times), "time": times}).assign(**numbers).astype({"open": float})


@settings(max_examples=30, deadline=None)
@given(ACTIONS)
def test_a_store_equals_a_dictionary_and_a_set_of_hours(actions: list[tuple]) -> None:
    rows: dict[tuple[str, pd.Timestamp], float] = {}
    asked: dict[str, set[int]] = {coin: set() for coin in COINS}
    with tempfile.TemporaryDirectory() as folder:
        store = CandleStore(Path(folder), "1h")
        for value, action in enumerate(actions, start=1):
            if action[0] == "append":
                _, coin, (first, last), hours = action
                store.append(frame(coin, hours, float(value)), [(coin, hour(first), hour(last))])
                rows.update({(coin, hour(n)): float(value) for n in hours})
                asked[coin] |= set(range(first, last + 1))
            elif action[0] == "compact":
                store.compact()
            elif action[0] == "merge":  # as `compact` does where older segments are large
                store._disk.merge(action[1], lambda old: _together(old, HOUR_MS).closed())
            else:
                store = CandleStore(Path(folder), "1h")
        check(store, rows, asked)


def check(store: CandleStore, rows: dict[tuple[str, pd.Timestamp], float], asked: dict[str, set[int]]) -> None:
    answer = store.read()
    keys = list(zip(answer["coin"].astype(str), answer["time"], strict=True))
    assert keys == sorted(rows)
    assert dict(zip(keys, answer["close"], strict=True)) == rows
    for coin in COINS:
        missing = {
            n for n in range(HOURS) for a, b in store.missing(coin, hour(0), hour(HOURS - 1)) if a <= hour(n) <= b
        }
        assert missing == set(range(HOURS)) - asked[coin]
    covered = store.coverage()
    for coin, part in covered.groupby("coin"):
        hours = {n for n in range(HOURS) for a, b in zip(part["start"], part["end"], strict=True) if a <= hour(n) <= b}
        assert hours == asked[str(coin)]
