from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from hlpairs_core.simulation import SimulatedExchange, SimulatedMarket, synthetic_market
from hlpairs_core.simulation.handlers import answer
from hlpairs_core.simulation.view import MarketView

START = "2025-09-01T12:34:56.789Z"


class WallClock:
    """A wall clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


@pytest.fixture(scope="session")
def demo() -> SimulatedMarket:
    """A synthetic market whose clock stands still."""
    return synthetic_market(seed=7, n_coins=40, start=START, clock=WallClock())


@pytest.fixture(scope="session")
def ask() -> Callable[..., Any]:
    """Payload of one request at a market time, without a server."""

    def asked(market: SimulatedMarket, request: dict[str, Any], time_ms: int | None = None) -> Any:
        moment = market.clock.time_ms() if time_ms is None else time_ms
        return answer(MarketView.at(market, moment), request).payload

    return asked


@pytest.fixture
async def exchange(demo: SimulatedMarket) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(demo) as running:
        yield running


@pytest.fixture
async def http(exchange: SimulatedExchange) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=exchange.base_url or "") as client:
        yield client
