import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import NoReturn

from hlpairs_core.engine.payload import Problem, iso
from hlpairs_core.exceptions import HlpairsError

__all__ = ["Problems", "forever"]

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
# Long enough to be seen, short enough that what has been mended does not look broken for ever.
NOTE_SECONDS = 900.0


class Problems:
    """What is wrong now, by source; each is logged when it comes, changes and goes.

    Parameters
    ----------
    clock : callable
        Wall time, seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, Problem] = {}
        self._notes: dict[Hashable, tuple[float, Problem]] = {}

    def report(self, source: str, text: str | None, *, retry_in_seconds: float | None = None) -> None:
        """Say what is wrong with `source`, or with None that nothing is."""
        known = self._known.get(source)
        if text is None:
            if known is not None:
                log.info("%s: solved", source)
                del self._known[source]
            return
        if known is None or known["text"] != text:
            log.warning("%s: %s", source, text)
        since = known["since"] if known is not None else iso(self._clock())
        self._known[source] = Problem(source=source, since=since, text=text, retry_in_seconds=retry_in_seconds)

    def note(self, source: str, text: str, *, key: Hashable = None) -> None:
        """Tell what happened and is over, such as a file that was set aside: once, for a quarter of an hour.

        `key` tells it from what happened before in the same words; without one the same words are the same thing.
        """
        key = text if key is None else key
        if key not in self._notes:
            log.warning("%s: %s", source, text)
            now = self._clock()
            self._notes[key] = (now, Problem(source=source, since=iso(now), text=text, retry_in_seconds=None))

    def __contains__(self, source: str) -> bool:
        return source in self._known

    @property
    def is_anything_wrong(self) -> bool:
        """Whether something is wrong now; what happened lately and is over does not count."""
        return bool(self._known)

    def all(self) -> list[Problem]:
        """Return what is wrong now, oldest source first, then what happened lately."""
        now = self._clock()
        lately = [problem for noted, problem in self._notes.values() if now - noted < NOTE_SECONDS]
        return [*self._known.values(), *lately]


async def forever(
    source: str, step: Callable[[], Awaitable[None]], problems: Problems, sleep: Callable[[float], Awaitable[object]]
) -> NoReturn:
    """Repeat `step`; what it raises is shown, logged and tried again, never the end of the engine."""
    while True:
        try:
            await step()
        except Exception as error:
            problems.report(source, _reason(source, error), retry_in_seconds=RETRY_SECONDS)
        else:
            problems.report(source, None)
            continue
        await sleep(RETRY_SECONDS)


def _reason(source: str, error: Exception) -> str:
    while isinstance(error, ExceptionGroup):  # tasks that worked side by side: the first that failed says why
        error = error.exceptions[0]
    if isinstance(error, HlpairsError):
        return str(error)
    log.error("%s failed", source, exc_info=error)
    return f"internal error ({type(error).__name__}), see the engine's log"
