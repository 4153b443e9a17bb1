import sqlite3
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from screen_tables import FEE_BPS, GATES, START, closed_at, make_table

from hlpairs_core.exceptions import DataWarning, InputError, StoreError, StoreNotWritable, UnknownPair
from hlpairs_core.store import Keep, ScreenHistory, Screens, ScreenTable
from hlpairs_core.store.database import connect
from hlpairs_core.store.pair_rows import NUMBERS
from hlpairs_core.store.screen_history import PAIR_COLUMNS, report_screens

DAY = 86_400


class Clock:
    """Wall time that moves when told."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "market" / "screens.sqlite"


@pytest.fixture
def screens(path: Path, clock: Clock):
    opened = Screens(path, clock)
    yield opened
    opened.close()


@pytest.fixture
def history(screens: Screens, path: Path) -> ScreenHistory:
    return ScreenHistory(path)


def found(table: ScreenTable, one: str, other: str) -> dict[str, object]:
    """What a table says of a pair, without the store's own way of looking for it."""
    names = [(table.coins[row["y"]], table.coins[row["x"]]) for row in table.rows]
    (place,) = (place for place, pair in enumerate(names) if set(pair) == {one, other})
    row = table.rows[place]
    said = {name: float(row[name]) for name in NUMBERS} | dict(zip(("y", "x"), names[place], strict=True))
    failed = [gate for bit, gate in enumerate(table.gates) if row["failed"] & (1 << bit)]
    return said | {"gates_failed": ", ".join(failed)}


def test_a_pair_s_past_is_what_each_screen_found_of_it_whichever_coin_is_named_first(
    screens: Screens, history: ScreenHistory
) -> None:
    tables = [make_table(hour) for hour in range(20)]
    for table in reversed(tables):
        screens.add(table, final=True)
    past = history.pair("BTC", "XRP")
    assert tuple(past.columns) == PAIR_COLUMNS
    assert past["time"].tolist() == [START + pd.Timedelta(hours=hour) for hour in range(20)]
    assert past["closed_at"].tolist() == [closed_at(hour) for hour in range(20)]
    for hour, row in past.iterrows():
        assert {name: row[name] for name in found(tables[hour], "BTC", "XRP")} == found(tables[hour], "XRP", "BTC")
    assert set(past["y"]) == {"BTC", "XRP"}, "the pair was tested in both orientations"
    pd.testing.assert_frame_equal(history.pair("XRP", "BTC"), past)


def test_the_net_edge_is_what_the_reversion_leaves_after_fee_and_slippage_with_funding(
    screens: Screens, history: ScreenHistory
) -> None:
    screens.add(make_table(0), final=True)
    (row,) = history.pair("ETH", "SOL").itertuples()
    assert row.fee_bps == FEE_BPS
    assert row.net_edge_bps == pytest.approx(row.gross_bps - FEE_BPS - row.slippage_bps + row.funding_bps, rel=1e-12)


def test_what_a_screen_could_not_say_is_nan(screens: Screens, history: ScreenHistory) -> None:
    table = make_table(0, ("BTC", "ETH"))
    for name in NUMBERS:
        table.rows[name] = np.nan
    screens.add(table, final=True)
    past = history.pair("BTC", "ETH")
    assert past[[*NUMBERS, "net_edge_bps"]].isna().all(axis=None)


def test_a_past_may_begin_at_any_bar(screens: Screens, history: ScreenHistory) -> None:
    for hour in range(5):
        screens.add(make_table(hour), final=True)
    since = history.pair("BTC", "ETH", since=closed_at(2))
    assert since["closed_at"].tolist() == [closed_at(hour) for hour in (2, 3, 4)]
    after = history.pair("BTC", "ETH", since=(closed_at(2) + pd.Timedelta("1us")).tz_convert("Asia/Tokyo"))
    assert after["closed_at"].tolist() == [closed_at(3), closed_at(4)]
    later = history.pair("BTC", "ETH", since=closed_at(5))
    assert later.empty
    assert later.dtypes.equals(since.dtypes)
    with pytest.raises(InputError, match="without a time zone: say which"):
        history.pair("BTC", "ETH", since=pd.Timestamp("2025-01-01"))


def test_a_pair_or_a_coin_that_no_screen_has_is_named(screens: Screens, history: ScreenHistory) -> None:
    screens.add(make_table(0, ("BTC", "ETH")), final=True)
    screens.add(make_table(1, ("ETH", "SOL")), final=True)
    with pytest.raises(UnknownPair, match="no screen that is kept has tested 'BTC' with 'SOL'"):
        history.pair("BTC", "SOL")
    with pytest.raises(UnknownPair, match="no screen that is kept has tested 'SOL' with 'BTC'"):
        history.pair("SOL", "BTC", since=closed_at(0))
    with pytest.raises(UnknownPair, match="has the coin 'DOGE'"):
        history.pair("ETH", "DOGE")
    with pytest.raises(InputError, match="'ETH' is named twice"):
        history.pair("ETH", "ETH")


@pytest.mark.parametrize("name", ["'; DROP TABLE pairs; --", "%", "_", "../x", "<b>", "a\x00b", "a", "Ä", "💥", ""])
def test_names_of_strangers_are_only_data(screens: Screens, history: ScreenHistory, name: str) -> None:
    with pytest.raises(UnknownPair):
        history.pair(name, "BTC")
    screens.add(make_table(0, (name, "BTC")), final=True)
    assert len(history.pair(name, "BTC")) == 1
    assert name in history.table(closed_at(0)).loc[0, ["y", "x"]].tolist()


def test_half_a_character_is_no_coin(screens: Screens, history: ScreenHistory) -> None:
    screens.add(make_table(0), final=True)
    with pytest.raises(UnknownPair, match="ud800"):
        history.pair("BTC", "\ud800")


def test_a_later_answer_of_a_bar_replaces_the_earlier_one_but_never_the_final_one(
    screens: Screens, history: ScreenHistory
) -> None:
    first, last = make_table(0, ("BTC", "ETH")), make_table(0, seed=1, qualifies=True, verdict="Long ETH.")
    assert screens.add(first, final=False)
    assert history.pair("ETH", "BTC")["is_final"].tolist() == [False]
    assert screens.add(last, final=True)
    assert not screens.add(first, final=False)
    past = history.pair("ETH", "BTC")
    assert past[["is_final", "zscore"]].values.tolist() == [[True, found(last, "ETH", "BTC")["zscore"]]]
    (screen,) = history.screens().itertuples()
    assert (screen.n_tests, screen.is_final, screen.qualifies, screen.verdict) == (6, True, True, "Long ETH.")
    assert screens.add(make_table(0, ("BTC", "ETH"), seed=2), final=True), "with other settings, say"
    assert len(history.table(closed_at(0))) == 1


def test_a_screen_without_a_pair_is_kept_too(screens: Screens, history: ScreenHistory) -> None:
    screens.add(make_table(0, ("BTC",)), final=True)
    assert history.screens()["n_tests"].tolist() == [0]
    with pytest.raises(InputError, match="no pair is kept of a screen of the bar that closed at 2025-01-01 01:00"):
        history.table(closed_at(0))


def test_a_screen_says_what_was_asked_and_answered(screens: Screens, history: ScreenHistory, clock: Clock) -> None:
    screens.add(make_table(0), final=True)
    clock.now += 3600
    screens.add(make_table(1, asked={"settings": {"window": 200}, "costs": {}}), final=True)
    screens.add(make_table(2), final=False)
    said, asked = history.screens(), history.asked()
    assert said["closed_at"].tolist() == [closed_at(hour) for hour in range(3)]
    assert said["recorded_at"].dt.strftime("%H:%M").tolist() == ["15:06", "16:06", "16:06"]
    assert said["n_pairs"].tolist() == said["n_tests"].tolist() == [6] * 3
    assert said["expected_by_luck"].tolist() == [6 * 0.05] * 3
    assert [asked[one]["settings"]["window"] for one in said["settings"]] == [336, 200, 336]
    assert all(one["gates"] == list(GATES) for one in asked.values())
    assert history.pair("BTC", "ETH")["settings"].tolist() == said["settings"].tolist()


def test_gates_that_were_added_later_do_not_rename_those_of_old_screens(
    screens: Screens, history: ScreenHistory
) -> None:
    old = make_table(0, ("BTC", "ETH"))
    old.rows["failed"] = 0b101
    new = make_table(1, ("BTC", "ETH"), gates=("listed", *GATES))
    new.rows["failed"] = 0b1011
    for table in (old, new):
        screens.add(table, final=True)
    assert history.pair("BTC", "ETH")["gates_failed"].tolist() == ["cointegrated, edge", "listed, cointegrated, edge"]


def test_after_a_month_the_best_pairs_of_a_screen_are_left_and_the_newest_screen_stays_whole(
    path: Path, clock: Clock
) -> None:
    screens, history = Screens(path, clock, keep=Keep(days=30, best=2)), ScreenHistory(path)
    tables = [make_table(hour) for hour in range(3)]
    for table in tables:
        screens.add(table, final=True)
        clock.now += DAY
    clock.now += 28 * DAY  # 31, 30 and 29 days after they were made
    assert screens.prune() == 1
    assert history.screens()["is_whole"].tolist() == [False, True, True]
    best = {frozenset((tables[0].coins[row["y"]], tables[0].coins[row["x"]])) for row in tables[0].rows[:2]}
    for one, other in combinations(tables[0].coins, 2):
        hours = history.pair(one, other)["time"].dt.hour.tolist()
        assert hours == ([0, 1, 2] if {one, other} in best else [1, 2])
    clock.now += 1000 * DAY
    assert screens.prune() == 1
    assert screens.prune() == 0
    assert [len(history.table(closed_at(hour))) for hour in range(3)] == [2, 2, 6]
    screens.close()


def test_a_file_that_grows_too_large_loses_its_oldest_screens_and_shrinks(path: Path, clock: Clock) -> None:
    coins = [f"C{number}" for number in range(60)]
    screens = Screens(path, clock)
    for hour in range(30):
        screens.add(make_table(hour, coins), final=True)
    screens.close()
    before = path.stat().st_size
    limited = Screens(path, clock, keep=Keep(megabytes=1.0))
    reduced = limited.prune()
    limited.close()
    whole = ScreenHistory(path).screens()["is_whole"].tolist()
    assert whole == [False] * reduced + [True] * (30 - reduced)
    assert 5 < reduced < 30
    assert before > 2_000_000
    # What lies free in the file is given back only where it is more than the next screens take.
    database = connect(path)
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    database.close()
    assert (pages - free) * size <= 1_000_000


def test_many_free_pages_are_given_back(path: Path, clock: Clock) -> None:
    coins = [f"C{number}" for number in range(120)]
    screens = Screens(path, clock, keep=Keep(days=1, best=1))
    for hour in range(22):
        screens.add(make_table(hour, coins), final=True)
    screens.close()
    assert path.stat().st_size > 5_500_000
    clock.now += 2 * DAY
    assert screens.prune() == 21
    screens.close()  # which empties the log into the file
    assert path.stat().st_size < 4_600_000
    assert len(ScreenHistory(path).table(closed_at(21))) == 120 * 119 / 2


@pytest.mark.parametrize("wrong", [{"days": 0}, {"days": float("nan")}, {"megabytes": -1}, {"best": -1}])
def test_what_cannot_be_kept_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="use days and megabytes above 0"):
        Keep(**wrong)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 4),
            st.lists(st.sampled_from(["A", "B", "C", "D", "E"]), min_size=1, unique=True),
            st.booleans(),
            st.integers(0, 9),
        ),
        max_size=8,
    )
)
def test_whatever_is_added_in_whatever_order_is_found_again(tmp_path_factory, steps) -> None:
    path = tmp_path_factory.mktemp("any") / "screens.sqlite"
    screens, history, held = Screens(path, lambda: 0.0), ScreenHistory(path), {}
    for hour, coins, final, seed in steps:
        table = make_table(hour, coins, seed=seed)
        kept = hour in held and held[hour][1] and not final
        assert screens.add(table, final=final) is not kept
        if not kept:
            held[hour] = (table, final)
    for one, other in combinations("ABCDE", 2):
        hours = [hour for hour, (table, _) in sorted(held.items()) if {one, other} <= set(table.coins)]
        if not hours:
            with pytest.raises(UnknownPair):
                history.pair(one, other)
            continue
        past = history.pair(one, other)
        assert past["time"].dt.hour.tolist() == hours
        for hour, row in zip(hours, past.to_dict("records"), strict=True):
            expected = found(held[hour][0], one, other) | {"is_final": held[hour][1]}
            assert {name: row[name] for name in expected} == expected
    screens.close()


def test_a_reader_sees_the_table_that_was_there_until_the_new_one_is_there_whole(
    screens: Screens, history: ScreenHistory, path: Path
) -> None:
    screens.add(make_table(0), final=False)
    writer = connect(path)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM pairs")
    assert len(history.table(closed_at(0))) == 6
    writer.close()  # as when it is killed
    assert len(history.table(closed_at(0))) == 6
    screens.add(make_table(0, ("BTC", "ETH")), final=True)
    assert len(history.table(closed_at(0))) == 1


def test_each_table_is_flushed_to_the_disk_before_it_counts_as_stored(path: Path, clock: Clock) -> None:
    opened: list[sqlite3.Connection] = []

    def watched(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[-1]

    screens = Screens(path, clock, connect=watched)
    full, incremental = 2, 2
    pragmas = {name: opened[0].execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "auto_vacuum")}
    assert pragmas == {"synchronous": full, "auto_vacuum": incremental}
    assert opened[0].execute("PRAGMA journal_mode").fetchone() == ("wal",)
    screens.close()


def test_a_full_disk_is_named_and_what_was_stored_stays(path: Path, clock: Clock) -> None:
    def full(path: Path) -> sqlite3.Connection:
        database = connect(path)
        database.execute("PRAGMA max_page_count = 24")
        return database

    screens, history = Screens(path, clock, connect=full), ScreenHistory(path)
    screens.add(make_table(0), final=False)
    with pytest.raises(StoreNotWritable, match=f"cannot write to {path.parent}.*full.*make room"):
        screens.add(make_table(0, [f"C{number}" for number in range(100)]), final=True)
    assert len(history.table(closed_at(0))) == 6
    screens.add(make_table(1), final=True)
    assert len(history.pair("BTC", "ETH")) == 2
    screens.close()


def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these were screens once" * 1000)
    with pytest.raises(StoreError, match=r"cannot read the screen history .*file is not a database"):
        ScreenHistory(path).screens()
    screens = Screens(path, clock)
    assert "cannot be read as a screen history (file is not a database); it was set aside" in str(screens.problems[0])
    screens.add(make_table(0), final=True)
    assert len(ScreenHistory(path).table(closed_at(0))) == 6
    screens.close()


def test_a_damaged_part_hides_no_other_and_is_named(screens: Screens, history: ScreenHistory, path: Path) -> None:
    for hour in range(3):
        screens.add(make_table(hour), final=True)
    database = connect(path)
    closed_ms = int(closed_at(1).timestamp() * 1000)
    database.execute("UPDATE pairs SET rows = substr(rows, 2) WHERE closed_ms = ?", (closed_ms,))
    database.close()
    with pytest.warns(DataWarning, match=r"closed at 2025-01-01 02:00:00.*: a part of a screen cannot be read"):
        past = history.pair("BTC", "ETH")
    assert past["time"].dt.hour.tolist() == [0, 2]


@pytest.mark.parametrize("read", [Screens, lambda path: ScreenHistory(path).pair("A", "B"), report_screens])
def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(
    screens: Screens, path: Path, read: Callable[[Path], object]
) -> None:
    screens.close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(StoreError, match=r"screen history .* has version 2, this hlpairs knows 1: update hlpairs"):
        read(path)
    assert {file.name for file in path.parent.iterdir()} <= {path.name, path.name + "-wal", path.name + "-shm"}


def test_a_journal_is_no_screen_history(tmp_path: Path) -> None:
    from hlpairs_core.store import Journal

    Journal(tmp_path / "journal.sqlite").close()
    with pytest.raises(StoreError, match="a database of something else"):
        ScreenHistory(tmp_path / "journal.sqlite").screens()


def test_the_report_counts_what_is_held(screens: Screens, path: Path) -> None:
    assert report_screens(path).first_closed_ms is None
    for hour in range(3):
        screens.add(make_table(hour), final=True)
    report = report_screens(path)
    assert (report.screens, report.whole) == (3, 3)
    assert [report.first_closed_ms, report.last_closed_ms] == [closed_at(hour).timestamp() * 1000 for hour in (0, 2)]
    assert report.bytes == sum(path.with_name(path.name + end).stat().st_size for end in ("", "-wal"))
