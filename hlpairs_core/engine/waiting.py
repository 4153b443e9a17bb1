import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["woken"]


async def woken(event: asyncio.Event, seconds: float, sleep: Callable[[float], Awaitable[object]]) -> bool:
    """Wait until `event` is set, at most `seconds` of `sleep`; return whether it was, and clear it."""
    waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(sleep(seconds))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    came = event.is_set()
    event.clear()
    return came
