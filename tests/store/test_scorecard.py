import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError, StoreError, StoreNotWritable
from hlpairs_core.store import Came, Said, ScorecardFile, read_scorecard
from hlpairs_core.store.database import connect
from hlpairs_core.store.scorecard_reader import SCORECARD_COLUMNS, report_scorecard

HOUR_MS = 3_600_000
START = pd.Timestamp("2025-01-01T00:00Z")
ASKED = {"settings": {"interval": "1h", "horizon_hours": 48.0}, "costs": {"taker_fee_bps": 4.5}}
SIGNAL = {"kind": "perp_perp", "y": "ETH", "x": "BTC", "side_y": "short", "side_x": "long", "beta": 0.7, "drift": None}


def closed_at(hour: int) -> pd.Timestamp:
    return START + pd.Timedelta(hours=hour + 1)


def said(hour: int, rule: str = "answer", **changes) -> Said:
    """What a rule said of an hour: short ETH, long BTC, unless told otherwise."""
    values = {"qualifies": True, "calibrated": rule == "answer", "text": f"Short ETH in hour {hour}.", "asked": ASKED}
    values |= {"signal": SIGNAL, "raw_net_bps": 600.0, "closed_ms": int(closed_at(hour).timestamp() * 1000)}
    return Said(rule=rule, **(values | changes))


def none(hour: int, rule: str = "answer") -> Said:
    return said(hour, rule, qualifies=False, text="No pair qualifies.", signal=None, raw_net_bps=np.nan)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "market" / "scorecard.sqlite"


@pytest.fixture
def file(path: Path):
    opened = ScorecardFile(path, lambda: 1_750_000_000.0)
    yield opened
    opened.close()


def came(hour: int, rule: str = "answer", **changes) -> Came:
    return Came(closed_ms=said(hour).closed_ms, rule=rule, **changes)


def test_what_was_said_and_what_came_of_it_is_read_as_it_was_written(file: ScorecardFile, path: Path) -> None:
    model = {"mean_net_bps": 12.5, "standard_error_bps": 4.0, "lower_net_bps": 7.38}
    times = {"market_ms": said(0).closed_ms + 4000, "fitted_ms": said(0).closed_ms - 400 * HOUR_MS}
    assert file.add([said(0, **model, **times), said(0, "raw")])
    amounts = {"gross_bps": 40.0, "fee_bps": 9.0, "slippage_bps": 3.0, "funding_bps": -1.0, "net_bps": 27.0}
    ends = {"entry_ms": said(0).closed_ms, "exit_ms": said(5).closed_ms, "exit_reason": "reverted", "hold_hours": 5.0}
    assert file.mark([came(0, **amounts, **ends)]) == 1
    answer, raw = read_scorecard(path).to_dict("records")
    assert tuple(answer) == SCORECARD_COLUMNS
    assert {name: answer[name] for name in model} == model
    assert {name: answer[f"realised_{name}"] for name in amounts} == amounts
    assert (answer["closed_at"], answer["said_at"]) == (closed_at(0), closed_at(0) + pd.Timedelta(seconds=4))
    assert (answer["entry_time"], answer["exit_time"]) == (closed_at(0), closed_at(5))
    assert answer["recorded_at"] == answer["marked_at"] == pd.Timestamp(1_750_000_000, unit="s", tz="UTC")
    assert (answer["fitted_until"], answer["exit_reason"], answer["hold_hours"]) == (
        closed_at(0) - pd.Timedelta(hours=400),
        "reverted",
        5.0,
    )
    assert [answer[name] for name in ("rule", "kind", "y", "x", "side_y", "side_x", "interval", "horizon_hours")] == [
        "answer", "perp_perp", "ETH", "BTC", "short", "long", "1h", 48.0,
    ]  # fmt: skip
    assert (answer["qualifies"], answer["calibrated"], answer["unknown"]) == (True, True, "")
    assert (raw["rule"], raw["calibrated"], raw["raw_net_bps"]) == ("raw", False, 600.0)
    assert pd.isna(raw["marked_at"])
    assert np.isnan([raw["mean_net_bps"], raw["realised_net_bps"], raw["hold_hours"]]).all()


def test_what_is_not_marked_is_handed_out_oldest_first_as_it_was_frozen(file: ScorecardFile) -> None:
    for hour in (2, 0, 1):
        file.add([said(hour), none(hour, "raw")])
    file.mark([came(1)])
    first, second = file.unmarked()
    assert [first.closed_ms, second.closed_ms] == [said(0).closed_ms, said(2).closed_ms]
    assert (dict(first.signal), dict(first.asked), first.rule) == (SIGNAL, ASKED, "answer")
    assert [one.closed_ms for one in file.unmarked(limit=1)] == [first.closed_ms]
    assert [one.closed_ms for one in file.unmarked(after=(first.closed_ms, "answer"))] == [second.closed_ms]


def test_of_a_bar_the_first_answer_counts(file: ScorecardFile, path: Path) -> None:
    assert file.add([said(0, text="Short ETH."), none(0, "raw")])
    assert not file.add([none(0), said(0, "raw")])
    assert read_scorecard(path)["text"].tolist() == ["Short ETH.", "No pair qualifies."]


def test_an_outcome_once_marked_stays(file: ScorecardFile, path: Path) -> None:
    file.add([said(0)])
    assert file.mark([came(0, net_bps=12.0)]) == 1
    assert file.mark([came(0, net_bps=-99.0)]) == 0
    assert file.mark([came(7, net_bps=1.0), came(0, "raw")]) == 0
    assert read_scorecard(path)["realised_net_bps"].tolist() == [12.0]


def test_a_bar_of_which_no_pair_qualifies_is_kept_without_one(file: ScorecardFile, path: Path) -> None:
    file.add([none(0), none(0, "raw")])
    read = read_scorecard(path)
    assert read["qualifies"].tolist() == [False, False]
    assert read[["kind", "y", "x", "side_y", "side_x", "signal", "exit_reason"]].eq("").all(axis=None)
    assert read[["mean_net_bps", "raw_net_bps", "marked_at"]].isna().all(axis=None)
    assert file.unmarked() == []


def test_a_reading_may_begin_at_any_bar(file: ScorecardFile, path: Path) -> None:
    for hour in range(4):
        file.add([said(hour)])
    assert read_scorecard(path, since=closed_at(2))["closed_at"].tolist() == [closed_at(2), closed_at(3)]
    later = read_scorecard(path, since=closed_at(9))
    assert later.empty
    pd.testing.assert_series_equal(later.dtypes, read_scorecard(path).dtypes)
    with pytest.raises(InputError, match="without a time zone"):
        read_scorecard(path, since=pd.Timestamp("2025-01-01"))


@pytest.mark.parametrize("name", ["'; DROP TABLE said; --", "%", "../x", "<b>", "a\x00b", "a", "Ä", "💥", "", "null"])
def test_names_of_strangers_are_only_data(file: ScorecardFile, path: Path, name: str) -> None:
    file.add([said(0, signal=SIGNAL | {"y": name}, text=f"Short {name}.")])
    (row,) = read_scorecard(path).to_dict("records")
    assert (row["y"], row["x"], row["text"]) == (name, "BTC", f"Short {name}.")
    assert file.unmarked()[0].signal["y"] == name


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["said", "none", "mark", "restart"]), st.integers(0, 9)),
        max_size=15,
    )
)
def test_whatever_is_said_and_marked_in_whatever_order_the_first_of_each_stays(tmp_path_factory, steps) -> None:
    path = tmp_path_factory.mktemp("any") / "scorecard.sqlite"
    file, texts, nets = ScorecardFile(path, lambda: 0.0), {}, {}
    for hour, what, number in steps:
        if what == "restart":
            file.close()
            file = ScorecardFile(path, lambda: 0.0)
        elif what == "mark":
            if hour in texts and hour not in nets:
                nets[hour] = float(number)
            file.mark([came(hour, net_bps=float(number))])
        else:
            one = said(hour, text=str(number)) if what == "said" else none(hour)
            assert file.add([one]) is (hour not in texts)
            texts.setdefault(hour, one.text)
    read = read_scorecard(path)
    assert dict(zip(read["closed_at"], read["text"], strict=True)) == {closed_at(h): t for h, t in texts.items()}
    marked = read[read["marked_at"].notna()]
    assert dict(zip(marked["closed_at"], marked["realised_net_bps"], strict=True)) == {
        closed_at(hour): net for hour, net in nets.items()
    }
    file.close()


def test_each_answer_is_flushed_to_the_disk_before_it_counts_as_stored(path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def watched(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[-1]

    file = ScorecardFile(path, connect=watched)
    assert opened[0].execute("PRAGMA synchronous").fetchone() == (2,)
    assert opened[0].execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()


def test_a_full_disk_is_named_and_what_was_stored_stays(path: Path) -> None:
    def full(path: Path) -> sqlite3.Connection:
        database = connect(path)
        database.execute("PRAGMA max_page_count = 8")
        return database

    file = ScorecardFile(path, connect=full)
    file.add([said(0)])
    with pytest.raises(StoreNotWritable, match=r"scorecard\.sqlite: .*full.*make room"):
        file.add([said(1, text="x" * 100_000), said(1, "raw")])
    assert read_scorecard(path)["closed_at"].tolist() == [closed_at(0)]
    file.close()


def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was a scorecard once" * 1000)
    with pytest.raises(StoreError, match=r"cannot read the scorecard .*file is not a database"):
        read_scorecard(path)
    file = ScorecardFile(path)
    assert "cannot be read as a scorecard (file is not a database); it was set aside" in str(file.problems[0])
    assert read_scorecard(path).empty
    file.close()


def test_a_file_of_a_newer_version_is_refused(file: ScorecardFile, path: Path) -> None:
    file.close()
    database = connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="has version 99"):
        ScorecardFile(path)
    with pytest.raises(StoreError, match="has version 99"):
        read_scorecard(path)


def test_the_report_counts_bars_pairs_and_outcomes(file: ScorecardFile, path: Path) -> None:
    empty = report_scorecard(path)
    assert (empty.bars, empty.named, empty.marked, empty.first_closed_ms) == (0, 0, 0, None)
    for hour in range(3):
        file.add([none(hour), said(hour, "raw")])
    file.mark([came(1, "raw")])
    report = report_scorecard(path)
    assert (report.bars, report.named, report.marked) == (3, 3, 1)
    assert (report.first_closed_ms, report.last_closed_ms) == (said(0).closed_ms, said(2).closed_ms)
    assert report.bytes > 4096


def test_all_but_the_frozen_rows_is_read_without_them(file: ScorecardFile, path: Path) -> None:
    for hour in range(3):
        file.add([said(hour, mean_net_bps=1.0 + hour), none(hour, "raw")])
    file.mark([came(0, net_bps=27.0, exit_reason="reverted", exit_ms=said(5).closed_ms)])
    whole, light = read_scorecard(path), read_scorecard(path, signals=False)
    pd.testing.assert_frame_equal(light.drop(columns="signal"), whole.drop(columns="signal"))
    assert light["signal"].tolist() == ["{}", ""] * 3
