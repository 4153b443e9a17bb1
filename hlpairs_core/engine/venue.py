"""Which exchange the engine talks to: the one asked for, or, said loudly, the simulated one."""

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hlpairs_core.exceptions import EngineError, ExchangeError
from hlpairs_core.exchange import MAINNET_URL, TESTNET_URL, HyperliquidClient
from hlpairs_core.settings import Settings

__all__ = ["Simulator", "Venue", "answers", "choose_venue", "start_simulator"]

log = logging.getLogger(__name__)

START_SECONDS = 60.0


@dataclass(frozen=True)
class Simulator:
    """The simulated exchange as a child process; it ends when its standard input closes, so it never outlives us."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End it and wait; idempotent."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Venue:
    """Where the market data come from.

    Attributes
    ----------
    urls : tuple of str
        Addresses of the exchange; each can stand in for the others.
    fallback : str or None
        Why it stands in for another; None when it was asked for.
    simulator : Simulator or None
        The child process behind it, if we started one.
    """

    urls: tuple[str, ...]
    fallback: str | None = None
    simulator: Simulator | None = None

    @property
    def url(self) -> str:
        """The first address: what readers are shown."""
        return self.urls[0]


def start_simulator(*, seed: int, speed: float) -> Simulator:
    """Start ``hlpairs simulate`` on a free port and wait until it answers.

    Raises
    ------
    EngineError
        If it ends, or says nothing, before it answers.
    """
    command = [sys.executable, "-m", "hlpairs_core.cli", "simulate", "--port", "0", "--with-parent"]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, "--seed", str(seed), "--speed", str(speed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    url = process.stdout.readline().strip()
    too_late.cancel()
    if not url.startswith("http://"):
        process.kill()
        raise EngineError(f"the simulated exchange did not start (exit {process.wait()}): run `hlpairs simulate`")
    return Simulator(url, process)


async def answers(urls: str | Sequence[str]) -> str | None:
    """Return None when the exchange at one of `urls` answers now, else why it does not."""
    try:
        async with HyperliquidClient(urls, timeout_seconds=5.0, retries=1) as client:
            await client.all_mids()
    except ExchangeError as error:
        return str(error)
    return None


async def choose_venue(
    settings: Settings,
    *,
    probe: Callable[[str], Awaitable[str | None]] = answers,
    simulate: Callable[..., Simulator] = start_simulator,
) -> Venue:
    """Return the exchange of ``settings.market``; ``auto`` is the mainnet if it answers now, else the demo.

    After this choice nothing switches: an outage shows as stale data.
    """
    fixed = {"mainnet": MAINNET_URL, "testnet": TESTNET_URL}
    fallback = None
    if settings.market == "auto":
        trouble = await probe(MAINNET_URL)
        if trouble is None:
            return Venue((MAINNET_URL,))
        fallback = f"Hyperliquid cannot be reached: this is the simulated demo market. {trouble}"
        log.warning("%s", fallback)
    elif settings.market != "demo":
        return Venue(tuple(fixed.get(settings.market, settings.market).split(",")))
    simulator = await asyncio.to_thread(simulate, seed=settings.demo_seed, speed=settings.demo_speed)
    return Venue((simulator.url,), fallback, simulator)
