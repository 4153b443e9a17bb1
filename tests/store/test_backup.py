import asyncio
import errno
import itertools
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from screen_tables import make_table

from hlpairs_core.cli import main
from hlpairs_core.engine.backfill import run_backfill
from hlpairs_core.exceptions import EngineRunning, InputError, StoreError, StoreNotWritable
from hlpairs_core.settings import load_settings
from hlpairs_core.store import (
    CandleStore,
    FolderLock,
    FundingStore,
    Journal,
    Said,
    ScorecardFile,
    ScreenHistory,
    Screens,
    back_up,
    finish_restore,
    put_back,
    read_scorecard,
)
from hlpairs_core.store.database import copy_database
from hlpairs_core.store.files import DiskFiles

Hour = Callable[[int], pd.Timestamp]
Candles = Callable[..., pd.DataFrame]
Contents = dict[str, object]
ROOM = "; make room, give access, or choose another folder"


def fill(data_dir: Path, candles: Candles, hour: Hour, value: float) -> None:
    """Two markets with candles, funding and a verdict of one value, and what belongs to an engine."""
    for market in ("demo-7", "mainnet"):
        store = CandleStore(data_dir / market, "1h")
        store.append(candles("../BTC", range(5), value), [("../BTC", hour(0), hour(4))])
        store.append(candles("ETH", range(3), value), [("ETH", hour(0), hour(2))])
        funding = candles("BTC", range(2), value).rename(columns={"open": "funding_rate", "high": "premium"})
        FundingStore(data_dir / market).append(funding, [])
        journal = Journal(data_dir / market / "journal.sqlite", lambda: 1.0)
        journal.add_verdict({"value": value}, market=market, bar_closed_ms=0)
        journal.close()
        screens = Screens(data_dir / market / "screens.sqlite", lambda: 1.0)
        screens.add(make_table(0, seed=round(value)), final=True)
        screens.close()
        scorecard = ScorecardFile(data_dir / market / "scorecard.sqlite", lambda: 1.0)
        said = {"qualifies": False, "calibrated": True, "asked": {"settings": {"interval": "1h", "horizon_hours": 1.0}}}
        scorecard.add([Said(closed_ms=0, rule="answer", text=f"No pair, {value}.", **said)])
        scorecard.close()
    (data_dir / "engine.json").write_text('{"admin_token": "secret"}')
    (data_dir / "engine.log").write_text("secret")


def contents(data_dir: Path) -> Contents:
    """Everything that is held in the markets of a data folder."""
    held: Contents = {}
    for market in sorted(path for path in data_dir.iterdir() if path.name in ("demo-7", "mainnet")):
        for store in (CandleStore(market, "1h"), FundingStore(market)):
            assert store.problems == ()
            held[f"{market.name}/{store.folder.name}"] = (store.read().to_csv(), store.coverage().to_csv())
        journal = Journal(market / "journal.sqlite")
        held[f"{market.name}/journal"] = journal.verdicts()
        journal.close()
        held[f"{market.name}/screens"] = ScreenHistory(market / "screens.sqlite").pair("BTC", "ETH").to_csv()
        held[f"{market.name}/scorecard"] = read_scorecard(market / "scorecard.sqlite").to_csv()
    return held


@pytest.fixture
def data_dir(tmp_path: Path, candles: Candles, hour: Hour) -> Path:
    fill(tmp_path / "data", candles, hour, 1.0)
    return tmp_path / "data"


@pytest.fixture
def saved(data_dir: Path, tmp_path: Path) -> Path:
    """A finished backup."""
    return back_up(data_dir, tmp_path / "saved", clock=lambda: 1_750_000_000.0).folder


def test_a_backup_restored_elsewhere_is_what_was_held(data_dir: Path, saved: Path, tmp_path: Path) -> None:
    done = put_back(saved, tmp_path / "new" / "place")
    assert contents(tmp_path / "new" / "place") == contents(data_dir)
    assert done.aside is None
    assert done.manifest.markets == ["demo-7", "mainnet"]
    assert sorted(path.name for path in (tmp_path / "new" / "place").iterdir()) == ["demo-7", "engine.lock", "mainnet"]


def test_a_backup_holds_history_and_journal_and_nothing_of_an_engine(saved: Path) -> None:
    files = sorted(str(path.relative_to(saved)) for path in saved.rglob("*") if path.is_file())
    content = json.loads((saved / "manifest.json").read_text())
    assert (content["format"], content["version"], content["taken_at_ms"]) == ("hlpairs backup", 3, 1_750_000_000_000)
    assert files == sorted([*(one["path"] for one in content["files"]), "manifest.json"])
    assert len(files) == 2 * 6 + 1
    assert not any(b"secret" in path.read_bytes() for path in saved.rglob("*") if path.is_file())


@pytest.mark.parametrize(("version", "lacks"), [(1, ("screens", "scorecard")), (2, ("scorecard",))])
def test_a_backup_of_an_earlier_version_which_had_fewer_files_is_restored(
    saved: Path, tmp_path: Path, version: int, lacks: tuple[str, ...]
) -> None:
    content = json.loads((saved / "manifest.json").read_text())
    names = tuple(f"{name}.sqlite" for name in lacks)
    old = [one for one in content["files"] if not one["path"].endswith(names)]
    (saved / "manifest.json").write_text(json.dumps(content | {"version": version, "files": old}))
    assert len(put_back(saved, tmp_path / "new").manifest.files) == 2 * (6 - len(lacks))
    assert not any((tmp_path / "new" / "mainnet" / name).exists() for name in names)


def test_a_backup_does_not_change_the_data_folder_nor_share_its_files(data_dir: Path, saved: Path) -> None:
    ours = list(data_dir.rglob("*.parquet"))
    assert all(path.stat().st_nlink == 1 for path in ours)
    assert contents(data_dir) != {}


def test_a_later_backup_goes_to_a_new_folder(data_dir: Path, saved: Path, tmp_path: Path) -> None:
    before = (saved / "manifest.json").read_bytes()
    with pytest.raises(InputError, match=f"{saved} is not empty: choose a new folder for each backup"):
        back_up(data_dir, saved)
    assert (saved / "manifest.json").read_bytes() == before
    (tmp_path / "mounted").mkdir()
    back_up(data_dir, tmp_path / "mounted")


@pytest.mark.parametrize("place", [".", "..", "backups", "demo-7"])
def test_a_backup_inside_the_data_folder_or_around_it_is_refused(data_dir: Path, place: str) -> None:
    before = sorted(data_dir.rglob("*"))
    with pytest.raises(InputError, match="contain each other: choose a folder outside it"):
        back_up(data_dir, data_dir / place)
    assert sorted(data_dir.rglob("*")) == before


def test_a_folder_without_markets_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no market: there is nothing to back up"):
        back_up(tmp_path / "data", tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_what_is_damaged_is_left_out_and_named(data_dir: Path, tmp_path: Path) -> None:
    victim = sorted((data_dir / "demo-7" / "candles-1h").iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:-1])
    (data_dir / "mainnet" / "journal.sqlite").write_bytes(b"this was a journal once" * 100)
    screens = data_dir / "mainnet" / "screens.sqlite"
    screens.write_bytes(screens.read_bytes()[:8192] + b"\xff" * (screens.stat().st_size - 8192))
    done = back_up(data_dir, tmp_path / "saved")
    assert len(done.left_out) == 3
    assert f"demo-7/candles-1h/{victim.name} is not what was written" in done.left_out[0]
    assert "mainnet/journal.sqlite: file is not a database" in done.left_out[1]
    assert f"the screen history {screens} is damaged: " in done.left_out[2]
    put_back(tmp_path / "saved", tmp_path / "new")
    assert len(CandleStore(tmp_path / "new" / "demo-7", "1h").read()) == 3
    assert len(CandleStore(tmp_path / "new" / "mainnet", "1h").read()) == 8


def test_a_full_disk_is_named_and_nothing_is_left_of_the_backup(data_dir: Path, tmp_path: Path, faulty: type) -> None:
    before, steps, said = contents(data_dir), 0, set[str]()
    while not (tmp_path / "saved").exists():
        steps += 1
        files = faulty(steps, lambda: OSError(errno.ENOSPC, "No space left on device"), partial=True)
        try:
            back_up(data_dir, tmp_path / "saved", files=files)
        except StoreNotWritable as error:
            said.add(str(error))
    assert said == {f"cannot write to {tmp_path / 'saved'}: no space left on device{ROOM}"}
    assert steps > 15
    assert contents(data_dir) == before


def test_no_room_for_the_journal_is_named(data_dir: Path, tmp_path: Path) -> None:
    def small(path: Path) -> sqlite3.Connection:
        copy = sqlite3.connect(path, isolation_level=None)
        copy.execute("PRAGMA max_page_count = 2")
        return copy

    source = data_dir / "demo-7" / "journal.sqlite"
    with pytest.raises(StoreNotWritable, match=f"cannot copy the journal {source}: .*full; make room"):
        copy_database(source, tmp_path / "copy", "journal", connect=small)


def test_entries_of_a_journal_that_is_being_written_are_copied_up_to_the_last(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "data" / "demo" / "journal.sqlite")
    for number in range(50):
        journal.add_verdict({"n": number}, market="demo", bar_closed_ms=number)
    back_up(tmp_path / "data", tmp_path / "saved")
    assert [path.name for path in (tmp_path / "saved" / "demo").iterdir()] == ["journal.sqlite"]
    journal.add_verdict({"n": "later"}, market="demo", bar_closed_ms=50)
    journal.close()
    put_back(tmp_path / "saved", tmp_path / "new")
    copy = Journal(tmp_path / "new" / "demo" / "journal.sqlite")
    assert len(copy.verdicts()) == 50
    copy.close()


class Merging(DiskFiles):
    """A disk on which a writer merges segments just before one is copied."""

    def __init__(self, merge: Callable[[], None]) -> None:
        self.merge = merge

    def read(self, path: Path) -> bytes:
        self.merge()
        return super().read(path)


def test_segments_that_are_merged_meanwhile_are_copied_merged(
    data_dir: Path, tmp_path: Path, candles: Candles, hour: Hour
) -> None:
    writer, merges = CandleStore(data_dir / "demo-7", "1h"), iter(range(3))

    def merge() -> None:
        if (number := next(merges, None)) is not None:
            writer.append(candles("NEW", [number]), [("NEW", hour(number), hour(number))])
            writer.compact()

    back_up(data_dir, tmp_path / "saved", files=Merging(merge))
    put_back(tmp_path / "saved", tmp_path / "new")
    copy = CandleStore(tmp_path / "new" / "demo-7", "1h")
    assert copy.segments == 1
    assert copy.read().to_csv() == writer.read().to_csv()


def test_a_folder_that_never_comes_to_rest_cannot_be_backed_up(
    data_dir: Path, tmp_path: Path, candles: Candles
) -> None:
    writer = CandleStore(data_dir / "demo-7", "1h")

    def merge() -> None:
        writer.append(candles("NEW", [1]), [])
        writer.compact()

    with pytest.raises(StoreError, match="keep changing: try again"):
        back_up(data_dir, tmp_path / "saved", files=Merging(merge))
    assert not (tmp_path / "saved").exists()


def test_a_backup_without_its_list_is_unfinished(saved: Path, tmp_path: Path) -> None:
    (saved / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"is no backup, or one that was never finished: it has no manifest\.json"):
        put_back(saved, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "is not whole: .*: no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged: .* is not what was backed up"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "is damaged: .* is not what was backed up"),
    ],
    ids=["missing", "cut short", "changed"],
)
@pytest.mark.parametrize("name", ["*.parquet", "journal.sqlite", "screens.sqlite", "scorecard.sqlite"])
def test_a_damaged_backup_is_refused_and_nothing_is_restored(
    saved: Path, data_dir: Path, damage: Callable[[Path], object], message: str, name: str
) -> None:
    before = contents(data_dir)
    damage(sorted(saved.rglob(name))[-1])
    with pytest.raises(StoreError, match=message):
        put_back(saved, data_dir, replace=True)
    assert contents(data_dir) == before
    assert not list(data_dir.glob("re*"))


@pytest.mark.parametrize(
    "path",
    [
        "../outside/journal.sqlite",
        "/etc/journal.sqlite",
        "demo-7/../../journal.sqlite",
        "demo-7/candles-1h/../journal.sqlite",
        "demo-7/other.sqlite",
        "demo-7/sub/screens.sqlite",
        "engine.json/journal.sqlite",
        "restore.ready/journal.sqlite",
        "demo-7/candles-1h/x.parquet",
        "demo-7/scripts/00000001-0123456789abcdef.parquet",
        "demo-7",
        "",
        "de\nmo/journal.sqlite",
        "a\\b/journal.sqlite",
    ],
)
def test_a_list_with_any_other_file_is_refused(saved: Path, tmp_path: Path, path: str) -> None:
    content = json.loads((saved / "manifest.json").read_text())
    content["files"][0]["path"] = path
    (saved / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="which is no file of a market"):
        put_back(saved, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not the list of a backup"),
        ("[]", "is not the list of a backup"),
        ("\udcff", "is not the list of a backup"),
        ('{"format": "tar", "version": 1}', "its format is 'tar'"),
        ('{"format": "hlpairs backup", "version": 4}', "is a backup of version 4: update hlpairs"),
        ('{"format": "hlpairs backup", "version": 1, "taken_at_ms": 0, "files": [{}]}', "list of a backup: 'path'"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(saved: Path, tmp_path: Path, text: str, message: str) -> None:
    (saved / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StoreError, match=message):
        put_back(saved, tmp_path / "new")


def test_nothing_is_restored_beside_a_running_engine(saved: Path, data_dir: Path) -> None:
    before = contents(data_dir)
    with FolderLock(data_dir, "engine"):
        with pytest.raises(EngineRunning, match=f"already has its engine: process {os.getpid()}"):
            put_back(saved, data_dir, replace=True)
        done = CliRunner().invoke(main, ["restore", str(saved), "--replace", "--data", str(data_dir)])
        assert done.exit_code == EngineRunning.EXIT_CODE
    assert contents(data_dir) == before


def test_what_is_there_stays_unless_it_is_to_be_replaced(
    saved: Path, data_dir: Path, candles: Candles, hour: Hour
) -> None:
    fill(data_dir, candles, hour, 2.0)
    (data_dir / "other").mkdir()
    Journal(data_dir / "other" / "journal.sqlite").close()
    newer = contents(data_dir)
    with pytest.raises(InputError, match=r"holds demo-7, mainnet, other already: .*--replace moves it aside"):
        put_back(saved, data_dir)
    assert contents(data_dir) == newer
    done = put_back(saved, data_dir, replace=True, clock=lambda: 1_750_000_000.5)
    assert contents(data_dir) != newer
    assert not (data_dir / "other").exists()
    assert done.aside == data_dir / "replaced-20250615T150640500000Z"
    assert contents(done.aside) == newer
    assert (done.aside / "other" / "journal.sqlite").exists()
    assert (data_dir / "engine.log").read_text() == "secret"


def test_a_full_disk_leaves_the_data_folder_as_it_was(
    saved: Path, data_dir: Path, candles: Candles, hour: Hour, faulty: type
) -> None:
    fill(data_dir, candles, hour, 2.0)
    newer, refusals = contents(data_dir), 0
    for step in range(1, 100):
        files = faulty(step, lambda: OSError(errno.ENOSPC, "No space left on device"), partial=True)
        with pytest.raises(StoreNotWritable, match=f"cannot write to {data_dir}.*no space left on device"):
            put_back(saved, data_dir, replace=True, files=files)
        if (data_dir / "restore.ready").exists():
            break
        refusals += 1
        assert contents(data_dir) == newer
        assert not list(data_dir.glob("re*"))
    assert refusals > 20
    finish_restore(data_dir)
    assert contents(data_dir) != newer


def test_a_crash_at_any_step_of_a_restore_leaves_the_old_or_the_new_and_never_a_mixture(
    saved: Path, tmp_path: Path, candles: Candles, hour: Hour, faulty: type, crash: type[BaseException]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fill(old, candles, hour, 2.0)
    put_back(saved, new)
    states = [contents(old), contents(new)]
    seen = []
    for step in range(1, 100):
        data_dir = tmp_path / f"data {step}"
        shutil.copytree(old, data_dir)
        try:
            put_back(saved, data_dir, replace=True, files=faulty(step, crash, partial=True))
            break
        except crash:
            finish_restore(data_dir)
            seen.append(states.index(contents(data_dir)))
            if step % 8 == 0:
                put_back(saved, data_dir, replace=True)
                assert contents(data_dir) == states[1]
            assert not list(data_dir.glob("restore.*"))
    assert seen == sorted(seen)
    assert (seen.count(0) > 20, seen.count(1) > 6) == (True, True)


def test_a_restore_that_was_cut_short_is_not_backed_up(data_dir: Path, tmp_path: Path) -> None:
    (data_dir / "restore.ready").mkdir()
    with pytest.raises(StoreError, match="was cut short: start the engine once"):
        back_up(data_dir, tmp_path / "saved")
    finish_restore(data_dir)
    back_up(data_dir, tmp_path / "saved")


@pytest.fixture
def cut_short(saved: Path, tmp_path: Path, faulty: type, crash: type[BaseException]) -> Path:
    """A data folder in which a restore was decided on when the machine died."""
    for steps in itertools.count(1):
        target = tmp_path / str(steps)
        with pytest.raises(crash):
            put_back(saved, target, files=faulty(steps, crash))
        if (target / "restore.ready").exists():
            break
    assert contents(target) == {}
    return target


def test_an_engine_finishes_a_restore_that_was_cut_short(cut_short: Path, data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(main, ["engine", "--data", str(cut_short), "--port", port])
    assert port in done.output
    assert contents(cut_short) == contents(data_dir)


async def test_a_backfill_finishes_a_restore_that_was_cut_short(cut_short: Path, data_dir: Path) -> None:
    settings = load_settings(data_dir=cut_short, market="http://127.0.0.1:9")
    work = asyncio.create_task(run_backfill(settings, coins=None, bars=1, announce=print))
    await asyncio.sleep(0)  # up to where it waits for the exchange
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert contents(cut_short) == contents(data_dir)


def test_both_commands_say_what_they_did(data_dir: Path, tmp_path: Path) -> None:
    saved, before = tmp_path / "saved", contents(data_dir)
    done = CliRunner().invoke(main, ["backup", str(saved), "--data", str(data_dir)])
    assert done.exit_code == 0, done.output
    assert done.output == f"12 files, 0.2 MB, of demo-7, mainnet -> {saved}\n"
    done = CliRunner().invoke(main, ["restore", str(saved), "--data", str(data_dir)])
    assert done.exit_code == 1
    assert "--replace moves it aside" in done.output
    done = CliRunner().invoke(main, ["restore", str(saved), "--data", str(data_dir), "--replace"])
    assert done.exit_code == 0, done.output
    assert f"what was there is now in {data_dir / 'replaced-'}" in done.output
    assert contents(data_dir) == before
