"""Writes the journal beside the event loop."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from hlpairs_core.engine.payload import TopPayload, iso
from hlpairs_core.engine.problems import Problems
from hlpairs_core.exceptions import StoreError
from hlpairs_core.store import Journal

__all__ = ["Diary"]

log = logging.getLogger(__name__)


class Diary:
    """What goes into the journal: verdicts wait until they are stored, a snapshot that cannot be stored is a gap.

    Parameters
    ----------
    journal : Journal
        Where to write.
    problems : Problems
        Where to say that it cannot be written.
    """

    def __init__(self, journal: Journal, problems: Problems) -> None:
        self._journal = journal
        self._problems = problems
        self._verdicts: deque[tuple[TopPayload, int]] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Verdicts that are not stored yet."""
        return len(self._verdicts)

    def add_verdict(self, payload: TopPayload, *, bar_closed_ms: int) -> None:
        """Take the verdict of a closed bar; `write` stores it."""
        self._verdicts.append((payload, bar_closed_ms))

    async def write(self, snapshot: Mapping[str, Any], *, market_ms: int) -> None:
        """Store the verdicts that wait, and a snapshot; what goes wrong is reported."""
        try:
            await asyncio.to_thread(self._write, snapshot, market_ms)
        except StoreError as error:
            text = f"{error}. The page goes on; its history has a gap, and verdicts that wait in memory: {self.waiting}"
            self._problems.report("journal", text)
        else:
            self._problems.report("journal", None)
        for problem in self._journal.problems:
            self._problems.note("journal", str(problem))

    def write_verdicts(self) -> None:
        """Store the verdicts that wait, at once.

        Raises
        ------
        StoreError
            If one cannot be written; it and those after it go on waiting.
        """
        # At the end of the engine a thread that nobody waits for any more may still be at it.
        with self._lock:
            while self._verdicts:
                payload, bar_closed_ms = self._verdicts[0]
                self._journal.add_verdict(payload, market=payload["market"]["name"], bar_closed_ms=bar_closed_ms)
                self._verdicts.popleft()
                text, said = "kept the verdict of the bar that closed at %s", {"bar_closed_ms": bar_closed_ms}
                log.info(text, iso(bar_closed_ms / 1000), extra=said)
                self._journal.prune()

    def _write(self, snapshot: Mapping[str, Any], market_ms: int) -> None:
        self.write_verdicts()
        self._journal.add_snapshot(snapshot, market_ms=market_ms)
