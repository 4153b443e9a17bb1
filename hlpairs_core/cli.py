"""The command line: ``hlpairs dashboard | engine | simulate | screen | history | scorecard | store | backup`` and more.

Each command imports what it needs when it runs, so that ``--help`` answers at once.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hlpairs_core.exceptions import EngineRunning, HlpairsError
from hlpairs_core.parent import while_parent_lives

if TYPE_CHECKING:
    from hlpairs_core.doctor import Finding

__all__ = ["main"]

MARKET_HELP = "auto, mainnet, testnet, demo, or the URL of an exchange [default: HLPAIRS_MARKET]"


class _Group(click.Group):
    """Shows our own errors as one sentence, without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except EngineRunning as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.EXIT_CODE)
        except HlpairsError as error:
            raise click.ClickException(str(error)) from error


def _market(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--market", metavar="MARKET", help=MARKET_HELP)(command)


def _data(command: Callable[..., Any]) -> Callable[..., Any]:
    option = click.option(
        "--data", "data_dir", type=click.Path(path_type=Path), help="data folder [default: HLPAIRS_DATA_DIR]"
    )
    return option(command)


def _with_parent(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--with-parent", is_flag=True, hidden=True, help="end when standard input closes")(command)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _announce(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


def _run(work: Coroutine[Any, Any, None], *, with_parent: bool = False) -> None:
    """Run until done; Ctrl-C ends it without a traceback."""
    try:
        asyncio.run(while_parent_lives(work) if with_parent else work)
    except KeyboardInterrupt:
        sys.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hlpairs")
def main() -> None:
    """Which long/short pair of Hyperliquid perpetuals is best right now, and whether to believe it.

    Example: hlpairs dashboard
    """


@main.command()
@_market
@_data
@click.option("--port", type=click.IntRange(0, 65535), help="port of the page, 0 for any free one [default: 8866]")
@click.option("--no-browser", is_flag=True, help="do not open a browser")
def dashboard(market: str | None, data_dir: Path | None, port: int | None, no_browser: bool) -> None:
    """Start the engine and the page; print the page's address once it answers.

    Example: hlpairs dashboard --market demo --port 0 --no-browser
    """
    from hlpairs_core.dashboard.launch import launch
    from hlpairs_core.settings import load_settings

    settings = load_settings(market=market, data_dir=data_dir, port=port)
    _log_to_stderr("WARNING")
    launch(
        settings,
        market=market,
        announce=_announce,
        note=lambda line: click.echo(line, err=True),
        browser=not no_browser,
    )


@main.command()
@_market
@_data
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="port of the API, 0 for any free one")
@click.option("--idle-minutes", type=click.FloatRange(min=0, min_open=True), help="stop when nobody read for so long")
@_with_parent
def engine(market: str | None, data_dir: Path | None, port: int, idle_minutes: float | None, with_parent: bool) -> None:
    """Run the live engine in the foreground; its first line is its URL.

    Example: hlpairs engine --market demo --port 0 --data ./data
    """
    from hlpairs_core.engine.run import run_engine
    from hlpairs_core.settings import load_settings

    settings = load_settings(market=market, data_dir=data_dir)
    _log_to_stderr(settings.log_level)
    work = run_engine(settings, port=port, announce=_announce, idle_minutes=idle_minutes)
    _run(work, with_parent=with_parent)


@main.command()
@_market
@_data
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="stop after so long")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="port of the API, 0 for any free one")
def record(market: str | None, data_dir: Path | None, folder: Path, minutes: float | None, port: int) -> None:
    """Run the live engine and keep all that goes over the wire in FOLDER, to be played back.

    `hlpairs simulate --replay FOLDER` plays it back, frame by frame, at the pace at which it came. An engine with the
    same settings and an empty data folder then gives the same verdicts, bar for bar.

    Example: hlpairs record --market mainnet --minutes 60 ./session
    """
    from hlpairs_core.engine.run import run_engine
    from hlpairs_core.settings import load_settings

    settings = load_settings(market=market, data_dir=data_dir)
    _log_to_stderr(settings.log_level)
    _run(run_engine(settings, port=port, announce=_announce, session=folder, minutes=minutes), with_parent=False)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="port, 0 for any free one")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="seed of the synthetic market")
@click.option(
    "--coins",
    type=click.IntRange(2, 250),
    default=60,
    show_default=True,
    help="coins of the synthetic market",
)
@click.option("--nothing-planted", is_flag=True, help="a synthetic market in which nothing is to be earned")
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    help="folder of recordings, or of a session of `hlpairs record`, to replay instead",
)
@click.option("--interval", default="1h", show_default=True, help="which recorded candles to replay")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="market seconds per second",
)
@click.option("--start", help="market time to start at, UTC [default: replay: 14 days before its end; synthetic: now]")
@click.option("--limits", is_flag=True, help="enforce the exchange's limits, such as 1,200 weight a minute")
@click.option("--faults", is_flag=True, help="let faults be begun and ended at /faults")
@_with_parent
def simulate(
    port: int,
    seed: int,
    coins: int,
    nothing_planted: bool,
    replay: Path | None,
    interval: str,
    speed: float,
    start: str | None,
    limits: bool,
    faults: bool,
    with_parent: bool,
) -> None:
    """Run the simulated exchange on loopback; its first line is its URL, once it answers.

    With --replay and a session of `hlpairs record` an engine gets what the recorded one got, in step with it: the
    session stands still where it is slower, so that it gives the same verdicts, bar for bar.

    Example: hlpairs simulate --port 0 --seed 7

    Example: hlpairs simulate --coins 250 --nothing-planted

    Example: hlpairs simulate --replay recordings --speed 60 --start 2025-05-01

    Example: hlpairs simulate --replay ./session
    """
    from hlpairs_core.session import is_session, read_session
    from hlpairs_core.simulation import (
        Faults,
        FeedLimits,
        FeedSettings,
        Limits,
        Playback,
        PlaybackExchange,
        SimulatedExchange,
        replay_market,
        run,
        synthetic_market,
    )

    _log_to_stderr("WARNING")
    if replay is not None and is_session(replay):
        playback = PlaybackExchange(Playback(read_session(replay), speed=speed))
        _run(run(playback, port=port, announce=_announce), with_parent=with_parent)
        return
    if replay is not None:
        if nothing_planted:
            raise click.UsageError("--nothing-planted is about a synthetic market: leave it out of a replay")
        market = replay_market(replay, interval=interval, speed=speed, start=start)
    else:
        market = synthetic_market(seed=seed, n_coins=coins, speed=speed, start=start, planted=not nothing_planted)
    exchange = SimulatedExchange(
        market,
        limits=Limits() if limits else None,
        feed=FeedSettings(limits=FeedLimits() if limits else None),
        faults=Faults() if faults else None,
    )
    _run(run(exchange, port=port, announce=_announce), with_parent=with_parent)


@main.command()
@_market
@_data
@click.option("--coins", help="comma-separated; default: every listed coin, most liquid first")
@click.option("--bars", type=click.IntRange(1, 5000), default=5000, show_default=True, help="newest closed bars")
def backfill(market: str | None, data_dir: Path | None, coins: str | None, bars: int) -> None:
    """Fetch the history that is missing from the store: candles and funding, most liquid coins first.

    Example: hlpairs backfill --market mainnet --coins BTC,ETH --bars 1000
    """
    from hlpairs_core.engine.backfill import run_backfill
    from hlpairs_core.settings import load_settings

    settings = load_settings(market=market, data_dir=data_dir)
    _log_to_stderr("WARNING")
    wanted = [coin.strip() for coin in coins.split(",") if coin.strip()] if coins else None
    _run(run_backfill(settings, coins=wanted, bars=bars, announce=_announce))


@main.command()
@_market
@_data
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of a table")
@click.option("--rows", type=click.IntRange(1, 1000), default=11, show_default=True, help="candidates to print")
def screen(market: str | None, data_dir: Path | None, as_json: bool, rows: int) -> None:
    """Screen every pair at the last closed bar, on the running engine's data (one is started if there is none).

    Example: hlpairs screen --market demo --json
    """
    from hlpairs_core.engine.report import screen_once, to_json, to_text
    from hlpairs_core.settings import load_settings

    settings = load_settings(market=market, data_dir=data_dir)
    result = screen_once(settings, market=market, note=lambda line: click.echo(line, err=True))
    click.echo(json.dumps(to_json(result, rows), allow_nan=False) if as_json else to_text(result, rows))


@main.command()
@click.argument("y")
@click.argument("x")
@_data
@click.option("--market", metavar="NAME", help="as `hlpairs store` names it; needed where several have been screened")
@click.option("--since", metavar="TIME", help="only bars that closed then or later, such as 2025-06-01T00:00Z")
@click.option("--rows", type=click.IntRange(1), default=24, show_default=True, help="newest bars to print")
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of a table")
def history(
    y: str, x: str, data_dir: Path | None, market: str | None, since: str | None, rows: int, as_json: bool
) -> None:
    """Say what each screen found of the pair Y X (in either order); an engine may go on meanwhile.

    Example: hlpairs history ETH BTC --since 2025-06-01T00:00Z
    """
    from hlpairs_core.market import as_utc
    from hlpairs_core.settings import load_settings
    from hlpairs_core.store.history_text import history_json, history_text, screens_of

    screens = screens_of(load_settings(data_dir=data_dir).data_dir, market)
    past = screens.pair(y, x, since=None if since is None else as_utc(since, "--since")).tail(rows)
    click.echo(json.dumps(history_json(past), allow_nan=False) if as_json else history_text(past))


@main.command()
@_data
@click.option("--market", metavar="NAME", help="as `hlpairs store` names it; needed where several have a scorecard")
@click.option("--since", metavar="TIME", help="only bars that closed then or later, such as 2025-06-01T00:00Z")
@click.option("--rows", type=click.IntRange(1), default=10, show_default=True, help="newest rows to print")
@click.option("--csv", "csv", type=click.Path(path_type=Path), help="also write every row to this file")
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of tables")
def scorecard(
    data_dir: Path | None, market: str | None, since: str | None, rows: int, csv: Path | None, as_json: bool
) -> None:
    """Hold every answer of a closed bar that the engine gave here against what came of it; it may go on meanwhile.

    Example: hlpairs scorecard --market mainnet --csv said.csv
    """
    from hlpairs_core.engine.scorecard import board_of
    from hlpairs_core.engine.scorecard_report import scorecard_text, track_record
    from hlpairs_core.market import as_utc
    from hlpairs_core.settings import load_settings
    from hlpairs_core.store import read_scorecard
    from hlpairs_core.store.files import store_errors
    from hlpairs_core.store.markets import SCORECARD, market_with

    path = market_with(load_settings(data_dir=data_dir).data_dir, market, SCORECARD, "a scorecard") / SCORECARD
    said = read_scorecard(path, since=None if since is None else as_utc(since, "--since"))
    if csv is not None:
        with store_errors(csv.parent):
            said.to_csv(csv, index=False)
    board = board_of(said)
    click.echo(json.dumps(track_record(board), allow_nan=False) if as_json else scorecard_text(board, said.tail(rows)))


@main.command()
@_data
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of a table")
def store(data_dir: Path | None, as_json: bool) -> None:
    """Say what is held of each market: rows, times, holes, size, damaged files; an engine may go on meanwhile.

    Example: hlpairs store --json
    """
    from hlpairs_core.settings import load_settings
    from hlpairs_core.store.held_text import held_json, held_text
    from hlpairs_core.store.markets import held

    folder = load_settings(data_dir=data_dir).data_dir
    markets = held(folder)
    click.echo(json.dumps(held_json(folder, markets)) if as_json else held_text(folder, markets))


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_data
def backup(folder: Path, data_dir: Path | None) -> None:
    """Copy history and journal of all markets to DIR, a new folder; an engine may go on meanwhile.

    Example: hlpairs backup /mnt/usb/hlpairs-2025-06-01
    """
    from hlpairs_core.settings import load_settings
    from hlpairs_core.store.backup import back_up

    done = back_up(load_settings(data_dir=data_dir).data_dir, folder)
    for line in done.left_out:
        click.echo(f"! left out: {line}", err=True)
    click.echo(f"{done.manifest} -> {done.folder}")


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_data
@click.option("--replace", is_flag=True, help="move what the data folder holds aside, to replaced-<time> in it")
def restore(folder: Path, data_dir: Path | None, replace: bool) -> None:
    """Check the backup in DIR and put it into the data folder: all of it or nothing. No engine may be running.

    Example: hlpairs restore /mnt/usb/hlpairs-2025-06-01 --replace
    """
    from hlpairs_core.settings import load_settings
    from hlpairs_core.store.restore import put_back

    target = load_settings(data_dir=data_dir).data_dir
    done = put_back(folder, target, replace=replace)
    if done.aside is not None:
        click.echo(f"what was there is now in {done.aside}")
    click.echo(f"{done.manifest} -> {target}")


@main.command()
@_data
@click.option("--numbers/--no-numbers", default=True, show_default=True, help="also compute worked numbers")
def doctor(data_dir: Path | None, numbers: bool) -> None:
    """Check this machine: Python, packages, data folder, engine, exchange, and whether it counts right.

    The numbers are computed and compared with what papers print, what the exchange's rules say, and what other
    packages get here; each names its source. That takes some seconds, more when code is compiled for the first time.

    Example: hlpairs doctor
    """
    from hlpairs_core.doctor import examine, examine_numbers
    from hlpairs_core.settings import load_settings

    findings = examine(load_settings(data_dir=data_dir))
    _show(findings)
    if numbers:
        counted = examine_numbers()
        _show(counted)
        findings += counted
    if any(finding.mark == "FAIL" for finding in findings):
        sys.exit(1)


def _show(findings: "list[Finding]") -> None:
    for finding in findings:
        click.echo(f"{finding.mark}  {finding.what}: {finding.text}")


if __name__ == "__main__":
    main()
