import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

__all__ = ["while_parent_lives"]


async def while_parent_lives(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it is done or standard input closes, then cancel it.

    Whoever starts a child holds the other end of its standard input. The operating system closes that pipe
    whatever the way the holder died, ``kill -9`` included, so that no child is left behind.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_input_closed())
    done, _ = await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    for one in (task, gone):
        one.cancel()
    await asyncio.gather(task, gone, return_exceptions=True)
    if task in done:
        task.result()


async def _input_closed() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while await reader.read(1024):
            pass
    finally:
        transport.close()
