"""Find the running engine, or start one."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from hlpairs_core.engine.client import EngineClient
from hlpairs_core.exceptions import EngineError, EngineRunning

__all__ = ["RunningEngine", "connect", "find", "start"]

START_SECONDS = 60.0
STOP_SECONDS = 15.0
PROBE_SECONDS = 5.0
LOG_NAME = "engine.log"
LOG_BYTES = 5_000_000


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
    wanted = None if market is None else settings.market
    found = find(settings.data_dir)
    if found is not None:
        _check_market(found, wanted)
        return found.client()
    options = ["--market", settings.market, "--idle-minutes", str(settings.idle_minutes)]
    engine = start(settings.data_dir, options, detach=True)
    _check_market(engine, wanted)
    return engine.client()


def find(data_dir: Path) -> RunningEngine | None:
    """Return the engine that works in `data_dir` and answers, or None.

    What an engine that was killed left behind is passed over, also where another program has its port by now.

    Raises
    ------
    StoreError
        If the folder cannot be read.
    """
    from hlpairs_core.store import RuntimeFile

    said = RuntimeFile(data_dir / "engine.json").read() or {}
    try:
        engine = RunningEngine(said["url"], said["read_token"], said["market"], said["pid"])
        # Without the token: whoever has the port now has not proved to be the engine.
        with EngineClient(engine.url, timeout_seconds=PROBE_SECONDS) as client:
            same = client.health()["pid"] == engine.pid
    except (EngineError, KeyError, TypeError, AttributeError):
        return None
    return engine if same else None


def start(
    data_dir: Path,
    options: list[str],
    *,
    detach: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Any] = time.sleep,
) -> RunningEngine:
    """Start ``hlpairs engine`` and wait until it answers; or, where somebody else was faster, until theirs does.

    Parameters
    ----------
    detach : bool
        True: it outlives us. False: it ends when we do (its standard input closes).

    Raises
    ------
    EngineError
        If it ends before it answers; the message carries the end of its log.
    StoreNotWritable
        If the folder cannot be written.
    """
    command = [sys.executable, "-m", "hlpairs_core.cli", "engine", "--data", str(data_dir), "--port", "0", *options]
    with _open_log(data_dir) as output:
        begun = output.tell()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command if detach else [*command, "--with-parent"],
            stdin=subprocess.DEVNULL if detach else subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=detach,
        )
    if detach:
        # It ends when nobody reads it, perhaps long before we do: somebody has to take note, or it stays a zombie.
        threading.Thread(target=process.wait, daemon=True).start()
    deadline = clock() + START_SECONDS
    # A process that ends because another one has the folder was not the first to start an engine: take that one.
    while process.poll() in (None, EngineRunning.EXIT_CODE) and clock() < deadline:
        engine = find(data_dir)
        if engine is not None:
            return replace(engine, process=process) if engine.pid == process.pid else engine
        sleep(0.1)
    process.kill()
    log = data_dir / LOG_NAME
    tail = log.read_bytes()[begun:].decode(errors="replace").strip().splitlines()[-5:]
    raise EngineError(f"the engine did not start (exit {process.wait()}); its log {log} ends: {' | '.join(tail)}")


def _open_log(data_dir: Path) -> IO[bytes]:
    from hlpairs_core.store.files import store_errors

    log = data_dir / LOG_NAME
    with store_errors(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True)
        # Appended to: somebody else's engine may be writing there.
        kept = log.stat().st_size if log.exists() else 0
        return log.open("ab" if kept < LOG_BYTES else "wb")


def _check_market(engine: RunningEngine, market: str | None) -> None:
    if market is not None and engine.market != market:
        raise EngineError(
            f"the engine at {engine.url} (pid {engine.pid}) serves the market {engine.market!r}, not {market!r}: "
            "stop it, or choose another data folder (HLPAIRS_DATA_DIR)"
        )
