import asyncio
import os
import signal

import httpx
import pandas as pd
import pytest

from hlpairs_core.exceptions import SettingsError
from hlpairs_core.simulation import MarketClock, SimulatedExchange, SimulatedMarket, run


def test_market_time_runs_at_its_speed_and_stops_at_its_end(wall) -> None:
    clock = MarketClock("2025-05-01", 60, wall, end="2025-05-01T01:00Z")
    assert clock.now() == pd.Timestamp("2025-05-01", tz="UTC")
    wall.seconds += 30
    assert clock.now() == pd.Timestamp("2025-05-01T00:30", tz="UTC")
    wall.seconds += 3600
    assert clock.now() == pd.Timestamp("2025-05-01T01:00", tz="UTC")


def test_market_time_never_runs_backwards(wall) -> None:
    clock = MarketClock("2025-05-01", 1, wall)
    wall.seconds += 10
    latest = clock.time_ms()
    wall.seconds -= 100
    assert clock.time_ms() == latest


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_speed_that_is_no_speed_is_refused(speed: float) -> None:
    with pytest.raises(SettingsError, match="speed must be above 0"):
        MarketClock("2025-05-01", speed)


@pytest.mark.parametrize("time", ["soon", "", None, "NaT"])
def test_a_time_that_is_no_time_is_refused(time: str) -> None:
    with pytest.raises(SettingsError, match="as a time"):
        MarketClock(time)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(SettingsError, match="would end"):
        MarketClock("2025-05-02", end="2025-05-01")


async def test_run_announces_an_address_that_answers_and_ends_on_sigterm(demo: SimulatedMarket) -> None:
    announced: asyncio.Queue[str] = asyncio.Queue()
    running = asyncio.create_task(run(SimulatedExchange(demo), port=0, announce=announced.put_nowait))
    base_url = await asyncio.wait_for(announced.get(), 5)
    async with httpx.AsyncClient() as client:
        assert (await client.get(base_url)).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 5)
        with pytest.raises(httpx.ConnectError):
            await client.post(f"{base_url}/info", headers={"Connection": "close"})


async def test_run_ends_cleanly_when_cancelled(demo: SimulatedMarket) -> None:
    announced: asyncio.Queue[str] = asyncio.Queue()
    running = asyncio.create_task(run(SimulatedExchange(demo), port=0, announce=announced.put_nowait))
    base_url = await asyncio.wait_for(announced.get(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(base_url)
