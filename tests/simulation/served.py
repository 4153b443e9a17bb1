"""A simulated exchange in a thread of its own, for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hlpairs_core.simulation import SimulatedExchange, SimulatedMarket


@contextmanager
def served(market: SimulatedMarket, **options: Any) -> Iterator[SimulatedExchange]:
    """Serve a market until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated exchange")
    thread.start()
    exchange = SimulatedExchange(market, **options)
    try:
        asyncio.run_coroutine_threadsafe(exchange.start(), loop).result(timeout=10)
        yield exchange
    finally:
        asyncio.run_coroutine_threadsafe(exchange.stop(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
