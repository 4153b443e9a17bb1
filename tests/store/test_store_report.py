import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from screen_tables import make_table

from hlpairs_core.cli import main
from hlpairs_core.exceptions import StoreError
from hlpairs_core.store import CandleStore, FundingStore, Journal, Said, ScorecardFile, Screens, held
from hlpairs_core.store.held_text import held_json, held_text
from hlpairs_core.store.markets import open_store

Hour = Callable[[int], pd.Timestamp]
Candles = Callable[..., pd.DataFrame]


@pytest.fixture
def data_dir(tmp_path: Path, candles: Candles, hour: Hour) -> Path:
    """One market with two holes and a damaged file, one that is new, and folders that are no markets."""
    folder = tmp_path / "data"
    store = CandleStore(folder / "demo-7", "1h")
    store.append(candles("BTC", [0, 1, 5]), [("BTC", hour(0), hour(1)), ("BTC", hour(5), hour(5))])
    store.append(candles("../ETH", [2, 9]), [("../ETH", hour(n), hour(n)) for n in (2, 9)])
    store.append(candles("BTC", [2]), [])
    FundingStore(folder / "demo-7").append(pd.DataFrame(), [("NEW", hour(0), hour(1))])
    (store.folder / "00000007-0123456789abcdef.parquet").write_bytes(b"not what was written")
    (store.folder / "00000001-0123456789abcdef.parquet.corrupt").write_bytes(b"of last week")
    journal = Journal(folder / "demo-7" / "journal.sqlite", lambda: 1_750_000_000.0)
    journal.add_verdict({"text": "none"}, market="demo-7", bar_closed_ms=0)
    journal.add_snapshot({})
    journal.close()
    screens = Screens(folder / "demo-7" / "screens.sqlite", lambda: 1_750_000_000.0)
    for bar in range(2):
        screens.add(make_table(bar), final=True)
    screens.close()
    scorecard = ScorecardFile(folder / "demo-7" / "scorecard.sqlite", lambda: 1_750_000_000.0)
    for bar in range(3):
        said = {"qualifies": False, "calibrated": True, "text": "None.", "asked": {}}
        scorecard.add([Said(closed_ms=bar * 3_600_000, rule="answer", **said)])
    scorecard.close()
    Journal(folder / "mainnet" / "journal.sqlite").close()
    for other in ("logs", "candles-1h", "replaced-20250101T000000Z/demo-7/funding", ".hidden/funding", "x/candles-2d"):
        (folder / other).mkdir(parents=True)
    (folder / "engine.json").write_text("{}")
    return folder


def test_the_report_of_a_store_counts_what_is_in_its_files(data_dir: Path, hour: Hour) -> None:
    store = open_store(data_dir / "demo-7", "candles-1h")
    report = store.report()
    assert (report.kind, report.coins, report.rows, report.segments) == ("candles-1h", 2, 6, 3)
    assert (report.first, report.last) == (hour(0), hour(9))
    assert report.holes == 2
    assert report.bytes == sum(path.stat().st_size for path in store.folder.glob("*.parquet"))
    assert report.set_aside == (
        "00000001-0123456789abcdef.parquet.corrupt",
        "00000007-0123456789abcdef.parquet.corrupt",
    )


def test_an_empty_store_has_an_empty_report(tmp_path: Path) -> None:
    report = CandleStore(tmp_path, "1h").report()
    assert (report.coins, report.rows, report.first, report.last, report.holes) == (0, 0, None, None, 0)
    assert (report.segments, report.bytes, report.set_aside) == (0, 0, ())


def test_all_markets_of_a_folder_are_reported_and_nothing_is_changed(data_dir: Path) -> None:
    before = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    demo, mainnet = held(data_dir)
    assert (demo.market, [store.kind for store in demo.stores]) == ("demo-7", ["candles-1h", "funding"])
    assert demo.journal is not None
    assert (demo.journal.verdicts, demo.journal.snapshots) == (1, 1)
    assert demo.journal.first_verdict_ms == demo.journal.last_verdict_ms == 1_750_000_000_000
    assert demo.screens is not None
    assert (demo.screens.screens, demo.screens.whole) == (2, 2)
    assert demo.scorecard is not None
    assert (demo.scorecard.bars, demo.scorecard.named, demo.scorecard.last_closed_ms) == (3, 0, 7_200_000)
    assert len(demo.problems) == 1
    assert "candles-1h: 00000007-0123456789abcdef.parquet is not what was written" in demo.problems[0]
    assert (mainnet.market, mainnet.stores, mainnet.problems) == ("mainnet", (), ())
    after = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    # SQLite keeps these beside a file that is read.
    beside = {f"{name}.sqlite-{end}" for name in ("journal", "screens", "scorecard") for end in ("wal", "shm")}
    assert {path.name for path in after.keys() - before.keys()} <= beside


def test_what_one_part_lacks_does_not_hide_the_others(data_dir: Path) -> None:
    (data_dir / "mainnet" / "journal.sqlite").write_bytes(b"this was a journal once" * 100)
    (data_dir / "demo-7" / "screens.sqlite").write_bytes(b"these were screens once" * 100)
    demo, mainnet = held(data_dir)
    assert demo.journal is not None
    assert demo.screens is None
    assert "cannot read the screen history" in demo.problems[-1]
    assert len(demo.stores) == 2
    assert mainnet.journal is None
    assert "cannot read the journal" in mainnet.problems[0]
    assert "file is not a database" in mainnet.problems[0]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=f"cannot list {tmp_path / 'file'}: Not a directory"):
        held(tmp_path / "file")
    assert held(tmp_path / "nowhere") == ()


def test_the_report_is_printed_as_a_table(data_dir: Path) -> None:
    text = held_text(data_dir, held(data_dir))
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == [str(data_dir)]
    table = lines[lines.index(["demo-7"]) + 1 :]
    assert table[0] == ["kind", "coins", "rows", "first", "last", "holes", "files", "MB"]
    assert table[1] == ["candles-1h", "2", "6", "2025-01-01", "00:00", "2025-01-01", "09:00", "2", "3", "0.0"]
    assert table[2] == ["funding", "1", "0", "-", "-", "0", "1", "0.0"]
    assert "journal: 1 verdicts since 2025-06-15 15:06, 1 snapshots, 0.0 MB" in text
    assert "screens: 2 since 2025-01-01 01:00, 2 of them with all pairs, 0.0 MB" in text
    assert "scorecard: 3 bars since 1970-01-01 00:00, 0 of 0 pairs marked, 0.0 MB" in text
    assert "set aside: candles-1h/00000001-0123456789abcdef.parquet.corrupt" in text
    assert len({len(line) for line in text.splitlines()[3:6]}) == 1, "the last column is not aligned"


def test_the_report_is_printed_as_json(data_dir: Path) -> None:
    content = json.loads(json.dumps(held_json(data_dir, held(data_dir))))
    candles = content["markets"][0]["stores"][0]
    assert candles["first"] == "2025-01-01T00:00:00+00:00"
    assert (candles["rows"], candles["holes"]) == (6, 2)
    assert content["markets"][0]["journal"]["verdicts"] == 1
    assert content["markets"][0]["screens"]["whole"] == 2
    assert content["markets"][1]["screens"] is None
    assert content["markets"][0]["scorecard"]["bars"] == 3


def test_the_command_prints_both(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HLPAIRS_DATA_DIR", str(data_dir))
    done = CliRunner().invoke(main, ["store"])
    assert done.exit_code == 0, done.output
    assert "candles-1h" in done.output
    done = CliRunner().invoke(main, ["store", "--json", "--data", str(data_dir)])
    assert [market["market"] for market in json.loads(done.stdout)["markets"]] == ["demo-7", "mainnet"]
    done = CliRunner().invoke(main, ["store", "--data", str(data_dir / "none")])
    assert done.stdout == f"{data_dir / 'none'} holds no market yet\n"
