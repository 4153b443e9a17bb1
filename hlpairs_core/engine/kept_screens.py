"""Keeps the table of each screen, beside the event loop."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import numpy as np
import pandas as pd

from hlpairs_core.engine.payload import iso
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.waiting import woken
from hlpairs_core.exceptions import StoreError
from hlpairs_core.screening import GATES, ScreenResult
from hlpairs_core.store import Screens, ScreenTable
from hlpairs_core.store.pair_rows import NUMBERS, ROW, PairRows

__all__ = ["KeptScreens", "screen_table"]

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
# Of one screen there are 0.8 MB: two days of hourly bars are what a full disk may cost in memory.
WAITING_AT_MOST = 48


class KeptScreens:
    """What goes into the screen history: a table waits until it is stored, and the later answer of its bar replaces it.

    Parameters
    ----------
    screens : Screens
        Where to write.
    problems : Problems
        Where to say that it cannot be written.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        screens: Screens,
        problems: Problems,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._screens, self._problems, self._sleep = screens, problems, sleep
        self._waiting: dict[int, tuple[ScreenTable, bool]] = {}
        self._news = asyncio.Event()
        self._lock = threading.Lock()
        self._lost = 0

    @property
    def waiting(self) -> int:
        """Tables that are not stored yet."""
        return len(self._waiting)

    def add(self, table: ScreenTable, *, final: bool) -> None:
        """Take the table of a bar; `step` stores it."""
        self._waiting[table.closed_ms] = (table, final)
        if len(self._waiting) > WAITING_AT_MOST:
            del self._waiting[next(iter(self._waiting))]
            self._lost += 1
        self._news.set()

    async def step(self) -> None:
        """Wait for a table and store what waits; what cannot be stored is told, and tried again."""
        await woken(self._news, RETRY_SECONDS, self._sleep)
        if not self._waiting:
            return
        try:
            await asyncio.to_thread(self.write)
        except StoreError as error:
            lost = f", {self._lost} are lost" if self._lost else ""
            text = f"{error}. The page goes on; tables of screens that wait in memory: {self.waiting}{lost}"
            self._problems.report("screens", text)
        else:
            self._problems.report("screens", None)
            self._lost = 0
        for problem in self._screens.problems:
            self._problems.note("screens", str(problem))

    def write(self) -> None:
        """Store the tables that wait, at once.

        Raises
        ------
        StoreError
            If one cannot be written; it and those after it go on waiting.
        """
        # At the end of the engine a thread that nobody waits for any more may still be at it.
        with self._lock:
            for closed_ms, waiting in list(self._waiting.items()):
                table, final = waiting
                if self._screens.add(table, final=final):
                    text, said = "kept the pairs of the bar that closed at %s", {"screen_closed_ms": closed_ms}
                    log.info(text, iso(closed_ms / 1000), extra=said)
                # A later answer of the bar may have come meanwhile.
                if self._waiting.get(closed_ms) is waiting:
                    self._waiting.pop(closed_ms, None)
                self._screens.prune()


def screen_table(result: ScreenResult) -> ScreenTable:
    """Return what is kept of a screen."""
    # What was tested: spot has no test, and no history of one.
    pairs = result.candidates[(result.candidates["kind"] == "perp_perp").to_numpy()]
    codes, coins = pd.factorize(np.concatenate([pairs["y"].to_numpy(), pairs["x"].to_numpy()]))
    return ScreenTable(
        bar_ms=_ms(result.bar_time),
        closed_ms=_ms(result.closed_at),
        asked={"settings": asdict(result.settings), "costs": asdict(result.costs)},
        gates=GATES,
        coins=tuple(map(str, coins)),
        rows=_rows(pairs, codes),
        n_pairs=result.funnel.pairs,
        expected_by_luck=result.funnel.expected_by_luck,
        fee_bps=result.costs.round_trip_fee_bps,
        qualifies=result.verdict.qualifies,
        verdict=result.verdict.text,
    )


def _rows(pairs: pd.DataFrame, coins: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> PairRows:
    rows = np.zeros(len(pairs), dtype=ROW)
    rows["y"], rows["x"] = np.split(coins, 2)
    bits = {failed: sum(1 << GATES.index(name) for name in failed) for failed in set(pairs["gates_failed"])}
    rows["failed"] = [bits[failed] for failed in pairs["gates_failed"]]
    with np.errstate(over="ignore"):  # what no longer fits is as good as infinite
        for name in NUMBERS:
            rows[name] = pairs[name].to_numpy(dtype=np.float64)
    return rows


def _ms(time: pd.Timestamp) -> int:
    return int(time.as_unit("ms").asm8.astype(np.int64))
