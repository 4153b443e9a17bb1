import asyncio
import time
from collections.abc import Awaitable, Callable

from hlpairs_core.engine import RunningEngine
from hlpairs_core.exceptions import EngineError

__all__ = ["EngineKeeper"]

# An engine that ends sooner than this after its start will not do better the next time.
SHORT_LIFE_SECONDS = 30.0
SHORT_LIVES_AT_MOST = 3
PAUSE_SECONDS = 2.0


class EngineKeeper:
    """Keeps an engine that was started for the page alive, at one address, so that open pages find it again.

    Parameters
    ----------
    engine : RunningEngine
        One with a process; another's engine is not ours to keep.
    restart : callable
        Starts one again and waits until it answers; runs in a thread.
    note : callable
        Gets what the user should know.
    clock, sleep : callable
        Seconds of a clock that only goes forward, and awaitable sleep.
    """

    def __init__(
        self,
        engine: RunningEngine,
        restart: Callable[[], RunningEngine],
        *,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.engine = engine
        self._restart, self._note = restart, note
        self._clock, self._sleep = clock, sleep

    async def watch(self) -> None:
        """Start the engine again whenever it ends; give up when it keeps ending at once."""
        short_lives = 0
        while self.engine.process is not None:
            started = self._clock()
            code = await asyncio.to_thread(self.engine.process.wait)
            short_lives = short_lives + 1 if self._clock() - started < SHORT_LIFE_SECONDS else 0
            if short_lives == SHORT_LIVES_AT_MOST:
                self._note(f"the engine keeps ending (exit {code}): see engine.log in the data folder")
                return
            self._note(f"the engine ended unexpectedly (exit {code}): starting it again")
            await self._sleep(PAUSE_SECONDS)
            try:
                self.engine = await asyncio.to_thread(self._restart)
            except EngineError as error:
                self._note(str(error))
                return

    def stop(self) -> None:
        """End the engine if it is ours; idempotent."""
        self.engine.stop()
