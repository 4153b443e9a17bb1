"""Find the running engine, or start one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlpairs_core.engine.client import EngineClient
from hlpairs_core.exceptions import EngineError, EngineUnreachable

__all__ = ["RunningEngine", "connect", "find", "start"]

START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_NAME = "engine.log"


@dataclass(frozen=True)
class RunningEngine:
    """An engine that answers: where, with which read token, and for which market."""

    url: str
    read_token: str
    market: str
    pid: int
    process: "subprocess.Popen[bytes] | None" = None

    def client(self) -> EngineClient:
        """Return a reader."""
        return EngineClient(self.url, self.read_token)

    def stop(self) -> None:
        """End the process if we started it, and wait; an engine that was found goes on."""
        if self.process is None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def connect(data_dir: Path | str | None = None, *, market: str | None = None) -> EngineClient:
    """Find the running engine, or start one that lives on until nobody has read it for 15 minutes.

    In a process that was told its engine (``HLPAIRS_ENGINE_URL``, as a page's kernel is), that one is taken
    and none is started.

    Parameters
    ----------
    data_dir : path, optional
        Data folder; default: the setting ``HLPAIRS_DATA_DIR``.
    market : str, optional
        Market to ask for; default: any that a running engine serves, else the setting ``HLPAIRS_MARKET``.

    Raises
    ------
    EngineError
        If an engine works in the folder, but for another market; or a new one does not start.
    """
    told = os.environ.get("HLPAIRS_ENGINE_URL")
    if told and data_dir is None and market is None:
        return EngineClient(told, os.environ.get("HLPAIRS_ENGINE_READ_TOKEN"))
    from hlpairs_core.settings import load_settings

    settings = load_settings(data_dir=data_dir, market=market)
    found = find(settings.data_dir)
    if found is not None:
        _check_market(found, market)
        return found.client()
    options = ["--market", settings.market, "--idle-minutes", str(settings.idle_minutes)]
    return start(settings.data_dir, options, detach=True).client()


def find(data_dir: Path) -> RunningEngine | None:
    """Return the engine that works in `data_dir` and answers, or None."""
    from hlpairs_core.store import RuntimeFile

    said = RuntimeFile(data_dir / "engine.json").read()
    if not said:
        return None
    try:
        engine = RunningEngine(said["url"], said["read_token"], said["market"], said["pid"])
        with engine.client() as client:
            client.health()
    except (EngineUnreachable, KeyError):
        return None
    return engine


def start(
    data_dir: Path,
    options: list[str],
    *,
    detach: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Any] = time.sleep,
) -> RunningEngine:
    """Start ``hlpairs engine`` and wait until it answers.

    Parameters
    ----------
    detach : bool
        True: it outlives us. False: it ends when we do (its standard input closes).

    Raises
    ------
    EngineError
        If it ends before it answers; the message carries the end of its log.
    """
    command = [
        sys.executable,
        "-m",
        "hlpairs_core.cli",
        "engine",
        "--data",
        str(data_dir),
        "--port",
        "0",
        *options,
    ]
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / LOG_NAME
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command if detach else [*command, "--with-parent"],
            stdin=subprocess.DEVNULL if detach else subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=detach,
        )
    deadline = clock() + START_SECONDS
    while process.poll() is None and clock() < deadline:
        engine = find(data_dir)
        if engine is not None:
            return RunningEngine(engine.url, engine.read_token, engine.market, engine.pid, process)
        sleep(0.1)
    process.kill()
    tail = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise EngineError(f"the engine did not start (exit {process.wait()}); its log {log} ends: {' | '.join(tail)}")


def _check_market(engine: RunningEngine, market: str | None) -> None:
    if market is not None and engine.market != market:
        raise EngineError(
            f"the engine at {engine.url} (pid {engine.pid}) serves the market {engine.market!r}, not {market!r}: "
            "stop it, or choose another data folder (HLPAIRS_DATA_DIR)"
        )
