"""``hlpairs history``: a pair's past from the data folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from screen_tables import make_table

from hlpairs_core.cli import main
from hlpairs_core.store import Journal, ScreenHistory, Screens


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """One market that was screened for three hours, and one that was not."""
    screens = Screens(tmp_path / "mainnet" / "screens.sqlite")
    for hour in range(3):
        screens.add(make_table(hour, ("BTC", "ET\x1b[31mH", "SOL")), final=True)
    screens.close()
    Journal(tmp_path / "testnet" / "journal.sqlite").close()
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["history", *arguments])


def test_the_past_is_printed_a_line_a_bar_and_names_cannot_steer_the_terminal(data_dir: Path) -> None:
    done = run("BTC", "ET\x1b[31mH", "--data", str(data_dir))
    assert done.exit_code == 0, done.output
    head, *lines, note = done.output.splitlines()
    assert head.split()[:6] == ["closed", "at", "pair", "p", "q", "z"]
    assert [line.split()[:2] for line in lines] == [["2025-01-01", f"0{hour}:00"] for hour in (1, 2, 3)]
    past = ScreenHistory(data_dir / "mainnet" / "screens.sqlite").pair("BTC", "ET\x1b[31mH")
    assert all(f"{z:+.2f}" in line for z, line in zip(past["zscore"], lines, strict=True))
    assert all(r"ET\x1b[31mH" in line for line in lines)
    assert "\x1b" not in done.output
    assert "uncalibrated" in note


def test_the_newest_bars_are_printed_from_when_it_is_asked_to(data_dir: Path) -> None:
    assert len(run("BTC", "SOL", "--data", str(data_dir), "--rows", "1").output.splitlines()) == 3
    since = run("BTC", "SOL", "--data", str(data_dir), "--since", "2025-01-01T02:00Z").output
    assert "01:00" not in since
    assert "02:00" in since
    later = run("BTC", "SOL", "--data", str(data_dir), "--since", "2026-01-01T02:00Z").output
    assert later == "the pair was not tested since then\n"


def test_a_program_gets_json_in_which_unknown_numbers_are_null(data_dir: Path) -> None:
    table = make_table(3, ("BTC", "SOL"))
    table.rows["half_life_hours"] = np.nan
    screens = Screens(data_dir / "mainnet" / "screens.sqlite")
    screens.add(table, final=False)
    screens.close()
    records = json.loads(run("BTC", "SOL", "--data", str(data_dir), "--json").output)
    assert [one["half_life_hours"] is None for one in records] == [False, False, False, True]
    assert records[0]["closed_at"].startswith("2025-01-01T01:00:00")
    assert (records[-1]["is_final"], {records[-1]["y"], records[-1]["x"]}) == (False, {"BTC", "SOL"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["BTC", "NOPE"], "no screen that is kept has the coin 'NOPE'"),
        (["BTC", "BTC"], "'BTC' is named twice"),
        (["BTC", "SOL", "--since", "June"], "--since is 'June'"),
        (
            ["BTC", "SOL", "--market", "testnet"],
            "has past screens, 'testnet' has not: say which market is meant (--market)",
        ),
        (["BTC", "SOL", "--market", "../mainnet"], "has past screens, '../mainnet' has not"),
    ],
)
def test_what_cannot_be_looked_up_is_refused_in_a_sentence(data_dir: Path, arguments: list[str], said: str) -> None:
    done = run(*arguments, "--data", str(data_dir))
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_of_several_markets_one_has_to_be_named(data_dir: Path) -> None:
    Screens(data_dir / "demo-7" / "screens.sqlite").close()
    assert "demo-7, mainnet in" in run("BTC", "SOL", "--data", str(data_dir)).output
    assert run("BTC", "SOL", "--data", str(data_dir), "--market", "mainnet").exit_code == 0


def test_a_folder_without_a_screen_says_so(tmp_path: Path) -> None:
    assert "no market in" in run("BTC", "SOL", "--data", str(tmp_path)).output
