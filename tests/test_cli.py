import socket

import pytest
from click.testing import CliRunner

from hlpairs_core.cli import main

COMMANDS = (
    *("dashboard", "engine", "simulate", "backfill", "screen", "history", "scorecard"),
    *("record", "store", "backup", "restore", "doctor"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_s_help_has_an_example(command):
    done = CliRunner().invoke(main, [command, "--help"])
    assert done.exit_code == 0
    assert f"Example: hlpairs {command}" in done.output


def test_the_commands_are_those_that_are_documented():
    assert set(main.commands) == set(COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["engine", "--market", "moon"], "HLPAIRS_MARKET is 'moon'"),
        (["engine", "--port", "70000"], "70000 is not in the range"),
        (["simulate", "--coins", "1"], "1 is not in the range"),
        (["simulate", "--replay", "nowhere"], "nowhere"),
        (["simulate", "--replay", "folder", "--nothing-planted"], "leave it out of a replay"),
        (["simulate", "--start", "yesterday-ish"], "yesterday-ish"),
        (["simulate", "--speed", "0"], "0.0 is not in the range"),
        (["backfill", "--bars", "0"], "0 is not in the range"),
    ],
)
def test_a_wrong_argument_is_refused_in_a_sentence(arguments, said):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_contradiction_between_settings_is_refused(monkeypatch):
    monkeypatch.setenv("HLPAIRS_Z_OUT", "3")
    done = CliRunner().invoke(main, ["engine", "--market", "demo"])
    assert done.exit_code == 1
    assert "z_out" in done.output


@pytest.mark.parametrize("command", ["engine", "simulate"])
def test_a_port_in_use_is_named(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        extra = ["--market", "demo"] if command == "engine" else ["--coins", "4"]
        done = CliRunner().invoke(main, [command, "--port", str(port), *extra])
    assert done.exit_code == 1
    assert str(port) in done.output


def test_a_data_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    done = CliRunner().invoke(main, ["engine", "--market", "demo", "--data", str(tmp_path / "file")])
    assert done.exit_code == 1
    assert str(tmp_path / "file") in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


@pytest.mark.parametrize(
    ("market", "said"), [("demo", "none is needed"), ("http://127.0.0.1:9", "allMids: no usable answer")]
)
def test_the_doctor_asks_the_exchange_of_the_chosen_market(monkeypatch, market, said):
    monkeypatch.setenv("HLPAIRS_MARKET", market)
    done = CliRunner().invoke(main, ["doctor", "--no-numbers"])
    assert f"  exchange: {said}" in done.output
    assert "MacKinnon" not in done.output


def test_the_doctor_reports_each_check_on_a_line():
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0, done.output
    for what in ("Python", "numpy", "page assets", "data folder", "engine", "exchange", "deflated Sharpe ratio"):
        assert f"  {what}: " in done.output
